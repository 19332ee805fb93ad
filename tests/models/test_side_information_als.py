"""Matrix factorisation with side information: each update against a slow written-out one, and what must hold for all."""

from __future__ import annotations

from itertools import product

import numba
import numpy as np
import pytest
from scipy import sparse

from lib.data.feature_groups import feature_groups
from lib.data.splits import per_user_holdout
from lib.metrics import rmse
from lib.models import create
from lib.models.als_rows import CHUNK, apply_grams, colour_graph, solve_bordered, update_factors
from lib.models.side_information.als_engine import rating_lists
from lib.models.side_information.als_projection import Projection
from lib.models.side_information.side_information_als import SideInformationALS
from lib.models.side_information.similarity_graph import cosine_graph
from tests.conftest import planted_interactions

ALL_GROUPS = ("genres", "year", "raters", "age", "gender", "occupation", "rated")
PENALTIES = {
    "genres": 2.0, "year": 3.0, "raters": 4.0, "age": 2.5, "gender": 1.5, "occupation": 3.5, "rated": 5.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def small():
    return planted_interactions(n_users=25, n_items=18, density=0.3, seed=3)


def model(**parameters):
    defaults = {
        "n_factors": 3, "user_penalty": 1.2, "item_penalty": 0.7, "user_bias_penalty": 0.9,
        "item_bias_penalty": 1.1, "projection_penalties": 2.0, "initial_scale": 0.3,
    }  # fmt: skip
    return SideInformationALS(**defaults | parameters)


class WrittenOut:
    """The objective and every update in plain loops over ratings, with dense matrices and numpy's solver."""

    def __init__(self, train, settings: SideInformationALS, engine):
        self.train, self.settings = train, settings
        self.mean = float(np.mean(train.ratings.astype(float)))
        self.groups = {g.name: (g.side, g.matrix.toarray()) for g in feature_groups(train, settings.groups)}
        self.bias = {"user": np.zeros(train.n_users), "item": np.zeros(train.n_items)}
        self.factors = {"user": engine.users.factors.copy(), "item": engine.items.factors.copy()}
        k = settings.n_factors
        self.weights = {n: np.zeros((x.shape[1], k)) for n, (_, x) in self.groups.items()}
        self.linear = {n: np.zeros(x.shape[1]) for n, (_, x) in self.groups.items()}
        self.ridges = {"user": np.full(train.n_users, settings.user_penalty)}
        count = train.item_counts
        scale = np.sqrt(count + 1) if settings.popularity_shrinkage else np.ones(len(count))
        self.ridges["item"] = settings.item_penalty / scale
        self.similarity = np.zeros((train.n_items, train.n_items))
        if settings.graph_group:
            matrix = feature_groups(train, [settings.graph_group])[0].matrix
            self.similarity = cosine_graph(matrix, top_k=settings.graph_neighbours).toarray()

    def latent(self, side):
        total = self.factors[side].copy()
        for name, (of, x) in self.groups.items():
            if of == side:
                total += x @ self.weights[name]
        return total

    def effect(self, side):
        total = self.bias[side].copy()
        for name, (of, x) in self.groups.items():
            if of == side:
                total += x @ self.linear[name]
        return total

    def errors(self):
        p, q, b, c = self.latent("user"), self.latent("item"), self.effect("user"), self.effect("item")
        t = self.train
        return np.array(
            [
                r - self.mean - b[u] - c[i] - p[u] @ q[i]
                for u, i, r in zip(t.users, t.items, t.ratings.astype(float), strict=True)
            ]
        )

    def penalty_of(self, name):
        given = self.settings.projection_penalties
        return given[name] if isinstance(given, dict) else given

    def objective(self):
        s = self.settings
        total = sum(e * e for e in self.errors())
        for side in ("user", "item"):
            total += sum(r * (v @ v) for r, v in zip(self.ridges[side], self.factors[side], strict=True))
        total += s.user_bias_penalty * sum(b * b for b in self.bias["user"])
        total += s.item_bias_penalty * sum(b * b for b in self.bias["item"])
        for name in self.groups:
            total += self.penalty_of(name) * (np.sum(self.weights[name] ** 2) + np.sum(self.linear[name] ** 2))
        if s.graph_group:
            v = self.factors["item"]
            for i, j in product(range(len(v)), repeat=2):
                total += s.graph_strength / 2 * self.similarity[i, j] * np.sum((v[i] - v[j]) ** 2)
        return total

    def codes(self, side):
        return (self.train.users, self.train.items) if side == "user" else (self.train.items, self.train.users)

    def update_bias(self, side):
        errors, (mine, _) = self.errors(), self.codes(side)
        penalty = self.settings.user_bias_penalty if side == "user" else self.settings.item_bias_penalty
        for r in range(len(self.bias[side])):
            rows = mine == r
            fresh = np.sum(errors[rows] + self.bias[side][r]) / (rows.sum() + penalty)
            self.bias[side][r] = fresh

    def update_factors(self, side, order):
        other = self.latent("item" if side == "user" else "user")
        mine, theirs = self.codes(side)
        k = self.settings.n_factors
        for r in order:  # graph neighbours see what was solved before them
            errors = self.errors()
            matrix, right = self.ridges[side][r] * np.eye(k), np.zeros(k)
            for at in np.flatnonzero(mine == r):
                q = other[theirs[at]]
                matrix += np.outer(q, q)
                right += q * (errors[at] + q @ self.factors[side][r])
            if side == "item" and self.settings.graph_group:
                weights = self.settings.graph_strength * self.similarity[r]
                matrix += weights.sum() * np.eye(k)
                right += weights @ self.factors["item"]
            self.factors[side][r] = np.linalg.solve(matrix, right)

    def update_projection(self, name):
        side, x = self.groups[name]
        other = self.latent("item" if side == "user" else "user")
        mine, theirs = self.codes(side)
        linear = self.settings.feature_biases
        rows, targets = [], []
        for at, error in enumerate(self.errors()):
            q = np.append(other[theirs[at]], 1.0) if linear else other[theirs[at]]
            now = np.column_stack([self.weights[name], self.linear[name]]) if linear else self.weights[name]
            row = np.outer(x[mine[at]], q).ravel()
            rows.append(row)
            targets.append(error + row @ now.ravel())
        a, t = np.array(rows), np.array(targets)
        solved = np.linalg.solve(a.T @ a + self.penalty_of(name) * np.eye(a.shape[1]), a.T @ t)
        solved = solved.reshape(x.shape[1], -1)
        self.weights[name] = solved[:, : self.settings.n_factors]
        if linear:
            self.linear[name] = solved[:, -1]


@pytest.mark.parametrize("popularity_shrinkage", [False, True])
@pytest.mark.parametrize("graph_group", [None, "genres"])
@pytest.mark.parametrize("feature_biases", [False, True])
def test_updates_are_those_of_the_written_out_model(small, popularity_shrinkage, graph_group, feature_biases):
    # 1, 2 and 4 columns a group: all small enough for the exact solve
    settings = model(
        groups=("genres", "year", "age", "occupation", "gender"), projection_penalties=PENALTIES,
        popularity_shrinkage=popularity_shrinkage, graph_group=graph_group, graph_strength=0.6,
        graph_neighbours=3, feature_biases=feature_biases,
    )  # fmt: skip
    engine = settings.engine(small)
    slow = WrittenOut(small, settings, engine)
    assert engine.objective() == pytest.approx(slow.objective(), rel=1e-10)

    def same():
        for side, ours in (("user", engine.users), ("item", engine.items)):
            np.testing.assert_allclose(ours.factors, slow.factors[side], rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(ours.bias, slow.bias[side], rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(ours.latent, slow.latent(side), rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(ours.effect, slow.effect(side), rtol=1e-7, atol=1e-9)
        assert engine.objective() == pytest.approx(slow.objective(), rel=1e-9)

    for _ in range(2):
        engine.users.update_bias(engine.items)
        slow.update_bias("user")
        same()
        engine.items.update_bias(engine.users)
        slow.update_bias("item")
        same()
        for side, ours, other in (("user", engine.users, engine.items), ("item", engine.items, engine.users)):
            ours.update_factors(other)
            slow.update_factors(side, np.concatenate(ours.turns))
            same()
            for name in ours.projections:
                ours.update_projection(name)
                slow.update_projection(name)
                same()


COMBINATIONS = [
    dict(zip(("popularity_shrinkage", "feature_biases", "graph_group", "groups", "penalty"), values, strict=True))
    for values in product(
        (False, True), (False, True), (None, "genres", "year"), ((), ("genres", "year"), ("raters", "rated"), ALL_GROUPS),
        (0.0, 0.5, 30.0),
    )
]  # fmt: skip


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda c: "-".join(map(str, c.values())))
def test_no_step_raises_the_objective(small, combination):
    penalty = combination["penalty"]
    settings = SideInformationALS(
        n_factors=3, user_penalty=penalty, item_penalty=penalty, user_bias_penalty=penalty, item_bias_penalty=penalty,
        projection_penalties=penalty, graph_strength=0.7, graph_neighbours=4, initial_scale=0.5,
        **{name: value for name, value in combination.items() if name != "penalty"},
    )  # fmt: skip
    engine = settings.engine(small)
    before = engine.objective()
    first = before
    for _ in range(4):
        for step in engine.steps():
            step()
            now = engine.objective()
            assert now <= before + 1e-9 * first
            before = now
    assert before < first


def test_sums_of_ratings_stay_those_of_the_prediction(small):
    """What a side keeps between its steps is what its residuals and the other side's vectors give at the end."""
    settings = model(groups=ALL_GROUPS, graph_group="genres", feature_biases=True)
    engine = settings.engine(small)
    for _ in range(3):
        engine.sweep()
    settings.n_users_, settings.n_items_ = small.n_users, small.n_items
    settings._take(engine, 3)
    residuals = small.ratings.astype(float) - settings.predict(small.users, small.items)
    for side, other, codes in (("users", "items", small.users), ("items", "users", small.items)):
        sums, squares = getattr(engine, side).residuals(getattr(engine, other))
        np.testing.assert_allclose(sums, np.bincount(codes, residuals, len(sums)), atol=1e-10)
        np.testing.assert_allclose(squares, np.bincount(codes, residuals**2, len(sums)), atol=1e-10)
    vectors = np.column_stack([engine.users.latent, np.ones(small.n_users)])[small.users]
    lower = np.tril_indices(4)
    for item in range(small.n_items):
        rated = small.items == item
        gram = vectors[rated].T @ vectors[rated]
        np.testing.assert_allclose(engine.items.grams[item], gram[lower], atol=1e-10)
        np.testing.assert_allclose(engine.items.slopes[item], vectors[rated].T @ residuals[rated], atol=1e-9)


@pytest.mark.parametrize("feature_biases", [False, True])
def test_conjugate_gradients_reach_the_exact_solution(small, feature_biases, monkeypatch):
    engine = model(groups=("genres", "raters"), feature_biases=feature_biases).engine(small)
    engine.sweep()
    grams, projection = engine.items.grams, engine.items.projections["raters"]
    slope = projection._slope(engine.items.slopes)
    exact = projection.solve_exactly(slope, grams)
    monkeypatch.setattr("lib.models.side_information.als_projection.MAX_STEPS", 2000)
    monkeypatch.setattr("lib.models.side_information.als_projection.TOLERANCE", 1e-12)
    np.testing.assert_allclose(projection.descend(slope, grams), exact, atol=1e-9)


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 5, 7, 8, 9, 33])
def test_the_solver_agrees_with_numpy(k):
    rng = np.random.default_rng(k)
    design, right = rng.normal(size=(2 * k, k)), rng.normal(size=k)
    matrix = design.T @ design + 0.1 * np.eye(k)
    bordered = np.vstack([np.tril(matrix), right])  # the upper triangle is not looked at
    solve_bordered(bordered)
    np.testing.assert_allclose(bordered[-1], np.linalg.solve(matrix, right), rtol=1e-10)


@pytest.mark.parametrize("n", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_rows_longer_than_a_chunk_are_solved_like_short_ones(n):
    rng = np.random.default_rng(n)
    k, n_other = 5, 2 * n + 1
    others, offsets, before = rng.normal(size=(n_other, k)), rng.normal(size=n_other), rng.normal(size=k)
    partner, ratings = rng.permutation(n_other)[:n].astype(np.int32), rng.normal(size=n).astype(np.float32)
    own, latent, pull = before[None].copy(), before[None] + 1.0, rng.normal(size=(1, k))
    grams, slopes = np.empty((1, k * (k + 1) // 2)), np.empty((1, k))
    lists = np.zeros(1, np.int64), np.array([0, n]), partner, ratings
    update_factors(*lists, offsets, others, np.full(1, 2.0), pull, np.full(1, 0.3), own, latent, grams, slopes)
    q, target = others[partner], ratings - offsets[partner] - 0.3 - others[partner] @ np.ones(k)
    expected = np.linalg.solve(q.T @ q + 2.0 * np.eye(k), q.T @ target + pull[0])
    np.testing.assert_allclose(own[0], expected, rtol=1e-9)
    np.testing.assert_allclose(latent[0], expected + 1.0, rtol=1e-9)
    np.testing.assert_allclose(slopes[0], q.T @ (target - q @ expected), atol=1e-9)
    out = np.empty((1, k))
    apply_grams(grams, own, out)
    np.testing.assert_allclose(out[0], q.T @ (q @ expected), atol=1e-9)


def test_lists_hold_every_rating_in_order(small):
    shuffled = small.take(np.random.default_rng(0).permutation(len(small)))
    for kind, lists, partner in zip(("user", "item"), rating_lists(shuffled), ("item", "user"), strict=True):
        mine, theirs = getattr(small, f"{kind}s"), getattr(small, f"{partner}s")
        order = np.lexsort((theirs, mine))
        assert np.array_equal(lists.partner, theirs[order]) and np.array_equal(lists.values, small.ratings[order])
        assert np.array_equal(np.diff(lists.start), getattr(small, f"{kind}_counts"))
        assert lists.partner.dtype == np.int32 and lists.values.dtype == np.float32


def test_sums_that_are_known_already_change_no_bit(small):
    known, plain = model().engine(small), model().engine(small)
    for engine in (known, plain):
        engine.sweep()
    objective, sums = known.summed()
    assert objective == plain.objective()
    known.sweep(sums=sums)
    plain.sweep()
    assert known.items.latent.tobytes() == plain.items.latent.tobytes()


def test_large_groups_go_by_conjugate_gradients_and_small_ones_exactly(small):
    engine = model(groups=("genres", "raters")).engine(small)
    assert engine.items.projections["genres"].exact
    assert not Projection(sparse.csr_array(np.ones((small.n_items, 33))), 3, 1.0).exact


def test_the_number_of_threads_does_not_change_a_bit(small):
    settings = {"groups": ALL_GROUPS, "graph_group": "genres", "feature_biases": True, "n_iterations": 3}
    before = numba.get_num_threads()
    found = []
    try:
        for threads in (1, before):
            numba.set_num_threads(threads)
            found.append(model(**settings).fit(small).item_latent_)
    finally:
        numba.set_num_threads(before)
    assert found[0].tobytes() == found[1].tobytes()


def test_neighbours_never_share_a_colour():
    rng = np.random.default_rng(0)
    dense = np.triu(rng.random((40, 40)) < 0.15, 1)
    graph = sparse.csr_array((dense | dense.T).astype(float))
    colours = colour_graph(graph.indptr.astype(np.int64), graph.indices.astype(np.int64))
    rows, columns = graph.nonzero()
    assert (colours[rows] != colours[columns]).all()
    assert colours.max() <= np.diff(graph.indptr).max()


def test_without_factors_it_is_the_bias_model(small):
    ours = SideInformationALS(n_factors=0, groups=(), user_bias_penalty=5.0, item_bias_penalty=5.0, n_iterations=300)
    users, items = np.meshgrid(np.arange(small.n_users), np.arange(small.n_items))
    expected = create("bias").fit(small).predict(users.ravel(), items.ravel())
    np.testing.assert_allclose(ours.fit(small).predict(users.ravel(), items.ravel()), expected, atol=1e-5)


def test_planted_features_are_found_and_carry_over_to_cold_items():
    """Tastes that follow the genres alone: an item without ratings is predicted nearly as well as the others."""
    data = planted_by_genre()
    cold = np.arange(data.n_items) % 5 == 0
    train, test = data.take(~cold[data.items]), data.take(cold[data.items])
    fitted = model(groups=("genres",), item_penalty=100.0).fit(train)
    ours = rmse(test.ratings, fitted.predict(test.users, test.items))
    plain = model(groups=()).fit(train)
    without = rmse(test.ratings, plain.predict(test.users, test.items))
    bias = rmse(test.ratings, create("bias").fit(train).predict(test.users, test.items))
    assert ours < 0.4 * bias
    assert without > 0.9 * bias


def planted_by_genre():
    data = planted_interactions(n_users=60, n_items=80, density=0.6, rank=1, seed=5)
    matrix = feature_groups(data, ["genres"])[0].matrix.toarray()
    rng = np.random.default_rng(6)
    taste = rng.normal(size=(data.n_users, matrix.shape[1])) @ matrix.T
    ratings = np.clip(3 + 0.9 * taste + 0.1 * rng.normal(size=taste.shape), 1, 5)
    return data.with_ratings(ratings[data.users, data.items], (1, 5))


def test_a_cold_item_takes_after_its_neighbours_in_the_graph(small):
    settings = model(groups=(), graph_group="genres", graph_strength=5.0, graph_neighbours=3, n_iterations=5)
    fitted = settings.fit(small)
    cold = small.n_items - 1
    assert small.item_counts[cold] == 0
    matrix = feature_groups(small, ["genres"])[0].matrix
    weights = cosine_graph(matrix, top_k=3).toarray()[cold]
    expected = 5 * weights @ fitted.item_factors_ / (0.7 + 5 * weights.sum())
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(fitted.item_factors_[cold], expected, atol=0.05 * np.abs(expected).max())


def test_early_stopping_keeps_the_best_iteration(planted):
    split = per_user_holdout(planted)
    fitted = model(groups=(), user_penalty=0.01, item_penalty=0.01, n_factors=8, n_iterations=60).fit(
        split.train, validation=split.test
    )
    errors = fitted.validation_rmse_
    assert 10 <= len(errors) < 60
    assert fitted.n_iterations_ == np.argmin(errors) + 1
    found = rmse(split.test.ratings, split.test.scale.clip(fitted.predict(split.test.users, split.test.items)))
    assert found == pytest.approx(errors.min(), abs=1e-12)
    assert errors[-2] - errors[-1] < 1e-4
    assert (errors[9:-2] - errors[10:-1] >= 1e-4).all()


def test_projections_rest_between_their_updates(small):
    settings = {"groups": ("genres",), "n_iterations": 3}
    every = model(update_projections_every=1, **settings).fit(small)
    seldom = model(update_projections_every=3, **settings).fit(small)
    once = model(update_projections_every=3, groups=("genres",), n_iterations=1).fit(small)
    assert np.array_equal(seldom.projection_genres_, once.projection_genres_)
    assert not np.array_equal(every.projection_genres_, once.projection_genres_)


def test_parameters_counted_are_those_learned(small):
    fitted = model(groups=("genres", "raters"), feature_biases=True).fit(small)
    n_genres = fitted.projection_genres_.shape[0]
    rows = small.n_users + small.n_items
    assert fitted.n_parameters_ == rows * (1 + 3) + (n_genres + small.n_users) * 4


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"n_factors": -1}, "n_factors"),
        ({"user_penalty": -0.1}, "user_penalty"),
        ({"item_penalty": np.nan}, "item_penalty"),
        ({"projection_penalties": {"genres": 1.0}}, "year"),
        ({"projection_penalties": -1.0}, "projection penalty"),
        ({"projection_penalties": {"genres": -1.0, "year": 1.0}}, "genres"),
        ({"groups": ("genre",)}, "genres"),
        ({"groups": ("tags",)}, "tags"),
        ({"graph_group": "age"}, "graph_group"),
        ({"update_projections_every": 0}, "update_projections_every"),
        ({"graph_neighbours": 0}, "graph_neighbours"),
        ({"graph_epsilon": -1.0}, "graph_epsilon"),
    ],
)
def test_a_wrong_parameter_is_named(small, wrong, told):
    with pytest.raises(ValueError, match=told):
        model(**wrong).fit(small)


def test_ids_and_ratings_of_the_test_set_stay_out_of_the_implicit_sets(planted):
    """A leak planted on purpose would show: sets made from train differ from sets made from all ratings."""
    split = per_user_holdout(planted)
    groups = {g.name: g.matrix for g in feature_groups(split.train, ["raters", "rated"])}
    assert groups["rated"].nnz == groups["raters"].nnz == len(split.train)
    leaked = groups["rated"].toarray()[split.test.users, split.test.items]
    assert not leaked.any()
