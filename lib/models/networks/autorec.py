"""AutoRec: an autoencoder that fills in a film's, or a user's, row of ratings."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.models.adam import Adam
from lib.models.card import Card
from lib.models.early_stopping import EarlyStopping
from lib.models.lists.item_weights import implicit_matrix
from lib.models.networks.autorec_network import Autoencoder
from lib.models.networks.network_model import SOME_LAYERS, Rule, StoppedNetwork, Weights, known, with_mean
from lib.models.networks.row_centring import KINDS, RowCentring
from lib.models.networks.side_features import joined, shares, side_features
from lib.models.networks.sparse_network import ACTIVATIONS, SparseRows
from lib.models.sparse_kernels import products_at

LEAST_LEARNING_RATE = 1e-5


class AutoRec(StoppedNetwork):
    r"""AutoRec (Sedhain, Menon, Sanner and Xie 2015, "AutoRec: Autoencoders meet collaborative filtering").

    A row x holds a film's ratings by all users (form "item") or a user's of all films ("user"), each less its offset
    (`lib.models.networks.row_centring.RowCentring`); what was not rated is zero as an input and no target.

    .. math:: h = f(x W + c), \qquad \hat x_j = \langle h, V_j \rangle + b_j

    or more hidden layers in between. Adam minimises the squared error of the stored entries :math:`\Omega`, whatever
    their value: a rating that equals its offset counts like any other.

    .. math:: \frac{1}{|\Omega|} \Big( \sum_{(i,j) \in \Omega} (\hat x_{ij} - x_{ij})^2
        + \frac{\lambda}{2} \big(|W|_F^2 + |V|_F^2\big) \Big)

    A prediction is :math:`o_i + c_j + \hat x_{ij}`, o and c being the offsets and the row's input its training ratings.
    Work of an epoch is O(ratings x (first + last width) + rows x dense layers), memory O((users + films) x width); no
    dense matrix of users x films is ever formed.

    The defaults were chosen on validation data: the paper's I-AutoRec with films' means taken out, input dropout and
    averaged weights. Project D's user form is `lib.studies.neural_study.PUBLISHED_AUTOREC`.

    Parameters
    ----------
    form : {"item", "user"}
    groups : sequence of str
        Features that the row's input holds beside its ratings, of `lib.data.feature_groups`: the row's own, and those
        of the other side averaged over its ratings (`lib.models.networks.side_features`).
    hidden_sizes : sequence of int
    activation : {"sigmoid", "relu", "tanh", "identity"}
        Of all hidden layers; the output is linear.
    input_dropout : float
        Share of a row's ratings that is set to zero, anew each time, while the rest is raised to keep the sum; all
        remain targets.
    l2 : float
        :math:`\lambda`, in ratings; of all kernels, not of biases.
    centre : {"global", "row", "both"} or None
        What is taken from ratings: the mean, the row's (film's in form "item") mean too, or its column's too. None
        takes what does best on validation data: "row" in form "item", "both" in form "user".
    leaky_validation : bool
        Feed the validation ratings themselves as the input that they are to be predicted from. Only there to reproduce
        project D, whose early stopping did: the error it stops on is then one of repeating, not of predicting.
    batch_size, learning_rate, averaging, epochs, max_epochs, patience, plateau_patience, plateau_factor, seed
        As in `lib.models.networks.network_model.StoppedNetwork`, a batch being of rows; the learning rate doesn't fall
        below `LEAST_LEARNING_RATE`.

    Attributes
    ----------
    n_epochs_, history_
        As there; the objective is the training RMSE under dropout, and validation predictions are clipped.
    weights_ : dict of str to ndarray
        ``output/kernel`` and ``output/bias`` have one column more than there are codes: the last has the mean weights
        of those with training ratings. It stands for unknown codes, and those without training ratings have its values.
        Nor do these say anything of a row: their weights as inputs are zero.
    row_features_, hidden_ : ndarray of shapes (n_rows, n_features), (n_rows + 1, last width)
        Features, and h of each training row; the last is the mean, of which the same goes.
    row_offsets_, column_offsets_, centres_ : ndarray of float64, shapes (n_rows + 1,), (n_columns + 1,), (n_columns,)
        o and c; that of a row without ratings is their mean. `centres_` are as `column_offsets_`, but 0 for columns
        without training ratings: what other rows of ratings are centred by.
    """

    card = Card(
        "autorec",
        "Item AutoRec",
        "networks",
        "A row without ratings has the mean hidden layer and offset; on the other side a cold one has the mean weights.",
        project="D",
        starts=True,
        learns_taste=True,
        stopping={"limit": "max_epochs", "most": 100, "by_model": True},
        most={"ratings": 300_000},
        small={"hidden_sizes": [40], "groups": [], "l2": 2.0, "learning_rate": 0.01, "batch_size": 16, "epochs": 100},
    )

    def __init__(
        self,
        *,
        form: str = "item",
        groups: Sequence[str] = (),
        hidden_sizes: Sequence[int] = (500,),
        activation: str = "sigmoid",
        input_dropout: float = 0.2,
        l2: float = 200.0,
        centre: str | None = None,
        learning_rate: float = 1e-3,
        batch_size: int = 512,
        averaging: float = 0.8,
        epochs: int | None = None,
        max_epochs: int = 100,
        patience: int = 5,
        plateau_patience: int | None = None,
        plateau_factor: float = 0.5,
        leaky_validation: bool = False,
        seed: int = 0,
    ):
        self._store(locals())

    def _check(self, *rules: Rule) -> None:
        choices = {"form": ("item", "user"), "activation": tuple(ACTIVATIONS), "centre": (None, *KINDS)}
        own = ((f"be one of {values}", (name,), values.__contains__) for name, values in choices.items())
        super()._check(SOME_LAYERS, *own)

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        with threadpool_limits(1, user_api="blas"):  # the dense layers are too small to share out
            super()._fit(train, validation)

    def _train(
        self, train: Interactions, validation: Interactions | None, epochs: int, rates: list[float] | None
    ) -> tuple[Sequence[float], EarlyStopping]:
        centring, inputs, offsets = self._centred(self._rows(train))
        features, rng = self._features(train), np.random.default_rng(self.seed)
        network = self._network(0 if features is None else features.shape[1])
        weights = network.start(rng)
        kernels = [name for name in weights if name.endswith("/kernel")]
        optimiser = Adam(weights, self.learning_rate, dict.fromkeys(kernels, self.l2 / inputs.nnz))
        stopping = self._stopping(LEAST_LEARNING_RATE)

        def step(rows: np.ndarray) -> tuple[float, Weights]:
            beside = None if features is None else features[rows]
            return network.step(weights, inputs[rows], beside, input_dropout=self.input_dropout, rng=rng)

        error = None
        if validation is not None:
            error = self._validation_error(network, centring, inputs, offsets, self._rows(validation), features)
        active = np.flatnonzero(np.diff(inputs.indptr))
        squares = self._descend(optimiser, stopping, step, active, rng, epochs=epochs, error=error, rates=rates)
        return np.sqrt(squares / inputs.nnz), stopping

    def _validation_error(
        self,
        network: Autoencoder,
        centring: RowCentring,
        inputs: sparse.csr_array,
        offsets: np.ndarray,
        held_out: sparse.csr_array,
        features: sparse.csr_array | None,
    ) -> Callable[[Weights], float]:
        """Make the function that takes weights and gives the RMSE of clipped predictions of held-out ratings."""
        if self.leaky_validation:
            offsets = centring.offsets(held_out)
            inputs = centring.centred(held_out, offsets)
        rows, inputs = SparseRows(held_out), joined(inputs, features)
        back = offsets[rows.owners] + centring.columns[rows.columns]

        def error(weights: Weights) -> float:
            found = network.output.at(weights, rows, network.hidden(weights, inputs)) + back
            return float(np.sqrt(np.mean((self.scale_.clip(found) - held_out.data) ** 2)))

        return error

    def _keep(self, weights: Weights, train: Interactions) -> None:
        ratings, network = self._rows(train), self._network()
        centring, inputs, offsets = self._centred(ratings)
        seen = np.bincount(ratings.indices, minlength=ratings.shape[1]) > 0
        features = self._features(train)
        self.row_features_ = np.empty((len(offsets), 0), np.float32) if features is None else features.toarray()
        self.hidden_ = with_mean(network.hidden(weights, joined(inputs, features)), np.diff(ratings.indptr) > 0)
        for name in (network.output.kernel, network.output.bias):
            weights[name] = with_mean(weights[name], seen)
        weights[network.encoder.kernel][: len(seen)][~seen] = 0
        self.weights_ = weights
        self.row_offsets_ = np.append(offsets, centring.mean)
        self.centres_, self.column_offsets_ = centring.columns, with_mean(centring.columns, seen)

    def _centred(self, ratings: sparse.csr_array) -> tuple[RowCentring, sparse.csr_array, np.ndarray]:
        """Learn the centring, and return it, the centred ratings, and the rows' offsets."""
        centring = RowCentring.fit(ratings, self._centre)
        offsets = centring.offsets(ratings)
        return centring, centring.centred(ratings, offsets), offsets

    @property
    def _centre(self) -> str:
        return self.centre or {"item": "row", "user": "both"}[self.form]

    def _rows(self, data: Interactions) -> sparse.csr_array:
        """Ratings by row, explicit zeros kept."""
        rows, columns = self._sides(data.users, data.items)
        shape = self._sides(data.n_users, data.n_items)
        return sparse.csr_array((data.ratings, (rows, columns)), shape=shape)

    def _sides(self, user, item):
        """Order a user's and an item's thing as row's and column's; the same call turns them back."""
        return (item, user) if self.form == "item" else (user, item)

    def _network(self, n_features: int = 0) -> Autoencoder:
        _, n_columns = self._sides(self.n_users_, self.n_items_)
        return Autoencoder(n_columns, n_features, self.hidden_sizes, self.activation)

    def _features(self, train: Interactions) -> sparse.csr_array | None:
        if not self.groups:
            return None
        rated = implicit_matrix(train)
        bags = shares(rated if self.form == "user" else sparse.csr_array(rated.T))
        return side_features(train, self.groups, self.form, bags).astype(np.float32)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs from the training ratings, at the cost of one product of vectors a pair."""
        rows, columns = self._sides(*self._pairs(users, items, times))
        return self._at(known(rows, len(self.hidden_) - 1), columns, self.hidden_, self.row_offsets_)

    def _at(self, rows: np.ndarray, columns: np.ndarray, hidden: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Predict pairs of a row of `hidden` and `offsets` and a column's code."""
        columns = known(columns, len(self.column_offsets_) - 1)
        found = np.empty(len(rows), dtype=hidden.dtype)
        kernel, bias = self.weights_["output/kernel"], self.weights_["output/bias"]
        products_at(rows, columns, hidden, kernel, bias, found)
        return found + offsets[rows] + self.column_offsets_[columns]

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of matrices."""
        self._check_fitted()
        users = known(users, self.n_users_)
        kernel, bias = self.weights_["output/kernel"], self.weights_["output/bias"]
        if self.form == "item":
            found = (kernel[users] @ self.hidden_[:-1].T).astype(np.float64)
            found += (bias[users] + self.column_offsets_[users])[:, None]
            return found + self.row_offsets_[:-1]
        found = self._network().output.everywhere(self.weights_, self.hidden_[users])[:, :-1]
        return found.astype(np.float64) + self.row_offsets_[users, None] + self.column_offsets_[:-1]

    def reconstruct(self, inputs: Interactions, users, items) -> np.ndarray:
        """Predict pairs as `predict` does, with other ratings, `inputs`, than the training ones as the network's input.

        Fed the ratings that are then asked for, the network may repeat them: project D's test error is such a one. A
        row without ratings in `inputs` is cold. Raises ValueError: `inputs` does not share the id maps.
        """
        users, items = self._pairs(users, items)
        if (inputs.n_users, inputs.n_items) != (self.n_users_, self.n_items_):
            raise ValueError("AutoRec.reconstruct: inputs and train do not share their id maps")
        ratings, (rows, columns) = self._rows(inputs), self._sides(users, items)
        ratings.resize(ratings.shape[0] + 1, ratings.shape[1])  # an empty row for unknown codes
        asked, place = np.unique(known(rows, ratings.shape[0] - 1), return_inverse=True)
        ratings = ratings[asked]
        centring = RowCentring(self._centre, float(self.row_offsets_[-1]), self.centres_)
        offsets = centring.offsets(ratings)
        features = np.vstack([self.row_features_, np.zeros_like(self.row_features_[:1])])[asked]
        beside = sparse.csr_array(features) if features.shape[1] else None
        hidden = self._network().hidden(self.weights_, joined(centring.centred(ratings, offsets), beside))
        hidden[np.diff(ratings.indptr) == 0] = self.hidden_[-1]
        return self._at(place, columns, hidden, offsets)

    @property
    def n_parameters_(self) -> int:
        """Trained weights of the network, without the mean column's."""
        return super().n_parameters_ - self.hidden_.shape[1] - 1
