"""Results of long runs that the project keeps for good, shown where a profile doesn't make them.

``python -m lib.runner.kept_runs RUN...`` packs results that were made here into data/runs. Predictions, lists and score
matrices are left out: a kept run is there to be read, by people and by notebooks that quote its figures.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import lzma
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

from lib import ROOT
from lib.runner.errors import UsageError
from lib.runner.plan import Plan, Run, load_plan
from lib.runner.store import AS_MADE, LEFT_OUT, NOTEBOOK, RECORD, Store, read_json, write_whole

FOLDER = Path("data") / "runs"
"""Of the archives, in the plan's folder."""

NOTE = "kept"
"""Id of the cell that tells a page's reader where its results are from."""

LARGE = ("predictions.parquet", "top_k.parquet", "scores/")
"""What is left out of an archive, by the start of its name."""


def archives(plan: Plan, runs: Iterable[str]) -> dict[str, Path]:
    """Return the archives that there are of some runs."""
    found = {name: plan.root / FOLDER / f"{name}.tar.xz" for name in runs}
    return {name: path for name, path in found.items() if path.is_file()}


def digest(archive: Path) -> str:
    """Return what tells an archive from a later one of the same run."""
    return hashlib.sha256(archive.read_bytes()).hexdigest()[:16]


def pack(folder: Path, archive: Path) -> None:
    """Write a run's results, less what is large; the same results are the same bytes.

    Raises
    ------
    UsageError
        The folder holds no results, or none that were made here.
    """
    record = read_json(folder / RECORD)
    if record is None:
        raise UsageError(f"{folder.name} has no results here. Make them first: python run_notebooks.py --profile large --only {folder.name}")  # fmt: skip
    if record.get(LEFT_OUT) or record.get(AS_MADE):
        raise UsageError(f"the results of {folder.name} were not made here, so that there is nothing to keep")
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(n for n in names if not n.startswith(LARGE) and not Path(n).name.startswith(".")):
            content = (folder / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(lzma.compress(packed.getvalue(), preset=9))


def unpack(archive: Path, folder: Path, run: Run, profile: str) -> dict:
    """Write an archive's results into a folder, tell on the page where they are from, and return their record.

    Raises
    ------
    UsageError
        The archive is damaged.
    """
    try:
        with tarfile.open(archive, "r:xz") as tar:
            for entry in tar:  # a project's own archive holds plain files, so that nothing else is written
                place = (folder / entry.name).resolve()
                if entry.isfile() and place.is_relative_to(folder.resolve()):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(tar.extractfile(entry).read())
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise UsageError(f"{archive} is damaged ({error}); get it again: git checkout -- {FOLDER.as_posix()}") from None  # fmt: skip
    record = read_json(folder / RECORD)
    if record is None:
        raise UsageError(f"{archive} holds no record of its run; get it again: git checkout -- {FOLDER.as_posix()}")  # fmt: skip
    (folder / RECORD).unlink()
    _tell(folder / NOTEBOOK, record, run, profile)
    return record


def _tell(path: Path, record: dict, run: Run, profile: str) -> None:
    """Put a line about where the results are from behind the page's opening."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    made = str(record["finished"])[:10]
    source = (
        f"*Made on {made} and kept with the project, as it takes long. To make it anew, run* "
        f"`python run_notebooks.py --profile {profile} --only {run.id}`*.*"
    )
    notebook["cells"].insert(1, {"cell_type": "markdown", "id": NOTE, "metadata": {}, "source": source})
    write_whole(path, json.dumps(notebook, ensure_ascii=False))


def main(arguments: list[str] | None = None) -> int:
    """Pack runs that were named, or all of the large profile that have results here."""
    parser = argparse.ArgumentParser(prog="python -m lib.runner.kept_runs", description=__doc__)
    parser.add_argument("runs", nargs="*", help="default: all runs of the large profile alone that are here")
    given = parser.parse_args(arguments).runs
    plan = load_plan(ROOT / "report.toml")
    store = Store(ROOT / "reports" / "runs")
    large = [run.id for run in plan.runs if run.outside("full") == "large"]
    if unknown := sorted(set(given) - set(plan.ids)):
        print(f"no run is called {', '.join(unknown)}; the plan has {', '.join(plan.ids)}", file=sys.stderr)
        return 2
    made = [n for n in large if (r := store.record(n)) and not r.get(LEFT_OUT) and not r.get(AS_MADE)]
    for name in given or made:
        archive = ROOT / FOLDER / f"{name}.tar.xz"
        try:
            pack(store.folder(name), archive)
        except UsageError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"{name}: {archive.stat().st_size / 1000:.0f} kB in {FOLDER.as_posix()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
