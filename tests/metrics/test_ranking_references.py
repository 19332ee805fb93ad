"""Ranking metrics, user by user, against two libraries that share no code with ours: ranx and trec_eval.

Both look down the list of all of a user's unseen films; trec_eval sorts them itself. Scores are whole numbers without
ties: trec_eval keeps them in single precision and puts tied films in another order (falling id) than we do (rising).
"""

import warnings

import numpy as np
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import evaluate_ranking, top_k

N_USERS, N_ITEMS = 40, 30
KS = (1, 3, 10, 25)
SEEDS = (0, 1, 2)


class World:
    """Users who have rated from nearly nothing to nearly everything, in train and in test."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        activity = rng.uniform(0.1, 0.95, (N_USERS, 1))
        rated = rng.random((N_USERS, N_ITEMS)) < activity
        in_test = rated & (rng.random(rated.shape) < rng.uniform(0.1, 0.9, (N_USERS, 1)))
        ratings = rng.integers(1, 6, rated.shape)
        self.seen, self.relevant = rated & ~in_test, in_test & (ratings >= 4)
        self.train, self.test = (interactions(part, ratings) for part in (self.seen, in_test))
        self.scores = rng.permuted(np.tile(np.arange(1.0, N_ITEMS + 1), (N_USERS, 1)), axis=1)
        self.n_relevant, self.n_unseen = self.relevant.sum(axis=1), (~self.seen).sum(axis=1)

    def ours(self, k):
        ranking = evaluate_ranking(top_k(self.scores, k, self.train.matrix), self.test, train=self.train)
        assert ranking.users.tolist() == np.flatnonzero(self.n_relevant).tolist()
        return ranking

    def judgements(self):
        return {f"u{u:02d}": {f"i{i:02d}": 1 for i in np.flatnonzero(self.relevant[u])} for u in self.users()}

    def run(self):
        unseen = {u: np.flatnonzero(~self.seen[u]) for u in self.users()}
        return {f"u{u:02d}": {f"i{i:02d}": self.scores[u, i] for i in unseen[u]} for u in self.users()}

    def users(self):
        """Users with a relevant test film: the others are in no mean of ours."""
        return np.flatnonzero(self.n_relevant).tolist()


def interactions(chosen, ratings):
    users, items = np.nonzero(chosen)
    ids = np.arange(N_USERS), np.arange(N_ITEMS)
    return Interactions(users, items, ratings[chosen], np.zeros(len(users)), *ids, RatingScale(1, 5))


@pytest.fixture(scope="module", params=SEEDS)
def world(request):
    return World(request.param)


def test_the_worlds_hold_the_cases_that_conventions_differ_in(world):
    users = world.users()
    assert len(users) < N_USERS
    assert (world.n_unseen[users] < 25).any(), "a list shorter than k"
    assert (world.n_relevant[users] > 10).any(), "more relevant films than k"
    assert (world.n_relevant[users] == 1).any()


def over_relevant(values, world, k):
    """Average precision divided by R, as both libraries do, from ours, which is divided by min(k, R)."""
    n_relevant = world.n_relevant[world.users()]
    return values * np.minimum(n_relevant, k) / n_relevant


def test_agrees_with_trec_eval(world):
    import pytrec_eval

    cuts = ",".join(map(str, KS))
    names = [f"{name}.{cuts}" for name in ("P", "recall", "ndcg_cut", "map_cut", "success")]
    evaluator = pytrec_eval.RelevanceEvaluator(world.judgements(), {*names, "recip_rank"})
    by_user = evaluator.evaluate(world.run())
    assert sorted(by_user) == [f"u{u:02d}" for u in world.users()]
    for k in KS:
        ours = world.ours(k).values
        found = {
            name: np.array([by_user[user][name.replace("_k", f"_{k}")] for user in sorted(by_user)])
            for name in ("P_k", "recall_k", "ndcg_cut_k", "map_cut_k", "success_k", "recip_rank")
        }
        # trec_eval knows no cut reciprocal rank: it looks down the whole list, where ours stops at k.
        found["recip_rank"][found["recip_rank"] < 1 / k] = 0
        pairs = {
            "P_k": ours["precision"],
            "recall_k": ours["recall"],
            "ndcg_cut_k": ours["ndcg"],
            "map_cut_k": over_relevant(ours["map"], world, k),
            "success_k": ours["hit_rate"],
            "recip_rank": ours["mrr"],
        }
        assert len(pairs) == 6
        for name, values in pairs.items():
            np.testing.assert_allclose(values, found[name], atol=1e-12, err_msg=f"{name}, k={k}")


@pytest.fixture(scope="module")
def ranx_metrics():
    """ranx's functions as the Python they are written in: compiling them takes a hundred times as long."""
    import numba

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in its strings
        patch.setattr(numba.config, "DISABLE_JIT", True)
        from ranx import metrics
    return metrics


def test_agrees_with_ranx(world, ranx_metrics):
    users = world.users()
    judged, run = [], []
    for user in users:
        relevant = np.flatnonzero(world.relevant[user])
        unseen = np.flatnonzero(~world.seen[user])
        best_first = unseen[np.argsort(-world.scores[user, unseen])]
        judged.append(np.column_stack([relevant, np.ones(len(relevant))]))
        run.append(np.column_stack([best_first, world.scores[user, best_first]]))
    for k in KS:
        ours = world.ours(k).values
        pairs = {
            "precision": ours["precision"],
            "recall": ours["recall"],
            "ndcg": ours["ndcg"],
            "average_precision": over_relevant(ours["map"], world, k),
            "hit_rate": ours["hit_rate"],  # 0 or 1 a user, as ours; its `hits` counts them
            "reciprocal_rank": ours["mrr"],  # cut at k, as ours
        }
        assert len(pairs) == 6
        for name, values in pairs.items():
            found = getattr(ranx_metrics, name)(judged, run, k)
            np.testing.assert_allclose(values, found, atol=1e-12, err_msg=f"{name}, k={k}")


@pytest.mark.parametrize("k", KS)
def test_coverage_and_novelty_against_loops(world, k):
    ranking = world.ours(k)
    listed, novelty = set(), {}
    for user in range(N_USERS):
        left = [item for item in range(N_ITEMS) if not world.seen[user][item]]
        best = sorted(left, key=lambda item: -world.scores[user][item])[:k]
        listed.update(best)
        bits = []
        for item in best:
            raters = sum(bool(world.seen[other][item]) for other in range(N_USERS))
            bits.append(-np.log2((raters + 1) / (N_USERS + 1)))
        novelty[user] = sum(bits) / len(bits)
    assert ranking.coverage == len(listed) / N_ITEMS
    np.testing.assert_allclose(ranking.values["novelty"], [novelty[user] for user in world.users()])
