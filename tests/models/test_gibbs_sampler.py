"""The Gibbs sampler of factorisation machines: its draws against closed forms, its books, and what it finds."""

import numpy as np
import pytest
from scipy import sparse

from lib.models.bayesian import gibbs_kernels as kernels
from lib.models.bayesian.gibbs_parts import Features, OneHot
from lib.models.bayesian.gibbs_sampler import Chain, sample


def made_up(n=600, n_users=30, n_items=20, n_moments=40, seed=0):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, n_users, n), rng.integers(0, n_items, n)
    moments = rng.integers(-1, n_moments, n)
    extra = sparse.random(n_users, 7, density=0.4, random_state=1)
    sides = [
        Features(users, sparse.csr_matrix(sparse.hstack([sparse.eye(n_users), extra])), [n_users, 7]),
        Features(items, sparse.csr_matrix(sparse.eye(n_items)), [n_items]),
    ]
    effects = rng.normal(0, 1, n_users)[users] + rng.normal(0, 0.5, n_items)[items]
    return sides, [OneHot(moments, n_moments)], effects + rng.normal(0, 0.3, n), effects


def design(sides, groups):
    """All features of every rating, in the order of the chain's parts."""
    n = len(sides[0].codes)
    moments = [
        sparse.csr_matrix((np.ones(n), (np.arange(n), np.where(g.codes < 0, g.size, g.codes))), (n, g.size + 1))[:, :-1]
        for g in groups
    ]
    return sparse.hstack([*moments, *(side.matrix[side.codes] for side in sides)]).toarray()


def machine(x, constant, weights, factors):
    """The definition, pair by pair."""
    found = constant + x @ weights
    for v in factors:
        for j in range(x.shape[1]):
            for other in range(j):
                found += v[j] * v[other] * x[:, j] * x[:, other]
    return found


def state(chain):
    return np.concatenate([p.weights for p in chain.parts]), np.hstack([p.factors for p in chain.parts])


@pytest.mark.parametrize("classes", [0, 4])
def test_errors_are_those_of_the_definition_after_sweeps(classes):
    sides, groups, ratings, _ = made_up()
    if classes:
        ratings = np.searchsorted(np.quantile(ratings, [0.2, 0.5, 0.8]), ratings)
    chain = Chain(ratings, groups, sides, 3, np.random.default_rng(0), classes)
    for _ in range(5):
        chain.sweep()
    expected = machine(design(sides, groups), chain.constant, *state(chain))
    assert chain.errors + chain._target == pytest.approx(expected, abs=1e-10)
    assert chain.scores() == pytest.approx(expected, abs=1e-10)


class Still:
    """A generator whose every draw is the mean."""

    def __init__(self):
        self.start = np.random.default_rng(0)

    def normal(self, *args):
        return self.start.normal(*args)

    def standard_normal(self, size=None, dtype=float):
        return np.zeros(size, dtype) if size else 0.0

    def gamma(self, shape):
        return shape


def test_weights_settle_on_the_ridge_solution_where_every_draw_is_the_mean():
    sides, groups, ratings, _ = made_up()
    chain = Chain(ratings, groups, sides, 1, Still())
    alpha, means, precisions = 2.0, np.array([0.1, -0.2, 0.3, 0.0]), np.array([1.0, 2.0, 3.0, 4.0])
    for part in chain.parts:  # no interactions
        part.factors[:] = part.own[:] = 0.0
        if hasattr(part, "inner"):
            part.inner[:] = 0.0
    chain.errors, trust = chain.scores() - ratings, np.linspace(0.5, 2.0, len(ratings))
    for part in chain.parts:
        part.counts[:] = np.bincount(part.codes, trust, minlength=len(part.counts))
    for _ in range(600):
        for part in chain.parts:
            nothing = np.zeros(len(part.weights), np.float32)
            part.draw_weights(precisions, means, nothing, alpha, chain.errors, trust)
    x = design(sides, groups)
    groups_of = np.concatenate([part.groups for part in chain.parts])
    left = alpha * x.T * trust @ x + np.diag(precisions[groups_of])
    right = alpha * x.T * trust @ ratings + precisions[groups_of] * means[groups_of]
    assert state(chain)[0] == pytest.approx(np.linalg.solve(left, right), abs=1e-6)


def test_factors_settle_where_the_posterior_is_flat_where_every_draw_is_the_mean():
    sides, groups, ratings, _ = made_up()
    chain = Chain(ratings, groups, sides, 2, Still())
    chain.alpha = 2.0
    for _ in range(1500):
        chain._draw_factors()
    x, (weights, factors) = design(sides, groups), state(chain)
    errors = machine(x, 0.0, weights, factors) - ratings
    for v, precision in zip(factors, chain.precisions[1:], strict=True):
        total = x @ v
        slopes = x * (total[:, None] - x * v)
        groups_of = np.concatenate([part.groups for part in chain.parts])
        assert chain.alpha * slopes.T @ errors + precision[groups_of] * v == pytest.approx(0, abs=1e-3)


def test_cut_likelihood_is_that_of_scipy_and_its_derivatives_are_its_slopes():
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    scores, classes, cuts = (
        rng.normal(0, 2, 200),
        rng.integers(0, 4, 200).astype(np.int32),
        np.array([-1.0, 0.2, 1.5]),
    )
    sharp = rng.uniform(0.5, 1.2, 200)
    high, low = (norm.cdf((np.r_[-np.inf, cuts, np.inf][classes + up] - scores) * sharp) for up in (1, 0))
    gradient, curvature = np.empty(3), np.empty((3, 3))
    found = kernels.cut_likelihood(scores, classes, cuts, gradient, curvature, sharp)
    assert found == pytest.approx(np.log(high - low).sum())
    step = 1e-4
    for k, other in np.ndindex(3, 3):

        def moved(a, b, k=k, other=other):
            at = cuts.copy()
            at[k] += a
            at[other] += b
            return kernels.cut_likelihood(scores, classes, at, np.empty(0), np.empty((0, 0)), sharp)

        slope = (moved(step, 0) - moved(-step, 0)) / (2 * step)
        assert gradient[k] == pytest.approx(slope, rel=1e-5)
        bend = moved(step, step) - moved(step, -step) - moved(-step, step) + moved(-step, -step)
        assert curvature[k, other] == pytest.approx(-bend / (4 * step * step), rel=1e-3, abs=1e-3)


def test_it_finds_what_made_the_ratings():
    sides, groups, ratings, effects = made_up(n=1500)
    found = sample(ratings, sides, groups, n_factors=2, n_iterations=120, n_samples=80, seed=0)
    users, items = (side.effects.mean(axis=1) for side in found.sides)
    predicted = found.constants.mean() + users[sides[0].codes] + items[sides[1].codes]
    assert np.sqrt(np.mean((predicted - effects) ** 2)) < 0.12


def test_cut_points_are_found_again():
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 50, 6000), rng.integers(0, 30, 6000)
    scores = rng.normal(0, 1, 50)[users] + rng.normal(0, 0.7, 30)[items]
    edges = np.array([-1.5, -0.4, 0.9])
    classes = np.searchsorted(edges, scores + rng.standard_normal(6000))
    sides = [
        Features(users, sparse.eye(50, format="csr"), [50]),
        Features(items, sparse.eye(30, format="csr"), [30]),
    ]
    options = {"n_factors": 1, "n_iterations": 300, "n_samples": 200, "seed": 0, "n_classes": 4}
    found = sample(classes, sides, [], **options)
    cuts = found.cuts.mean(axis=0) - found.constants.mean()
    centre = found.sides[0].effects.mean() + found.sides[1].effects.mean()
    truth = edges - scores.mean()
    assert cuts - centre == pytest.approx(truth, abs=0.15)
    assert len(np.unique(found.cuts[:, 0])) > 100  # most proposals are taken


def test_same_seed_same_bits_whatever_the_order_of_the_ratings():
    sides, groups, ratings, _ = made_up()
    options = {"n_factors": 2, "n_iterations": 6, "n_samples": 4, "seed": 3}
    order = np.random.default_rng(1).permutation(len(ratings))
    first = sample(ratings, sides, groups, **options)
    mixed = (
        [side._replace(codes=side.codes[order]) for side in sides],
        [g._replace(codes=g.codes[order]) for g in groups],
    )
    second = sample(ratings[order], *mixed, **options)
    for one, other in zip((*first.sides, first.moments), (*second.sides, second.moments), strict=True):
        assert np.array_equal(one.latent, other.latent)
        assert np.array_equal(one.effects, other.effects)
    assert not np.array_equal(first.constants, sample(ratings, sides, groups, **{**options, "seed": 4}).constants)


def test_more_samples_than_sweeps_are_refused():
    sides, groups, ratings, _ = made_up()
    with pytest.raises(ValueError, match="n_samples=5"):
        sample(ratings, sides, groups, n_factors=1, n_iterations=4, n_samples=5, seed=0)


def test_the_noise_of_users_and_films_is_told_apart():
    rng = np.random.default_rng(3)
    users, items = (a.ravel() for a in np.meshgrid(np.arange(60), np.arange(40), indexing="ij"))
    spread = np.where(users < 30, 0.3, 1.5) * np.where(items < 20, 1.0, 2.0)
    ratings = rng.normal(0.0, 1.0, 60)[users] + rng.normal(0.0, 1.0, 40)[items] + rng.normal(0.0, spread)
    sides = [Features(c, sparse.csr_matrix(np.eye(n)), [n]) for c, n in ((users, 60), (items, 40))]
    options = {"n_factors": 1, "n_iterations": 120, "n_samples": 80, "seed": 0}
    found = sample(ratings, sides, [], freedom=(4.0, 4.0), **options)
    of_users, of_items = (trust.mean(axis=1) for trust in found.trusts)
    assert of_users[:30].min() > of_users[30:].max()
    assert of_items[:20].mean() / of_items[20:].mean() == pytest.approx(4.0, rel=0.4)
    away = np.abs(np.log(found.noise) - np.log(spread**2))
    assert away.mean() < 0.3 and away.max() < 1.5
    assert sample(ratings, sides, [], **options).trusts == []


def test_a_rating_left_out_is_what_the_machine_says_without_it():
    sides, groups, ratings, _ = made_up()
    options = {"n_factors": 1, "n_iterations": 600, "n_samples": 500}
    whole = sample(ratings, sides, groups, seed=0, **options)
    for row in (0, 7):
        rest = np.arange(len(ratings)) != row
        fewer = [one._replace(codes=one.codes[rest]) for one in (*sides, *groups)]
        found = sample(ratings[rest], fewer[: len(sides)], fewer[len(sides) :], seed=1, **options)
        draws = [side.effects[one.codes[row]] for side, one in zip(found.sides, sides, strict=True)]
        latent = [side.latent[one.codes[row]] for side, one in zip(found.sides, sides, strict=True)]
        places = np.cumsum([0, *(one.size for one in groups)])
        for place, one in zip(places, groups, strict=False):
            if one.codes[row] >= 0:
                draws.append(found.moments.effects[place + one.codes[row]])
                latent.append(found.moments.latent[place + one.codes[row]])
        scores = found.constants + sum(draws)
        scores = scores + ((sum(latent) ** 2 - sum(p**2 for p in latent)) / 2).sum(axis=1)
        spread = scores.std()
        assert whole.left_out[row] == pytest.approx(scores.mean(), abs=0.5 * spread)
