"""AutoRec: an autoencoder that fills in a film's, or a user's, row of ratings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.data.splits import validation_from
from lib.models.base import Recommender
from lib.models.card import Card
from lib.models.early_stopping import EarlyStopping
from lib.models.networks.autorec_answers import RowAnswers, known
from lib.models.networks.autorec_network import Autoencoder, Training, train, validation_error, without_zeros
from lib.models.networks.row_centring import KINDS, RowCentring
from lib.models.networks.sparse_network import ACTIVATIONS


class AutoRec(Recommender):
    r"""AutoRec (Sedhain, Menon, Sanner and Xie 2015, "AutoRec: Autoencoders meet collaborative filtering").

    A row x holds a film's ratings by all users (form "item") or a user's of all films ("user"), each less its offset
    (`lib.models.networks.row_centring.RowCentring`); what was not rated is zero as an input and no target.

    .. math:: h = f(x W + c), \qquad \hat x_j = \langle h, V_j \rangle + b_j

    or more hidden layers in between. Adam minimises the squared error of the stored entries :math:`\Omega`, whatever
    their value: a rating that equals its offset counts like any other.

    .. math:: \frac{1}{|\Omega|} \Big( \sum_{(i,j) \in \Omega} (\hat x_{ij} - x_{ij})^2
        + \frac{\lambda}{2} \big(|W|_F^2 + |V|_F^2\big) \Big)

    A prediction comes from the row's training ratings. Work of an epoch is O(ratings x (first + last width) + rows x
    dense layers), memory O((users + films) x width); no dense matrix of users x films is ever formed.

    The defaults were chosen on validation data: the paper's I-AutoRec with films' means taken out, input dropout and
    averaged weights. Project D's user form is ``form="user", hidden_sizes=(512, 256, 128), activation="relu", input_dropout=0.6,
    l2=0, centre="global", averaging=0, plateau_patience=2, patience=4``.

    Parameters
    ----------
    form : {"item", "user"}
    hidden_sizes : sequence of int
    activation : {"sigmoid", "relu", "tanh", "identity"}
        Of all hidden layers; the output is linear.
    input_dropout : float
        Share of a row's ratings that is set to zero, anew each time, while the rest is raised to keep the sum; all
        remain targets.
    l2 : float
        :math:`\lambda`, in ratings; of all kernels, not of biases.
    centre : {"none", "global", "row", "both"} or None
        What is taken from ratings: nothing, the mean, the row's (film's in form "item") mean, or its column's too. None
        takes what does best on validation data: "row" in form "item", "both" in form "user".
    learning_rate : float
    batch_size : int
        Rows a step.
    averaging : float
        Momentum, an epoch, of the moving average of the weights that is kept; 0 for the epoch's own weights.
    epochs : int or None
        A fixed number, without validation data.
    max_epochs, patience : int
        Early stopping: at most `max_epochs`, and `patience` epochs without a lower validation RMSE.
    plateau_patience : int or None
        Epochs without progress after which the learning rate is multiplied by `plateau_factor`, down to
        `least_learning_rate`; None keeps it.
    plateau_factor, least_learning_rate : float
    validation_share : float
        Where ``fit`` gets no validation data: the share of each user's ratings that it cuts from train to find the
        number of epochs (`lib.data.splits.validation_from`).
    refit : bool
        Then train again from the same start on all of train, for that number of epochs at the same learning rates.
    leaky_validation : bool
        Feed the validation ratings themselves as the input that they are to be predicted from. Only there to reproduce
        project D, whose early stopping did: the error it stops on is then one of repeating, not of predicting.
    lost_zeros : bool
        Drop ratings that are zero once centred from targets and validation, as project D's mask does. Only there to
        measure what that costs.
    seed : int
        Of starting weights, order, dropout and the validation data that it cuts.

    Attributes
    ----------
    n_epochs_ : int
        Epochs behind the weights that are kept.
    history_ : ndarray, shape (epochs run, 3)
        By epoch of the training that stopped early: training RMSE under dropout, validation RMSE of clipped predictions
        (NaN without validation data), learning rate.
    answers_ : lib.models.networks.autorec_answers.RowAnswers
        The network's weights, and the hidden layer of each training row.
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
        small={"hidden_sizes": [40], "l2": 2.0, "learning_rate": 0.01, "batch_size": 16, "epochs": 100},
    )

    def __init__(
        self,
        *,
        form: str = "item",
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
        least_learning_rate: float = 1e-5,
        validation_share: float = 0.1,
        refit: bool = True,
        leaky_validation: bool = False,
        lost_zeros: bool = False,
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
        # Divergence is told by the loss, in words; the dense layers are too small to share out.
        with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
            training = self._train(self._rows(part), validation, epochs or self.max_epochs)
            self.n_epochs_, self.history_ = training.n_epochs, np.array(training.history)
            if refit:
                part, training = train, None  # lets the first weights go before the second ones come
                rates = self.history_[: self.n_epochs_, 2].tolist()
                training = self._train(self._rows(train), None, self.n_epochs_, rates)
            self.answers_ = RowAnswers.of(self._network(), training.weights, self._rows(part), self._centre)

    def _train(
        self, ratings: sparse.csr_array, validation: Interactions | None, epochs: int, rates: list[float] | None = None
    ) -> Training:  # fmt: skip
        centring = RowCentring.fit(ratings, self._centre)
        offsets = centring.offsets(ratings)
        inputs = centring.centred(ratings, offsets)
        network, error = self._network(), None
        if validation is not None:
            error = validation_error(
                network, centring, inputs, offsets, self._rows(validation), scale=self.scale_,
                leaky=self.leaky_validation, lost_zeros=self.lost_zeros,
            )  # fmt: skip
        if self.lost_zeros:
            inputs = without_zeros(inputs)
        stopping = EarlyStopping(
            self.learning_rate, averaging=self.averaging, patience=self.patience,
            plateau_patience=self.plateau_patience, plateau_factor=self.plateau_factor,
            least_rate=self.least_learning_rate,
        )  # fmt: skip
        return train(
            network, inputs, stopping, epochs=epochs, batch_size=self.batch_size, l2=self.l2, rates=rates,
            input_dropout=self.input_dropout, error=error, rng=np.random.default_rng(self.seed),
        )  # fmt: skip

    def _rows(self, data: Interactions) -> sparse.csr_array:
        """Ratings by row, explicit zeros kept."""
        rows, columns = self._sides(data.users, data.items)
        shape = self._sides(data.n_users, data.n_items)
        return sparse.csr_array((data.ratings, (rows, columns)), shape=shape)

    def _sides(self, user, item):
        """Order a user's and an item's thing as row's and column's; the same call turns them back."""
        return (item, user) if self.form == "item" else (user, item)

    @property
    def _centre(self) -> str:
        return self.centre or {"item": "row", "user": "both"}[self.form]

    def _network(self) -> Autoencoder:
        _, n_columns = self._sides(self.n_users_, self.n_items_)
        return Autoencoder(n_columns, self.hidden_sizes, self.activation)

    def _check_parameters(self) -> None:
        choices = {"form": ("item", "user"), "activation": tuple(ACTIVATIONS), "centre": (None, *KINDS)}
        for name, values in choices.items():
            if getattr(self, name) not in values:
                raise ValueError(f"AutoRec: {name} must be one of {values}; got {getattr(self, name)!r}")
        if not len(self.hidden_sizes) or any(size < 1 for size in self.hidden_sizes):
            raise ValueError(f"AutoRec: hidden_sizes must hold positive sizes; got {self.hidden_sizes}")
        for name in ("batch_size", "max_epochs", "patience", "epochs", "plateau_patience"):
            value = getattr(self, name)
            if not (value is None and name in ("epochs", "plateau_patience")) and value < 1:
                raise ValueError(f"AutoRec: {name} must be at least 1; got {value}")
        for name in ("input_dropout", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"AutoRec: {name} must lie in [0, 1); got {getattr(self, name)}")
        for name in ("l2", "learning_rate", "least_learning_rate"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"AutoRec: {name} must not be negative; got {getattr(self, name)}")
        if not 0 < self.plateau_factor <= 1:
            raise ValueError(f"AutoRec: plateau_factor must lie in (0, 1]; got {self.plateau_factor}")

    # -- answering -------------------------------------------------------------------------------------------------
    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs from the training ratings, at the cost of one product of vectors a pair."""
        users, items = self._pairs(users, items, times)
        return self.answers_.trained_at(*self._sides(users, items))

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of matrices."""
        self._check_fitted()
        if self.form == "item":
            return self.answers_.all_rows(users)
        rows = known(users, self.n_users_)
        return self.answers_.all_columns(self.answers_.hidden[rows], self.answers_.row_offsets[rows])

    def score_histories(self, histories: sparse.csr_array) -> np.ndarray:
        """Score the catalogue for users given by their ratings, whom the model need not know.

        Parameters
        ----------
        histories : sparse array, shape (n, n_items)
            Ratings; a stored entry counts whatever its value. A row without any is a cold user.

        Returns
        -------
        ndarray of float64, shape (n, n_items)

        Raises
        ------
        ValueError
            The form is "item", which answers for the users that it was trained on; or the catalogue differs in size.
        """
        self._check_fitted()
        if self.form != "user":
            raise ValueError(
                'AutoRec of form "item" knows its training users only; use form="user" for new ones'
            )
        if histories.shape[1] != self.n_items_:
            raise ValueError(
                f"histories must have {self.n_items_} columns, a film each; got {histories.shape[1]}"
            )
        return self.answers_.all_columns(*self.answers_.encode(sparse.csr_array(histories, dtype=np.float32)))

    def reconstruct(self, inputs: Interactions, users, items) -> np.ndarray:
        """Predict pairs with other ratings than the training ones as the network's input.

        Fed the ratings that are then asked for, the network may repeat them: project D's test error is such a one.

        Parameters
        ----------
        inputs : Interactions
            Over the id maps of train.
        users, items : int arrays, shape (n,)

        Returns
        -------
        ndarray of float64, shape (n,)
            As `predict`; a row without ratings in `inputs` is cold.

        Raises
        ------
        ValueError
            `inputs` does not share the id maps.
        """
        users, items = self._pairs(users, items)
        if (inputs.n_users, inputs.n_items) != (self.n_users_, self.n_items_):
            raise ValueError("AutoRec.reconstruct: inputs and train do not share their id maps")
        ratings, (rows, columns) = self._rows(inputs), self._sides(users, items)
        ratings.resize(ratings.shape[0] + 1, ratings.shape[1])  # an empty row for unknown codes
        asked, place = np.unique(known(rows, ratings.shape[0] - 1), return_inverse=True)
        return self.answers_.at(place, columns, *self.answers_.encode(ratings[asked]))

    @property
    def n_parameters_(self) -> int:
        """Trained weights of the network."""
        self._check_fitted()
        weights = self.answers_.weights
        return (
            sum(array.size for array in weights.values()) - self.answers_.hidden.shape[1] - 1
        )  # the mean column

    # -- saving ----------------------------------------------------------------------------------------------------
    def _state(self) -> dict[str, np.ndarray]:
        answers = {f"answers_/{name}": array for name, array in self.answers_.arrays().items()}
        return {name: value for name, value in super()._state().items() if name != "answers_"} | answers

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        own = {name: value for name, value in state.items() if not name.startswith("answers_/")}
        super()._restore(own)
        arrays = {name.removeprefix("answers_/"): state[name] for name in state.keys() - own.keys()}
        self.answers_ = RowAnswers.from_arrays(self._network(), arrays, self._centre)
