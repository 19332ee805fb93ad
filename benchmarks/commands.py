"""How long README's commands take: ``python -m benchmarks.commands`` runs them in a fresh clone of this commit.

It takes about an hour, wants a quiet machine, and writes reports/data/times.csv, from which README and docs/ tell them.
"""

from __future__ import annotations

import csv
import datetime
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib import ROOT
from lib.data.files import whole_file
from lib.experiment.alone import usable_cores
from lib.experiment.provenance import collect_provenance

TARGET = ROOT / "reports" / "data" / "times.csv"
COLUMNS = ("command", "what", "seconds", "core_seconds", "cores", "machine", "day")

COMMANDS = (
    ("make install", "the environment, packages at hand"),
    ("make report", "from nothing"),
    ("make report", "again, with nothing to do"),
    ("python run_notebooks.py --only svd -p n_factors 50", "one run, another parameter"),
    ("python run_notebooks.py --profile quick --output-dir quick", "the whole report on small grids"),
    ("make test", "every test"),
    ("python run_notebooks.py --from-scratch", "everything of the small data sets fitted anew"),
)


def main(wanted: list[str]) -> int:
    """Run the commands, or those that hold one of some words, one after the other, and note what each took."""
    rows, made = [], collect_provenance()
    with tempfile.TemporaryDirectory(prefix="commands-") as place:
        clone = Path(place) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for command, what in COMMANDS:
            if wanted and command != "make install" and not any(word in command for word in wanted):
                continue
            program, *arguments = shlex.split(command)
            program = ".venv/bin/python" if program == "python" else program
            start, spent = time.perf_counter(), _core_seconds()
            done = subprocess.run([program, *arguments], cwd=clone, capture_output=True, text=True, check=False)
            seconds, spent = time.perf_counter() - start, _core_seconds() - spent
            if done.returncode:
                print(done.stdout[-3000:], done.stderr[-3000:], f"{command} failed", sep="\n", file=sys.stderr)
                return 1
            where = [usable_cores(), made["processor"], datetime.date.today().isoformat()]
            rows.append([command, what, round(seconds, 1), round(spent, 1), *where])
            print(f"{command}, {what}: {seconds:.0f} s, {spent:.0f} core seconds", flush=True)
    _write(rows)
    return 0


def _core_seconds() -> float:
    """Seconds that all cores of the machine have worked, which does nothing else: not all processes are told of at their end."""
    user, nice, system = (int(text) for text in Path("/proc/stat").read_text().split(maxsplit=4)[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _write(rows: list[list]) -> None:
    """Put the rows in the place of those that the file has of the same commands."""
    table = {(row[0], row[1]): row for row in rows}
    if TARGET.exists():
        with open(TARGET, newline="", encoding="utf-8") as file:
            table = {(row[0], row[1]): row for row in list(csv.reader(file))[1:]} | table
    ordered = [table[one] for one in COMMANDS if one in table]
    with whole_file(TARGET) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=os.linesep).writerows([COLUMNS, *ordered])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
