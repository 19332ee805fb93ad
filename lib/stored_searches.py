"""Keep the searches that runs have made for good: ``python -m lib.stored_searches`` copies them into data/searches.

Each is a compressed table of trials, named after the search and a digest of all that its trials depend on. One whose
digest nothing asks for any more is stale; ``--prune`` removes those that the runs here have not left as well.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from lib.results import runs_folder, whole_file
from lib.side_information_runs import STORED
from lib.tuning import load_search


def keep(source: Path, target: Path, *, prune: bool = False) -> tuple[list[str], list[str]]:
    """Copy searches that are new, or longer than the one that is kept.

    Returns
    -------
    copied, removed : list of str
        File names.
    """
    made = {path.name: path for path in sorted(source.glob("*.json.gz"))}
    copied, removed = [], []
    for name, path in made.items():
        kept = target / name
        if kept.exists() and len(load_search(kept).trials) >= len(load_search(path).trials):
            continue
        with whole_file(kept) as partial:
            shutil.copyfile(path, partial)
        copied.append(name)
    if prune:
        for path in sorted(target.glob("*.json.gz")):
            if path.name not in made:
                path.unlink()
                removed.append(path.name)
    return copied, removed


def main(arguments: list[str] | None = None) -> None:
    """Copy, and say what was copied."""
    parser = argparse.ArgumentParser(prog="python -m lib.stored_searches", description=__doc__)
    parser.add_argument(
        "--prune", action="store_true", help="remove kept searches that the runs here do not use"
    )
    copied, removed = keep(runs_folder() / ".searches", STORED, prune=parser.parse_args(arguments).prune)
    print(
        f"{len(copied)} searches kept in data/searches"
        + (f", {len(removed)} stale ones removed" if removed else "")
    )


if __name__ == "__main__":
    main()
