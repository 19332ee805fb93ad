"""How the lowest error measured here stands beside the lowest published ones, protocol by protocol."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lib.claims.anchor_measurements import MEASURED_COLUMNS, measured
from lib.claims.anchors import Source, best_published

PROTOCOLS = {
    ("ml-100k", "u1"): "MovieLens 100K, fold u1",
    ("ml-100k", "kfold_5"): "MovieLens 100K, five folds",
    ("ml-1m", "random_90_10"): "MovieLens 1M, a tenth held out",
    ("ml-1m", "kfold_5"): "MovieLens 1M, five folds",
}
"""Protocols that are shown, with their titles."""

REFITS = ("surprise_", "same_")
"""How the names of a library's own models begin, which were fitted here again."""


@dataclass(frozen=True)
class Standing:
    """Published errors under one protocol, rows of `anchor_table`, and the lowest of ours, a row of `measured`, if any.

    `best` is the lowest of those that are not told the second of each test rating, as no published one is; `models` is how
    many of them were measured, `name` what a reader sees for it, `first` the lowest comparable published one, `cite` its
    source. `told` is the lowest of those that are told, if any, `told_name` its name.
    """

    rows: pd.DataFrame
    first: pd.Series
    best: pd.Series | None
    models: int
    name: str
    cite: str
    told: pd.Series | None
    told_name: str

    def said(self) -> dict:
        """Return what prose says of them; where nothing was measured, numbers are NaN and nothing is true.

        ``below``: ours is lower by more than the published figure's rounding. ``inside``: our interval holds that figure.
        ``below_marked``: ours is lower than the lowest that is not comparable.
        """
        first, marked = self.first, best_published(self.rows, comparable=False)
        ours = dict.fromkeys(MEASURED_COLUMNS, math.nan) if self.best is None else self.best
        gap = ours["value"] - first["published"]
        return {
            "published": first["published"],
            "published_model": first["model"],
            "source": self.cite,
            "ours_model": self.name,
            "ours_rmse": ours["value"],
            "rmse_low": ours["low"],
            "rmse_high": ours["high"],
            "basis": ours["basis"],
            "lead": abs(gap),
            "measured": self.best is not None,
            "below": bool(gap < -first["rounding"]),
            "inside": bool(ours["low"] <= first["published"] <= ours["high"]),
            "marked_published": math.nan if marked is None else marked["published"],
            "marked_model": "" if marked is None else marked["model"],
            "below_marked": marked is not None and bool(ours["value"] < marked["published"]),
            "told_model": self.told_name,
            "told_rmse": math.nan if self.told is None else self.told["value"],
        }


def standings(
    table: pd.DataFrame, results: pd.DataFrame, sources: Mapping[str, Source], names: Mapping[str, str]
) -> dict[str, Standing]:
    """Return how we stand under each of `PROTOCOLS`, by title; `REFITS` of a library are no models of ours."""
    found = {}
    for (dataset, split), title in PROTOCOLS.items():
        rows = table[(table["dataset"] == dataset) & (table["split"] == split) & (table["metric"] == "rmse")]
        own = measured(results, dataset, split)
        own = own[~own["model"].str.startswith(REFITS)]
        timed = own["timed"].astype(bool)
        best, told = (None if of.empty else of.iloc[0] for of in (own[~timed], own[timed]))
        name, told_name = ("" if one is None else names[one["model"]] for one in (best, told))
        first = best_published(rows)
        assert first is not None, title  # each of them has figures that are comparable
        cite = sources[first["source"]].cite
        found[title] = Standing(rows, first, best, int((~timed).sum()), name, cite, told, told_name)
    return found
