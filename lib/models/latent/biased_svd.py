"""SVD as the papers on Koren's family have it: biases and factors, each group with a learning rate of its own."""

from lib.models.card import Card
from lib.models.latent.sgd_engine import KorenModel


class BiasedSVD(KorenModel):
    r"""Biases and a product of factors, by stochastic gradient descent (Koren 2008, section 2.3; Funk 2006).

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i^\top p_u

    It is the member of the family that the others add to. `shuffle` False visits users in the order in which they first
    appear in train, and ratings in row order, as scikit-surprise does; `dtype`, "float32" or "float64", is of the
    parameters and of the arithmetic in training. For the other arguments see `lib.models.latent.sgd_engine.KorenModel`.
    The model of `lib.models.latent.svd` is the same formula with one learning rate and one regularisation for all,
    constant ones; with ``shuffle=False``, ``dtype="float64"``, equal rates and no decay this is that one to rounding
    error.
    """

    card = Card(
        "biased_svd",
        "SVD (Koren)",
        "latent factors",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="E",
        starts=True,
        learns_taste=True,
        stopping={"limit": "n_epochs", "most": 60, "patience": 3},
        films="item_factors_",
        small={"n_factors": 4, "n_epochs": 100, "factor_learning_rate": 0.02, "learning_rate_decay": 1.0},
    )

    personal = True

    def __init__(
        self,
        *,
        n_factors: int = 50,
        n_epochs: int = 40,
        bias_learning_rate: float = 0.007,
        factor_learning_rate: float = 0.007,
        bias_regularisation: float = 0.02,
        factor_regularisation: float = 0.08,
        learning_rate_decay: float = 0.97,
        initial_scale: float = 0.05,
        patience: int | None = None,
        shuffle: bool = True,
        dtype: str = "float32",
        seed: int = 0,
    ):
        self._store(locals())
