"""Which of a user's films a prediction rests on."""

import numpy as np

from lib.models.latent.sgd_engine import KorenModel
from lib.models.recommendations import Explanation, explanation


class Explains(KorenModel):
    """A model whose predictions can be traced back to single films (Koren 2008, sections 3.2 and 5)."""

    def explain(self, user: int, item: int, n: int | None = 10) -> Explanation:
        r"""Say which of the user's films a prediction rests on.

        A film j adds :math:`|R^k|^{-1/2} e_{uj} w_{ij} + |N^k|^{-1/2} c_{ij}` where the model has weights of
        neighbours, and :math:`q_i^\top (|R|^{-1/2} e_{uj} x_j + |N|^{-1/2} y_j)` where it has those factors. Lists at
        most n films; None lists all that the user is known to have rated. With a cold code it rests on none.
        """
        self._check_fitted()
        prediction = float(self.predict(np.array([user]), np.array([item]))[0])
        if not (0 <= user < self.n_users_ and 0 <= item < self.n_items_):
            return Explanation(np.empty(0, dtype=np.int64), np.empty(0), prediction, 0.0)
        known = self.known_items_[self.known_start_[user] : self.known_start_[user + 1]].astype(np.int64)
        own = slice(self.start_[user], self.start_[user + 1])
        rated, left = self.items_[own], np.zeros(self.n_items_)
        left[rated] = self.residuals_[own]
        shares, film = np.zeros(self.n_items_), self.item_factors_[item].astype(np.float64)
        if self.implicit and len(known):
            shares[known] += self.implicit_factors_[known] @ film / np.sqrt(len(known))
        if self.explicit and len(rated):
            shares[rated] += left[rated] * (self.explicit_factors_[rated] @ film) / np.sqrt(len(rated))
        if self.neighbourly:
            low, near = item * self.n_items_, np.arange(self.n_items_)
            if len(self.neighbour_start_):
                low = self.neighbour_start_[item]
                near = self.neighbours_[low : self.neighbour_start_[item + 1]]
            terms = (rated, self.explicit_weights_, left), (known, self.implicit_weights_, np.ones_like(left))
            for films, weights, of in terms:
                places = np.flatnonzero(np.isin(near, films) & (near != item))
                j = near[places]
                if len(j) and len(weights):
                    shares[j] += of[j] * weights[low + places] / np.sqrt(len(j))
        return explanation(known, shares[known], prediction - float(shares[known].sum()), n)
