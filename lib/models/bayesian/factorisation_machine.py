"""Bayesian factorisation machine with side information and implicit sets: a strong reference."""

from collections.abc import Sequence

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup
from lib.models.bayesian.factorisation_draws import SampledMachine
from lib.models.card import Card


class FactorisationMachine(SampledMachine):
    r"""Factorisation machine fitted by Gibbs sampling (Rendle 2012, "Factorization machines with libFM").

    .. math:: \hat r(x) = w_0 + \sum_j w_j x_j + \sum_{j < l} v_j^\top v_l\, x_j x_l

    x holds the user's and the item's indicator and their features, so that, unlike
    `lib.models.side_information.side_information_als.SideInformationALS`, features of the same user or item interact
    too. Normal priors whose means and precisions are sampled along, one group of features each: there is no penalty to
    choose. The prediction is the mean over the samples kept.

    Of `n_iterations` Gibbs sweeps the last `n_samples` are kept. `groups`, of `lib.data.feature_groups`, are by default
    the implicit sets alone, which all data have. With `ordinal` ratings are what an ordered probit makes of the score:
    with cut points :math:`c_1 < \dots < c_{K-1}`, sampled along, :math:`P(r \le r_k) = \Phi(c_k - f)` (Albert and Chib
    1993), and the prediction is the expected rating. `user_freedom` and `film_freedom` are degrees of freedom of the
    noise by user and by film (`lib.models.bayesian.gibbs_sampler.sample`): the smaller, the more its precision may
    differ from one to the next. None of either for the same noise everywhere.
    """

    card = Card(
        "factorisation_machine",
        "Bayesian factorisation machine",
        "Bayesian",
        "A cold user or film is predicted from its features, or, outside the id maps, by the rest.",
        colour="sky",
        starts=True,
        learns_taste=True,
        most={"ratings": 500_000},
        small={"n_factors": 3, "groups": ["genres", "age", "rated"], "n_iterations": 60, "n_samples": 40},
        without_tables={"groups": ["raters", "rated"]},
    )

    def __init__(
        self,
        *,
        n_factors: int = 10,
        groups: Sequence[str] = ("raters", "rated"),
        ordinal: bool = False,
        user_freedom: float | None = None,
        film_freedom: float | None = None,
        n_iterations: int = 200,
        n_samples: int = 150,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        posterior = self._sample(train)
        if self.ordinal:
            self._keep(posterior)
            return
        self.left_out_, self.noise_ = posterior.left_out, posterior.noise
        self.mean_ = posterior.constants.mean()
        for name, draws in zip(("user", "item"), posterior.sides, strict=True):
            setattr(self, f"{name}_effect_", draws.effects.mean(axis=1, dtype=np.float64))
            setattr(self, f"{name}_latent_", draws.latent.reshape(len(draws.latent), -1))
        # The product of n samples' vectors, side by side, is n times their mean product.
        self.user_latent_ /= self.n_samples  # type: ignore[attr-defined]  # by its name, above

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs by the mean over samples."""
        users, items = self._pairs(users, items, times)
        if self.ordinal:
            return self._by_samples(users, items, np.empty((len(users), 0), np.int64))
        found = self.mean_ + lookup(self.user_effect_, users) + lookup(self.item_effect_, items)
        step = 20_000
        for low in range(0, len(users), step):  # the gathered vectors are long
            part = slice(low, low + step)
            left, right = lookup(self.user_latent_, users[part]), lookup(self.item_latent_, items[part])
            found[part] += np.einsum("nf,nf->n", left, right, dtype=np.float64)
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of latent vectors."""
        self._check_fitted()
        users = np.asarray(users)
        if self.ordinal:
            return super().score(users)
        scores = (lookup(self.user_latent_, users) @ self.item_latent_.T).astype(np.float64)
        return scores + self.mean_ + lookup(self.user_effect_, users)[:, None] + self.item_effect_
