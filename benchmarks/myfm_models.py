"""myFM's regression behind the model contract, with the features of the notebooks that its published errors are from.

They are ml-100k-extended.ipynb and ml-1m-extended.ipynb, at the commit that data/anchors.toml names.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.pairs import of_version
from lib.data.feature_groups import feature_groups, genre_matrix
from lib.data.interactions import Interactions
from lib.experiment.fit import Fit, Fitted, Parts
from lib.metrics import rmse
from lib.models.base import Recommender
from lib.models.latent.sgd_time import SECONDS_A_DAY

STUDIES = ("ml-100k-extended", "ml-1m-extended")
SHARES = 10
"""Percentiles between the classes of ages and of years."""


class Myfm(Recommender):
    r"""``MyFMRegressor`` on the features of one of the `STUDIES`, a group of priors each.

    Both have the day of the rating, the user, the films that the user rated in train, the film, and who rated it in
    train; an entry of these sets is :math:`1 / \sqrt{n}`. ``ml-100k-extended`` has the user's age in classes,
    occupation and first character of the post code too, the film's year in classes and its genres, and columns for
    what training has not seen. ``ml-1m-extended`` knows the rated films alone, or those that the column ``asked`` of
    the films' table marks (`as_asked`), and learns from ratings less the lowest of the scale.

    A user, film or day that training has not seen adds nothing, or what its column has drawn from the priors.
    """

    loaded_first = ("myfm",)
    keeps_order = True
    uses_time = True

    def __init__(self, *, rank: int, study: str, n_iterations: int = 512, n_samples: int = 512, seed: int = 42):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it calls pkg_resources, which is on its way out
            import myfm
        spare = self.study == STUDIES[0]
        self._days, self._spare = np.unique(train.timestamps // SECONDS_A_DAY), spare
        sides = _described(train) if spare else _rated(train)
        self._relation, self._sides = myfm.RelationBlock, [_with_an_empty_row(sparse.hstack(side)) for side in sides]
        self._lowest = 0.0 if spare else float(train.scale.low)
        sizes = [len(self._days) + spare, *(part.shape[1] for side in sides for part in side)]
        machine = myfm.MyFMRegressor(rank=self.rank, random_seed=self.seed)
        told = self._told(train.users, train.items, train.timestamps)
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar can't be switched off
            self._machine = machine.fit(
                told[0], train.ratings.astype(np.float64) - self._lowest, X_rel=told[1], group_shapes=sizes,
                n_iter=self.n_iterations, n_kept_samples=self.n_samples, callback=lambda *_: (False, None),
            )  # fmt: skip
        self._size = self.n_samples * (1 + sum(sizes) * (1 + self.rank))

    def _told(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None) -> tuple[Any, list]:
        """Return the days as indicators, and users and films as places in their tables."""
        days = np.full(len(users), -1, dtype=np.int64)
        if times is not None:
            asked = np.atleast_1d(times) // SECONDS_A_DAY
            place = np.clip(np.searchsorted(self._days, asked), 0, len(self._days) - 1)
            days = np.where(self._days[place] == asked, place, -1)
        pairs = zip((users, items), self._sides, strict=True)
        known = ((np.where((codes >= 0) & (codes < side.shape[0] - 1), codes, side.shape[0] - 1), side) for codes, side in pairs)  # fmt: skip
        return _one_hot(days, len(self._days), self._spare), [self._relation(codes, side) for codes, side in known]

    def predict(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Average the samples' answers; without `times` on a day that training has not seen."""
        users, items = self._pairs(users, items, times)
        return self._machine.predict(*self._told(users, items, times)) + self._lowest

    @property
    def n_parameters_(self) -> int:
        """Numbers in all samples."""
        return self._size


def _described(train: Interactions) -> tuple[list, list]:
    """Return the parts of the users' and of the films' tables in ml-100k-extended."""
    users, items = train.user_table, train.item_table
    assert users is not None and items is not None  # MovieLens 100K has both
    raters, rated = (group.matrix for group in feature_groups(train, ["raters", "rated"]))
    flags = genre_matrix(items)[1].astype(np.float64)
    shared = flags / np.sqrt(np.maximum(flags.sum(axis=1, keepdims=True), 1.0))
    of_users = [
        _each(train.n_users), _classes(users["age"]), _values(users["occupation"]),
        _values(users["zip_code"].str[:1]), _widened(rated),
    ]  # fmt: skip
    return of_users, [_each(train.n_items), _classes(items["year"]), _widened(shared), _widened(raters)]


def _rated(train: Interactions) -> tuple[list, list]:
    """Return those of ml-1m-extended, which have columns for rated users and for films that are rated, or `as_asked`."""
    table = train.item_table
    films = np.flatnonzero(table["asked"] if table is not None and "asked" in table else train.item_counts > 0)
    users = np.flatnonzero(train.user_counts > 0)
    raters, rated = (group.matrix for group in feature_groups(train, ["raters", "rated"]))
    ids = [sparse.identity(n, format="csc")[:, known] for n, known in ((train.n_users, users), (train.n_items, films))]
    return [ids[0], rated.tocsc()[:, films]], [ids[1], raters.tocsc()[:, users]]


def _one_hot(codes: np.ndarray, n: int, spare: bool) -> sparse.csr_matrix:
    """Return an indicator a row; codes below 0 have none, or, with a `spare` column, that."""
    codes = np.where(codes < 0, n, codes)
    known = np.flatnonzero(codes < n + spare)
    return sparse.csr_matrix((np.ones(len(known)), (known, codes[known])), (len(codes), n + spare))


def _each(n: int) -> sparse.csr_matrix:
    return _one_hot(np.arange(n), n, True)


def _values(column: pd.Series) -> sparse.csr_matrix:
    codes, values = pd.factorize(column, sort=True)
    return _one_hot(codes, len(values), True)


def _classes(column: pd.Series) -> sparse.csr_matrix:
    """Part numbers by the percentiles of the table's; what is missing is a class, too."""
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    ends = np.unique(np.nanpercentile(numbers, np.linspace(0, 100, SHARES + 2)[1:-1]))
    return _one_hot(np.where(np.isnan(numbers), -1, np.searchsorted(ends, numbers)), len(ends) + 1, True)


def _widened(matrix: Any) -> sparse.csr_matrix:
    return sparse.hstack([matrix, sparse.csr_matrix((matrix.shape[0], 1))], format="csr")


def _with_an_empty_row(matrix: Any) -> sparse.csr_matrix:
    """Add a row for users or films that the id maps do not hold."""
    return sparse.csr_matrix(sparse.vstack([matrix, sparse.csr_matrix((1, matrix.shape[1]))]))


def as_asked(parts: Parts, fit: Fit) -> Parts:
    """Mark the films of the test ratings, as ml-1m-extended takes its list of films from them and not from train."""
    train, test = parts[fit.train], parts[fit.test]
    table = pd.DataFrame(index=train.item_ids) if train.item_table is None else train.item_table
    return {fit.train: replace(train, item_table=table.assign(asked=test.item_counts > 0))}


def unclipped(fitted: Fitted) -> Mapping[str, float]:
    """Return ``unclipped_rmse`` of the test ratings, which ml-100k-extended prints."""
    test = fitted.test
    return {"unclipped_rmse": rmse(test.ratings, fitted.model.predict(test.users, test.items, test.timestamps))}


def counts(fitted: Fitted) -> Mapping[str, Any]:
    """Return ``counts``, the test ratings of each user with any, for `by_user`, and of the library its version."""
    found = {"counts": fitted.test.user_counts[fitted.test.user_counts > 0].astype(np.int32)}
    return {**found, "library": of_version("myfm").rstrip(", ")} if isinstance(fitted.model, Myfm) else found
