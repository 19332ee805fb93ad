"""timeSVD++: SVD++ whose biases and users' factors change over time."""

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup
from lib.models.card import Card
from lib.models.latent.sgd_answers import pair_products
from lib.models.latent.sgd_engine import KorenModel
from lib.models.latent.sgd_parameters import Parameters, Ratings
from lib.models.latent.sgd_time import Calendar


class TimeSVDpp(KorenModel):
    r"""SVD++ with temporal dynamics (Koren 2009, "Collaborative filtering with temporal dynamics").

    .. math::

        \hat r_{ui}(t) = \mu + b_u + \alpha_u d_u(t) + b_{u,t} + c_u (b_i + b_{i,\mathrm{Bin}(t)})
        + q_i^\top \Big(p_u + a_u d_u(t) + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j\Big)

    :math:`d_u(t) = \operatorname{sign}(t - t_u) |t - t_u|^\beta` is how far day t lies from the user's mean day, in units
    of its root mean square (`lib.models.latent.sgd_time.Calendar`). Films' biases change by bins of equal length, users'
    drift along :math:`d_u`, and :math:`b_{u,t}` belongs to one day of one user: it says something about other ratings of
    that very day only. The paper's factors of such days, :math:`p_{u,t}`, are left out.

    `predict` takes the times of the ratings asked for; without them it answers for the time of each user's last
    training rating, so that a list is one for now. On a day without training ratings :math:`b_{u,t}` is 0; before and
    after the training period a film keeps its first and last bin. A cold user has no drift and :math:`c_u = 1`; else
    cold users and films, and the parameters that are not named here, are those of
    `lib.models.latent.sgd_engine.KorenModel`. Raises ValueError: on fitting: the ratings have no timestamps that
    differ. :math:`\beta` is `exponent`; the ``time_bias`` rate and penalty are of
    :math:`\alpha_u, b_{u,t}, b_{i,\mathrm{Bin}(t)}, c_u`, the last held near 1, those of ``time_factor`` of
    :math:`a_u`, which starts at 0.
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
        small={"n_factors": 4, "n_epochs": 90, "factor_learning_rate": 0.02, "n_bins": 3},
    )

    personal = implicit = True
    uses_time = True

    def __init__(
        self,
        *,
        n_factors: int = 50,
        n_bins: int = 30,
        exponent: float = 0.4,
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
        seed: int = 0,
    ):
        self._store(locals())

    def _calendar(self, train: Interactions) -> Calendar:
        calendar = Calendar.of(train, n_bins=self.n_bins, exponent=self.exponent)
        for name, value in calendar._asdict().items():
            setattr(self, f"{name}_", value)
        return calendar

    def _start(self, train: Interactions, ratings: Ratings) -> Parameters:
        n_users, n_days = train.n_users, int(ratings.days.max()) + 1
        shapes = {"bin_bias": (train.n_items, self.n_bins), "user_slope": n_users, "day_bias": n_days}
        shapes["drift_factors"] = (n_users, self.n_factors)
        values = {name: np.zeros(shape, self.dtype) for name, shape in shapes.items()}
        values["user_scale"] = np.ones(n_users, self.dtype)
        return super()._start(train, ratings)._replace(**values)

    def _check(self) -> None:
        super()._check()
        if not 0 < self.exponent <= 2:
            raise ValueError(f"TimeSVDpp: exponent must lie in (0, 2]; got {self.exponent}")

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs at `times`, seconds since 1970; by default that of each user's last training rating."""
        users, items = self._pairs(users, items, times)
        times, deviations, days, calendar = self._moments(users, times)
        n_items, n_bins = self.bin_bias_.shape
        places = np.where((items >= 0) & (items < n_items), items * n_bins + calendar.bins(times), -1)
        effects = lookup(self.item_bias_, items).astype(np.float64) + lookup(self.bin_bias_.ravel(), places)
        effects *= lookup(self.user_scale_, users, 1.0)
        drift = deviations * lookup(self.user_slope_, users)
        found = self.mean_ + lookup(self.user_bias_, users) + drift + effects
        found += lookup(self.day_bias_, days)
        found += pair_products(users, items, self.user_vectors_, self.item_factors_)
        return found + deviations * pair_products(users, items, self.drift_factors_, self.item_factors_)

    def score(self, users) -> np.ndarray:
        """Score the catalogue for the time of each user's last training rating."""
        self._check_fitted()
        users = np.asarray(users)
        times, deviations, days, calendar = self._moments(users, None)
        deviations = deviations[:, None]
        vectors = lookup(self.user_vectors_, users) + deviations * lookup(self.drift_factors_, users)
        scores = vectors @ self.item_factors_.T.astype(np.float64)
        effects = self.item_bias_ + self.bin_bias_[:, calendar.bins(times)].T.astype(np.float64)
        scores += effects * lookup(self.user_scale_, users, 1.0)[:, None]
        drift = deviations * lookup(self.user_slope_, users)[:, None]
        scores += self.mean_ + lookup(self.user_bias_, users)[:, None] + drift
        return scores + lookup(self.day_bias_, days)[:, None]

    def _moments(self, users: np.ndarray, times: np.ndarray | None):
        """Return the times asked for, what the calendar knows of them and of these users, and the calendar."""
        calendar = Calendar(*(getattr(self, f"{name}_") for name in Calendar._fields))
        times = lookup(calendar.user_last, users, calendar.last) if times is None else np.atleast_1d(times)
        return times, calendar.deviations(users, times), calendar.days(users, times), calendar
