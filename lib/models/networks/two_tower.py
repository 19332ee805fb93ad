"""The two-tower network: cosine of a user's and a film's vector, each from the id and from side features."""

from collections.abc import Mapping
from copy import copy
from typing import Self

import numpy as np

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.networks.keras_network import KerasNetwork
from lib.models.networks.network_model import Weights, known
from lib.models.networks.two_tower_features import item_features, user_features
from lib.models.normalisation import LinearScale


class TwoTower(KerasNetwork):
    r"""Project A's two-tower network, a `KerasNetwork`.

    .. math::

        \hat r_{ui} = m + h \cos(t_u, t_i), \qquad t = W_2 \, \mathrm{relu}(W_1 [e; f_1; \dots; f_k] + b_1) + b_2

    m is the middle of the rating scale and h half its width, e the id's embedding. A feature's f is an embedding of
    width `embedding_size` // 2 (gender, occupation), a dense layer of that width with relu (standardised age), or a
    dense layer of width `embedding_size` with relu (genres). Squared error on ratings scaled linearly to [-1, 1] is
    minimised. Embeddings start small and are held small by `l2`: at the usual start, plus or minus 0.05, the network
    fits single ratings before it has found what users share. A code outside the id maps has mean features too.

    The widths are those of the id embedding, of each tower's hidden layer and of the vectors (`final_size`); the
    defaults are A's best setting. Without `use_user_features` or `use_item_features` a tower has its id embedding only,
    as where side tables are missing. `l2` weighs the id embeddings' squared norm beside the mean squared error; they
    start uniform in plus or minus `init_scale`. The rest is as in `lib.models.networks.network_model.StoppedNetwork`;
    the objective is the mean squared error on the unit scale plus penalty.

    Attributes
    ----------
    user_vectors_, item_vectors_ : ndarray of float32, shapes (n_users + 1, final_size) and (n_items + 1, final_size)
        Of length one; the last row stands for unknown codes.
    weights_ : dict of str to ndarray
        By names such as ``user/age/kernel``.
    """

    card = Card(
        "two_tower",
        "Two-tower",
        "networks",
        "A cold user or film has the mean of the trained embeddings and its own features.",
        project="A",
        colour="vermilion",
        starts=True,
        learns_taste=True,
        stopping={"limit": "max_epochs", "most": 60, "by_model": True},
        needs="tables",
        small={
            "embedding_size": 8,
            "user_dense_size": 16,
            "item_dense_size": 16,
            "final_size": 16,
            "batch_size": 128,
            "epochs": 40,
            "learning_rate": 0.01,
        },
    )

    def __init__(
        self,
        *,
        embedding_size: int = 16,
        user_dense_size: int = 16,
        item_dense_size: int = 64,
        final_size: int = 64,
        use_user_features: bool = True,
        use_item_features: bool = True,
        learning_rate: float = 5e-3,
        batch_size: int = 4096,
        l2: float = 2e-3,
        init_scale: float = 0.01,
        averaging: float = 0.7,
        epochs: int | None = None,
        max_epochs: int = 60,
        patience: int = 3,
        refit: bool = True,
        seed: int = 0,
    ):
        self._store(locals())

    def _network(self, train: Interactions):
        from lib.models.networks.two_tower_network import TwoTowerNetwork

        return TwoTowerNetwork(*self._towers(train))

    def _towers(self, train: Interactions) -> list:
        from lib.models.networks.two_tower_network import Tower

        users = user_features(train.user_table) if self.use_user_features else []
        items = item_features(train.item_table) if self.use_item_features else []
        sides = (
            ("user", train.n_users, users, max(1, self.embedding_size // 2), self.user_dense_size),
            ("item", train.n_items, items, self.embedding_size, self.item_dense_size),
        )
        seeds = np.random.SeedSequence(self.seed).generate_state(2).tolist()
        return [
            Tower(
                n_entities,
                features,
                feature_size,
                embedding_size=self.embedding_size,
                hidden_size=hidden_size,
                final_size=self.final_size,
                init_scale=self.init_scale,
                l2=self.l2,
                whole=n_entities <= 1.5 * self.batch_size,
                seed=seed,
                name=name,
            )
            for (name, n_entities, features, feature_size, hidden_size), seed in zip(sides, seeds, strict=True)
        ]

    def _targets(self, train: Interactions) -> np.ndarray:
        return LinearScale().fit(train).transform(train).astype(np.float32)

    def _error(self, validation: Interactions, weights: Weights) -> float:
        users = tower_vectors(weights, "user")[validation.users]
        items = tower_vectors(weights, "item")[validation.items]
        cosines = np.einsum("nf,nf->n", users, items).astype(np.float64)
        return float(np.sqrt(np.mean((self._rating(cosines) - validation.ratings) ** 2)))

    def _keep(self, weights: Weights, train: Interactions) -> None:
        super()._keep(weights, train)
        self._set_vectors()

    def _set_vectors(self) -> None:
        self.user_vectors_ = tower_vectors(self.weights_, "user", unknown=True)
        self.item_vectors_ = tower_vectors(self.weights_, "item", unknown=True)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; a cosine never leaves the rating scale."""
        users, items = self._pairs(users, items, times)
        return self._rating(np.einsum("nf,nf->n", self._vectors("user", users), self._vectors("item", items)))

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of vectors."""
        self._check_fitted()
        items = np.arange(self.n_items_)
        return self._rating(self._vectors("user", users) @ self._vectors("item", items).T)

    @property
    def _inputs(self) -> dict[str, str]:
        """Names in `weights_` by those in `inputs`."""
        self._check_fitted()
        return {
            name.replace("embedding", "id").removesuffix("/values"): name
            for name in self.weights_
            if name.endswith(("/embedding", "/values"))
        }

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """What the towers take in, a row an entity: embeddings as ``user/id``, features as ``user/age`` and so on."""
        return {name: self.weights_[place] for name, place in self._inputs.items()}

    def replace_features(self, values: Mapping[str, np.ndarray]) -> Self:
        """Return the same network with other `values` of some features or embeddings, as for permutation importance.

        They go by names of `inputs`; each array has the shape of the one that it replaces.
        """
        places = self._inputs
        unknown = set(values) - set(places)
        if unknown:
            raise KeyError(f"no input {', '.join(sorted(unknown))}; there are {', '.join(places)}")
        other = copy(self)
        other.weights_ = self.weights_ | {places[name]: array for name, array in values.items()}
        other._set_vectors()
        return other

    def _vectors(self, side: str, codes: np.ndarray) -> np.ndarray:
        vectors = getattr(self, f"{side}_vectors_")
        return vectors[known(codes, len(vectors) - 1)].astype(np.float64)

    def _rating(self, cosine: np.ndarray) -> np.ndarray:
        low, high = self.scale_
        return (low + high) / 2 + (high - low) / 2 * cosine

    @property
    def n_parameters_(self) -> int:
        """Trained weights of both towers."""
        self._check_fitted()
        return sum(array.size for name, array in self.weights_.items() if not name.endswith("/values"))


def tower_vectors(weights: Weights, side: str, *, unknown: bool = False) -> np.ndarray:
    """Compute one tower, "user" or "item", in numpy from both towers' weights, as the network does.

    Returns float32 of shape (n_entities, final_size), plus one row if `unknown`: of length one; the row for unknown
    entities is of the mean embedding and mean features.
    """
    own = {name.partition("/")[2]: array for name, array in weights.items() if name.startswith(f"{side}/")}

    def rows(name: str) -> np.ndarray:
        return np.vstack([own[name], own[name].mean(axis=0)]) if unknown else own[name]

    def dense(values: np.ndarray, layer: str) -> np.ndarray:
        return values @ own[f"{layer}/kernel"] + own[f"{layer}/bias"]

    parts = [rows("embedding")]
    for name in own:
        feature, _, array = name.rpartition("/")
        if array != "values":
            continue
        values = rows(name)
        has_bias = f"{feature}/bias" in own
        parts.append(np.maximum(dense(values, feature), 0) if has_bias else values @ own[f"{feature}/kernel"])
    vectors = dense(np.maximum(dense(np.concatenate(parts, axis=1), "hidden"), 0), "final")
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
