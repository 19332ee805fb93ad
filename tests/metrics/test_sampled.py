"""Koren's top-K test: perfect, worst and random models, ties, samples that are what they should be."""

import numpy as np
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import sampled
from lib.metrics.sampled import SampledRanks, sampled_ranks
from lib.statistics.significance import bootstrap_interval, paired_difference

N_USERS, N_ITEMS = 60, 150


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    cells = rng.permutation(N_USERS * N_ITEMS)[:3000]
    whole = Interactions(
        cells // N_ITEMS, cells % N_ITEMS, rng.integers(1, 6, 3000), np.zeros(3000), np.arange(N_USERS),
        np.arange(N_ITEMS), RatingScale(1.0, 5.0),
    )  # fmt: skip
    return whole.take(np.arange(1500)), whole.take(np.arange(1500, 3000))


class Fixed:
    """A model whose scores are given."""

    def __init__(self, scores):
        self.scores, self.asked = np.asarray(scores, dtype=float), []

    def score(self, users):
        self.asked.append(len(users))
        return self.scores[users]


def truth(test, sign=1.0):
    scores = np.zeros((N_USERS, N_ITEMS))
    best = test.ratings == 5
    scores[test.users[best], test.items[best]] = sign
    return scores


def one_case_only(test):
    """Keep one test rating of 5 stars a user, so that no other top film can stand level with it."""
    rows = np.flatnonzero(test.ratings == 5)
    _, first = np.unique(test.users[rows], return_index=True)
    return test.take(rows[first])


def test_a_perfect_and_a_worst_model(split):
    train, test = split[0], one_case_only(split[1])
    best = sampled_ranks(Fixed(truth(test)), train, test, n_sampled=100)
    assert len(best) == len(test) and not best.above.any() and not best.level.any()
    assert best.hit_rate(1).value == best.hit_rate(10).value == 1
    assert best.mean_percentile_rank().value == 0
    assert (best.curve()["share"] == 1).all()
    worst = sampled_ranks(Fixed(truth(test, -1.0)), train, test, n_sampled=100)
    assert (worst.above == 100).all() and (worst.percentile_ranks == 100).all()
    assert worst.hit_rate(100).value == 0 and worst.hit_rate(101).value == 1
    assert worst.curve()["share"].iloc[[0, 99, 100]].tolist() == [0, 0, 1]


def test_a_random_model_follows_the_uniform_law(split):
    train, test = split
    rng = np.random.default_rng(1)
    ranks = [
        sampled_ranks(Fixed(rng.random((N_USERS, N_ITEMS))), train, test, n_sampled=99, seed=seed).above
        for seed in range(40)
    ]
    drawn = np.concatenate(ranks)
    assert len(drawn) > 8000
    counts = np.bincount(drawn // 10, minlength=10)
    expected = len(drawn) / 10
    assert ((counts - expected) ** 2 / expected).sum() < 30  # chi-squared, 9 degrees of freedom: p = 0.0004
    pooled = SampledRanks(np.zeros(len(drawn)), np.zeros(len(drawn)), drawn, 0 * drawn, 99)
    curve = pooled.curve()
    wanted = (1 + curve["sampled_percentile_rank"] * 99 / 100) / 100
    np.testing.assert_allclose(curve["share"], wanted, atol=0.02)
    assert pooled.hit_rate(10).value == pytest.approx(0.1, abs=0.015)
    assert pooled.mean_percentile_rank().value == pytest.approx(50, abs=1.5)


def test_equal_scores_count_as_random_order(split):
    found = sampled_ranks(Fixed(np.zeros((N_USERS, N_ITEMS))), *split, n_sampled=99)
    assert (found.level == 99).all() and not found.above.any()
    np.testing.assert_allclose(found.percentile_ranks, 50)
    assert found.hit_rate(10).value == pytest.approx(0.1)
    curve = found.curve()
    np.testing.assert_allclose(curve["share"], np.arange(1, 101) / 100)


def test_hits_and_curve_by_hand():
    """Two users, three cases among four sampled films: ranks 1, 2 or 3 (two films level), and 5."""
    found = SampledRanks(np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([0, 1, 4]), np.array([0, 1, 0]), 4)
    np.testing.assert_allclose(found.percentile_ranks, [0, 37.5, 100])
    np.testing.assert_allclose(found.hits(2), [1, 0.5, 0])
    curve = found.curve()
    assert curve["sampled_percentile_rank"].tolist() == [0, 25, 50, 75, 100]
    np.testing.assert_allclose(curve["share"], np.array([1, 1.5, 2, 2, 3]) / 3)
    assert found.curve(up_to=30)["sampled_percentile_rank"].tolist() == [0, 25]
    rate = found.hit_rate(2)
    assert rate.metric == "sampled_hit_rate@2" and rate.value == pytest.approx(0.5)
    assert rate.numerators.tolist() == [1.5, 0] and rate.denominators.tolist() == [2, 1]
    for k in range(1, 6):
        assert found.hit_rate(k).value == pytest.approx(curve["share"][k - 1])
    for wrong in (0, 6):
        with pytest.raises(ValueError, match="k="):
            found.hit_rate(wrong)
    with pytest.raises(ValueError, match="up_to"):
        found.curve(up_to=101)


def drawn_films(split, **options):
    """Find which films each case was ranked against, one film's score raised at a time."""
    train, test = split[0], split[1].take(np.flatnonzero(split[1].ratings == 5)[:6])
    found = np.zeros((len(test), N_ITEMS), dtype=bool)
    for film in range(N_ITEMS):
        scores = np.zeros((N_USERS, N_ITEMS))
        scores[:, film] = 1.0
        found[:, film] = sampled_ranks(Fixed(scores), train, test, **options).above
    rows = np.lexsort((test.items, test.users))
    return found, test.users[rows], test.items[rows]


@pytest.mark.parametrize("exclude", sampled.EXCLUDED)
def test_samples_have_n_other_films_and_spare_what_is_excluded(split, exclude):
    found, users, items = drawn_films(split, n_sampled=60, exclude=exclude, seed=3)
    assert (found.sum(axis=1) == 60).all(), "without replacement"
    assert not found[np.arange(len(items)), items].any()
    train = split[0].matrix.toarray() > 0
    assert found[train[users]].any() == (exclude == "none")
    if exclude == "rated":
        kept = split[1].take(np.flatnonzero(split[1].ratings == 5)[:6]).matrix.toarray() > 0
        assert not found[kept[users]].any()
    assert len({tuple(row) for row in found}) == len(items), "each case has a sample of its own"


def test_each_film_is_as_likely_to_be_drawn(split):
    train, test = split
    shares = []
    for film in range(0, N_ITEMS, 10):
        scores = np.zeros((N_USERS, N_ITEMS))
        scores[:, film] = 1.0
        ranks = sampled_ranks(Fixed(scores), train, test, n_sampled=50, seed=4)
        shares.append(ranks.above[ranks.items != film].mean())
    np.testing.assert_allclose(shares, 50 / 149, atol=0.09)


def test_models_meet_the_same_samples_whatever_the_batches(split, monkeypatch):
    train, test = split
    scores = np.random.default_rng(2).random((N_USERS, N_ITEMS))
    whole = sampled_ranks(Fixed(scores), train, test, n_sampled=30, seed=5)
    for cells in (1, 7 * N_ITEMS, 200):
        monkeypatch.setattr(sampled, "CELLS", cells)
        model = Fixed(scores)
        again = sampled_ranks(model, train, test, n_sampled=30, seed=5)
        assert len(model.asked) > 1 and max(model.asked) <= max(1, cells // N_ITEMS)
        np.testing.assert_array_equal(again.above, whole.above)
    other = sampled_ranks(Fixed(scores), train, test, n_sampled=30, seed=6)
    assert not np.array_equal(other.above, whole.above)
    first, second = (
        whole.hit_rate(5),
        sampled_ranks(Fixed(-scores), train, test, n_sampled=30, seed=5).hit_rate(5),
    )
    assert paired_difference(first, second, n_resamples=200).n_users == len(first)
    interval = bootstrap_interval(whole.mean_percentile_rank(), n_resamples=200)
    assert interval.low < interval.value < interval.high


def test_what_cannot_be_measured_is_an_error(split):
    train, test = split
    model = Fixed(np.zeros((N_USERS, N_ITEMS)))
    with pytest.raises(ValueError, match="n_sampled=150"):
        sampled_ranks(model, train, test, n_sampled=150)
    with pytest.raises(ValueError, match="n_sampled must"):
        sampled_ranks(model, train, test, n_sampled=0)
    with pytest.raises(ValueError, match="exclude"):
        sampled_ranks(model, train, test, n_sampled=10, exclude="test")
    with pytest.raises(ValueError, match="top of the scale"):
        sampled_ranks(model, train, test.take(test.ratings < 5), n_sampled=10)
    with pytest.raises(ValueError, match="nan"):
        sampled_ranks(Fixed(np.full((N_USERS, N_ITEMS), np.nan)), train, test, n_sampled=10)
    with pytest.raises(ValueError, match="shape"):
        sampled_ranks(Fixed(np.zeros((N_USERS, 3))), train, test, n_sampled=10)
