"""SVD++: factors of users and films, and of the films that a user has chosen to rate."""

from lib.models.card import Card
from lib.models.latent.sgd_engine import KorenModel


class SVDpp(KorenModel):
    r"""Matrix factorisation that also learns from which films a user has rated (Koren 2008, section 4).

    .. math:: \hat r_{ui} = \mu + b_u + b_i
        + q_i^\top \Big(p_u + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j\Big)

    with N(u) the films of the user's training ratings. With ``shuffle=False`` and ``dtype="float64"`` it is
    scikit-surprise's ``SVDpp`` to rounding error, in time linear in the ratings (`lib.models.latent.sgd_kernels`). The
    arguments are those of `lib.models.latent.biased_svd.BiasedSVD`.
    """

    card = Card(
        "svdpp",
        "SVD++",
        "latent factors",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="E",
        starts=True,
        learns_taste=True,
        stopping={"limit": "n_epochs", "most": 60, "patience": 3},
        films="item_factors_",
        small={"n_factors": 4, "n_epochs": 100, "factor_learning_rate": 0.02, "learning_rate_decay": 1.0},
    )

    personal = implicit = True

    def __init__(
        self,
        *,
        n_factors: int = 50,
        n_epochs: int = 40,
        bias_learning_rate: float = 0.007,
        factor_learning_rate: float = 0.007,
        implicit_learning_rate: float = 0.007,
        bias_regularisation: float = 0.02,
        factor_regularisation: float = 0.08,
        implicit_regularisation: float = 0.0015,
        learning_rate_decay: float = 0.97,
        initial_scale: float = 0.05,
        patience: int | None = None,
        shuffle: bool = True,
        dtype: str = "float32",
        seed: int = 0,
    ):
        self._store(locals())
