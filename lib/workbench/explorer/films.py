"""Films near a film, in the spaces of several models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.experiment.fit import Fit, Fitted
from lib.experiment.run import run_fits
from lib.metrics.lists import best_columns
from lib.models.fitting import fit_model
from lib.studies.embeddings.neighbours import nearest
from lib.studies.embeddings.quality import co_rating_embeddings
from lib.studies.embeddings.study import variant_fit
from lib.workbench.explorer.data import Explorer


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

    def near(self, item: int, n: int, among: np.ndarray) -> np.ndarray:
        """Return codes of the n nearest films among those allowed (a mask), nearest first; all where these are fewer."""
        allowed = among.copy()
        allowed[item] = False
        n = min(n, int(allowed.sum()))
        if n < 1:
            return np.empty(0, np.int64)
        if self.weights:
            items, _ = best_columns(np.where(allowed, self.vectors[[item]].astype(np.float64), -np.inf), n)
        else:
            items, _ = nearest(self.vectors[[item]], self.vectors, n, among=allowed)
        return items[0].astype(np.int64)


SPACES = {
    "raters": "Common raters", "biased_svd": "SVD, Koren's form", "svdpp": "SVD++", "implicit_als": "Implicit ALS",
    "ease": "EASE, weights", "gravity": "L2 and gravity", "softmax": "Softmax",
}  # fmt: skip
"""By name what a reader sees; all are fitted with their models' defaults."""

DIRECT = ("raters", "ease")
"""Spaces that are as large as the ratings or the square of the catalogue, and quicker made than read: no record."""


def film_spaces(
    train: Interactions, names: Iterable[str] = tuple(SPACES), *, seed: int = 42
) -> list[FilmSpace]:
    """Fit the models of `SPACES` whose films can be compared; the seed is that of every random start.

    Raises
    ------
    ValueError
        A name that is not in `SPACES`.
    """
    names = list(names)
    unknown = [name for name in names if name not in SPACES]
    if unknown:
        raise ValueError(f"films have no space called {', '.join(unknown)}; there are {', '.join(SPACES)}")
    fits = {name: _fit(name, seed) for name in names if name not in DIRECT}
    records = run_fits(list(fits.values()), {"train": train})
    found = {name: record["vectors"] for name, record in zip(fits, records, strict=True)}
    if "raters" in names:
        found["raters"] = co_rating_embeddings(train).toarray().astype(np.float32)
    if "ease" in names:
        found["ease"] = fit_model("ease", train).weights_.astype(np.float32)
    return [FilmSpace(name, SPACES[name], found[name], weights=name == "ease") for name in names]


def nearest_films(
    explorer: Explorer, spaces: Iterable[FilmSpace], films: Iterable[int], *, least: int
) -> pd.DataFrame:
    """Name each film (code) and the one nearest to it in each space, of those with at least `least` training ratings."""
    films, among = list(map(int, films)), explorer.train.item_counts >= least
    near = {space.label: [space.near(film, 1, among) for film in films] for space in spaces}
    return pd.DataFrame(
        {"Film": [explorer.titles[film] for film in films]}
        | {
            label: [explorer.titles[one[0]] if len(one) else "none" for one in found]
            for label, found in near.items()
        }
    )


def _fit(name: str, seed: int) -> Fit:
    measure = {f"{__name__}:film_vectors": {}}
    if name in ("gravity", "softmax"):
        return replace(variant_fit(name, seed=seed, measure=measure), test="")
    return Fit(name, seed=seed, test="", measure=measure)


def film_vectors(fitted: Fitted) -> dict[str, np.ndarray]:
    """Return ``vectors`` of the films (float32): their embeddings, or their factors in Koren's models."""
    model = fitted.model
    vectors = model.item_embeddings_ if hasattr(model, "item_embeddings_") else model.item_factors_
    return {"vectors": np.asarray(vectors, dtype=np.float32)}
