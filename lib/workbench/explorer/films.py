"""Films near a film, in the spaces of several models."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.experiment.fit import Fit, Fitted
from lib.experiment.run import run_fits
from lib.metrics.lists import best_columns
from lib.models import cards
from lib.models.fitting import fit_model
from lib.studies.embeddings.measures import co_rating_embeddings
from lib.studies.embeddings.neighbours import unit_rows
from lib.studies.embeddings.study import VARIANTS, variant_fit
from lib.workbench.explorer.data import Explorer


@dataclass(frozen=True)
class FilmSpace:
    """Where a model puts the films.

    The `vectors`, shape (n_items, m), are compared by cosine, or are, where `weights`, films x films weights: row i
    what having rated film i adds to others. `among`, a mask, are the films that may be near others.
    """

    label: str
    vectors: np.ndarray
    among: np.ndarray
    weights: bool = False

    def near(self, item: int, n: int) -> np.ndarray:
        """Return the n nearest films, nearest first; all where these are fewer."""
        allowed = self.among.copy()
        allowed[item] = False
        row = self.vectors[[item]]
        closeness = row.astype(np.float64) if self.weights else unit_rows(row) @ unit_rows(self.vectors).T
        items, _ = best_columns(np.where(allowed, closeness, -np.inf), n)
        return items[items >= 0].astype(np.int64)


RATERS = "raters"  # the space in which films with the same raters are near each other

WEIGHTS = "weights_"  # the attribute that holds weights of films on films (`lib.models.card.Card`)


def spaces() -> dict[str, str]:
    """Return what a reader sees for each space, by name: of models whose cards say so, and of embeddings' study."""
    found = {RATERS: "Common raters"} | {name: words for name, (words, *_) in VARIANTS.items()}
    return found | {name: card.label for name, card in cards().items() if card.films}


def film_spaces(train: Interactions, names: Iterable[str], *, seed: int, least: int) -> list[FilmSpace]:
    """Fit the models of some `spaces` with their defaults; the seed is that of every random start.

    Films with fewer than `least` training ratings are near none; a name that is not among `spaces` is a ValueError.
    """
    names, known, models = list(names), spaces(), cards()
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"films have no space called {', '.join(unknown)}; there are {', '.join(known)}")
    # Weights are as many as the square of the catalogue, and quicker made than read: no record.
    weighing = [name for name in names if name in models and models[name].films == WEIGHTS]
    fits = {name: _fit(name, seed) for name in names if name not in (RATERS, *weighing)}
    records = run_fits(list(fits.values()), {"train": train})
    found = {name: record["vectors"] for name, record in zip(fits, records, strict=True)}
    found |= {name: fit_model(name, train).weights_.astype(np.float32) for name in weighing}
    if RATERS in names:
        found[RATERS] = co_rating_embeddings(train).toarray().astype(np.float32)
    return [FilmSpace(known[name], found[name], train.item_counts >= least, name in weighing) for name in names]


def nearest_films(explorer: Explorer, spaces: Iterable[FilmSpace], films: Iterable[int]) -> pd.DataFrame:
    """Name each film and the one nearest to it in each space."""
    films, titles = list(map(int, films)), explorer.titles
    found = {"Film": [titles[film] for film in films]}
    for space in spaces:
        near = [space.near(film, 1) for film in films]
        found[space.label] = [titles[one[0]] if len(one) else "none" for one in near]
    return pd.DataFrame(found)


def _fit(name: str, seed: int) -> Fit:
    model = VARIANTS[name][1] if name in VARIANTS else name
    measure = {f"{__name__}:film_vectors": {"attribute": cards()[model].films}}
    made: Callable[..., Fit] = variant_fit if name in VARIANTS else Fit
    return replace(made(name, seed=seed, measure=measure), test="")


def film_vectors(fitted: Fitted, *, attribute: str) -> dict[str, np.ndarray]:
    """Return ``vectors`` of the films (float32): what the fitted model has learned under this name."""
    return {"vectors": np.asarray(getattr(fitted.model, attribute), dtype=np.float32)}
