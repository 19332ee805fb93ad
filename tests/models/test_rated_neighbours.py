"""CorNgbr and WgtNgbr: written-out oracles, an independent solver of the weights, explanations that add up."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls

from lib.data.interactions import Interactions
from lib.models.baselines.bias import Bias
from lib.models.latent.correlation_neighbours import CorrelationNeighbours
from lib.models.latent.interpolated_neighbours import InterpolatedNeighbours, shrunk_moments
from lib.models.latent.item_similarity import similarity_matrix
from lib.models.latent.nonnegative import minimise_quadratic
from tests.conftest import planted_interactions

MODELS = {
    "correlation": CorrelationNeighbours(n_neighbours=4, shrinkage=3.0),
    "interpolated": InterpolatedNeighbours(n_neighbours=4, shrinkage=3.0, moment_shrinkage=5.0),
}


@pytest.fixture(scope="module")
def data():
    return planted_interactions(n_users=40, n_items=25, density=0.4, seed=6)


@pytest.fixture(scope="module", params=MODELS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind, data):
    return MODELS[kind].fit(data)


def residuals_of(data):
    baseline = Bias().fit(data)
    table = np.full((data.n_users, data.n_items), np.nan)
    table[data.users, data.items] = data.ratings - baseline.predict(data.users, data.items)
    return baseline, table


def written_moments(x, shrinkage):
    n_items = x.shape[1]
    sums, counts = np.zeros((n_items, n_items)), np.zeros((n_items, n_items))
    for j in range(n_items):
        for m in range(n_items):
            common = ~np.isnan(x[:, j]) & ~np.isnan(x[:, m])
            counts[j, m], sums[j, m] = common.sum(), (x[common, j] * x[common, m]).sum()
    own = np.eye(n_items, dtype=bool)
    found = np.empty_like(sums)
    for part in (own, ~own):
        some = part & (counts > 0)
        centre = (sums[some] / counts[some]).mean()
        found[part] = (sums[part] + shrinkage * centre) / (counts[part] + shrinkage)
    return found


def written_out(kind, data, k=4):
    """Every prediction, neighbour by neighbour."""
    baseline, x = residuals_of(data)
    similar = similarity_matrix(data, shrinkage=3.0, baseline=baseline).astype(float)
    moments = written_moments(x, 5.0)
    found = np.empty((data.n_users, data.n_items))
    for u in range(data.n_users):
        for i in range(data.n_items):
            rated = [j for j in np.flatnonzero(~np.isnan(x[u])) if similar[i, j] > 0]
            chosen = sorted(rated, key=lambda j, i=i: (-similar[i, j], j))[:k]
            found[u, i] = baseline.predict([u], [i])[0]
            if not chosen:
                continue
            if kind == "correlation":
                weights = similar[i, chosen] / similar[i, chosen].sum()
            else:
                root = np.linalg.cholesky(moments[np.ix_(chosen, chosen)])
                weights = nnls(root.T, np.linalg.solve(root, moments[i, chosen]))[0]
            found[u, i] += weights @ x[u, chosen]
    return found


def test_every_prediction_against_the_formula(kind, model, data):
    wanted = written_out(kind, data)
    grid = np.divmod(np.arange(wanted.size), data.n_items)
    np.testing.assert_allclose(model.predict(*grid), wanted.ravel(), atol=2e-5)
    np.testing.assert_allclose(model.score(np.arange(data.n_users)), wanted, atol=2e-5)
    assert np.abs(wanted - residuals_of(data)[0].predict(*grid).reshape(wanted.shape)).max() > 0.3


def test_the_order_of_a_request_does_not_matter(model, data):
    order = np.random.default_rng(0).permutation(len(data))
    users, items = data.users[order], data.items[order]
    twice = model.predict(np.concatenate([users, users]), np.concatenate([items, items]))
    np.testing.assert_array_equal(twice[: len(order)], twice[len(order) :])
    np.testing.assert_array_equal(model.predict(data.users, data.items)[order], twice[: len(order)])


def test_cold_users_and_films_get_the_baseline(model, data):
    baseline, _ = residuals_of(data)
    last, film = data.n_users - 1, data.n_items - 1  # neither has a rating
    users, items = np.array([-1, 0, 3, last, 999, 0]), np.array([0, -1, film, 2, 999, 999])
    np.testing.assert_array_equal(model.predict(users, items), baseline.predict(users, items))
    np.testing.assert_array_equal(
        model.score(np.array([-1, last, 999])), np.tile(model.mean_ + model.item_bias_, (3, 1))
    )


def test_an_explanation_adds_up_to_the_prediction(model, data):
    for user, item in ((0, 3), (5, 5), (7, 20), (data.n_users - 1, 2), (-1, 2), (3, 999)):
        whole, first = model.explain(user, item, None), model.explain(user, item, 1)
        assert len(whole.items) <= 4 and item not in whole.items.tolist()
        prediction = model.predict([user], [item])[0]
        assert whole.baseline + whole.contributions.sum() == pytest.approx(prediction, abs=1e-12)
        assert first.baseline + first.contributions.sum() + first.rest == pytest.approx(prediction, abs=1e-12)
        assert (np.diff(np.abs(whole.contributions)) <= 0).all()
        np.testing.assert_array_equal(first.items, whole.items[:1])
        assert set(whole.items.tolist()) <= set(data.items[data.users == user].tolist())
    with pytest.raises(ValueError, match="n=0"):
        model.explain(0, 0, 0)


def test_catalogues_longer_than_a_block_and_users_with_many_films():
    wide = planted_interactions(n_users=30, n_items=600, density=0.6, seed=2)
    for model in MODELS.values():
        again = type(model)(**model.parameters).fit(wide)
        scores = again.score(np.array([4, 0]))
        for place, user in enumerate((4, 0)):
            for item in (0, 255, 256, 511, 512, 599):
                np.testing.assert_allclose(scores[place, item], again.predict([user], [item])[0], rtol=1e-12)


def test_a_worked_example():
    """Two neighbours of film 0 with n_ij = 4: films 1 and 3 go with it, film 2 against it."""
    signs = np.array([1.0, 1.0, -1.0, -1.0])
    rows = [(u, i, 3 + s * sign) for u, sign in enumerate(signs) for i, s in ((0, 1), (1, 1), (2, -1), (3, 1))]
    rows += [(4, 1, 5.0), (4, 2, 2.0), (4, 3, 2.0)]
    data = Interactions.from_frame(pd.DataFrame(rows, columns=["user", "item", "rating"]), scale=(1, 5))
    model = CorrelationNeighbours(shrinkage=4.0).fit(data)
    found = model.explain(4, 0)
    assert found.items.tolist() == [1, 3], "a film that goes against this one is no neighbour"
    s = model.similarities_[0, [1, 3]]
    left = np.array([5, 2]) - Bias().fit(data).predict([4, 4], [1, 3])
    np.testing.assert_allclose(found.contributions, s / s.sum() * left, rtol=1e-5)


def test_moments_against_a_double_loop(data):
    _, x = residuals_of(data)
    found = shrunk_moments(data, x[data.users, data.items], 5.0)
    np.testing.assert_allclose(found, written_moments(x, 5.0), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(found, found.T)


def test_ratings_without_any_spread_give_the_baseline():
    data = planted_interactions(n_users=20, n_items=10, seed=1)
    flat = data.with_ratings(np.full(len(data), 3.0), data.scale)
    for model in MODELS.values():
        again = type(model)(**model.parameters).fit(flat)
        np.testing.assert_allclose(again.predict(data.users, data.items), 3.0)


class TestQuadratic:
    def solve(self, matrix, linear):
        x, slope = np.empty(len(linear)), np.empty(len(linear))
        return x, slope, minimise_quadratic(matrix, linear, x, slope)

    @pytest.mark.parametrize("seed", range(5))
    def test_against_an_independent_solver(self, seed):
        rng = np.random.default_rng(seed)
        design, target = rng.normal(size=(40, 12)), rng.normal(size=40)
        matrix, linear = design.T @ design / 40, design.T @ target / 40
        x, slope, ridge = self.solve(matrix, linear)
        np.testing.assert_allclose(x, nnls(design, target)[0], atol=1e-5)
        assert ridge == 0 and (slope > -1e-5).all() and np.abs(slope * x).max() < 1e-6
        assert (x == 0).any() and (x > 0).any()

    def test_an_indefinite_matrix_is_repaired(self):
        matrix = np.array([[1.0, -2.0], [-2.0, 1.0]])
        linear = np.array([1.0, 1.0])
        x, slope, ridge = self.solve(matrix, linear)
        assert ridge >= 1.0 / 2 and np.isfinite(x).all()
        np.testing.assert_allclose((matrix + ridge * np.eye(2)) @ x, linear, atol=1e-4)
        np.testing.assert_allclose(slope, 0, atol=1e-4)

    def test_nothing_to_weigh(self):
        assert self.solve(np.empty((0, 0)), np.empty(0))[2] == 0


@pytest.mark.parametrize("cls", [CorrelationNeighbours, InterpolatedNeighbours])
def test_wrong_parameters_are_named(cls, data):
    with pytest.raises(ValueError, match="n_neighbours"):
        cls(n_neighbours=0).fit(data)
    with pytest.raises(ValueError, match="shrinkage"):
        cls(shrinkage=-1.0).fit(data)
    with pytest.raises(ValueError, match="moment_shrinkage"):
        InterpolatedNeighbours(moment_shrinkage=0.0).fit(data)
