"""Searches that the project keeps for good, so that the report does not repeat hours of trials.

``python -m lib.stored_searches`` copies the searches that runs have made into data/searches, and their grids
(`lib.stored_grids`) into data/grids. A search is a compressed table of trials, named after the search and a digest of all that its trials depend on. One whose digest nothing asks for any
more is stale; ``--prune`` removes those that the runs here have not left as well.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lib.datasets.catalogue import DATA
from lib.files import whole_file
from lib.processes import Work
from lib.results import runs_folder
from lib.search_space import Space
from lib.stored_grids import MADE as MADE_GRIDS
from lib.stored_grids import STORED as STORED_GRIDS
from lib.tuning import Search, load_search, search, search_key

STORED = DATA / "searches"
"""The kept searches."""


def find_search(
    objective: Work, space: Space, *, context: Mapping[str, Any], name: str, n_folds: int, n_trials: int,
    seed: int = 0, version: str = "", jointly: bool = True, runs_dir: str | Path = "", stored: Path | None = STORED,
    workers: int | None = None, say: Callable[[str], None] | None = print,
) -> Search:  # fmt: skip
    """Return a search that was made before, or make it.

    A kept search counts if nothing that its trials depend on has changed since: data, folds, search space, objective,
    `version`, the seed. A search that is made here leaves its trials, beside its journal, in ``.searches`` among the
    runs.

    Parameters
    ----------
    objective, space, context, name, n_folds, n_trials, seed, version, jointly, workers, say
        As in `lib.tuning.search`.
    runs_dir : str or Path
        Folder of all runs; empty for the project's own.
    stored : Path or None
        Folder of searches that are kept for good; None makes the search anew.
    """
    options = {"context": context, "n_folds": n_folds, "seed": seed, "version": version, "jointly": jointly}
    file = f"{name}-{search_key(objective, space, **options)}.json.gz"
    if stored is not None and (stored / file).exists():
        kept = load_search(stored / file)
        if len(kept.trials) >= n_trials:
            return kept.first(n_trials)
    store = runs_folder(runs_dir) / ".searches"
    found = search(
        objective, space, n_trials=n_trials, store=store, name=name, workers=workers, say=say, **options
    )
    if not (store / file).exists() or len(load_search(store / file).trials) < n_trials:
        found.save(store / file)
    return found


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


def keep_grids(source: Path, target: Path) -> list[str]:
    """Copy the grids that are new, and return their file names; a grid is whole, so none is longer than another."""
    new = [path for path in sorted(source.glob("*.json.gz")) if not (target / path.name).exists()]
    for path in new:
        with whole_file(target / path.name) as partial:
            shutil.copyfile(path, partial)
    return [path.name for path in new]


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
        + f"; {len(keep_grids(runs_folder() / MADE_GRIDS, STORED_GRIDS))} grids in data/grids"
    )


if __name__ == "__main__":
    main()
