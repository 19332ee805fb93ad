"""AutoRec: the masked loss against a dense one, zeros that count, dropout, project D's leak, and nothing ever dense."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from lib.data.feature_groups import feature_groups
from lib.data.interactions import Interactions, RatingScale
from lib.data.splits import per_user_holdout, validation_from
from lib.metrics import rmse
from lib.models.adam import Adam
from lib.models.baselines.bias import Bias
from lib.models.networks.autorec import AutoRec
from lib.models.networks.autorec_network import Autoencoder
from lib.models.networks.row_centring import KINDS, RowCentring
from tests.conftest import planted_interactions
from tests.models.finite_differences import assert_gradients, in_double

SMALL = {"hidden_sizes": [30], "l2": 2.0, "learning_rate": 0.01, "batch_size": 16, "input_dropout": 0.1}
FORMS = {"item": {**SMALL, "form": "item"}, "user": {**SMALL, "form": "user"}}


@pytest.fixture(scope="module")
def split():
    return per_user_holdout(planted_interactions(n_users=70, n_items=50, seed=6))


@pytest.fixture(scope="module", params=["item", "user"])
def fitted(request, split):
    return AutoRec(**FORMS[request.param], epochs=60).fit(split.train)


def error_on(model, data):
    return rmse(data.ratings, data.scale.clip(model.predict(data.users, data.items)))


def some_interactions(users, items, ratings, n_users, n_items, scale=(1.0, 5.0)):
    return Interactions(
        users,
        items,
        ratings,
        np.zeros(len(users)),
        np.arange(n_users),
        np.arange(n_items),
        RatingScale(*scale),
    )


# -- the objective -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n_features", [0, 2])
@pytest.mark.parametrize("sizes", [(4,), (6, 3)])
def test_the_masked_loss_and_its_gradients_are_the_dense_ones(sizes, n_features):
    """Dropped inputs stay targets, and a stored zero counts; features are inputs that are neither dropped nor targets."""
    rng = np.random.default_rng(2)
    stored = rng.random((7, 9)) < 0.6
    stored[0, 0] = True
    target = np.where(stored, rng.normal(size=(7, 9)), 0.0)
    target[0, 0] = 0.0
    rows, columns = np.nonzero(stored)
    batch = sparse.csr_array((target[stored], (rows, columns)), shape=(7, 9))
    beside = rng.normal(size=(7, n_features))
    network = Autoencoder(9, n_features, sizes, "sigmoid")
    weights = in_double(network.start(rng))
    kept = np.random.default_rng(8).random(batch.nnz, dtype=np.float32) >= 0.4

    def objective():
        hidden = np.hstack([np.zeros((7, 9)), beside])
        hidden[rows, columns] = batch.data * kept / 0.6
        for layer in range(len(sizes)):
            sums = hidden @ weights[f"hidden_{layer}/kernel"] + weights[f"hidden_{layer}/bias"]
            hidden = 1 / (1 + np.exp(-sums))
        gaps = hidden @ weights["output/kernel"].T + weights["output/bias"] - target
        return np.sum(gaps**2 * stored) / stored.sum()

    features = sparse.csr_array(beside) if n_features else None
    squares, gradients = network.step(weights, batch, features, input_dropout=0.4, rng=np.random.default_rng(8))
    assert squares / batch.nnz == pytest.approx(objective(), rel=1e-12)
    assert_gradients(objective, weights, gradients)


def test_the_penalty_is_the_papers(monkeypatch, split):
    """Kernels alone, by l2 over the number of ratings, as errors are a mean over ratings."""
    made = []

    class Spied(Adam):
        def __init__(self, weights, learning_rate, l2):
            made.append(l2)
            super().__init__(weights, learning_rate, l2)

    monkeypatch.setattr("lib.models.networks.autorec.Adam", Spied)
    light = AutoRec(**SMALL, epochs=30).fit(split.train)
    share = SMALL["l2"] / len(split.train)
    assert made == [{"hidden_0/kernel": pytest.approx(share), "output/kernel": pytest.approx(share)}]
    heavy = AutoRec(**{**SMALL, "l2": 1e4}, epochs=30).fit(split.train)
    for name in made[0]:
        assert np.linalg.norm(heavy.weights_[name]) < 0.3 * np.linalg.norm(light.weights_[name])


@pytest.mark.parametrize("kind", KINDS)
def test_centring_takes_means_and_keeps_every_entry(kind):
    matrix = sparse.csr_array(np.array([[4.0, 2.0, 0.0], [5.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    centring = RowCentring.fit(matrix, kind)
    offsets = centring.offsets(matrix)
    centred = centring.centred(matrix, offsets)
    mean = 3.0
    columns = np.array([3 / 7, -1 / 6, -2 / 6]) if kind == "both" else np.zeros(3)
    rows = np.full(3, mean)
    if kind in ("row", "both"):
        rows[0] += (1 - 1 - columns[0] - columns[1]) / 7
        rows[1] += (2 - 2 - columns[0] - columns[2]) / 7
    np.testing.assert_allclose(centring.columns, columns)
    np.testing.assert_allclose(offsets, rows)
    assert centred.nnz == 4
    np.testing.assert_allclose(centred.toarray()[0, 0], 4 - rows[0] - columns[0], rtol=1e-6)


def test_a_rating_at_the_mean_is_learned_like_any_other():
    """A quarter of the films are rated 3, the mean, by everybody: targets of zero, which project D masks."""
    users, items = np.nonzero(np.ones((60, 24)))
    at_mean = items % 4 == 0
    ratings = np.where(at_mean, 3.0, np.where((users + items // 2) % 2 == 0, 2.0, 4.0))
    data = some_interactions(users, items, ratings, 60, 24)
    settings = {**FORMS["user"], "centre": "global", "epochs": 60, "input_dropout": 0.0, "l2": 0.0}
    model = AutoRec(**settings).fit(data)
    _, centred, _ = model._centred(model._rows(data))
    assert centred.nnz == len(data) and np.count_nonzero(centred.data == 0) == at_mean.sum()
    assert error_on(model, data.take(at_mean)) < 0.1 and error_on(model, data.take(~at_mean)) < 0.1
    assert (model.weights_["output/bias"][:-1][np.arange(24) % 4 == 0] != 0).all()


# -- learning ------------------------------------------------------------------------------------------------------
def test_it_stops_early_and_trains_again_on_everything(split):
    model = AutoRec(**SMALL, max_epochs=200, patience=3).fit(split.train)
    cut = validation_from(split.train.ordered())
    stopped = AutoRec(**SMALL, max_epochs=200, patience=3).fit(cut.train, validation=cut.test)
    assert model.n_epochs_ == stopped.n_epochs_ < len(model.history_) == model.n_epochs_ + 3 < 200
    np.testing.assert_array_equal(model.history_, stopped.history_)
    assert error_on(stopped, cut.test) == pytest.approx(model.history_[:, 1].min(), abs=1e-5)
    again = AutoRec(**SMALL, epochs=model.n_epochs_).fit(split.train)
    np.testing.assert_array_equal(
        again.predict(split.test.users, split.test.items), model.predict(split.test.users, split.test.items)
    )
    assert np.isnan(again.history_[:, 1]).all()


def test_the_second_training_takes_the_learning_rates_of_the_first(monkeypatch, split):
    given, train = [], AutoRec._train

    def spied(self, train_part, validation, epochs, rates):
        given.append(rates)
        return train(self, train_part, validation, epochs, rates)

    monkeypatch.setattr(AutoRec, "_train", spied)
    settings = {
        **SMALL,
        "learning_rate": 0.05,
        "plateau_patience": 1,
        "plateau_factor": 0.1,
        "max_epochs": 40,
    }
    model = AutoRec(**settings).fit(split.train)
    rates = model.history_[:, 2]
    assert rates[0] == 0.05 and 1e-5 <= rates.min() < 0.01
    assert given == [None, rates[: model.n_epochs_].tolist()]


# -- answering -----------------------------------------------------------------------------------------------------
def test_predictions_are_the_written_out_network(fitted, split):
    weights, train = fitted.weights_, split.train
    matrix = train.matrix.toarray() if fitted.form == "user" else train.matrix.toarray().T
    rated = matrix != 0
    mean = train.ratings.mean(dtype=np.float64)
    columns = np.zeros(matrix.shape[1])
    if fitted.form == "user":
        columns = ((matrix - mean) * rated).sum(axis=0) / (rated.sum(axis=0) + 5)
        columns[~rated.any(axis=0)] = columns[rated.any(axis=0)].mean()
    offsets = mean + ((matrix - mean - columns) * rated).sum(axis=1) / (rated.sum(axis=1) + 5)
    inputs = (matrix - offsets[:, None] - columns) * rated
    sums = inputs @ weights["hidden_0/kernel"] + weights["hidden_0/bias"]
    hidden = 1 / (1 + np.exp(-sums))
    hidden[~rated.any(axis=1)] = hidden[rated.any(axis=1)].mean(axis=0)
    wanted = hidden @ weights["output/kernel"][:-1].T + weights["output/bias"][:-1]
    wanted += offsets[:, None] + columns
    found = fitted.score(np.arange(train.n_users))
    np.testing.assert_allclose(found, wanted if fitted.form == "user" else wanted.T, rtol=2e-5)


def test_training_ratings_as_inputs_give_the_predictions(fitted, split):
    users, items = np.append(split.test.users, [-1, 0, 9999]), np.append(split.test.items, [0, -1, 9999])
    np.testing.assert_allclose(fitted.reconstruct(split.train, users, items), fitted.predict(users, items), rtol=1e-5)
    with pytest.raises(ValueError, match="id maps"):
        fitted.reconstruct(planted_interactions(n_users=5, n_items=5), users, items)


def test_a_film_unseen_in_training_says_nothing_of_a_user(split):
    model = AutoRec(**{**FORMS["user"], "centre": "global"}, epochs=5).fit(split.train)
    unseen = np.flatnonzero(split.train.item_counts == 0)[0]
    shape = split.train.n_users, split.train.n_items
    without = some_interactions([0], [3], [5.0], *shape)
    beside = some_interactions([0, 0], [3, unseen], [5.0, 1.0], *shape)
    films = np.arange(split.train.n_items)
    found = [model.reconstruct(given, np.zeros_like(films), films) for given in (without, beside)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.parametrize("form", ["item", "user"])
def test_cold_pairs_get_the_networks_middle(split, form):
    cold_user, cold_item = 7, 9
    kept = (split.train.users != cold_user) & (split.train.items != cold_item)
    train = split.train.take(kept)
    model = AutoRec(**FORMS[form], epochs=40).fit(train)
    n_users, n_items = train.n_users, train.n_items
    for users in ([cold_user], [-1], [n_users]):
        np.testing.assert_array_equal(model.score(users), model.score([cold_user]))
    warm = np.flatnonzero(train.item_counts)
    scores = model.score(np.arange(n_users))
    assert scores.min() > 0 and scores.max() < 6
    films = model.predict(np.full(len(warm), cold_user), warm)
    means = np.bincount(train.items, train.ratings, minlength=n_items)[warm] / train.item_counts[warm]
    assert np.corrcoef(films, means)[0, 1] > 0.5, "a new user is offered what others like"
    np.testing.assert_allclose(model.predict([3, 3, 3], [cold_item, -1, n_items]), scores[3, cold_item], rtol=1e-6)


# -- project D's leak ----------------------------------------------------------------------------------------------
def test_rows_fed_to_themselves_come_back_too_well():
    """There is no taste to be learned here, yet ratings fed in come back better than anything could predict them."""
    data = planted_interactions(n_users=90, n_items=60, rank=1, noise=1.5, seed=5)
    split = per_user_holdout(data)
    model = AutoRec(**{**FORMS["user"], "hidden_sizes": [60], "l2": 0.0}, epochs=80).fit(split.train)
    test, both = split.test, replace(
        data, users=np.concatenate([split.train.users, split.test.users]),
        items=np.concatenate([split.train.items, split.test.items]),
        ratings=np.concatenate([split.train.ratings, split.test.ratings]),
        timestamps=np.concatenate([split.train.timestamps, split.test.timestamps]),
    )  # fmt: skip
    honest = rmse(test.ratings, model.reconstruct(split.train, test.users, test.items))
    for inputs in (test, both):
        assert rmse(test.ratings, model.reconstruct(inputs, test.users, test.items)) < 0.85 * honest


def test_stopping_on_the_leak_measures_the_leak(split):
    cut = validation_from(split.train, share=0.3)
    settings = {**FORMS["user"], "max_epochs": 30, "patience": 30, "centre": "global"}
    honest, leaky = (
        AutoRec(**settings, leaky_validation=leak).fit(cut.train, validation=cut.test) for leak in (False, True)
    )
    part, best = cut.test, leaky.history_[leaky.n_epochs_ - 1, 1]
    found = leaky.reconstruct(part, part.users, part.items)
    assert best == pytest.approx(rmse(part.ratings, part.scale.clip(found)), abs=1e-5)
    assert error_on(honest, part) == pytest.approx(honest.history_[:, 1].min(), abs=1e-5)


# -- size, and what goes wrong -------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["item", "user"])
def test_nothing_of_users_by_films_is_formed(form):
    """A dense float32 array of these users and films would take 80 GB."""
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, 100_000 * 200_000, 4_000))
    users, items = pairs // 200_000, pairs % 200_000
    data = some_interactions(users, items, rng.integers(1, 6, len(pairs)), 100_000, 200_000)
    model = AutoRec(form=form, hidden_sizes=[4], epochs=1, batch_size=4096).fit(data)
    assert np.isfinite(model.predict(users, items)).all()
    assert np.isfinite(model.score(users[:2])).all()
    assert np.isfinite(model.reconstruct(data, users[:5], items[:5])).all()


def test_deep_networks_save_and_load(split, tmp_path):
    model = AutoRec(**{**FORMS["user"], "hidden_sizes": [12, 6], "activation": "relu"}, epochs=3).fit(split.train)
    model.save(tmp_path / "model.npz")
    loaded = AutoRec.load(tmp_path / "model.npz")
    users = np.array([0, 5, -1])
    np.testing.assert_array_equal(loaded.score(users), model.score(users))
    test = split.test
    np.testing.assert_array_equal(
        loaded.reconstruct(test, test.users, test.items), model.reconstruct(test, test.users, test.items)
    )
    assert loaded.n_parameters_ == model.n_parameters_ == 50 * 12 + 12 + 12 * 6 + 6 + 6 * 50 + 50


def test_fitting_twice_forgets_the_first(split):
    other = planted_interactions(n_users=40, n_items=30, seed=9)
    model = AutoRec(**FORMS["user"], epochs=3)
    once = model.fit(split.train).score([1, 2])
    np.testing.assert_array_equal(model.fit(other).fit(split.train).score([1, 2]), once)


def test_bad_values_are_named(split):
    for settings, message in (
        ({"form": "film"}, "form must be one of"),
        ({"activation": "elu"}, "activation must be one of"),
        ({"centre": "user"}, "centre must be one of"),
        ({"hidden_sizes": []}, "hidden_sizes must"),
        ({"hidden_sizes": [4, 0]}, "hidden_sizes must"),
        ({"input_dropout": 1.0}, "input_dropout must"),
        ({"averaging": 1.0}, "averaging must"),
        ({"l2": -1.0}, "l2 must"),
        ({"epochs": 0}, "epochs must"),
        ({"patience": 0}, "patience must"),
        ({"plateau_factor": 0.0}, "plateau_factor must"),
    ):
        with pytest.raises(ValueError, match=f"AutoRec: {message}"):
            AutoRec(**settings).fit(split.train)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        AutoRec(activation="relu", learning_rate=1e30, epochs=9).fit(split.train)


# -- real data -----------------------------------------------------------------------------------------------------
def test_it_is_well_below_the_bias_model_on_real_ratings(ml_100k):
    cut = validation_from(per_user_holdout(ml_100k.interactions).train)
    model = AutoRec(epochs=60).fit(cut.train)
    assert error_on(model, cut.test) < 0.985 * error_on(Bias().fit(cut.train), cut.test)


@pytest.mark.parametrize("form", ["item", "user"])
def test_features_stand_beside_the_ratings(form, split, tmp_path):
    """A row's own and the averages of the other side's; they change what is predicted, of rows without ratings, too."""
    train, told = split.train, {**SMALL, "form": form, "epochs": 20}
    plain, with_features = (AutoRec(**told, groups=groups).fit(train) for groups in ((), ("genres", "age")))
    users, items = np.arange(20), np.arange(20)
    assert np.abs(plain.predict(users, items) - with_features.predict(users, items)).max() > 1e-4
    n_rows, n_columns = (train.n_items, train.n_users) if form == "item" else (train.n_users, train.n_items)
    names = ("genres", "age")
    n_features = sum(group.matrix.shape[1] for group in feature_groups(train, names))
    assert with_features.row_features_.shape == (n_rows, n_features)
    assert with_features.weights_["hidden_0/kernel"].shape[0] == n_columns + n_features
    own = next(group for group in feature_groups(train, names) if group.side == form)
    place = 0 if own.name == "genres" else n_features - own.matrix.shape[1]
    known = with_features.row_features_[:, place : place + own.matrix.shape[1]]
    np.testing.assert_allclose(known, own.matrix.toarray(), rtol=1e-6)
    again = with_features.reconstruct(train, users, items)
    np.testing.assert_allclose(again, with_features.predict(users, items), rtol=1e-5)
    with_features.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(AutoRec.load(tmp_path / "model.npz").reconstruct(train, users, items), again)
