"""The two-tower network: cosine of a user's and a film's vector, each from the id and from side features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lib.data.interactions import Interactions
from lib.data.splits import validation_from
from lib.models.base import Recommender
from lib.models.card import Card
from lib.models.networks.two_tower_features import Feature, item_features, user_features
from lib.models.normalisation import LinearScale


class TwoTower(Recommender):
    r"""Project A's two-tower network, in Keras on any of its backends.

    .. math::

        \hat r_{ui} = m + h \cos(t_u, t_i), \qquad
        t = W_2 \, \mathrm{relu}(W_1 [e; f_1; \dots; f_k] + b_1) + b_2

    m is the middle of the rating scale and h half its width, e the id's embedding. A feature's f is an embedding of
    width `embedding_size` // 2 (gender, occupation), a dense layer of that width with relu (standardised age), or a
    dense layer of width `genre_dense_size` with relu (genres). Squared error on ratings scaled linearly to [-1, 1] is
    minimised by Adam (Kingma and Ba 2015). Embeddings start small and are held small by `l2`: at the usual start, plus
    or minus 0.05, the network fits single ratings before it has found what users share.

    Vectors depend on the entity alone, so while the catalogue is small against the batch they are computed once a step
    for all users and films and then gathered.

    Without `epochs`, training stops early on validation data, and the best epoch's weights are kept. Where ``fit`` is
    given no validation data it cuts `validation_share` of each user's ratings from train, finds the number of epochs
    on that, and, with `refit`, trains again from the same start on all of train for that number of epochs. (Where too
    few ratings leave nothing to cut, it trains for `max_epochs`.)

    A code outside the id maps has mean features too. Saved models answer without Keras.

    Parameters
    ----------
    embedding_size, user_dense_size, item_dense_size, final_size : int
        Widths: id embedding, hidden layer of each tower, vectors. The defaults are A's best setting.
    genre_dense_size : int or None
        None ties it to `embedding_size`, as A does.
    use_user_features, use_item_features : bool
        False leaves a tower with its id embedding only, as missing side tables do.
    learning_rate : float
    batch_size : int
    l2 : float
        Weight of the id embeddings' squared norm beside the mean squared error.
    init_scale : float
        Embeddings start uniform in plus or minus this.
    averaging : float
        Momentum, an epoch, of the moving average of the weights that is kept; 0 for the epoch's own weights.
    epochs : int or None
        A fixed number of epochs, without validation data.
    max_epochs, patience : int
        Early stopping: at most `max_epochs`, and `patience` epochs without a lower validation RMSE.
    validation_share : float
    refit : bool
    seed : int
        Of starting weights, shuffling and the validation data that it cuts.

    Attributes
    ----------
    n_epochs_ : int
        Epochs behind the weights that are kept.
    history_ : ndarray, shape (epochs run, 2)
        By epoch of the training that stopped early: the objective (mean squared error on the unit scale plus penalty),
        and the validation RMSE on the rating scale; NaN where there were no validation data.
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
            "max_epochs": 60,
            "learning_rate": 0.01,
        },
    )

    loaded_first = ("lib.models.networks.keras_training",)

    def __init__(
        self,
        *,
        embedding_size: int = 16,
        user_dense_size: int = 16,
        item_dense_size: int = 64,
        genre_dense_size: int | None = None,
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
        validation_share: float = 0.1,
        refit: bool = True,
        seed: int = 0,
    ):
        self._store(locals())

    # -- learning --------------------------------------------------------------------------------------------------
    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check_parameters()
        epochs, part, refit = self.epochs, train, False
        if epochs is None and validation is None:
            cut = validation_from(train, share=self.validation_share, seed=self.seed)
            if len(cut.test):
                part, validation, refit = cut.train, cut.test, self.refit
        if epochs is not None or validation is None or len(validation) == 0:
            epochs, validation, refit = epochs or self.max_epochs, None, False
        training = self._train(part, validation, epochs or self.max_epochs)
        self.n_epochs_ = training.best + 1
        errors = training.errors or [np.nan] * len(training.objectives)
        self.history_ = np.column_stack([training.objectives, errors])
        if refit:
            part, training = train, self._train(train, None, self.n_epochs_)
        self._keep(training.weights, part)

    def _train(self, train: Interactions, validation: Interactions | None, epochs: int):
        """Train from the start, with early stopping where there are validation data."""
        from lib.models.networks import keras_training
        from lib.models.networks.two_tower_network import TwoTowerNetwork

        scale = LinearScale().fit(train)

        def error(weights) -> float:
            users = tower_vectors(weights, "user")[validation.users]
            items = tower_vectors(weights, "item")[validation.items]
            gaps = scale.inverse(validation.users, np.einsum("nf,nf->n", users, items)) - validation.ratings
            return float(np.sqrt(np.mean(gaps**2)))

        with keras_training.seeded(self.seed):
            return keras_training.train(
                TwoTowerNetwork(*self._towers(train)), np.column_stack([train.users, train.items]),
                scale.transform(train).astype(np.float32), read=TwoTowerNetwork.weights_by_name, epochs=epochs,
                batch_size=self.batch_size, learning_rate=self.learning_rate, averaging=self.averaging,
                error=error if validation is not None else None, patience=self.patience, seed=self.seed,
            )  # fmt: skip

    def _towers(self, train: Interactions) -> list:
        from lib.models.networks.two_tower_network import Tower

        users = user_features(train.user_table) if self.use_user_features else []
        items = item_features(train.item_table) if self.use_item_features else []
        genre_size = self.genre_dense_size or self.embedding_size
        half = max(1, self.embedding_size // 2)
        seeds = np.random.SeedSequence(self.seed).generate_state(2)

        def tower(
            name: str, n_entities: int, features: list[Feature], size: int, hidden_size: int, seed: int
        ) -> Tower:
            return Tower(
                n_entities, features, [size] * len(features), embedding_size=self.embedding_size,
                hidden_size=hidden_size, final_size=self.final_size, init_scale=self.init_scale, l2=self.l2,
                whole=n_entities <= 1.5 * self.batch_size, seed=int(seed), name=name,
            )  # fmt: skip

        return [
            tower("user", train.n_users, users, half, self.user_dense_size, seeds[0]),
            tower("item", train.n_items, items, genre_size, self.item_dense_size, seeds[1]),
        ]

    def _keep(self, weights: dict[str, np.ndarray], train: Interactions) -> None:
        """Give cold entities the mean embedding, and compute all vectors."""
        for side, counts in (("user", train.user_counts), ("item", train.item_counts)):
            embedding = weights[f"{side}/embedding"]
            embedding[counts == 0] = embedding[counts > 0].mean(axis=0)
        self.weights_ = weights
        self.user_vectors_ = tower_vectors(weights, "user", unknown=True)
        self.item_vectors_ = tower_vectors(weights, "item", unknown=True)

    def _check_parameters(self) -> None:
        sizes = {
            name: getattr(self, name)
            for name in ("embedding_size", "user_dense_size", "item_dense_size", "final_size", "batch_size", "max_epochs")
        }  # fmt: skip
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"TwoTower: {name} must be at least 1; got {size}")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"TwoTower: epochs must be at least 1, or None to stop early; got {self.epochs}")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"TwoTower: averaging must lie in [0, 1); got {self.averaging}")

    # -- answering -------------------------------------------------------------------------------------------------
    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; a cosine never leaves the rating scale."""
        users, items = self._pairs(users, items, times)
        return self._rating(np.einsum("nf,nf->n", self._vectors("user", users), self._vectors("item", items)))

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of vectors."""
        self._check_fitted()
        known = np.arange(self.n_items_)
        return self._rating(self._vectors("user", np.asarray(users)) @ self._vectors("item", known).T)

    def replace_features(self, values: Mapping[str, np.ndarray]) -> TwoTower:
        """Return the same network with other values of some features or embeddings, as for permutation importance.

        Parameters
        ----------
        values : mapping of str to ndarray
            By names of `inputs`; each array has the shape of the one that it replaces.
        """
        self._check_fitted()
        unknown = set(values) - set(self.inputs)
        if unknown:
            raise KeyError(f"no input {', '.join(sorted(unknown))}; there are {', '.join(self.inputs)}")
        other = type(self)(**self.parameters)
        names = {name: self._array_name(name) for name in values}
        other._restore(self._state() | {f"weights_/{names[name]}": array for name, array in values.items()})
        other.scale_ = self.scale_
        for side in ("user", "item"):
            setattr(other, f"{side}_vectors_", tower_vectors(other.weights_, side, unknown=True))
        return other

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """What the towers take in, a row an entity: embeddings as ``user/id``, features as ``user/age`` and so on."""
        self._check_fitted()
        return {
            name.replace("embedding", "id").removesuffix("/values"): array
            for name, array in self.weights_.items()
            if name.endswith(("/embedding", "/values"))
        }

    def _array_name(self, name: str) -> str:
        return name.replace("/id", "/embedding") if name.endswith("/id") else f"{name}/values"

    def _vectors(self, side: str, codes: np.ndarray) -> np.ndarray:
        vectors = getattr(self, f"{side}_vectors_")
        known = (codes >= 0) & (codes < len(vectors) - 1)
        return vectors[np.where(known, codes, len(vectors) - 1)].astype(np.float64)

    def _rating(self, cosine: np.ndarray) -> np.ndarray:
        low, high = self.scale_
        return (low + high) / 2 + (high - low) / 2 * cosine

    @property
    def n_parameters_(self) -> int:
        """Trained weights of both towers."""
        self._check_fitted()
        return sum(array.size for name, array in self.weights_.items() if not name.endswith("/values"))

    # -- saving ----------------------------------------------------------------------------------------------------
    def _state(self) -> dict[str, np.ndarray]:
        state = super()._state()
        del state["weights_"]
        return state | {f"weights_/{name}": array for name, array in self.weights_.items()}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        super()._restore({name: value for name, value in state.items() if not name.startswith("weights_/")})
        self.weights_ = {
            name.removeprefix("weights_/"): value
            for name, value in state.items()
            if name.startswith("weights_/")
        }


def tower_vectors(weights: Mapping[str, np.ndarray], side: str, *, unknown: bool = False) -> np.ndarray:
    """Compute one tower in numpy from its weights, as the network does.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of both towers, from `TwoTowerNetwork.weights_by_name`.
    side : {"user", "item"}
    unknown : bool
        Append a row for unknown entities: mean embedding, mean features.

    Returns
    -------
    ndarray of float32, shape (n_entities, final_size), plus one row
        Of length one.
    """
    own = {
        name.removeprefix(f"{side}/"): array for name, array in weights.items() if name.startswith(f"{side}/")
    }

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
