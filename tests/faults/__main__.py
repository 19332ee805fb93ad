"""All faults, one after the other, as a table: ``python -m tests.faults``, which is ``make faults``."""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from pathlib import Path

from lib import ROOT
from tests.faults.bench import Outcome, make_template, try_fault
from tests.faults.every import every_fault

TABLE = ROOT / "reports" / "data" / "faults.csv"
COLUMNS = ("kind", "tried", "passed", "lost", "wrong", "traceback")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which processes are killed")
    parser.add_argument("--kind", action="append", help="only this kind; nothing is written then")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        scratch = Path(name)
        template = make_template(scratch / "template")
        for fault in every_fault():
            if options.kind and fault.kind not in options.kind:
                continue
            outcomes.append(try_fault(fault, template, scratch, options.seed))
            last = outcomes[-1]
            if last.verdict != "passed":
                print(f"{last.verdict}: {fault.kind}, {fault.name}: {last.why}", flush=True)
    counts = {
        kind: Counter(o.verdict for o in outcomes if o.fault.kind == kind)
        for kind in dict.fromkeys(o.fault.kind for o in outcomes)
    }
    rows = [[kind, count.total(), *(count[name] for name in COLUMNS[2:])] for kind, count in counts.items()]
    for row in [COLUMNS, *rows]:
        print(f"{row[0]:24}", *(f"{one!s:>9}" for one in row[1:]))
    if not options.kind:
        TABLE.parent.mkdir(parents=True, exist_ok=True)
        with open(TABLE, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return int(any(outcome.verdict != "passed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
