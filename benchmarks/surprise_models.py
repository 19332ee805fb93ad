"""scikit-surprise's SVD and SVD++ behind the model contract, to be held against the same models here."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.models.base import Recommender


class Surprise(Recommender):
    """A model of scikit-surprise (`kind`: SVD or SVDpp), asked by codes."""

    loaded_first = ("surprise",)
    keeps_order = True

    def __init__(self, *, kind: str, n_factors: int, n_epochs: int, lr_all: float, reg_all: float):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        import surprise

        columns = {"user": train.users, "item": train.items, "rating": train.ratings.astype(float)}
        reader = surprise.Reader(rating_scale=train.scale)
        self._known = surprise.Dataset.load_from_df(pd.DataFrame(columns), reader).build_full_trainset()
        options = {name: value for name, value in self.parameters.items() if name != "kind"}
        options |= {"cache_ratings": True} if self.kind == "SVDpp" else {}
        algorithm = getattr(surprise, self.kind)(**options, random_state=0)
        start = time.perf_counter()
        self._fitted = algorithm.fit(self._known)
        self.seconds_ = time.perf_counter() - start

    def predict(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Ask scikit-surprise, pair by pair."""
        users, items = self._pairs(users, items, times)
        of_users, of_items = self._known._raw2inner_id_users, self._known._raw2inner_id_items
        pairs = zip(users.tolist(), items.tolist(), strict=True)
        known = ((of_users.get(u, "new"), of_items.get(i, "new")) for u, i in pairs)
        return np.array([self._fitted.estimate(*pair) for pair in known])

    @property
    def n_parameters_(self) -> int:
        """Biases and factors."""
        tables = (getattr(self._fitted, name, np.empty(0)) for name in ("bu", "bi", "pu", "qi", "yj"))
        return sum(table.size for table in tables)
