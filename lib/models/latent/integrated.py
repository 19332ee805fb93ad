"""The integrated model: SVD++ and the revised neighbourhood model in one sum, learned together."""

from lib.models.card import Card
from lib.models.latent.sgd_engine import Explains


class Integrated(Explains):
    r"""Factors and neighbours in one model (Koren 2008, section 5, equation 16).

    .. math:: \hat r_{ui} = \mu + b_u + b_i
        + q_i^\top \Big(p_u + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j\Big)
        + |R^k(i;u)|^{-1/2} \sum_{j \in R^k(i;u)} (r_{uj} - \tilde b_{uj}) w_{ij}
        + |N^k(i;u)|^{-1/2} \sum_{j \in N^k(i;u)} c_{ij}

    What the terms mean: see `lib.models.latent.svdpp.SVDpp` and `lib.models.latent.neighbourhood.Neighbourhood`, whose
    parts are learned in the same steps. The parameters that are not named here: see
    `lib.models.latent.sgd_engine.KorenModel`. `n_neighbours` is k, or None for weights of all pairs of films;
    `shrinkage` is of the correlations, in common raters.
    """

    card = Card(
        "integrated",
        "Integrated model",
        "latent factors",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="E",
        starts=True,
        learns_taste=True,
        stopping={"limit": "n_epochs", "most": 60, "patience": 3},
        most={"items": 6_000, "ratings": 300_000},
        most_searched={"ratings": 0},
        small={"n_factors": 4, "n_neighbours": 20, "n_epochs": 100, "factor_learning_rate": 0.02},
    )

    personal = implicit = neighbourly = True

    def __init__(
        self,
        *,
        n_factors: int = 50,
        n_neighbours: int | None = 300,
        shrinkage: float = 100.0,
        n_epochs: int = 40,
        bias_learning_rate: float = 0.007,
        factor_learning_rate: float = 0.007,
        implicit_learning_rate: float = 0.007,
        weight_learning_rate: float = 0.003,
        bias_regularisation: float = 0.02,
        factor_regularisation: float = 0.08,
        implicit_regularisation: float = 0.0015,
        weight_regularisation: float = 0.005,
        learning_rate_decay: float = 0.96,
        initial_scale: float = 0.05,
        patience: int | None = None,
        seed: int = 0,
    ):
        self._store(locals())
