"""SVD: biased matrix factorisation by stochastic gradient descent, through scikit-surprise."""

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card
from lib.models.normalisation import UserMean


class SVD(Recommender):
    r"""Matrix factorisation with biases, trained rating by rating (Koren, Bell and Volinsky 2009).

    .. math:: \hat z_{ui} = \mu + b_u + b_i + p_u^\top q_i

    minimises the squared error plus `reg_all` times the squared norm of all parameters, by `n_epochs` passes of
    stochastic gradient descent at the step `lr_all`, in the row order of train (order matters, so it is part of the
    protocol), from a start that `seed` sets. The engine is scikit-surprise's ``SVD``; its parameters keep its names.

    With `centre` "user" the user's training mean is subtracted, as by project A, and added back at the end; with "none"
    it is not. The estimate :math:`\hat z` itself is clipped to plus or minus `estimate_limit`, unless that is None:
    project A's reader declares the centred ratings to lie within 2.5, so scikit-surprise clips there.
    """

    card = Card(
        "svd",
        "SVD (scikit-surprise)",
        "latent factors",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="A",
        colour="blue",
        starts=True,
        learns_taste=True,
        small={"n_factors": 4, "n_epochs": 60, "lr_all": 0.02, "reg_all": 0.02},
    )

    def __init__(
        self,
        *,
        n_factors: int = 20,
        n_epochs: int = 20,
        lr_all: float = 0.01,
        reg_all: float = 0.05,
        centre: str = "user",
        estimate_limit: float | None = 2.5,
        seed: int = 0,
    ):
        self._store(locals())

    keeps_order = True

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        import surprise

        if self.centre not in ("none", "user"):
            raise ValueError(f"SVD: centre must be 'none' or 'user'; got {self.centre!r}")
        values, means, cold_mean = train.ratings.astype(np.float64), np.zeros(train.n_users), 0.0
        if self.centre == "user":
            centre = UserMean().fit(train)
            values, means, cold_mean = centre.transform(train), centre.means_, centre.global_mean_
        frame = pd.DataFrame({"user": train.users, "item": train.items, "value": values})
        # The reader's scale only serves to clip single predictions, which `predict` does by itself.
        reader = surprise.Reader(rating_scale=(float(values.min()), float(values.max()) + 1e-9))
        trainset = surprise.Dataset.load_from_df(frame, reader).build_full_trainset()
        options = {name: getattr(self, name) for name in ("n_factors", "n_epochs", "lr_all", "reg_all")}
        engine = surprise.SVD(**options, random_state=self.seed)
        engine.fit(trainset)
        if not all(np.isfinite(a).all() for a in (engine.bu, engine.bi, engine.pu, engine.qi)):
            raise FloatingPointError(f"SVD diverged at lr_all={self.lr_all}; try a smaller one")
        users = np.array([trainset.to_raw_uid(inner) for inner in range(trainset.n_users)])
        items = np.array([trainset.to_raw_iid(inner) for inner in range(trainset.n_items)])
        self.mean_ = np.float64(trainset.global_mean)
        self.user_bias_, self.item_bias_ = np.zeros(train.n_users), np.zeros(train.n_items)
        self.user_factors_ = np.zeros((train.n_users, self.n_factors))
        self.item_factors_ = np.zeros((train.n_items, self.n_factors))
        self.user_bias_[users], self.user_factors_[users] = engine.bu, engine.pu
        self.item_bias_[items], self.item_factors_[items] = engine.bi, engine.qi
        self.user_means_, self.cold_mean_ = means, np.float64(cold_mean)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; terms of a cold user or film drop out."""
        users, items = self._pairs(users, items, times)
        interaction = np.einsum("nf,nf->n", lookup(self.user_factors_, users), lookup(self.item_factors_, items))
        estimate = self.mean_ + lookup(self.user_bias_, users) + lookup(self.item_bias_, items) + interaction
        return self._limited(estimate) + lookup(self.user_means_, users, float(self.cold_mean_))

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of factor matrices."""
        self._check_fitted()
        users = np.asarray(users)
        estimate = lookup(self.user_factors_, users) @ self.item_factors_.T
        estimate += self.mean_ + lookup(self.user_bias_, users)[:, None] + self.item_bias_
        return self._limited(estimate) + lookup(self.user_means_, users, float(self.cold_mean_))[:, None]

    def _limited(self, estimate: np.ndarray) -> np.ndarray:
        if self.estimate_limit is None:
            return estimate
        return np.clip(estimate, -self.estimate_limit, self.estimate_limit)
