"""Choices that project B leaves open: how features are normalised, and how a film's popularity weighs on its penalty."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lib.data.feature_groups import genre_matrix
from lib.data.interactions import Interactions
from lib.models.side_information.als_engine import Engine
from lib.models.side_information.als_projection import Projection
from lib.models.side_information.side_information_als import SideInformationALS

VARIED = f"{__name__}:VariedALS"
NORMALISATIONS = ("rows", "columns", "none")  # B's row_l1, col_zscore and none
WEIGHTINGS = ("uniform", "inverse root", "inverse log", "inverse linear", "capped")
CAP = 20  # ratings, one of them made up, from which on a capped penalty falls no further


class VariedALS(SideInformationALS):
    r"""Side-information ALS with a choice of normalisation, and of how a film's penalty falls with its popularity.

    `normalisation` gives genres and year one of `NORMALISATIONS` each; a group that is left out has the usual one, of which
    a graph is made too. Under a `weighting` of `WEIGHTINGS` the penalty :math:`\lambda_v` of a film with n ratings is
    divided by 1, :math:`\sqrt{n + 1}`, :math:`1 + \log(n + 1)`, :math:`n + 1`, or the smaller of that and `CAP`; the
    first two are B's. Left alone the model is its base class to the bit.
    """

    def __init__(self, *, normalisation: Mapping[str, str] | None = None, weighting: str = "uniform", **usual: Any):
        super().__init__(**usual)
        self.normalisation, self.weighting = normalisation, weighting

    @classmethod
    def parameter_names(cls) -> list[str]:
        """Names of the base class's hyperparameters, and its own."""
        return [*SideInformationALS.parameter_names(), "normalisation", "weighting"]

    def engine(self, train: Interactions) -> Engine:
        """Set up the blocks of the base class, with these features and penalties in the place of its own."""
        engine, counts = super().engine(train), train.item_counts + 1.0
        divisors = np.ones_like(counts), np.sqrt(counts), 1 + np.log(counts), counts, np.minimum(counts, CAP)
        engine.items.ridges /= divisors[WEIGHTINGS.index(self.weighting)]
        for group, way in (self.normalisation or {}).items():
            usual = engine.items.projections[group]
            features = normalised(train, group, way)
            engine.items.projections[group] = Projection(features, usual.weights.shape[1], usual.penalty)
        return engine

    def _check(self) -> None:
        super()._check()
        if self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting is one of {', '.join(WEIGHTINGS)}; got {self.weighting!r}")
        for group, way in (self.normalisation or {}).items():
            if group not in ("genres", "year") or way not in NORMALISATIONS:
                known = ", ".join(NORMALISATIONS)
                raise ValueError(f"normalisation gives genres and year one of {known}; got {group}: {way!r}")


def normalised(train: Interactions, group: str, way: str) -> sparse.csr_array:
    """Return films' genres (0 or 1), or year: divided by a row's sum, in a column's standard deviations, or as they are."""
    if group == "year":
        raw = pd.to_numeric(train.item_table["year"]).to_numpy(float, na_value=np.nan)[:, None]  # type: ignore[index]
        raw = np.where(np.isfinite(raw), raw, np.nanmean(raw))
    else:
        raw = genre_matrix(train.item_table)[1].astype(float)
    if way == "rows":
        raw = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-12)
    elif way == "columns":
        raw = (raw - raw.mean(axis=0)) / np.maximum(raw.std(axis=0), 1e-12)
    return sparse.csr_array(raw)
