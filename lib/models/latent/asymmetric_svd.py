"""NSVD and Asymmetric-SVD: users without factors of their own, made of the films that they have rated, and of how."""

from lib.models.card import Card
from lib.models.latent.sgd_engine import Explains, KorenModel


class NSVD(KorenModel):
    r"""Matrix factorisation whose users are sums over their films (Paterek 2007; Koren 2008, section 2.3).

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i^\top \Big(|R(u)|^{-1/2} \sum_{j \in R(u)} y_j\Big)

    with R(u) the films of the user's training ratings, so that parameters are O(users + films x factors). A user is
    known by which films were rated, not by how, except for :math:`b_u`. For arguments other than `n_factors` see
    `lib.models.latent.sgd_engine.KorenModel`.
    """

    card = Card(
        "nsvd",
        "NSVD",
        "latent factors",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="E",
        starts=True,
        stopping={"limit": "n_epochs", "most": 60, "patience": 3},
        small={"n_factors": 4, "n_epochs": 100, "factor_learning_rate": 0.02, "learning_rate_decay": 1.0},
    )

    implicit = True

    def __init__(
        self,
        *,
        n_factors: int = 50,
        n_epochs: int = 40,
        bias_learning_rate: float = 0.007,
        factor_learning_rate: float = 0.007,
        implicit_learning_rate: float = 0.007,
        bias_regularisation: float = 0.02,
        factor_regularisation: float = 0.05,
        implicit_regularisation: float = 0.001,
        learning_rate_decay: float = 0.95,
        initial_scale: float = 0.05,
        patience: int | None = None,
        seed: int = 0,
    ):
        self._store(locals())


class AsymmetricSVD(Explains):
    r"""Matrix factorisation without users' factors (Koren 2008, section 4.1, equation 13).

    .. math:: \hat r_{ui} = \mu + b_u + b_i + q_i^\top \Big(
        |R(u)|^{-1/2} \sum_{j \in R(u)} (r_{uj} - \tilde b_{uj}) x_j + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j\Big)

    R(u) and N(u) are both the films of the user's training ratings; the :math:`\tilde b_{uj}` are constants, those of
    the bias model (`lib.models.baselines.bias`). Parameters are O(users + films x factors), and each prediction is a
    sum over the user's films (`explain`). For arguments other than `n_factors` see
    `lib.models.latent.sgd_engine.KorenModel`.
    """

    card = Card(
        "asymmetric_svd",
        "Asymmetric-SVD",
        "latent factors",
        "A pair keeps the terms of whichever of the two is known; two cold ones get the mean training rating.",
        project="E",
        starts=True,
        learns_taste=True,
        stopping={"limit": "n_epochs", "most": 60, "patience": 3},
        small={"n_factors": 4, "n_epochs": 100, "factor_learning_rate": 0.02, "implicit_learning_rate": 0.02},
    )

    implicit = explicit = True

    def __init__(
        self,
        *,
        n_factors: int = 50,
        n_epochs: int = 40,
        bias_learning_rate: float = 0.007,
        factor_learning_rate: float = 0.007,
        implicit_learning_rate: float = 0.007,
        bias_regularisation: float = 0.02,
        factor_regularisation: float = 0.06,
        implicit_regularisation: float = 0.0015,
        learning_rate_decay: float = 0.95,
        initial_scale: float = 0.05,
        patience: int | None = None,
        seed: int = 0,
    ):
        self._store(locals())
