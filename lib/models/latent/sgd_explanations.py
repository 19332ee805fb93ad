"""Which of a user's films a prediction rests on."""

from __future__ import annotations

import numpy as np

from lib.models.explanation import Explanation, explanation
from lib.models.latent.sgd_engine import KorenModel


class Explains(KorenModel):
    """A model whose predictions can be traced back to single films (Koren 2008, sections 3.2 and 5)."""

    def explain(self, user: int, item: int, n: int | None = 10) -> Explanation:
        r"""Say which of the user's films a prediction rests on.

        A film j adds :math:`|R^k|^{-1/2} e_{uj} w_{ij} + |N^k|^{-1/2} c_{ij}` where the model has weights of neighbours,
        and :math:`q_i^\top (|R|^{-1/2} e_{uj} x_j + |N|^{-1/2} y_j)` where it has those factors.

        Parameters
        ----------
        user, item : int
            Codes.
        n : int or None
            Most films to list; None for all that the user is known to have rated.

        Returns
        -------
        Explanation
            Without films for a cold user or film, whose prediction rests on none.
        """
        self._check_fitted()
        prediction = float(self.predict(np.array([user]), np.array([item]))[0])
        if not (0 <= user < self.n_users_ and 0 <= item < self.n_items_):
            return Explanation(np.empty(0, dtype=np.int64), np.empty(0), prediction, 0.0)
        ratings = self._learned().ratings
        known = ratings.known_items[ratings.known_start[user] : ratings.known_start[user + 1]].astype(
            np.int64
        )
        rated = ratings.items[ratings.start[user] : ratings.start[user + 1]]
        own = np.zeros(self.n_items_)
        own[rated] = ratings.residuals[ratings.start[user] : ratings.start[user + 1]]
        shares = np.zeros(self.n_items_)
        self._add_factors(item, known, rated, own, shares)
        if self.neighbourly:
            self._add_neighbours(item, known, rated, own, shares)
        return explanation(known, shares[known], prediction - float(shares[known].sum()), n)

    def _add_factors(self, item, known, rated, own, shares) -> None:
        film = self.item_factors_[item].astype(np.float64)
        if self.implicit and len(known):
            shares[known] += self.implicit_factors_[known] @ film / np.sqrt(len(known))
        if self.explicit and len(rated):
            shares[rated] += own[rated] * (self.explicit_factors_[rated] @ film) / np.sqrt(len(rated))

    def _add_neighbours(self, item, known, rated, own, shares) -> None:
        low, near = item * self.n_items_, np.arange(self.n_items_)
        if len(self.neighbour_start_):
            low = self.neighbour_start_[item]
            near = self.neighbours_[low : self.neighbour_start_[item + 1]]
        for films, weights, factor in (
            (rated, self.explicit_weights_, own),
            (known, self.implicit_weights_, np.ones(self.n_items_)),
        ):
            places = np.flatnonzero(np.isin(near, films) & (near != item))
            j = near[places]
            if len(j) and len(weights):
                shares[j] += factor[j] * weights[low + places] / np.sqrt(len(j))
