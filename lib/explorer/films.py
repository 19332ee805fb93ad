"""Films near a film, in the spaces of several models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.embedding_study import fit_variant
from lib.embeddings.neighbours import nearest
from lib.embeddings.quality import co_rating_embeddings
from lib.files import whole_file
from lib.interactions import Interactions
from lib.metrics.lists import best_columns
from lib.models import create

MODULES = (
    "lib.models.biased_svd", "lib.models.svdpp", "lib.models.implicit_als", "lib.models.ease",
    "lib.models.matrix_factorisation", "lib.models.softmax",
)  # fmt: skip
"""What is fitted here, by name."""


@dataclass(frozen=True)
class FilmSpace:
    """Where a model puts the films.

    Parameters
    ----------
    name, label : str
    vectors : ndarray, shape (n_items, m)
        Compared by cosine, or, where `weights`, films x films weights: row i what having rated film i adds to others.
    weights : bool
    """

    name: str
    label: str
    vectors: np.ndarray
    weights: bool = False

    def near(self, item: int, n: int, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the codes and similarities of the n nearest films among those allowed, nearest first.

        Fewer where fewer are allowed.
        """
        n = min(n, int(among.sum()) - bool(among[item]))
        if n < 1:
            return np.empty(0, np.int64), np.empty(0)
        if self.weights:
            row = np.where(among, self.vectors[[item]].astype(np.float64), -np.inf)
            row[0, item] = -np.inf
            items, values = best_columns(row, n)
        else:
            allowed = among.copy()
            allowed[item] = False
            items, values = nearest(self.vectors[[item]], self.vectors, n, among=allowed)
        return items[0].astype(np.int64), values[0]


SPACES: dict[str, str] = {
    "raters": "Common raters",
    "biased_svd": "SVD, Koren's form",
    "svdpp": "SVD++",
    "implicit_als": "Implicit ALS",
    "ease": "EASE, weights",
    "gravity": "L2 and gravity",
    "softmax": "Softmax",
}
"""By name what a reader sees; all are fitted with their models' defaults."""

DIRECT = ("raters", "ease")
"""Spaces that are as large as the ratings or the square of the catalogue, and quicker made than read: never kept."""


def film_spaces(
    train: Interactions, names: Iterable[str] = tuple(SPACES), *, seed: int = 42, keep: Path | None = None
) -> list[FilmSpace]:
    """Fit the models whose films can be compared.

    Parameters
    ----------
    train : Interactions
    names : iterable of str
        Of `SPACES`.
    seed : int
        Of every model that starts at random.
    keep : path, optional
        A file in which learned vectors are looked for, and left for the next time. Vectors of other ratings or another
        seed are replaced.

    Raises
    ------
    ValueError
        A name that is not in `SPACES`.
    """
    names = list(names)
    unknown = [name for name in names if name not in SPACES]
    if unknown:
        raise ValueError(f"films have no space called {', '.join(unknown)}; there are {', '.join(SPACES)}")
    key = _key(train, seed)
    kept = _read(keep, key)
    found = {name: kept[name] if name in kept else _fit(name, train, seed) for name in names}
    if (
        keep is not None
        and (new := {name: v for name, v in found.items() if name not in DIRECT}).keys() - kept.keys()
    ):
        with whole_file(Path(keep)) as partial, open(partial, "wb") as file:
            np.savez(file, __key__=np.array(key), **{**kept, **new})
    return [FilmSpace(name, SPACES[name], vectors, weights=name == "ease") for name, vectors in found.items()]


def _fit(name: str, train: Interactions, seed: int) -> np.ndarray:
    if name == "raters":
        return co_rating_embeddings(train).toarray().astype(np.float32)
    if name == "ease":
        return create("ease").fit(train).weights_.astype(np.float32)
    if name in ("gravity", "softmax"):
        return np.asarray(fit_variant(name, train, seed=seed).item_embeddings_, dtype=np.float32)
    model = create(name, seed=seed).fit(train)
    vectors = model.item_embeddings_ if name == "implicit_als" else model.item_factors_
    return np.asarray(vectors, dtype=np.float32)


def _key(train: Interactions, seed: int) -> str:
    digest = hashlib.sha256(json.dumps([seed, train.n_users, train.n_items]).encode())
    for array in (train.users, train.items, train.ratings):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _read(path: Path | None, key: str) -> Mapping[str, np.ndarray]:
    if path is None or not Path(path).exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        if "__key__" not in file or str(file["__key__"]) != key:
            return {}
        return {name: file[name] for name in file.files if name != "__key__"}
