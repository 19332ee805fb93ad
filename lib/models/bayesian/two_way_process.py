"""Two-way Gaussian process: what a model leaves of the ratings, smoothed over users for each film and over films for each user."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from lib.data.feature_groups import available_groups, feature_groups
from lib.data.interactions import Interactions
from lib.models.base import Recommender
from lib.models.baselines.bias import Bias
from lib.models.bayesian.factorisation_machine import FactorisationMachine
from lib.models.card import Card
from lib.models.fitting import fit_model

DAMPING = 5.0  # added to sums of squares before vectors are brought to length one: few ratings make a short vector

LEAST_WEIGHT = 0.1
"""Of a film, or a user, in the sets of who rated what, where the logarithm of their rareness is smaller."""

SIDES = {"users": ("age", "gender", "occupation"), "films": ("genres", "tags", "year")}
"""The groups of features that tell how alike two users, or two films, are."""


class TwoWayProcess(Recommender):
    r"""Gaussian processes on residuals, one over users for each film and one over films for each user.

    .. math:: \hat r_{ui} = m_{ui} + f_i(u) + g_u(i), \qquad f_i \sim GP(0, K_U),\; g_u \sim GP(0, K_I)

    m is the bias model, or a factorisation machine whose noise is told by user and film. Both processes are fitted to what
    the other one leaves, turn by turn (backfitting, Hastie and Tibshirani 1990), each by solving a system a film, or a user
    (Rasmussen and Williams 2006, chapter 2). With :math:`\tilde e_u` the user's residuals and :math:`\tilde n_u` the films
    rated, rare ones weighing more, both brought to length one, and :math:`k_g` of `alike`,

    .. math:: K_U = \sigma^2 \Big(w_s \langle \tilde e_u, \tilde e_v \rangle + w_n \langle \tilde n_u, \tilde n_v \rangle
              + w_g \sum_g k_g(u, v)\Big),

    and :math:`K_I` the same of films. While film i is fitted, its own column is taken out of the users' kernel: a
    rating must not vouch for itself. A machine's residuals are those of each rating left out. Times are not looked at.
    `scale` is :math:`\sigma^2`, of both kernels, `signed` :math:`w_s`, `implicit` :math:`w_n` and `features`
    :math:`w_g`, of every group of `SIDES` that the data have; `noise` is a variance in squared rating units, times the
    machine's own, where there is one. Without `over_users` it only smooths over films, the faster of the two where
    users are many. Each side is fitted `n_rounds` times. The rest is the machine's
    (`lib.models.bayesian.factorisation_machine.FactorisationMachine`); without factors the bias model is beneath.
    """

    card = Card(
        "two_way_process",
        "Two-way Gaussian process",
        "Bayesian",
        "A cold user or film is told by its features and by the other side; outside the id maps, by the model beneath.",
        colour="green",
        learns_taste=True,
        most={"ratings": 1_500_000, "items": 12_000},
        starts=True,
        small={"n_factors": 3, "groups": ["genres", "age", "rated"], "n_iterations": 60, "n_samples": 40},
        without_tables={"groups": ["raters", "rated"]},
    )

    def __init__(
        self,
        *,
        n_factors: int = 0,
        groups: Sequence[str] = ("raters", "rated"),
        user_freedom: float = 10.0,
        film_freedom: float = 20.0,
        n_iterations: int = 150,
        n_samples: int = 110,
        scale: float = 1.0,
        signed: float = 0.25,
        implicit: float = 0.5,
        features: float = 0.0,
        noise: float = 0.75,
        over_users: bool = True,
        n_rounds: int = 2,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        ratings = train.ratings.astype(np.float64)
        if not self.n_factors:
            beneath: Any = fit_model(Bias, train, user_regularisation=4.0, item_regularisation=3.0)
            residuals = ratings - beneath.predict(train.users, train.items)
            noise = np.full(len(ratings), float(self.noise))
        else:
            names = set(FactorisationMachine.parameter_names()) & set(self.parameter_names())
            options = {name: getattr(self, name) for name in sorted(names)}
            beneath = fit_model(FactorisationMachine, train, **options)
            residuals = ratings - beneath.left_out_
            noise = self.noise * beneath.noise_
        sides = [self._side(train, "films", residuals)]
        if self.over_users:
            sides.insert(0, self._side(train, "users", residuals))
        fitted, weights = np.zeros((len(sides), len(ratings))), [np.empty(0)] * len(sides)
        for _ in range(self.n_rounds):
            for n, side in enumerate(sides):
                rest = residuals - (fitted.sum(axis=0) - fitted[n])
                weights[n] = solved(*side, rest, noise)
                fitted[n] = rest - noise * weights[n]
        shape = train.n_users, train.n_items
        spread = [sparse.csr_array((w.astype(np.float32), (train.users, train.items)), shape=shape) for w in weights]
        users, items = np.arange(train.n_users), np.arange(train.n_items)
        # The last row and column are of users and films outside the id maps.
        self.scores_ = np.empty((len(users) + 1, len(items) + 1), np.float32)
        self.scores_[:-1, :-1] = beneath.score(users) + spread[-1] @ sides[-1][0]
        if self.over_users:
            self.scores_[:-1, :-1] += (spread[0].T @ sides[0][0]).T
        self.scores_[:, -1] = beneath.predict(np.append(users, -1), np.full(len(users) + 1, -1))
        self.scores_[-1, :-1] = beneath.predict(np.full(len(items), -1), items)
        self.n_learned_ = np.int64(2 * len(ratings) + beneath.n_parameters_)

    def _side(
        self, train: Interactions, one: str, residuals: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
        """Return a side's kernel, the codes of rows and columns, and what is taken out of the kernel for a column."""
        sides = (train.users, train.n_users), (train.items, train.n_items)
        (rows, n), (columns, n_columns) = sides if one == "users" else sides[::-1]
        shape = n, n_columns
        often = np.bincount(columns, minlength=n_columns)
        rare = np.maximum(np.log(n / (1.0 + often)), LEAST_WEIGHT)[columns]
        kernel = np.zeros((n, n), np.float32)
        vouching = []
        for weight, values in ((self.signed, residuals), (self.implicit, rare)):
            lengths = np.sqrt(np.bincount(rows, values**2, minlength=n) + DAMPING)
            unit = (np.sqrt(weight * self.scale) * values / lengths[rows]).astype(np.float32)
            matrix = sparse.csr_array((unit, (rows, columns)), shape=shape)
            kernel += (matrix @ matrix.T).toarray()
            vouching.append(unit)
        named = [name for name in SIDES[one] if self.features and name in available_groups(train)]
        for group in feature_groups(train, named):
            kernel += np.float32(self.features * self.scale) * alike(group.matrix.toarray().astype(np.float32))
        return kernel, rows, columns, vouching

    @property
    def n_parameters_(self) -> int:
        """Those of the model beneath, and two weights a rating."""
        self._check_fitted()
        return int(self.n_learned_)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; one outside the id maps by the model beneath."""
        users, items = self._pairs(users, items, times)
        places = (
            np.where((c >= 0) & (c < n), c, n)
            for c, n in zip((users, items), np.subtract(self.scores_.shape, 1), strict=True)
        )
        return self.scores_[tuple(places)].astype(np.float64)

    def score(self, users) -> np.ndarray:
        """Score the catalogue."""
        self._check_fitted()
        users, n = np.asarray(users), len(self.scores_) - 1
        return self.scores_[np.where((users >= 0) & (users < n), users, n), :-1].astype(np.float64)


def alike(features: np.ndarray) -> np.ndarray:
    r"""Compare each two rows of features: one column by :math:`e^{-(x - y)^2 / 2}`, more by the cosine; shape (n, n)."""
    if features.shape[1] == 1:
        return np.exp(-((features - features.T) ** 2) / 2)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(lengths > 0, lengths, 1.0)
    return unit @ unit.T


def solved(kernel, rows, columns, vouching, targets: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Solve :math:`(K + N) w = e` for the ratings of each column by themselves; w, shape (n_ratings,), in their order."""
    order = np.lexsort((rows, columns))
    found = np.zeros(len(rows))
    for mine in np.split(order, np.flatnonzero(np.diff(columns[order])) + 1):
        system = kernel[np.ix_(rows[mine], rows[mine])]
        for unit in vouching:
            system -= np.outer(unit[mine], unit[mine])
        system[np.diag_indices(len(mine))] += noise[mine].astype(np.float32)
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        found[mine] = cho_solve(factor, targets[mine].astype(np.float32), check_finite=False)
    return found
