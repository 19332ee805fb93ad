"""SVD and SVD++ against scikit-surprise, and an epoch of SVD++ on ten times the ratings.

On MovieLens 100K both sides do the same: same start, order, epochs and double precision, so that their predictions must agree to
rounding error before a ratio is given. Making scikit-surprise's own data structure is not timed; it may keep its lists of films
(``cache_ratings``). On MovieLens 1M its SVD++, quadratic in a user's ratings, would take hours: there the peer is its plain SVD,
which has less to do, and ours is as the study trains it, shuffled and in single precision.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import surprise

from benchmarks.pairs import PAIRS, Side, compare
from lib.data.dataset import load
from lib.data.interactions import Interactions
from lib.models import create

SMALL, LARGE = "ml-100k", "ml-1m"
EPOCHS, RATE, PENALTY = 20, 0.007, 0.02
LARGE_FACTORS = 50
ALIKE = 1e-6
"""Largest difference of two predictions that are the same."""


def run() -> list[dict]:
    data = load(SMALL).interactions
    trainset = _trainset(data)
    same = {"n_epochs": EPOCHS, "lr_all": RATE, "reg_all": PENALTY}
    rows = [
        _same("svd_fit", "biased_svd", 100, ("bias", "factor"), surprise.SVD, data, trainset, same, PAIRS),
        _same(
            "svdpp_fit", "svdpp", 20, ("bias", "factor", "implicit"), surprise.SVDpp, data, trainset,
            {**same, "cache_ratings": True}, 3,
        ),
    ]  # fmt: skip
    large = load(LARGE).interactions
    trainset = _trainset(large)
    create("svdpp", n_factors=LARGE_FACTORS, n_epochs=1).fit(large.take(np.arange(1000)))

    def ours(seed: int):
        return create("svdpp", n_factors=LARGE_FACTORS, n_epochs=1, seed=seed).fit(large)

    def theirs(seed: int):
        return surprise.SVD(n_factors=LARGE_FACTORS, n_epochs=1, random_state=seed).fit(trainset)

    note = f"{LARGE_FACTORS} factors, fit of one epoch; the peer is plain SVD, without the implicit part"
    sides = Side("svdpp", ours), Side("scikit-surprise", theirs)
    return [*rows, compare("svdpp_epoch", *sides, dataset=LARGE, note=note)]


def _same(name, model, n_factors, groups, peer, data, trainset, options, pairs: int) -> dict:
    """Return the row of two models that must predict the same."""
    parameters = {f"{group}_learning_rate": RATE for group in groups}
    parameters |= {f"{group}_regularisation": PENALTY for group in groups}
    parameters |= {
        "n_epochs": EPOCHS,
        "learning_rate_decay": 1.0,
        "initial_scale": 0.1,
        "n_factors": n_factors,
    }
    create(model, **parameters).fit(data.take(np.arange(1000)))  # compiles

    def ours(seed: int):
        one = create(model, **parameters, seed=seed)
        one.shuffle, one.dtype = False, "float64"
        return one.fit(data)

    def theirs(seed: int):
        return peer(n_factors=n_factors, random_state=seed, **options).fit(trainset)

    gap = _gap(ours(0), theirs(0), trainset, data)
    if not gap < ALIKE:
        raise AssertionError(f"{name}: predictions differ by {gap}; they must agree first")
    ratings = data.ratings.astype(float)

    def error(estimates) -> float:
        return float(np.sqrt(np.mean((estimates - ratings) ** 2)))

    note = f"{n_factors} factors, {EPOCHS} epochs; predictions differ by at most {gap:.0e}; error: training RMSE"
    sides = (
        Side(model, ours, lambda one: error(one.predict(data.users, data.items))),
        Side("scikit-surprise", theirs, lambda one: error(_estimates(one, trainset, data.users, data.items))),
    )
    return compare(name, *sides, dataset=SMALL, note=note, headline=True, pairs=pairs)


def _trainset(data: Interactions) -> surprise.Trainset:
    frame = pd.DataFrame({"user": data.users, "item": data.items, "rating": data.ratings.astype(float)})
    reader = surprise.Reader(rating_scale=data.scale)
    return surprise.Dataset.load_from_df(frame, reader).build_full_trainset()


def _estimates(model, trainset: surprise.Trainset, users, items) -> np.ndarray:
    """Ask scikit-surprise, by its own formula: a call a rating, a user's films summed up each time, would take minutes."""
    inner = (
        {u: trainset.to_inner_uid(u) for u in np.unique(users)},
        {i: trainset.to_inner_iid(i) for i in np.unique(items)},
    )
    own = np.array([inner[0][u] for u in users]), np.array([inner[1][i] for i in items])
    vectors = model.pu.copy()
    if hasattr(model, "yj"):
        for user, rated in trainset.ur.items():
            vectors[user] += model.yj[[film for film, _ in rated]].sum(axis=0) / np.sqrt(len(rated))
    biases = trainset.global_mean + model.bu[own[0]] + model.bi[own[1]]
    return biases + np.einsum("nf,nf->n", vectors[own[0]], model.qi[own[1]])


def _gap(ours, theirs, trainset: surprise.Trainset, data: Interactions) -> float:
    """Largest difference of predictions over some pairs, asked in the libraries' own ways."""
    rng = np.random.default_rng(0)
    users, items = rng.choice(data.users, 500), rng.choice(data.items, 500)
    pairs = zip(users, items, strict=True)
    expected = [theirs.estimate(trainset.to_inner_uid(u), trainset.to_inner_iid(i)) for u, i in pairs]
    return float(np.abs(ours.predict(users, items) - expected).max())


if __name__ == "__main__":
    for row in run():
        print(row)
