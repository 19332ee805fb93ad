"""Models of ratings: matrix factorisation by gradient descent, alternating least squares with side information, a factorisation machine.

Both sides have the same ratings, numbers of factors and passes, and nothing is tuned beyond what makes their errors comparable:
each row says what either reached. cornac's descent goes over the ratings in one random order, ours user by user.
"""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.pairs import Side, compare, installed, rating_error
from lib.data.dataset import load
from lib.data.feature_groups import feature_groups
from lib.data.splits import Split, make_split
from lib.models import create

FACTORS, EPOCHS = 50, 20
SIDE_FACTORS, ITERATIONS, PENALTY = 32, 15, 10.0


def run() -> list[dict]:
    split = make_split(load("ml-1m"), "random_90_10", seed=42)
    small = split.train.take(np.arange(5000))
    rows = []
    if installed("cornac"):
        rows.append(_descent(split, small))
    if installed("cmfrec"):
        rows += [_least_squares(split, small, threads) for threads in (1, 2)]
    if installed("myfm"):
        rows += _machines(make_split(load("ml-100k"), "u1"))
    return rows


def _ours(name: str, split: Split, **parameters) -> Side:
    takes_seed = "seed" in create(name).parameters

    def fit(seed: int):
        return create(name, **parameters, **({"seed": seed} if takes_seed else {})).fit(split.train)

    def error(model) -> float:
        return rating_error(split, model.predict(split.test.users, split.test.items, split.test.timestamps))

    return Side(name, fit, error)


def _descent(split: Split, small) -> dict:
    import cornac

    create("biased_svd", n_factors=FACTORS, n_epochs=1).fit(small)  # compiles
    train, test = split.train, split.test
    triples = zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True)
    data = cornac.data.Dataset.from_uir(list(triples), seed=0)

    def fit(seed: int):
        options = {
            "k": FACTORS,
            "max_iter": EPOCHS,
            "learning_rate": 0.01,
            "lambda_reg": 0.02,
            "use_bias": True,
        }
        return cornac.models.MF(**options, num_threads=1, seed=seed, verbose=False).fit(data)

    def error(model) -> float:
        users = np.array([data.uid_map.get(u, -1) for u in test.users.tolist()])
        items = np.array([data.iid_map.get(i, -1) for i in test.items.tolist()])
        found = data.global_mean + model.u_biases[users] + model.i_biases[items]
        found += np.einsum("nf,nf->n", model.u_factors[users], model.i_factors[items])
        return rating_error(split, np.where((users < 0) | (items < 0), np.nan, found))

    note = f"{FACTORS} factors, {EPOCHS} epochs; error: test RMSE"
    same = {"bias_learning_rate": 0.01, "factor_learning_rate": 0.01, "learning_rate_decay": 1.0}
    same |= {"bias_regularisation": 0.02, "factor_regularisation": 0.02, "initial_scale": 0.01}
    ours = _ours("biased_svd", split, n_factors=FACTORS, n_epochs=EPOCHS, **same)
    return compare("mf", ours, Side("cornac", fit, error), dataset="ml-1m", note=note, headline=True)


def _least_squares(split: Split, small, threads: int) -> dict:
    import cmfrec

    train, test = split.train, split.test
    penalties = dict.fromkeys(
        ("user_penalty", "item_penalty", "projection_penalties", "user_bias_penalty", "item_bias_penalty"),
        PENALTY,
    )
    parameters = {"n_factors": SIDE_FACTORS, "n_iterations": ITERATIONS, **penalties}
    create("side_information_als", **parameters).fit(small)  # compiles
    features = np.hstack([group.matrix.toarray() for group in feature_groups(train, ["genres", "year"])])
    frame = pd.DataFrame({"UserId": train.users, "ItemId": train.items, "Rating": train.ratings})
    items = pd.DataFrame(features).assign(ItemId=np.arange(train.n_items))

    def fit(seed: int):
        options = {"k": SIDE_FACTORS, "lambda_": PENALTY, "niter": ITERATIONS, "nthreads": threads}
        model = cmfrec.CMF(method="als", random_state=seed + 1, verbose=False, **options)
        model.fit(frame, I=items)
        return model

    peer = Side("cmfrec", fit, lambda model: rating_error(split, model.predict(test.users, test.items)))
    note = (
        f"{SIDE_FACTORS} factors, {ITERATIONS} iterations, genres and year, penalties of {PENALTY:g}; error: test RMSE"
    )
    ours = _ours("side_information_als", split, **parameters)
    return compare("als_side", ours, peer, dataset="ml-1m", note=note, threads=threads, headline=threads == 1)


def _machines(split: Split) -> list[dict]:
    rows = []
    for ordinal in (False, True):
        name = "timed_factorisation_machine"
        model = create(name, ordinal=ordinal, n_iterations=2, n_samples=1).fit(split.train)  # compiles
        ours = _ours(name, split, ordinal=ordinal)
        peer = _myfm(split, model, create(name).parameters, ordinal)
        note = (
            f"rank 10, 150 sweeps, 100 kept, users, films, implicit sets, days and sittings, "
            f"{'ordered probit' if ordinal else 'normal noise'}; error: test RMSE"
        )
        rows.append(compare("factorisation_machine", ours, peer, dataset="ml-100k", note=note, headline=not ordinal))
    return rows


def _myfm(split: Split, model, parameters, ordinal: bool) -> Side:
    """Give the library the same features, made outside of what is timed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        import myfm
    train, test = split.train, split.test
    sides, values = model._sides(train), np.unique(train.ratings)
    n_moments = len(model.days_) + int(model.sitting_counts_.sum())

    def indicators(data) -> sparse.csr_matrix:
        moments = model._moments(data.users, data.timestamps)
        known = moments >= 0
        rows = np.repeat(np.arange(len(moments)), moments.shape[1])[known.ravel()]
        return sparse.csr_matrix((np.ones(len(rows)), (rows, moments[known])), (len(moments), n_moments))

    def relations(data) -> list:
        return [
            myfm.RelationBlock(codes, side.matrix) for codes, side in zip((data.users, data.items), sides, strict=True)
        ]

    target = np.searchsorted(values, train.ratings) if ordinal else train.ratings.astype(float)
    sizes = [len(model.days_), *model.sitting_counts_.tolist(), *(n for side in sides for n in side.sizes)]
    told, asked = (indicators(train), relations(train)), (indicators(test), relations(test))

    def fit(seed: int):
        kind = myfm.MyFMOrderedProbit if ordinal else myfm.MyFMGibbsRegressor
        machine = kind(rank=parameters["n_factors"], random_seed=seed)
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar can't be switched off
            return machine.fit(
                told[0], target, X_rel=told[1], n_iter=parameters["n_iterations"],
                n_kept_samples=parameters["n_samples"], group_shapes=sizes, callback=lambda *_: (False, ""),
            )  # fmt: skip

    def error(machine) -> float:
        found = machine.predict_proba(*asked) @ values if ordinal else machine.predict(*asked)
        return rating_error(split, found)

    return Side("myfm", fit, error)


if __name__ == "__main__":
    for row in run():
        print(row)
