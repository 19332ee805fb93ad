"""Folds made once and frozen to a file: everybody who reads it measures on the same test ratings."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from lib import ROOT
from lib.data.files import whole_file
from lib.data.interactions import Interactions
from lib.data.splits import Split, fold_numbers, k_fold, traced, with_folds

FORMAT = 1
FOLDS = ROOT / "data" / "folds"  # the project's frozen folds, a file a data set


class WrongFolds(ValueError):
    """A file of folds that is damaged, or was made for other ratings."""


@traced
def frozen_folds(interactions: Interactions, *, name: str, n_folds: int = 5, seed: int = 42) -> list[Split]:
    """Return the frozen folds of the data set of this name (``data/folds``), made and frozen if there are none yet.

    They are those of `lib.data.splits.k_fold` on the ratings in the order of their raw (user, item) pairs, whatever
    that of the rows. The file (``.npz``, no pickle) holds a fold number for each rating in that order, the seed, and
    two checksums: of the ratings that it was made for, and of itself; no id and no rating. WrongFolds: the file is
    none, is damaged, or was made for other ratings, another seed or number of folds. ValueError: as in `k_fold`.
    """
    path = FOLDS / f"{name}.npz"
    if not path.exists():
        _freeze(interactions, path, n_folds, seed)
    splits = _thaw(path, interactions)
    if (len(splits), splits[0].seed) != (n_folds, seed):
        raise WrongFolds(
            f"{path} holds {len(splits)} folds of seed {splits[0].seed}, not {n_folds} of seed {seed}; ask for those"
        )
    return splits


def inner_folds(train: Interactions, *, n_folds: int = 3, seed: int = 0) -> list[Split]:
    """Part a training set again, for choices that must not see the test set: each ``test`` is validation data."""
    return [
        Split(f"validation_{split.name}", split.train, split.test, split.fold, seed)
        for split in k_fold(train, n_folds=n_folds, seed=seed)
    ]


def _freeze(interactions: Interactions, path: Path, n_folds: int, seed: int) -> None:
    numbers = fold_numbers(len(interactions), n_folds, seed).astype(np.uint8)
    content: dict[str, Any] = {"format": FORMAT, "folds": numbers, "n_folds": n_folds, "seed": seed}
    content["ratings"] = _of_ratings(interactions, _canonical(interactions))
    content["checksum"] = _of_folds(numbers, n_folds, seed)
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **content)


def _thaw(path: Path, interactions: Interactions) -> list[Split]:
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
        numbers, n_folds, seed = content["folds"], int(content["n_folds"]), int(content["seed"])
        made_for, checksum = str(content["ratings"]), str(content["checksum"])
    except Exception as error:
        raise WrongFolds(f"{path} is not a file of folds as this version reads; delete it and freeze again") from error
    if _of_folds(numbers, n_folds, seed) != checksum:
        raise WrongFolds(f"{path} is damaged: its checksum does not fit; delete it and freeze again")
    order = _canonical(interactions)
    if made_for != _of_ratings(interactions, order):
        raise WrongFolds(f"{path} was made for other ratings than these {len(interactions):,}; delete and freeze again")
    of_row = np.empty_like(numbers)
    of_row[order] = numbers
    return with_folds(interactions, of_row, seed)


def _canonical(interactions: Interactions) -> np.ndarray:
    """Order rows by raw user, then raw item."""
    return np.lexsort((interactions.item_ids[interactions.items], interactions.user_ids[interactions.users]))


def _of_ratings(interactions: Interactions, order: np.ndarray) -> str:
    found = hashlib.sha256()
    coded = (interactions.user_ids, interactions.users), (interactions.item_ids, interactions.items)
    for ids, codes in coded:
        found.update("\n".join(map(str, ids[codes[order]])).encode())
    found.update(interactions.ratings[order].tobytes())
    return found.hexdigest()


def _of_folds(numbers: np.ndarray, n_folds: int, seed: int) -> str:
    return hashlib.sha256(numbers.tobytes() + f"{FORMAT},{n_folds},{seed}".encode()).hexdigest()
