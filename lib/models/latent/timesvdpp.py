"""timeSVD++: SVD++ whose biases and users' factors change over time."""

from __future__ import annotations

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup
from lib.models.card import Card
from lib.models.latent.sgd_answers import pair_products
from lib.models.latent.sgd_engine import KorenModel
from lib.models.latent.sgd_parameters import Parameters, Ratings


class TimeSVDpp(KorenModel):
    r"""SVD++ with temporal dynamics (Koren 2009, "Collaborative filtering with temporal dynamics").

    .. math::

        \hat r_{ui}(t) = \mu + b_u + \alpha_u d_u(t) + b_{u,t} + c_u (b_i + b_{i,\mathrm{Bin}(t)})
        + q_i^\top \Big(p_u + a_u d_u(t) + p_{u,t} + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j\Big)

    :math:`d_u(t) = \operatorname{sign}(t - t_u) |t - t_u|^\beta` is how far day t lies from the user's mean day, in units
    of its root mean square (`lib.models.latent.sgd_time.Calendar`). Films' biases change by bins of equal length, users' drift
    along :math:`d_u`, and :math:`b_{u,t}, p_{u,t}` belong to one day of one user: they say something about other ratings
    of that very day only.

    `predict` takes the times of the ratings asked for; without them it answers for the time of each user's last training
    rating, so that a list is one for now. On a day without training ratings the day's terms are 0; before and after the
    training period a film keeps its first and last bin. A cold user has no drift and :math:`c_u = 1`; else cold users and
    films, and the parameters that are not listed here, are those of `lib.models.latent.sgd_engine.KorenModel`.

    Parameters
    ----------
    n_factors : int
    n_bins : int
    exponent : float
        :math:`\beta`.
    day_bias, day_factors, user_scale, drift_factors : bool
        Whether there are :math:`b_{u,t}`; :math:`p_{u,t}`; :math:`c_u` (1 without); :math:`a_u`.
    time_bias_learning_rate, time_bias_regularisation : float
        Of :math:`\alpha_u, b_{u,t}, b_{i,\mathrm{Bin}(t)}, c_u`; the last is held near 1.
    time_factor_learning_rate, time_factor_regularisation : float
        Of :math:`a_u, p_{u,t}`, which start at 0.

    Raises
    ------
    ValueError
        On fitting: the ratings have no timestamps that differ.
    """

    card = Card(
        "timesvdpp",
        "timeSVD++",
        "latent factors",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="E",
        starts=True,
        learns_taste=True,
        stopping={"limit": "n_epochs", "most": 60, "patience": 3},
        most_searched={"ratings": 0},
        small={
            "n_factors": 4,
            "n_epochs": 90,
            "factor_learning_rate": 0.02,
            "n_bins": 3,
            "day_factors": True,
        },
    )

    personal = implicit = True
    uses_time = True

    def __init__(
        self,
        *,
        n_factors: int = 50,
        n_bins: int = 30,
        exponent: float = 0.4,
        day_bias: bool = True,
        day_factors: bool = False,
        user_scale: bool = True,
        drift_factors: bool = True,
        n_epochs: int = 40,
        bias_learning_rate: float = 0.007,
        factor_learning_rate: float = 0.007,
        implicit_learning_rate: float = 0.007,
        time_bias_learning_rate: float = 0.0003,
        time_factor_learning_rate: float = 0.0002,
        bias_regularisation: float = 0.02,
        factor_regularisation: float = 0.08,
        implicit_regularisation: float = 0.0015,
        time_bias_regularisation: float = 0.05,
        time_factor_regularisation: float = 0.05,
        learning_rate_decay: float = 0.97,
        initial_scale: float = 0.05,
        patience: int | None = None,
        validation_share: float = 0.1,
        refit: bool = True,
        shuffle: bool = True,
        dtype: str = "float32",
        n_threads: int = 1,
        seed: int = 0,
    ):
        self._store(locals())

    def _start(self, train: Interactions, ratings: Ratings) -> Parameters:
        n_users, k, n_days = train.n_users, self.n_factors, int(ratings.days.max()) + 1
        start = (
            super()
            ._start(train, ratings)
            ._replace(
                bin_bias=np.zeros((train.n_items, self.n_bins), self.dtype),
                user_slope=np.zeros(n_users, self.dtype),
            )
        )
        if self.user_scale:
            start = start._replace(user_scale=np.ones(n_users, self.dtype))
        if self.day_bias:
            start = start._replace(day_bias=np.zeros(n_days, self.dtype))
        if self.drift_factors:
            start = start._replace(drift_factors=np.zeros((n_users, k), self.dtype))
        if self.day_factors:
            start = start._replace(day_factors=np.zeros((n_days, k), self.dtype))
        return start

    def _check(self) -> None:
        super()._check()
        if not 0 < self.exponent <= 2:
            raise ValueError(f"TimeSVDpp: exponent must lie in (0, 2]; got {self.exponent}")

    # -- answering -------------------------------------------------------------------------------------------------
    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs at given times.

        Parameters
        ----------
        users, items : int arrays, shape (n,)
        times : int64 array, shape (n,), optional
            Seconds since 1970; by default that of each user's last training rating.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        users, items = self._pairs(users, items, times)
        times = None if times is None else np.atleast_1d(times)
        return self._estimate(self._learned(), self.user_vectors_, users, items, times)

    def score(self, users) -> np.ndarray:
        """Score the catalogue for the time of each user's last training rating."""
        self._check_fitted()
        users, learned = np.asarray(users), self._learned()
        p, calendar = learned.parameters, learned.calendar
        times = lookup(calendar.user_last, users, calendar.last)
        deviations, days = calendar.deviations(users, times)[:, None], calendar.days(users, times)
        vectors = lookup(self.user_vectors_, users)
        if p.drift_factors.size:
            vectors += deviations * lookup(p.drift_factors, users)
        if p.day_factors.size:
            vectors += lookup(p.day_factors, days)
        scores = vectors @ p.item_factors.T.astype(np.float64)
        effects = p.item_bias + p.bin_bias[:, calendar.bins(times)].T.astype(np.float64)
        scores += effects * lookup(p.user_scale, users, 1.0)[:, None] if p.user_scale.size else effects
        scores += (
            self.mean_
            + lookup(p.user_bias, users)[:, None]
            + deviations * lookup(p.user_slope, users)[:, None]
        )
        return scores + lookup(p.day_bias, days)[:, None] if p.day_bias.size else scores

    def _estimate(self, learned, vectors, users, items, times) -> np.ndarray:
        p, calendar = learned.parameters, learned.calendar
        if times is None:
            times = lookup(calendar.user_last, users, calendar.last)
        deviations, days = calendar.deviations(users, times), calendar.days(users, times)
        n_items, n_bins = p.bin_bias.shape
        places = np.where((items >= 0) & (items < n_items), items * n_bins + calendar.bins(times), -1)
        effects = lookup(p.item_bias, items).astype(np.float64) + lookup(p.bin_bias.ravel(), places)
        if p.user_scale.size:
            effects *= lookup(p.user_scale, users, 1.0)
        found = learned.mean + lookup(p.user_bias, users) + deviations * lookup(p.user_slope, users) + effects
        if p.day_bias.size:
            found += lookup(p.day_bias, days)
        found += pair_products(users, items, vectors, p.item_factors)
        if p.drift_factors.size:
            found += deviations * pair_products(users, items, p.drift_factors, p.item_factors)
        if p.day_factors.size:
            found += pair_products(days, items, p.day_factors, p.item_factors)
        return found
