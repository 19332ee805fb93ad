"""The kernel of Koren's family against what it should do: a written-out objective, a written-out loop, scikit-surprise."""

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.data.splits import per_user_holdout
from lib.models.base import lookup
from lib.models.latent.biased_svd import BiasedSVD
from lib.models.latent.sgd_answers import neighbour_sums
from lib.models.latent.sgd_kernels import shuffle, visit_users
from lib.models.latent.sgd_parameters import Groups, compressed, no_parameters
from lib.models.latent.sgd_time import Calendar
from lib.models.latent.svd import SVD
from lib.models.latent.svdpp import SVDpp
from tests.conftest import planted_interactions

MEAN, K, USER = 3.1, 3, 4
PENALTIES = Groups(0.11, 0.07, 0.05, 0.13, 0.09, 0.17)
PARTS = {
    "svd": ["personal"],
    "nsvd": ["implicit"],
    "svdpp": ["personal", "implicit"],
    "asymmetric_svd": ["implicit", "explicit"],
    "neighbourhood": ["near"],
    "neighbourhood of all": ["all"],
    "neighbourhood without choices": ["near", "no choices"],
    "integrated": ["personal", "implicit", "near"],
    "timesvdpp": ["personal", "implicit", "time", "scale", "day", "drift"],
    "timesvdpp without options": ["personal", "implicit", "time"],
    "everything": ["personal", "implicit", "explicit", "near", "time", "scale", "day", "drift"],
    "transductive": ["personal", "implicit", "explicit", "near", "extra"],
    "transductive, all": ["implicit", "all", "extra"],
}


def problem(parts):
    """A handful of ratings, and random values for every parameter that the parts have."""
    rng = np.random.default_rng(len("".join(parts)))
    train = planted_interactions(n_users=7, n_items=9, density=0.6, seed=5)
    n_users, n_items = train.n_users, train.n_items
    neighbours = None
    if "near" in parts:
        lists = [rng.permutation(np.delete(np.arange(n_items), i))[: rng.integers(0, 6)] for i in range(n_items)]
        neighbours = (np.cumsum([0, *map(len, lists)]), np.concatenate(lists).astype(np.int32))
    extra = None
    if "extra" in parts:
        pairs = np.array([USER, USER, 1]), np.array([0, 8, 8]), np.full(3, 3.0), np.zeros(3)
        extra = Interactions(*pairs, train.user_ids, train.item_ids, train.scale)
    calendar = Calendar.of(train, n_bins=3, exponent=0.4) if "time" in parts else None
    ratings = compressed(
        train, residuals=rng.normal(size=len(train)), extra=extra, neighbours=neighbours, calendar=calendar,
        dtype="float64",
    )  # fmt: skip
    k = K if {"personal", "implicit", "explicit"} & set(parts) else 0
    shapes = {"user_bias": n_users, "item_bias": n_items, "item_factors": (n_items, k)}
    shapes |= {"user_factors": (n_users, k)} if "personal" in parts else {}
    shapes |= {"implicit_factors": (n_items, k)} if "implicit" in parts else {}
    shapes |= {"explicit_factors": (n_items, k)} if "explicit" in parts else {}
    n_weights = len(neighbours[1]) if neighbours else n_items**2
    if {"near", "all"} & set(parts):
        shapes |= {"explicit_weights": n_weights}
        shapes |= {} if "no choices" in parts else {"implicit_weights": n_weights}
    if "time" in parts:
        n_days = ratings.days.max() + 1
        shapes |= {"bin_bias": (n_items, 3), "user_slope": n_users}
        options = {"scale": ("user_scale", n_users), "day": ("day_bias", n_days)}
        options |= {"drift": ("drift_factors", (n_users, k))}
        shapes |= dict(options[part] for part in parts if part in options)
    values = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    return ratings, no_parameters("float64")._replace(**values)


def terms(ratings, p, at, user):
    """The prediction for one rating, from the formula, and which entries of which arrays it uses, by group."""
    i = ratings.items[at]
    own = slice(ratings.start[user], ratings.start[user + 1])
    rated = ratings.items[own].tolist()
    residual = dict(zip(rated, ratings.residuals[own], strict=True))
    known = ratings.known_items[ratings.known_start[user] : ratings.known_start[user + 1]].tolist()
    used = [
        ("bias", "user_bias", user, 0.0),
        ("bias", "item_bias", i, 0.0),
        ("factor", "item_factors", i, 0.0),
    ]
    vector, effect, estimate = np.zeros(p.item_factors.shape[1]), p.item_bias[i], MEAN + p.user_bias[user]
    if p.user_factors.size:
        vector = vector + p.user_factors[user]
        used.append(("factor", "user_factors", user, 0.0))
    if p.implicit_factors.size:
        vector = vector + sum(p.implicit_factors[j] for j in known) / np.sqrt(len(known))
        used += [("implicit", "implicit_factors", j, 0.0) for j in known]
    if p.explicit_factors.size:
        vector = vector + sum(residual[j] * p.explicit_factors[j] for j in rated) / np.sqrt(len(rated))
        used += [("implicit", "explicit_factors", j, 0.0) for j in rated]
    if p.user_slope.size:
        deviation, b, day = ratings.deviations[at], ratings.bins[at], ratings.days[at]
        effect = effect + p.bin_bias[i, b]
        estimate += p.user_slope[user] * deviation
        used += [("time_bias", "bin_bias", (i, b), 0.0), ("time_bias", "user_slope", user, 0.0)]
        if p.day_bias.size:
            estimate += p.day_bias[day]
            used.append(("time_bias", "day_bias", day, 0.0))
        if p.drift_factors.size:
            vector = vector + deviation * p.drift_factors[user]
            used.append(("time_factor", "drift_factors", user, 0.0))
    if p.user_scale.size:
        effect = effect * p.user_scale[user]
        used.append(("time_bias", "user_scale", user, 1.0))
    if p.explicit_weights.size:
        n_items = len(p.item_bias)
        places = {j: i * n_items + j for j in range(n_items) if j != i}
        if len(ratings.neighbour_start):
            low, high = ratings.neighbour_start[i], ratings.neighbour_start[i + 1]
            places = {int(ratings.neighbours[e]): e for e in range(low, high)}
        near_rated, near_known = [j for j in rated if j in places], [j for j in known if j in places]
        if near_rated:
            total = sum(residual[j] * p.explicit_weights[places[j]] for j in near_rated)
            estimate += total / np.sqrt(len(near_rated))
        if near_known and p.implicit_weights.size:
            estimate += sum(p.implicit_weights[places[j]] for j in near_known) / np.sqrt(len(near_known))
        used += [("weight", "explicit_weights", places[j], 0.0) for j in near_rated]
        if p.implicit_weights.size:
            used += [("weight", "implicit_weights", places[j], 0.0) for j in near_known]
    return estimate + effect + p.item_factors[i] @ vector, used


def objective(ratings, p, user):
    """Squared errors of a user's ratings, each with the penalty on what predicts it."""
    total = 0.0
    for at in range(ratings.start[user], ratings.start[user + 1]):
        estimate, used = terms(ratings, p, at, user)
        total += (ratings.ratings[at] - estimate) ** 2
        for group, name, place, centre in used:
            total += getattr(PENALTIES, group) * np.sum((getattr(p, name)[place] - centre) ** 2)
    return total


def copied(p):
    return type(p)(*(value.copy() for value in p))


@pytest.mark.parametrize("model", PARTS)
def test_a_small_step_is_minus_half_the_gradient_of_the_written_out_objective(model):
    ratings, start = problem(PARTS[model])
    moved, rate = copied(start), 1e-7
    visit_users(
        np.array([USER]),
        np.uint64(3),
        True,
        MEAN,
        ratings,
        moved,
        Groups(*[rate] * len(Groups._fields)),
        PENALTIES,
    )
    touched = 0
    for name, before in start._asdict().items():
        slopes = np.zeros(before.size)
        for place in range(before.size):
            ends = []
            for shift in (1e-4, -1e-4):
                other = copied(start)
                getattr(other, name).reshape(-1)[place] += shift
                ends.append(objective(ratings, other, USER))
            slopes[place] = (ends[0] - ends[1]) / 2e-4
        stepped = (getattr(moved, name).ravel() - before.ravel()) / rate
        np.testing.assert_allclose(stepped, -slopes / 2, rtol=2e-4, atol=2e-5, err_msg=name)
        touched += np.abs(slopes).max(initial=0) > 1e-3
    assert touched == sum(value.size > 0 for value in start), "a parameter without a gradient tests nothing"


@pytest.mark.parametrize("model", PARTS)
def test_large_steps_equal_the_loop_that_updates_every_parameter_at_every_rating(model):
    """The linear-time sums leave nothing out: each rating's step in full, the textbook's way."""
    ratings, fast = problem(PARTS[model])
    slow, rates = copied(fast), Groups(0.05, 0.04, 0.06, 0.03, 0.02, 0.045)
    users = np.array([3, USER, 0, 6, 1])
    for _ in range(3):
        total = visit_users(users, np.uint64(0), False, MEAN, ratings, fast, rates, PENALTIES)
        squares = 0.0
        for user in users:
            for at in range(ratings.start[user], ratings.start[user + 1]):
                before = copied(slow)
                estimate, used = terms(ratings, before, at, user)
                error = ratings.ratings[at] - estimate
                squares += error**2
                for group, name, place, centre in used:
                    old, slope = (
                        getattr(before, name)[place],
                        slope_of(ratings, before, at, user, name, place),
                    )
                    rate, penalty = getattr(rates, group), getattr(PENALTIES, group)
                    getattr(slow, name)[place] = old + rate * (error * slope - penalty * (old - centre))
    assert total == pytest.approx(squares, rel=1e-9)
    for name, value in fast._asdict().items():
        np.testing.assert_allclose(value, getattr(slow, name), rtol=1e-7, atol=1e-9, err_msg=name)


def slope_of(ratings, p, at, user, name, place):
    """Derivative of a prediction, which is linear in each parameter, as a difference of two of its values."""
    found = []
    for row in range(np.size(getattr(p, name)[place])):
        ends = []
        for shift in (1.0, -1.0):
            other = copied(p)
            if np.ndim(getattr(p, name)[place]):
                getattr(other, name)[place][row] += shift
            else:
                getattr(other, name)[place] += shift
            ends.append(terms(ratings, other, at, user)[0])
        found.append((ends[0] - ends[1]) / 2)
    return np.array(found) if np.ndim(getattr(p, name)[place]) else sum(found)


def test_one_visit_of_svdpp_by_hand():
    """One user, two films, one factor: mu 3, ratings 5 and 2, rate 0.1, no penalty, all factors 1."""
    data = planted_interactions(n_users=3, n_items=4, density=1.0, tables=False)
    two = data.take(np.array([np.flatnonzero((data.users == 0) & (data.items == i))[0] for i in (0, 1)]))
    ratings = compressed(two.with_ratings([5.0, 2.0], (1, 5)), dtype="float64")
    p = no_parameters("float64")._replace(
        user_bias=np.zeros(2), item_bias=np.zeros(2), user_factors=np.ones((2, 1)), item_factors=np.ones((2, 1)),
        implicit_factors=np.ones((2, 1)),
    )  # fmt: skip
    groups = Groups(*[0.1] * len(Groups._fields)), Groups(*[0.0] * len(Groups._fields))
    visit_users(np.array([0]), np.uint64(0), False, 3.0, ratings, p, *groups)
    root = np.sqrt(2)
    first = 5 - (3 + 1 + root)  # implicit sum: 2 / sqrt 2
    sum_then = root + 0.1 * first
    second = 2 - (3 + 0.1 * first + 1 * (1 + 0.1 * first + sum_then))
    assert p.user_bias[0] == pytest.approx(0.1 * (first + second))
    assert p.user_factors[0, 0] == pytest.approx(1 + 0.1 * (first + second))
    np.testing.assert_allclose(p.implicit_factors[:, 0], 1 + 0.1 * (first + second) / root)
    assert p.item_factors[1, 0] == pytest.approx(1 + 0.1 * second * (1 + 0.1 * first + sum_then))


@pytest.mark.parametrize("model", ["neighbourhood", "neighbourhood of all", "transductive"])
def test_neighbours_answer_as_in_training(model):
    ratings, p = problem(PARTS[model])
    n_users, n_items = len(p.user_bias), len(p.item_bias)
    bare = p._replace(
        user_bias=p.user_bias * 0, item_bias=p.item_bias * 0, user_factors=p.user_factors[:0],
        item_factors=p.item_factors[:, :0], implicit_factors=p.implicit_factors[:0],
        explicit_factors=p.explicit_factors[:0],
    )  # fmt: skip
    users, items = np.repeat(np.arange(n_users), n_items), np.tile(np.arange(n_items), n_users)
    mixed = np.random.default_rng(0).permutation(len(users))
    found = np.empty(len(users))
    weights = bare.explicit_weights, bare.implicit_weights
    found[mixed] = neighbour_sums(users[mixed], items[mixed], ratings, *weights)
    for n, (user, item) in enumerate(zip(users, items, strict=True)):
        one = ratings._replace(items=np.append(ratings.items, item).astype(np.int32))
        assert found[n] == pytest.approx(terms(one, bare, -1, user)[0] - MEAN, abs=1e-12)
    assert np.count_nonzero(found) > 10
    np.testing.assert_array_equal(neighbour_sums([-1, n_users, 0], [0, 0, n_items], ratings, *weights), 0)


def test_shuffling_permutes_evenly():
    counts, rng = np.zeros((5, 5)), np.random.default_rng(0)
    for seed in rng.integers(0, 2**64, 4000, dtype=np.uint64):
        order = np.arange(5)
        shuffle(order, seed)
        counts[np.arange(5), order] += 1
    assert counts.sum(axis=0).tolist() == [4000] * 5
    assert np.abs(counts / 4000 - 0.2).max() < 0.03


@pytest.fixture(scope="module")
def split():
    return per_user_holdout(planted_interactions(n_users=40, n_items=30, seed=2))


def surprise_estimates(algorithm, split):
    surprise = pytest.importorskip("surprise")
    train, test = split.train, split.test
    frame = pd.DataFrame({"u": train.users, "i": train.items, "r": train.ratings.astype(float)})
    reader = surprise.Reader(rating_scale=(1, 5))
    trainset = surprise.Dataset.load_from_df(frame, reader).build_full_trainset()
    algorithm.fit(trainset)
    inner = trainset._raw2inner_id_users, trainset._raw2inner_id_items
    pairs = zip(test.users, test.items, strict=True)
    return np.array([algorithm.estimate(inner[0].get(u, "cold"), inner[1].get(i, "cold")) for u, i in pairs])


def test_svd_is_that_of_surprise(split):
    surprise = pytest.importorskip("surprise")
    settings = {"n_factors": 7, "n_epochs": 15, "lr_all": 0.02, "reg_all": 0.03}
    expected = surprise_estimates(surprise.SVD(**settings, random_state=4), split)
    model = BiasedSVD(
        n_factors=7, n_epochs=15, bias_learning_rate=0.02, factor_learning_rate=0.02, bias_regularisation=0.03,
        factor_regularisation=0.03, learning_rate_decay=1.0, initial_scale=0.1, shuffle=False, dtype="float64", seed=4,
    ).fit(split.train)  # fmt: skip
    found = model.predict(split.test.users, split.test.items)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    through = SVD(**settings, seed=4, centre="none", estimate_limit=None).fit(split.train)
    np.testing.assert_allclose(through.predict(split.test.users, split.test.items), found, rtol=1e-9)


def test_svdpp_is_that_of_surprise(split):
    surprise = pytest.importorskip("surprise")
    peer = surprise.SVDpp(
        n_factors=6, n_epochs=10, lr_all=0.02, lr_bu=0.01, lr_bi=0.01, lr_yj=0.03, reg_all=0.03, reg_yj=0.05,
        random_state=4, cache_ratings=True,
    )  # fmt: skip
    expected = surprise_estimates(peer, split)
    model = SVDpp(
        n_factors=6, n_epochs=10, bias_learning_rate=0.01, factor_learning_rate=0.02, implicit_learning_rate=0.03,
        bias_regularisation=0.03, factor_regularisation=0.03, implicit_regularisation=0.05, learning_rate_decay=1.0,
        initial_scale=0.1, shuffle=False, dtype="float64", seed=4,
    ).fit(split.train)  # fmt: skip
    np.testing.assert_allclose(model.predict(split.test.users, split.test.items), expected, rtol=1e-9)


def test_users_vectors_are_the_sums_of_the_formula(split):
    model = SVDpp(n_factors=3, n_epochs=2, dtype="float64").fit(split.train)
    for user in (0, 17, split.train.n_users - 1):
        films = split.train.items[split.train.users == user]
        expected = lookup(model.user_factors_, np.array([user]))[0]
        if len(films):
            expected = expected + model.implicit_factors_[films].sum(axis=0) / np.sqrt(len(films))
        np.testing.assert_allclose(model.user_vectors_[user], expected, rtol=1e-12)
    assert not model.user_vectors_[-1].any()
