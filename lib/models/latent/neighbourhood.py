"""The revised neighbourhood model: weights between films, learned for all users at once."""

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.latent.sgd_engine import Explains
from lib.models.latent.sgd_parameters import Parameters, Ratings


class Neighbourhood(Explains):
    r"""Weights between films in place of similarities (Koren 2008, section 3, equation 10).

    .. math:: \hat r_{ui} = \mu + b_u + b_i
        + |R^k(i;u)|^{-1/2} \sum_{j \in R^k(i;u)} (r_{uj} - \tilde b_{uj}) w_{ij}
        + |N^k(i;u)|^{-1/2} \sum_{j \in N^k(i;u)} c_{ij}

    :math:`R^k(i;u)` are the films that the user has rated among the k nearest to film i by shrunk Pearson correlation
    (`lib.models.latent.item_similarity`); :math:`N^k(i;u)` are the same, as training ratings are all that is known of a
    user. The :math:`\tilde b_{uj}` are constants, those of the bias model (`lib.models.baselines.bias`). Unlike
    similarities, weights take account of each other, and need not add up to one: with few neighbours the prediction stays
    near the biases.

    Memory is O(films x k). The parameters that are not named here: see `lib.models.latent.sgd_engine.KorenModel`. k is
    `n_neighbours`, or None for weights of all pairs of films, in a catalogue of at most
    `lib.models.latent.sgd_engine.MOST_ITEMS`; `shrinkage` is of the correlations, in common raters; without
    `implicit_weights` there are no :math:`c_{ij}`, by which it counts that a film was rated at all.

    ``explicit_weights_`` and ``implicit_weights_``, shape (n_entries,), are :math:`w_{ij}` and :math:`c_{ij}` aligned
    with ``neighbours_``, or of all pairs, n_items x n_items in rows i. Film i's neighbours are
    ``neighbours_[neighbour_start_[i] : neighbour_start_[i + 1]]``; both are empty for all pairs.
    """

    card = Card(
        "neighbourhood",
        "Revised neighbourhood",
        "neighbourhood",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="E",
        starts=True,
        learns_taste=True,
        stopping={"limit": "n_epochs", "most": 60, "patience": 3},
        most={"items": 6_000, "ratings": 300_000},
        most_searched={"ratings": 0},
        small={"n_neighbours": 30, "n_epochs": 60, "weight_learning_rate": 0.02, "learning_rate_decay": 1.0},
    )

    neighbourly = True

    def __init__(
        self,
        *,
        n_neighbours: int | None = 300,
        shrinkage: float = 100.0,
        implicit_weights: bool = True,
        n_epochs: int = 20,
        bias_learning_rate: float = 0.007,
        weight_learning_rate: float = 0.01,
        bias_regularisation: float = 0.02,
        weight_regularisation: float = 0.003,
        learning_rate_decay: float = 0.9,
        patience: int | None = None,
        seed: int = 0,
    ):
        self._store(locals())

    def _start(self, train: Interactions, ratings: Ratings) -> Parameters:
        start = super()._start(train, ratings)
        if self.implicit_weights:
            return start
        return start._replace(implicit_weights=start.implicit_weights[:0])
