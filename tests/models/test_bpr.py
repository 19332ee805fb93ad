"""Bayesian personalised ranking: gradients, steps, the laws of the triplets, and what is learned from them."""

import numpy as np
import pytest
from scipy import sparse, stats

from lib.data.interactions import Interactions, RatingScale
from lib.models.lists.bpr import BPR
from lib.models.lists.bpr_engine import add_slopes, sgd_pass, shorten
from lib.models.lists.bpr_sampling import TripletSampler, alias_table, stream
from tests.conftest import planted_interactions

PROJECT_D = {
    "n_factors": 128, "optimiser": "adam", "learning_rate": 3e-3, "batch_size": 8192, "initial_scale": 0.05, "l2": 1e-6,
    "clip_norm": 5.0, "sampling": "user", "negative_power": 0.0, "n_epochs": 15,
}  # fmt: skip


def interactions(users, items, shape, ratings=None) -> Interactions:
    ratings = np.full(len(users), 4.0) if ratings is None else ratings
    ids = np.arange(shape[0]), np.arange(shape[1])
    return Interactions(users, items, ratings, np.zeros(len(users)), *ids, RatingScale(1, 5))


def weights(rng, n_users=5, n_items=7, k=6, scale=0.5):
    shapes = (n_users, k), (n_items, k), (n_items,)
    return [rng.normal(0, scale, shape).astype(np.float32) for shape in shapes]


def triplets(rng, n, n_users=5, n_items=7):
    users = rng.integers(0, n_users, n)
    liked = rng.integers(0, n_items, n)
    others = (liked + rng.integers(1, n_items, n)) % n_items
    return [codes.astype(np.int32) for codes in (users, liked, others)]


def written_out_loss(users, items, biases, batch, l2):
    """The objective of a batch in double precision, as the class's docstring has it."""
    ranking, norms = [], 0.0
    for u, i, j in zip(*batch, strict=True):
        x = users[u] @ items[i] + biases[i] - users[u] @ items[j] - biases[j]
        ranking.append(np.log1p(np.exp(-x)))
        norms += 0.5 * (
            users[u] @ users[u] + items[i] @ items[i] + items[j] @ items[j] + biases[i] ** 2 + biases[j] ** 2
        )
    return np.mean(ranking) + l2 * norms


def slopes_by_differences(parts, batch, l2, step=1e-5):
    parts = [part.astype(np.float64) for part in parts]
    found = [np.zeros_like(part) for part in parts]
    for part, slopes in zip(parts, found, strict=True):
        for place in np.ndindex(part.shape):
            value, losses = part[place], []
            for shift in (step, -step):
                part[place] = value + shift
                losses.append(written_out_loss(*parts, batch, l2))
            part[place] = value
            slopes[place] = (losses[0] - losses[1]) / (2 * step)
    return found


# -- steps ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_an_sgd_step_goes_against_the_gradient_of_the_triplets_own_loss(l2):
    rng = np.random.default_rng(0)
    parts, batch = weights(rng), triplets(rng, 1)
    slopes = slopes_by_differences(parts, batch, l2)
    stepped = [part.copy() for part in parts]
    loss = sgd_pass(*stepped, *batch, 0.1, l2)
    assert loss == pytest.approx(written_out_loss(*(p.astype(float) for p in parts), batch, 0.0), rel=1e-5)
    for before, after, slope in zip(parts, stepped, slopes, strict=True):
        np.testing.assert_allclose(after - before, -0.1 * slope, atol=1e-6)


def test_sgd_takes_the_triplets_one_after_the_other():
    rng = np.random.default_rng(1)
    parts, batch = weights(rng), triplets(rng, 60)
    oracle, total = [part.astype(np.float64) for part in parts], 0.0
    for u, i, j in zip(*batch, strict=True):
        users, items, biases = oracle
        x = users[u] @ (items[i] - items[j]) + biases[i] - biases[j]
        total += np.log1p(np.exp(-x))
        z, user, better, worse = 1 / (1 + np.exp(x)), users[u].copy(), items[i].copy(), items[j].copy()
        users[u] += 0.2 * (z * (better - worse) - 0.05 * user)
        items[i] += 0.2 * (z * user - 0.05 * better)
        items[j] += 0.2 * (-z * user - 0.05 * worse)
        biases[i] += 0.2 * (z - 0.05 * biases[i])
        biases[j] += 0.2 * (-z - 0.05 * biases[j])
    assert sgd_pass(*parts, *batch, 0.2, 0.05) == pytest.approx(total, rel=1e-5)
    for found, expected in zip(parts, oracle, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gap", [-300.0, 300.0])
def test_scores_far_apart_neither_overflow_nor_lose_the_loss(gap):
    parts = [np.zeros((1, 2), np.float32), np.zeros((2, 2), np.float32), np.array([gap, 0.0], np.float32)]
    batch = [np.array([code], np.int32) for code in (0, 0, 1)]
    gradient = [np.zeros_like(part) for part in parts]
    assert add_slopes(*parts, *batch, 0.0, *gradient) == pytest.approx(max(-gap, 0.0), abs=1e-12)
    assert gradient[2][0] == (-1.0 if gap < 0 else 0.0)
    assert sgd_pass(*parts, *batch, 0.5, 0.0) == pytest.approx(max(-gap, 0.0), abs=1e-12)
    assert parts[2][0] == (gap + 0.5 if gap < 0 else gap)


def test_the_gradient_of_a_batch_is_that_of_the_written_out_loss():
    rng = np.random.default_rng(2)
    parts, batch = weights(rng), triplets(rng, 40)
    found = [np.zeros_like(part) for part in parts]
    loss = add_slopes(*parts, *batch, 0.02, *found)
    doubled = [part.astype(np.float64) for part in parts]
    assert loss / 40 == pytest.approx(written_out_loss(*doubled, batch, 0.0), rel=1e-5)
    for slopes, expected in zip(found, slopes_by_differences(parts, batch, 0.02), strict=True):
        np.testing.assert_allclose(slopes, expected, atol=2e-6)


def test_only_a_gradient_that_is_too_long_is_shortened():
    gradient = np.array([3.0, 0.0, -4.0], np.float32)
    shorten(gradient, 5.5)
    np.testing.assert_array_equal(gradient, [3, 0, -4])
    shorten(gradient, 1.0)
    np.testing.assert_allclose(gradient, [0.6, 0, -0.8], rtol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.2, 100.0])
def test_an_epoch_of_adam_is_the_written_out_one(clip_norm):
    """Triplets of the model's own stream, gradients by hand, Adam by hand, an l2 that counts, a limit that is kept or not."""
    data = planted_interactions(n_users=12, n_items=10, seed=2)
    settings = {"n_factors": 3, "optimiser": "adam", "learning_rate": 0.02, "batch_size": 16, "l2": 0.01}
    model = BPR(**settings, clip_norm=clip_norm, n_epochs=1, initial_scale=0.5, sampling="user", seed=5).fit(data)
    flat = BPR(**settings, initial_scale=0.5, seed=5)._start(data.n_users, data.n_items).astype(np.float64)
    users, items, biases = model._parts(flat, data.n_users)
    sampler = sampler_of(data, by_user=True)
    state, norms, n = stream(5, 0), [], len(data)
    first, second = np.zeros_like(flat), np.zeros_like(flat)
    for t, low in enumerate(range(0, n, 16), start=1):
        batch = sampler.draw(state, min(16, n - low))
        slopes = np.zeros_like(flat)
        by_user, by_item, by_bias = model._parts(slopes, data.n_users)
        for u, i, j in zip(*batch, strict=True):
            z = 1 / (1 + np.exp(users[u] @ (items[i] - items[j]) + biases[i] - biases[j])) / len(batch[0])
            by_user[u] += -z * (items[i] - items[j]) + 0.01 * users[u]
            by_item[i] += -z * users[u] + 0.01 * items[i]
            by_item[j] += z * users[u] + 0.01 * items[j]
            by_bias[i] += -z + 0.01 * biases[i]
            by_bias[j] += z + 0.01 * biases[j]
        norms.append(np.linalg.norm(slopes))
        slopes *= min(1.0, clip_norm / norms[-1])
        first, second = 0.9 * first + 0.1 * slopes, 0.999 * second + 0.001 * slopes**2
        flat -= 0.02 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * first / (np.sqrt(second) + 1e-7)
    assert 0.2 < max(norms) < 100, "one limit must bite and the other must not"
    rated = data.user_counts > 0
    np.testing.assert_allclose(model.user_embeddings_[rated], users[rated], atol=2e-4)
    np.testing.assert_allclose(model.item_embeddings_, items, atol=2e-4)
    np.testing.assert_allclose(model.item_biases_, biases, atol=2e-4)


# -- triplets ------------------------------------------------------------------------------------------------------
def sampler_of(data, *, by_user=False, negative_power=0.0, n_tries=64) -> TripletSampler:
    ones = sparse.csr_array((np.ones(len(data)), (data.users, data.items)), shape=(data.n_users, data.n_items))
    ones.sort_indices()
    return TripletSampler(ones, by_user=by_user, negative_power=negative_power, n_tries=n_tries)


@pytest.mark.parametrize("by_user", [False, True])
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_positives_are_positives_and_negatives_never_are(by_user, power):
    data = planted_interactions(n_users=50, n_items=300, density=0.6, seed=4)
    users, liked, others = sampler_of(data, by_user=by_user, negative_power=power).draw(stream(0, 0), 50_000)
    rated = np.zeros((data.n_users, data.n_items), bool)
    rated[data.users, data.items] = True
    assert len(users) == 50_000
    assert rated[users, liked].all()
    assert not rated[users, others].any()
    assert others.min() >= 0


def test_positives_are_drawn_evenly_from_all_or_from_users_drawn_evenly():
    data = planted_interactions(n_users=20, n_items=15, density=0.4, seed=5)
    n, rows = 100_000, np.lexsort((data.items, data.users))
    keys = (data.users.astype(int) * data.n_items + data.items)[rows]
    share_of_user = 1 / np.count_nonzero(data.user_counts) / data.user_counts[data.users[rows]]
    for by_user, law in ((False, np.full(len(keys), 1 / len(keys))), (True, share_of_user)):
        users, liked, _ = sampler_of(data, by_user=by_user).draw(stream(1, 0), n)
        counts = np.bincount(np.searchsorted(keys, users.astype(int) * data.n_items + liked), minlength=len(keys))
        assert stats.chisquare(counts, law * n).pvalue > 1e-3


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_negatives_follow_their_law_over_the_films_that_are_none_of_the_users(power):
    data = planted_interactions(n_users=30, n_items=40, density=0.3, seed=6)
    users, _, others = sampler_of(data, negative_power=power).draw(stream(2, 0), 400_000)
    law = data.item_counts.astype(float) ** power if power else np.ones(data.n_items)
    user = int(np.argmax(data.user_counts))
    law[data.items[data.users == user]] = 0.0
    found = np.bincount(others[users == user], minlength=data.n_items)
    assert not found[law == 0].any()
    found, law = found[law > 0], law[law > 0]
    assert stats.chisquare(found, law / law.sum() * found.sum()).pvalue > 1e-3


def test_the_alias_table_holds_the_law_exactly():
    rng = np.random.default_rng(7)
    for law in (rng.pareto(0.7, 1000), np.array([0.0, 3.0, 0.0, 1.0]), np.array([2.0])):
        shares, aliases = alias_table(law)
        found = shares.copy()
        np.add.at(found, aliases, 1.0 - shares)
        np.testing.assert_allclose(found / len(law), law / law.sum(), atol=1e-12)
        assert (shares[law == 0] == 0).all()


def test_streams_differ_by_seed_epoch_and_thread_and_repeat_themselves():
    states = {int(stream(*place)[0]) for place in ((0, 0), (0, 1), (1, 0), (0, 0, 1), (0, 1, 1))}
    assert len(states) == 5
    sampler = sampler_of(planted_interactions(seed=8))
    for once, again in zip(sampler.draw(stream(3, 1), 500), sampler.draw(stream(3, 1), 500), strict=True):
        np.testing.assert_array_equal(once, again)


def test_a_user_who_has_rated_everything_is_skipped_and_counted():
    users = np.concatenate([np.zeros(6, int), [1]])
    data = interactions(users, np.concatenate([np.arange(6), [0]]), (2, 6))
    found, _, _ = sampler_of(data).draw(stream(0, 0), 7000)
    assert set(found) == {1}
    assert len(found) == pytest.approx(1000, abs=150)
    model = BPR(n_factors=2, n_epochs=40).fit(data)
    assert 0.7 < model.n_skipped_ / (40 * 7) < 0.97
    once = BPR(n_factors=2, n_epochs=40, n_tries=1).fit(planted_interactions(seed=9))
    assert 0.3 < once.n_skipped_ / (40 * len(planted_interactions(seed=9))) < 0.7  # half of all pairs are positives


# -- what is learned -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def blocks():
    """Two groups of users with films of their own: rated pairs to learn from and the other pairs of the blocks."""
    rng = np.random.default_rng(10)
    n_users, n_items = 60, 50
    same = (np.arange(n_users) % 2)[:, None] == (np.arange(n_items) % 2)[None, :]
    rated = same & (rng.random(same.shape) < 0.4)
    rated[:2, :] = same[:2, :]
    return interactions(*np.nonzero(rated), same.shape), same, rated


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sampling": "user", "negative_power": 0.5},
        {"optimiser": "adam", "learning_rate": 0.03, "batch_size": 128, "l2": 1e-5},
    ],
)
def test_planted_blocks_are_recovered(blocks, settings):
    data, same, rated = blocks
    model = BPR(**{"n_factors": 8, "n_epochs": 30, "learning_rate": 0.1} | settings).fit(data)
    scores = model.score(np.arange(data.n_users))
    good, bad = scores[same & ~rated], scores[~same]
    auc = stats.mannwhitneyu(good, bad).statistic / (len(good) * len(bad))
    assert auc > 0.95
    assert model.train_loss_.shape == (30,)
    assert model.train_loss_[0] == pytest.approx(np.log(2), abs=0.2)
    assert model.train_loss_[-1] < 0.5 * model.train_loss_[0]


def test_project_ds_settings_are_parameters(blocks):
    data = blocks[0]
    model = BPR(**PROJECT_D).fit(data)
    assert model.parameters | PROJECT_D == model.parameters
    assert model.train_loss_[-1] < model.train_loss_[0] < 0.72


def test_validation_data_choose_nothing(blocks):
    data = blocks[0]
    alone, watched = BPR(n_epochs=2).fit(data), BPR(n_epochs=2).fit(data, validation=data.take(slice(0, 50)))
    np.testing.assert_array_equal(alone.item_embeddings_, watched.item_embeddings_)


def test_cold_users_score_like_the_mean_user_and_unrated_films_come_last():
    data = planted_interactions(n_users=60, n_items=40, seed=12)  # last user and last two films unrated
    for power in (0.0, 1.0):
        model = BPR(n_factors=4, n_epochs=60, negative_power=power, l2=0.02).fit(data)
        scores = model.score(np.arange(data.n_users))
        np.testing.assert_allclose(scores[-1], scores[:-1].mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model.score([-1]), scores[-1:], rtol=1e-4, atol=1e-5)
        if not power:
            assert (scores[-1].argsort()[:2] >= 38).all()
        else:
            assert (model.item_biases_[-2:] == model.item_biases_[:-2].min()).all()
            np.testing.assert_allclose(model.item_embeddings_[-1], model.mean_item_, rtol=1e-6)


def test_only_ratings_of_the_threshold_and_more_are_positives():
    rng = np.random.default_rng(13)
    users, items = np.nonzero(rng.random((20, 12)) < 0.5)
    ratings = rng.integers(1, 6, len(users)).astype(float)
    whole = interactions(users, items, (20, 12), ratings)
    cut = BPR(n_factors=3, n_epochs=3, threshold=4.0).fit(whole)
    liked = BPR(n_factors=3, n_epochs=3).fit(whole.take(ratings >= 4))
    np.testing.assert_array_equal(cut.score(np.arange(20)), liked.score(np.arange(20)))


# -- errors --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_factors": 0}, "n_factors must be at least 1"),
        ({"n_epochs": 0}, "n_epochs must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"n_tries": 0}, "n_tries must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"initial_scale": float("nan")}, "initial_scale must be positive"),
        ({"l2": -1.0}, "l2 must not be negative"),
        ({"negative_power": -0.5}, "negative_power must not be negative"),
        ({"clip_norm": 0.0}, "clip_norm must be positive"),
        ({"optimiser": "adagrad"}, "optimiser must be sgd or adam; got 'adagrad'"),
        ({"sampling": "item"}, "sampling must be rating or user; got 'item'"),
        ({"threshold": 6.0}, "no training rating reaches threshold=6.0"),
    ],
)
def test_bad_parameters_are_named(planted, parameters, message):
    with pytest.raises(ValueError, match=message):
        BPR(**parameters).fit(planted)


def test_divergence_is_an_error(planted):
    with pytest.raises(FloatingPointError, match=r"diverged in epoch \d+ at learning_rate=1000.0"):
        BPR(learning_rate=1e3, l2=1.0, n_epochs=20).fit(planted)


def test_without_any_negative_there_is_nothing_to_learn():
    users, items = np.divmod(np.arange(12), 4)
    with pytest.raises(ValueError, match="every user has all films"):
        BPR().fit(interactions(users, items, (3, 4)))
    with pytest.raises(ValueError, match="set negative_power to 0"):
        BPR(negative_power=1.0).fit(interactions(users, items, (3, 5)))
    assert np.isfinite(BPR(n_epochs=2).fit(interactions(users, items, (3, 5))).score([0])).all()
