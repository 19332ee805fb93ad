"""CorNgbr: the classical neighbourhood model, weights in proportion to shrunk correlations."""

from __future__ import annotations

from lib.models.card import Card
from lib.models.latent.rated_neighbours import RatedNeighbours


class CorrelationNeighbours(RatedNeighbours):
    r"""Weighted mean of what a user thinks of similar films (Koren 2008, section 2.2, there CorNgbr).

    .. math:: \hat r_{ui} = b_{ui} + \frac{\sum_{j \in S^k(i;u)} s_{ij}\,(r_{uj} - b_{uj})}
        {\sum_{j \in S^k(i;u)} s_{ij}}

    with :math:`s_{ij}` the shrunk correlation. Neighbours and baseline: see
    `lib.models.latent.rated_neighbours.RatedNeighbours`. Memory is O(items^2); a prediction costs O(films that the user
    has rated).

    Parameters
    ----------
    n_neighbours : int
        k.
    shrinkage : float
        :math:`\lambda` of the similarity, in common raters.
    """

    card = Card(
        "correlation_neighbours",
        "CorNgbr",
        "neighbourhood",
        "A pair without neighbours, as all cold ones are, gets the bias model's answer.",
        project="E",
        learns_taste=True,
        most={"items": 4_000, "ratings": 300_000},
        most_searched={"ratings": 0},
        small={"n_neighbours": 10, "shrinkage": 10.0},
    )

    def __init__(self, *, n_neighbours: int = 30, shrinkage: float = 100.0):
        self._store(locals())
