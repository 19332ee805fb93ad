from itertools import product

import numpy as np
import pytest
from scipy import stats

from lib.metrics import PerUser, user_errors
from lib.statistics.significance import adjust, bootstrap_interval, compare_models, paired_difference, sign_flip_test


def models(n_users=60, seed=0, gap=0.0):
    """Make squared errors of two models that share each user's difficulty; the second is worse by `gap`."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, n_users)
    hard = rng.gamma(4, 0.25, n_users)
    first = counts * hard * rng.gamma(100, 0.01, n_users)
    second = counts * hard * (rng.gamma(100, 0.01, n_users) + gap)
    users = np.arange(n_users)
    return PerUser("rmse", users, first, counts, root=True), PerUser("rmse", users, second, counts, root=True)


# -- bootstrap -----------------------------------------------------------------------------------------------------
def test_intervals_agree_with_scipy():
    first, second = models(gap=0.1)

    def root(top, bottom, axis):
        return np.sqrt(top.sum(axis=axis) / bottom.sum(axis=axis))

    theirs = stats.bootstrap(
        (first.numerators, first.denominators), lambda a, n, axis: root(a, n, axis),
        paired=True, vectorized=True, n_resamples=20000, method="BCa", rng=1,
    ).confidence_interval  # fmt: skip
    ours = bootstrap_interval(first, n_resamples=20000)
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.04 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.04 * width)
    assert ours.value == first.value

    theirs = stats.bootstrap(
        (first.numerators, second.numerators, first.denominators),
        lambda a, b, n, axis: root(a, n, axis) - root(b, n, axis),
        paired=True, vectorized=True, n_resamples=20000, method="BCa", rng=1,
    ).confidence_interval  # fmt: skip
    found = paired_difference(first, second, n_resamples=20000)
    width = theirs.high - theirs.low
    assert found.low == pytest.approx(theirs.low, abs=0.04 * width)
    assert found.high == pytest.approx(theirs.high, abs=0.04 * width)
    assert found.difference == first.value - second.value


def test_few_users_get_a_p_value_and_no_interval():
    found = paired_difference(*models(n_users=19, gap=0.5))
    assert np.isnan([found.low, found.high]).all() and 0 < found.p_value < 1
    assert not np.isnan(paired_difference(*models(n_users=20, gap=0.5)).low)


def test_intervals_cover_the_truth_as_often_as_they_say():
    # Users differ far more than the ratings of one user: resampling ratings would cover much less often.
    rng = np.random.default_rng(4)
    covered, runs, n_users, n_ratings = 0, 300, 60, 20
    truth = 1.0
    for run in range(runs):
        own = rng.gamma(4, 0.25, n_users)  # each user's expected absolute error, mean 1
        absolute = rng.gamma(n_ratings * 4, own / 4)
        sample = PerUser("mae", np.arange(n_users), absolute, np.full(n_users, n_ratings))
        interval = bootstrap_interval(sample, n_resamples=400, seed=run)
        covered += interval.low <= truth <= interval.high
    assert 0.9 <= covered / runs <= 0.98


def test_pairing_makes_the_interval_narrower_than_either_model_alone():
    first, second = models(n_users=400, gap=0.05)
    found = paired_difference(first, second)
    alone = bootstrap_interval(first)
    assert found.high - found.low < 0.6 * (alone.high - alone.low)


def test_from_test_errors_to_a_difference():
    rng = np.random.default_rng(8)
    users = rng.integers(0, 50, 2000)
    ratings = rng.integers(1, 6, 2000).astype(float)
    near, far = (user_errors(users, ratings, ratings + rng.normal(0, s, 2000)) for s in (0.8, 1.0))
    found = paired_difference(near.per_user("rmse"), far.per_user("rmse"))
    assert found.difference == pytest.approx(near.rmse - far.rmse)
    assert found.low < found.difference < found.high < 0
    assert found.p_value == pytest.approx(1 / 2001)
    assert found.effect_size < 0
    assert found.n_users == 50
    turned = paired_difference(far.per_user("rmse"), near.per_user("rmse"))
    assert turned.difference == -found.difference
    assert turned.low == pytest.approx(-found.high, rel=1e-6)
    assert turned.p_value == found.p_value


def test_the_same_seed_gives_the_same_bits():
    first, second = models(gap=0.02)
    assert paired_difference(first, second, seed=3) == paired_difference(first, second, seed=3)
    assert paired_difference(first, second, seed=3).low != paired_difference(first, second, seed=4).low


def test_blocks_do_not_show(monkeypatch):
    first, second = models(gap=0.02)
    whole = paired_difference(first, second, n_resamples=500)
    monkeypatch.setattr("lib.metrics.lists.CELLS", 60 * 7)
    parts = paired_difference(first, second, n_resamples=500)
    assert parts.low == pytest.approx(whole.low, rel=1e-9)
    assert parts.p_value == pytest.approx(whole.p_value, abs=0.05)  # signs are drawn block by block


def test_a_model_does_not_differ_from_itself():
    first, _ = models()
    found = paired_difference(first, first)
    assert (found.difference, found.low, found.high, found.effect_size, found.p_value) == (0, 0, 0, 0, 1)


# -- effect size ---------------------------------------------------------------------------------------------------
def test_effect_size_by_hand():
    # Differences 1, 2, 3: mean 2, standard deviation 1.
    first = PerUser.mean("ndcg@10", [0, 1, 2], [1, 3, 5])
    assert paired_difference(first, PerUser.mean("ndcg@10", [0, 1, 2], [0, 1, 2])).effect_size == pytest.approx(2)
    assert paired_difference(first, PerUser.mean("ndcg@10", [0, 1, 2], [0, 2, 4])).effect_size == np.inf
    # A user's own RMSE, not its sum of squares, is what differs: 2 and 3 against 1 and 1.
    root = [PerUser("rmse", [0, 1], sums, [4, 1], root=True) for sums in ([16, 9], [4, 1])]
    assert paired_difference(*root).effect_size == pytest.approx(1.5 / np.std([1, 2], ddof=1))


def test_a_difference_that_is_the_same_for_everyone():
    users = np.arange(20)
    found = paired_difference(
        PerUser.mean("mrr@10", users, users / 40 + 0.25), PerUser.mean("mrr@10", users, users / 40)
    )
    assert (found.difference, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert found.effect_size == np.inf


# -- permutation test ----------------------------------------------------------------------------------------------
def test_exact_permutation_is_that_of_swapping_the_models_for_each_user():
    first, second = models(n_users=9, gap=0.3)
    observed = abs(first.value - second.value)
    swapped = []
    for choice in product([False, True], repeat=9):
        a = np.where(choice, second.numerators, first.numerators).sum()
        b = np.where(choice, first.numerators, second.numerators).sum()
        n = first.denominators.sum()
        swapped.append(abs(np.sqrt(a / n) - np.sqrt(b / n)))
    expected = np.mean(np.array(swapped) >= observed - 1e-12)
    assert paired_difference(first, second).p_value == pytest.approx(expected)


def test_permutation_agrees_with_scipy():
    rng = np.random.default_rng(2)
    for n, tolerance in ((8, 1e-12), (40, 0.015)):
        gaps = rng.normal(0.25, 1, n)
        theirs = stats.permutation_test(
            (gaps, np.zeros(n)), lambda x, y, axis: (x - y).sum(axis=axis),
            permutation_type="samples", vectorized=True, n_resamples=20000, rng=1,
        )  # fmt: skip
        assert sign_flip_test(gaps, n_resamples=20000) == pytest.approx(theirs.pvalue, abs=tolerance)


def test_p_values_are_uniform_where_nothing_differs():
    rng = np.random.default_rng(0)
    null = rng.standard_t(3, size=(40, 1000)) * rng.gamma(2, 1, size=(40, 1))
    p_values = sign_flip_test(null, n_resamples=999)
    assert np.mean(p_values <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_equal_sums_count_as_equal():
    # Flipping both users or none gives the same sum up to rounding: p is 2/4 exactly, and never 0.
    assert sign_flip_test([0.1, 0.2]) == 0.5
    assert sign_flip_test(np.zeros(50)) == 1
    assert sign_flip_test(np.ones(50), n_resamples=99) == 1 / 100
    with pytest.raises(ValueError, match="finite differences"):
        sign_flip_test([np.nan])


# -- many comparisons ----------------------------------------------------------------------------------------------
def test_corrections_by_hand():
    assert adjust([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust([0.01, 0.04, 0.03], "bh") == pytest.approx([0.03, 0.04, 0.04])
    assert adjust([0.5, 0.9]).tolist() == [1, 1]
    assert adjust([]).tolist() == []


def test_benjamini_hochberg_agrees_with_scipy():
    p_values = np.random.default_rng(0).random(50) ** 3
    assert adjust(p_values, "bh") == pytest.approx(stats.false_discovery_control(p_values))


def test_holm_rejects_what_the_step_down_rule_rejects():
    p_values = np.random.default_rng(1).random(30) ** 4
    for level in (0.01, 0.05, 0.2):
        rejected = np.zeros(30, dtype=bool)
        for step, place in enumerate(np.argsort(p_values)):  # stop at the first that fails
            if p_values[place] > level / (30 - step):
                break
            rejected[place] = True
        assert np.array_equal(adjust(p_values) <= level, rejected)


def test_every_pair_or_every_model_against_one():
    first, second = models(n_users=200, gap=0.3)
    third = PerUser("rmse", first.users, first.numerators * 1.5, first.denominators, root=True)
    named = {"a": first, "b": second, "c": third}
    table = compare_models(named)
    assert list(zip(table["model_a"], table["model_b"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table["p_adjusted"].tolist() == pytest.approx(adjust(table["p_value"].to_numpy()))
    alone = paired_difference(first, second)
    row = table.iloc[0]
    assert (row["difference"], row["low"], row["p_value"]) == (alone.difference, alone.low, alone.p_value)
    against = compare_models(named, reference="c", correction="bh")
    assert against["model_a"].tolist() == ["a", "b"]
    assert set(against["model_b"]) == {"c"}
    assert against["difference"].tolist() == [first.value - third.value, second.value - third.value]
    some = compare_models(named, pairs=[("c", "a"), ("b", "c")])
    assert list(zip(some["model_a"], some["model_b"], strict=True)) == [("c", "a"), ("b", "c")]
    alone = paired_difference(third, first)
    assert some.loc[0, "difference"] == alone.difference
    assert some.loc[0, ["low", "high", "p_value"]].tolist() == pytest.approx([alone.low, alone.high, alone.p_value])
    assert some["p_adjusted"].tolist() == pytest.approx(adjust(some["p_value"].to_numpy()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: compare_models({"a": a}), "at least two models"),
        (lambda a, b: compare_models({"a": a, "b": b}, reference="z"), "z is not among"),
        (lambda a, b: compare_models({"a": a, "b": b}, pairs=[("a", "z")]), "z is not among"),
        (lambda a, b: compare_models({"a": a, "b": b}, correction="none"), "no correction is called"),
        (lambda a, b: bootstrap_interval(models()[0], n_resamples=0), "n_resamples=0"),
        (lambda a, b: bootstrap_interval(PerUser.mean("x", range(19), range(19))), "at least 20"),
        (lambda a, b: paired_difference(*[PerUser.mean("x", [1], [1])] * 2), "at least 2"),
        (lambda a, b: adjust([0.5, np.nan]), "from 0 to 1"),
        (
            lambda a, b: paired_difference(a, PerUser("mae", a.users, a.numerators, a.denominators)),
            "rmse with mae",
        ),
    ],
)
def test_bad_requests_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*models(n_users=10))


def test_a_p_value_at_the_floor_is_told_as_an_upper_bound():
    from lib.report.columns import p_texts

    rng = np.random.default_rng(0)
    numerators = {"clear": np.zeros(60), "worse": np.ones(60), "alike": rng.normal(1.0, 0.5, 60)}
    models = {name: PerUser.mean("mae", np.arange(60), of) for name, of in numerators.items()}
    found = compare_models(models, pairs=[("clear", "worse"), ("worse", "alike")], n_resamples=200)
    assert found["at_floor"].tolist() == [True, False]
    assert found["p_value"].iloc[0] == pytest.approx(1 / 201)
    texts = p_texts(found)
    assert texts[0] == f"≤ {2 / 201:.4f}" and not texts[1].startswith("≤")
