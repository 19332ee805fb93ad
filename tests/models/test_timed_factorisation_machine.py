"""The factorisation machine with time: what it makes of the moment, and its scores by hand."""

import numpy as np
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import rmse
from lib.models import create
from lib.models.bayesian.factorisation_draws import mean_rating, pair_scores

SMALL = {"n_factors": 3, "n_iterations": 20, "n_samples": 12, "gaps": [0, 60]}


def moody(n_users=60, n_items=30, seed=0, mood=1.0):
    """Ratings in sittings of five, each sitting with a mood of its own; a fifth of the ratings is held out."""
    random = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), 20)
    items = np.concatenate([random.permutation(n_items)[:20] for _ in range(n_users)])
    sitting = np.tile(np.arange(20) // 5, n_users)
    moods = random.normal(0, mood, (n_users, 4))
    times = 1_000_000_000 + users * 40_000 + sitting * 7_000 + np.tile(np.arange(20) % 5, n_users) * 10
    ratings = np.clip(3 + moods[users, sitting] + random.normal(0, 0.3, len(users)), 1, 5)
    data = Interactions(
        users.astype(np.int32), items.astype(np.int32), ratings.astype(np.float32), times.astype(np.int64),
        np.arange(n_users), np.arange(n_items), RatingScale(1, 5),
    )  # fmt: skip
    held_out = random.random(len(users)) < 0.2
    return data.take(~held_out), data.take(held_out)


def test_scores_are_the_written_out_sum_over_pairs_of_sides():
    random = np.random.default_rng(0)
    n_samples, n_factors = 2, 3
    effects = [random.normal(size=(n, n_samples)).astype(np.float32) for n in (4, 5, 6)]
    latent = [random.normal(size=(n, n_samples, n_factors)).astype(np.float32) for n in (4, 5, 6)]
    means = random.normal(size=n_samples)
    users, items = np.array([0, 3, -1, 9]), np.array([2, -1, 4, 5])
    moments = np.array([[0, 5], [-1, 2], [3, -1], [-1, -1]])
    found = pair_scores(users, items, moments, means, tuple(effects), tuple(latent))
    for row in range(4):
        places = [(0, users[row]), (1, items[row]), *((2, m) for m in moments[row])]
        there = [(side, place) for side, place in places if 0 <= place < len(effects[side])]
        for sample in range(n_samples):
            expected = means[sample] + sum(effects[side][place, sample] for side, place in there)
            for n, (side, place) in enumerate(there):
                expected += sum(latent[side][place, sample] @ latent[s][p, sample] for s, p in there[n + 1 :])
            assert found[row, sample] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_expected_rating_of_an_ordered_probit_by_hand():
    # One sample with cuts at 0 and 1; a score of 0 lies below the first cut half the time.
    found = mean_rating(np.zeros((1, 1)), np.array([[0.0, 1.0]]), np.array([1.0, 2.0, 4.0]))
    below_first, below_second = 0.5, 0.8413447460685429
    by_hand = 1 * below_first + 2 * (below_second - below_first) + 4 * (1 - below_second)
    assert found[0] == pytest.approx(by_hand)


def test_a_sitting_that_is_known_helps_and_one_that_is_not_does_not():
    train, test = moody()
    model = create("timed_factorisation_machine", n_factors=2, n_iterations=80, n_samples=50, gaps=[60], day=False)
    model.fit(train)
    told = rmse(test.ratings, model.predict(test.users, test.items, test.timestamps))
    later = rmse(test.ratings, model.predict(test.users, test.items, test.timestamps + 10**8))
    untold = rmse(test.ratings, model.predict(test.users, test.items))
    assert told < 0.7 * untold
    assert later == pytest.approx(untold)


def test_ordinal_predictions_stay_on_the_scale():
    train, test = moody(seed=2)
    rounded = train.take(np.arange(len(train)))
    model = create("timed_factorisation_machine", **SMALL, ordinal=True)
    model.fit(
        Interactions(
            rounded.users, rounded.items, np.round(rounded.ratings), rounded.timestamps, rounded.user_ids,
            rounded.item_ids, rounded.scale,
        )
    )  # fmt: skip
    found = model.predict(test.users, test.items, test.timestamps)
    assert found.min() >= 1 and found.max() <= 5
    assert rmse(test.ratings, found) < np.std(test.ratings)


def test_without_moments_there_is_nothing_to_tell():
    train, test = moody(seed=3)
    model = create("timed_factorisation_machine", n_factors=2, n_iterations=10, n_samples=5, gaps=[], day=False)
    model.fit(train)
    np.testing.assert_array_equal(
        model.predict(test.users, test.items, test.timestamps), model.predict(test.users, test.items)
    )


def test_one_value_of_ratings_is_predicted_as_it_is():
    train, _ = moody(seed=4)
    same = Interactions(
        train.users, train.items, np.full(len(train), 4, dtype=np.float32), train.timestamps, train.user_ids,
        train.item_ids, train.scale,
    )  # fmt: skip
    model = create("timed_factorisation_machine", **SMALL, ordinal=True).fit(same)
    found = model.predict(train.users, train.items, train.timestamps)
    assert np.isfinite(found).all() and found.mean() == pytest.approx(4.0, abs=0.05)


def test_bad_parameters_are_named():
    train, test = moody(seed=5)
    with pytest.raises(ValueError, match="n_samples"):
        create("timed_factorisation_machine", n_iterations=5, n_samples=6).fit(train)
    with pytest.raises(ValueError, match="gap"):
        create("timed_factorisation_machine", gaps=[-1]).fit(train)
    model = create("timed_factorisation_machine", **SMALL).fit(train)
    with pytest.raises(ValueError, match="times must be as long as users"):
        model.predict(test.users, test.items, test.timestamps[:-1])
