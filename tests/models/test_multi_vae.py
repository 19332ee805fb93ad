"""Multi-VAE: its bound and gradients against a written-out oracle, planted crowds, new users, and large catalogues."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax

from lib.data.interactions import Interactions, RatingScale
from lib.data.splits import per_user_holdout
from lib.metrics import evaluate_ranking, recommend
from lib.models.baselines.orders import MostPopular
from lib.models.lists.item_weights import implicit_matrix
from lib.models.networks.multi_vae import MultiVAE
from lib.models.networks.multi_vae_network import VariationalAutoencoder, unit_length
from tests.conftest import planted_interactions
from tests.models.finite_differences import assert_gradients

SMALL = {"hidden_sizes": [20], "n_latent": 8, "batch_size": 20, "learning_rate": 5e-3, "anneal_epochs": 20}


@pytest.fixture(scope="module")
def split():
    return per_user_holdout(planted_interactions(n_users=60, n_items=40, seed=8))


@pytest.fixture(scope="module")
def model(split):
    return MultiVAE(**SMALL, n_epochs=15).fit(split.train)


def some_bags(n=5, n_items=9, seed=0):
    dense = np.random.default_rng(seed).random((n, n_items)) < 0.5
    dense[:, 0] = True
    return sparse.csr_array(dense.astype(float))


# -- the bound -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sizes", [(6,), (6, 4)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_bound_and_its_gradients_against_numpy(sizes, dropout):
    bags, n_latent, beta = some_bags(), 3, 0.3
    network = VariationalAutoencoder(9, sizes, n_latent)
    rng = np.random.default_rng(1)
    weights = network.start(rng, np.float64)
    for value in weights.values():
        value += 0.2 * rng.normal(size=value.shape)
    drawn = np.random.default_rng(7)
    kept = drawn.random(bags.nnz, dtype=np.float32) >= dropout if dropout else np.ones(bags.nnz)
    noise = drawn.standard_normal((5, n_latent), dtype=np.float32).astype(float)

    def parts():
        x = bags.toarray()
        hidden = x / np.linalg.norm(x, axis=1, keepdims=True)
        hidden[x > 0] *= kept / (1 - dropout)
        for layer in range(len(sizes)):
            hidden = np.tanh(hidden @ weights[f"encoder_{layer}/kernel"] + weights[f"encoder_{layer}/bias"])
        code = hidden @ weights[f"encoder_{len(sizes)}/kernel"] + weights[f"encoder_{len(sizes)}/bias"]
        mean, log_variance = code[:, :n_latent], code[:, n_latent:]
        hidden = mean + np.exp(0.5 * log_variance) * noise
        for layer in range(1, len(sizes) + 1):
            hidden = np.tanh(hidden @ weights[f"decoder_{layer}/kernel"] + weights[f"decoder_{layer}/bias"])
        chances = log_softmax(hidden @ weights["output/kernel"].T + weights["output/bias"], axis=1)
        divergence = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
        return -np.sum(x * chances, axis=1).mean(), divergence.mean()

    bound, gradients = network.step(
        weights, bags, beta=beta, input_dropout=dropout, rng=np.random.default_rng(7)
    )
    assert (bound.cross_entropy, bound.divergence) == pytest.approx(parts(), rel=1e-12)
    assert_gradients(lambda: parts()[0] + beta * parts()[1], weights, gradients)


def test_the_divergence_is_that_of_drawn_normal_vectors():
    """KL(q | p) is the mean of log q - log p over draws from q."""
    mean, variance = np.array([0.7, -1.2]), np.array([0.5, 2.0])
    network = VariationalAutoencoder(4, (2,), 2)
    weights = {
        name: np.zeros_like(v) for name, v in network.start(np.random.default_rng(0), np.float64).items()
    }
    weights["encoder_1/bias"][:] = np.concatenate([mean, np.log(variance)])
    bags = sparse.csr_array(np.eye(1, 4))
    bound, _ = network.step(weights, bags, beta=1.0, input_dropout=0.0, rng=np.random.default_rng(0))
    z = mean + np.sqrt(variance) * np.random.default_rng(3).normal(size=(400_000, 2))
    log_ratio = -0.5 * (np.log(variance) + (z - mean) ** 2 / variance) + 0.5 * z**2
    assert bound.divergence == pytest.approx(log_ratio.sum(axis=1).mean(), rel=0.01)
    assert bound.cross_entropy == pytest.approx(np.log(4))


def test_inputs_have_length_one():
    bags = some_bags()
    matrix = sparse.csr_array((unit_length(bags), bags.indices, bags.indptr), bags.shape)
    np.testing.assert_allclose(np.linalg.norm(matrix.toarray(), axis=1), 1.0)
    assert len(unit_length(sparse.csr_array((3, 4)))) == 0


# -- learning ------------------------------------------------------------------------------------------------------
def test_beta_rises_to_its_end_and_stays(split):
    beta = MultiVAE(**{**SMALL, "anneal_epochs": 4}, beta_max=0.6, n_epochs=6).fit(split.train).history_[:, 2]
    steps = 3  # an epoch: 59 users with ratings, 20 a batch
    np.testing.assert_allclose(beta, 0.6 * np.minimum(1, (np.arange(1, 7) * steps - 1) / (4 * steps)))
    still = MultiVAE(**{**SMALL, "anneal_epochs": 0}, beta_max=0.6, n_epochs=2).fit(split.train)
    np.testing.assert_array_equal(still.history_[:, 2], 0.6)


def test_a_heavy_divergence_is_pushed_to_nothing(split):
    free, heavy = (
        MultiVAE(**{**SMALL, "anneal_epochs": 0}, beta_max=beta, n_epochs=40).fit(split.train).history_[-1, 1]
        for beta in (0.0, 20.0)
    )
    assert heavy < 0.1 * free


def test_two_crowds_get_their_own_films():
    """Two groups of users, each rating films of its own half at random."""
    whole = planted_interactions(n_users=80, n_items=60, seed=3)
    split = per_user_holdout(whole.take((whole.users % 2) == (whole.items % 2)))
    found = [
        evaluate_ranking(recommend(m.fit(split.train), split.train, 5), split.test, threshold=0.0).metrics()
        for m in (MultiVAE(**SMALL, n_epochs=40), MostPopular())
    ]
    assert found[0]["ndcg@5"] > 1.5 * found[1]["ndcg@5"]


def test_the_best_epoch_on_validation_lists_is_kept(split):
    settings = {**SMALL, "validation_k": 5, "n_epochs": 12}
    stopped = MultiVAE(**settings).fit(split.train, validation=split.test)
    scores = stopped.history_[:, 3]
    assert len(scores) == 12 and stopped.n_epochs_ == scores.argmax() + 1
    lists = recommend(stopped, split.train, 5)
    found = evaluate_ranking(lists, split.test, threshold=split.test.scale.low).metrics()["ndcg@5"]
    assert found == pytest.approx(scores.max(), abs=0.01)
    again = MultiVAE(**{**settings, "n_epochs": stopped.n_epochs_}).fit(split.train)
    np.testing.assert_array_equal(again.score([0, 1]), stopped.score([0, 1]))
    assert np.isnan(again.history_[:, 3]).all()
    early = MultiVAE(**{**settings, "n_epochs": 200}, patience=3).fit(split.train, validation=split.test)
    assert len(early.history_) == early.n_epochs_ + 3 < 200


def test_the_threshold_chooses_the_films(split):
    liked = split.train.take(split.train.ratings >= 4)
    chosen = MultiVAE(**SMALL, threshold=4.0, n_epochs=2).fit(split.train)
    alone = MultiVAE(**SMALL, n_epochs=2).fit(liked)
    np.testing.assert_array_equal(chosen.score([0, 3]), alone.score([0, 3]))
    with pytest.raises(ValueError, match=r"threshold=9\.0"):
        MultiVAE(threshold=9.0).fit(split.train)


# -- answering -----------------------------------------------------------------------------------------------------
def test_scores_are_the_written_out_logits_at_the_mean(model, split):
    """No noise and no dropout: the same answer each time."""
    w, x = model.weights_, implicit_matrix(split.train).toarray()[:5]
    hidden = np.tanh(
        x / np.linalg.norm(x, axis=1, keepdims=True) @ w["encoder_0/kernel"] + w["encoder_0/bias"]
    )
    mean = (hidden @ w["encoder_1/kernel"] + w["encoder_1/bias"])[:, :8]
    logits = np.tanh(mean @ w["decoder_1/kernel"] + w["decoder_1/bias"]) @ w["output/kernel"].T
    logits += w["output/bias"]
    np.testing.assert_allclose(model.score(np.arange(5)), logits[:, :-1], rtol=1e-9)
    np.testing.assert_allclose(model.predict(np.arange(5), np.full(5, 7)), logits[:, 7], rtol=1e-9)


def test_a_history_is_scored_as_the_user_who_has_it(model, split):
    users = np.flatnonzero(split.train.user_counts)[:20]
    ratings = split.train.matrix[users]
    np.testing.assert_allclose(model.score_histories(ratings), model.score(users), rtol=1e-9)
    stored = ratings.copy()
    stored.data[:] = 0.0  # a stored entry means rated, whatever its value
    np.testing.assert_array_equal(model.score_histories(stored), model.score_histories(ratings))
    with pytest.raises(ValueError, match="histories hold 3 films"):
        model.score_histories(sparse.csr_array((2, 3)))


def test_whoever_rated_nothing_is_the_mean_user(model, split):
    cold = split.train.n_users - 1
    assert split.train.user_counts[cold] == 0
    active = np.flatnonzero(split.train.user_counts)
    np.testing.assert_allclose(model.latent_[cold], model.latent_[active].mean(axis=0))
    wanted = model.score([cold])[0]
    np.testing.assert_allclose(model.score([-1, split.train.n_users]), [wanted, wanted], rtol=1e-9)
    np.testing.assert_allclose(model.score_histories(sparse.csr_array((1, 40)))[0], wanted)
    # A film outside the id map scores as the mean film does.
    rated = split.train.item_counts > 0
    np.testing.assert_allclose(model.predict([2, 2], [-1, 40]), model.score([2])[0][rated].mean())


def test_a_large_catalogue_takes_a_batch_of_users_at_a_time():
    """All users' scores at once would take 16 GB."""
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, 20_000 * 200_000, 1_000))
    users, items = pairs // 200_000, pairs % 200_000
    data = Interactions(
        users, items, np.ones(len(users)), np.zeros(len(users)), np.arange(20_000), np.arange(200_000),
        RatingScale(1.0, 5.0),
    )  # fmt: skip
    model = MultiVAE(hidden_sizes=[4], n_latent=2, batch_size=20, n_epochs=1).fit(data.take(np.arange(60)))
    assert np.isfinite(model.predict(users[:30], items[:30])).all()
    assert np.isfinite(model.score(users[:2])).all()


def test_it_saves_and_loads(model, tmp_path):
    model.save(tmp_path / "model.npz")
    loaded = MultiVAE.load(tmp_path / "model.npz")
    history = sparse.csr_array(np.eye(2, 40))
    np.testing.assert_array_equal(loaded.score_histories(history), model.score_histories(history))
    assert loaded.n_parameters_ == model.n_parameters_ == (
        40 * 20 + 20 + 20 * 16 + 16 + 8 * 20 + 20 + 40 * 20 + 40
    )  # fmt: skip


def test_bad_values_are_named(split):
    for settings, message in (
        ({"n_latent": 0}, "n_latent must"),
        ({"beta_max": -0.1}, "beta_max must"),
        ({"hidden_sizes": []}, "hidden_sizes must"),
        ({"input_dropout": 1.0}, "input_dropout must"),
        ({"patience": 0}, "patience must"),
        ({"validation_k": 0}, "validation_k must"),
    ):
        with pytest.raises(ValueError, match=f"MultiVAE: {message}"):
            MultiVAE(**settings).fit(split.train)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        MultiVAE(**{**SMALL, "learning_rate": 1e30}, n_epochs=9).fit(split.train)
