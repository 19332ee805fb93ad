"""Folds made once and frozen to a file: everybody who reads it measures on the same test ratings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.data.files import whole_file
from lib.data.interactions import Interactions
from lib.data.splits import Split, k_fold, traced

FORMAT = 1
FOLDS = ROOT / "data" / "folds"
"""The project's frozen folds, a file a data set."""


class WrongFolds(ValueError):
    """A file of folds that is damaged, or was made for other ratings."""


def freeze(interactions: Interactions, path: Path | str, *, n_folds: int = 5, seed: int = 42) -> list[Split]:
    """Part ratings into folds as `lib.data.splits.k_fold` does, and keep the parting in a file.

    The file (``.npz``, no pickle) holds a fold number for each rating in the order of its raw (user, item) pair, the
    seed, and two checksums: of the ratings that it was made for, and of itself. It holds no id and no rating. The order
    of the rows in `interactions` does not matter to the folds.

    Returns
    -------
    list of Split
        As `thaw` gives them.

    Raises
    ------
    ValueError
        As in `lib.data.splits.k_fold`.
    """
    order = _canonical(interactions)
    numbers = np.empty(len(interactions), dtype=np.uint8)
    for number, split in enumerate(_parted(interactions, order, n_folds, seed)):
        numbers[split] = number
    with whole_file(Path(path)) as partial, open(partial, "wb") as file:
        np.savez_compressed(
            file, format=FORMAT, folds=numbers, n_folds=n_folds, seed=seed, ratings=_of_ratings(interactions, order),
            checksum=_of_folds(numbers, n_folds, seed),
        )  # fmt: skip
    return thaw(path, interactions)


def thaw(path: Path | str, interactions: Interactions) -> list[Split]:
    """Read frozen folds.

    Returns
    -------
    list of Split
        Named ``kfold_<n>``, folds counted from one, rows in the order of `interactions`.

    Raises
    ------
    WrongFolds
        The file is no file of folds, is damaged, or was made for other ratings.
    FileNotFoundError
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
        numbers, n_folds, seed = content["folds"], int(content["n_folds"]), int(content["seed"])
        made_for, checksum = str(content["ratings"]), str(content["checksum"])
    except FileNotFoundError:
        raise
    except Exception as error:
        raise WrongFolds(
            f"{path} is not a file of folds that this version reads; delete it and freeze again"
        ) from error
    if _of_folds(numbers, n_folds, seed) != checksum:
        raise WrongFolds(f"{path} is damaged: its checksum does not fit; delete it and freeze again")
    order = _canonical(interactions)
    if made_for != _of_ratings(interactions, order):
        raise WrongFolds(
            f"{path} was made for other ratings than these {len(interactions):,}; name another file for this data"
        )
    of_row = np.empty(len(order), dtype=np.uint8)
    of_row[order] = numbers
    return [
        Split(
            f"kfold_{n_folds}",
            interactions.take(of_row != n),
            interactions.take(of_row == n),
            str(n + 1),
            seed,
        )
        for n in range(n_folds)
    ]


@traced
def frozen_folds(
    interactions: Interactions, *, n_folds: int = 5, seed: int = 42, name: str = ""
) -> list[Split]:
    """Return the project's own frozen folds of a data set (``data/folds``), made and frozen if there are none yet.

    Parameters
    ----------
    interactions : Interactions
    n_folds, seed
        As in `load_or_freeze`.
    name : str
        The data set's.
    """
    return load_or_freeze(FOLDS / f"{name}.npz", interactions, n_folds=n_folds, seed=seed)


def load_or_freeze(
    path: Path | str, interactions: Interactions, *, n_folds: int = 5, seed: int = 42
) -> list[Split]:
    """Read frozen folds, or make and freeze them where there is no file yet.

    Raises
    ------
    WrongFolds
        As in `thaw`, or the file holds another number of folds or was made with another seed.
    """
    if not Path(path).exists():
        return freeze(interactions, path, n_folds=n_folds, seed=seed)
    splits = thaw(path, interactions)
    if (len(splits), splits[0].seed) != (n_folds, seed):
        raise WrongFolds(
            f"{path} holds {len(splits)} folds of seed {splits[0].seed}, not {n_folds} of seed {seed}; name another file"
        )
    return splits


def inner_folds(train: Interactions, *, n_folds: int = 3, seed: int = 0) -> list[Split]:
    """Part a training set again, for choices that must not see the test set: each ``test`` is validation data."""
    return [
        Split(f"validation_{split.name}", split.train, split.test, split.fold, seed)
        for split in k_fold(train, n_folds=n_folds, seed=seed)
    ]


def _canonical(interactions: Interactions) -> np.ndarray:
    """Order rows by raw user, then raw item."""
    return np.lexsort((interactions.item_ids[interactions.items], interactions.user_ids[interactions.users]))


def _parted(interactions: Interactions, order: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Return each fold's places in the canonical order: `k_fold` on the rows brought into that order."""
    rows = interactions.take(order)
    position = rows.users.astype(np.int64) * rows.n_items + rows.items
    by_pair = np.argsort(position)
    places = []
    for split in k_fold(rows, n_folds=n_folds, seed=seed):
        pairs = split.test.users.astype(np.int64) * rows.n_items + split.test.items
        places.append(by_pair[np.searchsorted(position[by_pair], pairs)])
    return places


def _of_ratings(interactions: Interactions, order: np.ndarray) -> str:
    digest = hashlib.sha256()
    for ids, codes in (
        (interactions.user_ids, interactions.users), (interactions.item_ids, interactions.items),
    ):  # fmt: skip
        digest.update("\n".join(map(str, ids[codes[order]])).encode())
    digest.update(interactions.ratings[order].tobytes())
    return digest.hexdigest()


def _of_folds(numbers: np.ndarray, n_folds: int, seed: int) -> str:
    return hashlib.sha256(numbers.tobytes() + f"{FORMAT},{n_folds},{seed}".encode()).hexdigest()
