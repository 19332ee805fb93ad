"""Seconds to fit side-information ALS against cmfrec, the library for factorisation with side information, if it is there.

`run()` returns rows of ``benchmarks.csv``. cmfrec comes as source only, so it is no dependency: install it beside the
project (a C compiler is needed) with ``.venv/bin/python -m pip install cmfrec`` to run this. Its collective model
(``CMF``) is timed, which factorises the features along with the ratings. (Its offsets model, nearer to ours, raises an
error when fitted by alternating least squares in release 3.5.1.post14.) Same ratings, features, number of factors and
alternating iterations, one thread each, and the test RMSE of each in the note: a ratio between models that do not predict
alike would say little.
"""

from __future__ import annotations

import importlib.util
import time

import numba
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lib.data.dataset import load
from lib.data.feature_groups import feature_groups
from lib.data.splits import make_split
from lib.metrics import rmse
from lib.models.side_information.side_information_als import SideInformationALS

DATASET, SPLIT, SEED = "ml-1m", "random_90_10", 42
FACTORS, ITERATIONS, PENALTY = 32, 15, 10.0


def run() -> list[dict]:
    if importlib.util.find_spec("cmfrec") is None:
        print("  left out: cmfrec is not installed (python -m pip install cmfrec)")
        return []
    import cmfrec

    split = make_split(load(DATASET), SPLIT, seed=SEED)
    train, test = split.train, split.test
    features = np.hstack([g.matrix.toarray() for g in feature_groups(train, ["genres", "year"])])
    frame = pd.DataFrame({"UserId": train.users, "ItemId": train.items, "Rating": train.ratings})
    items = pd.DataFrame(features).assign(ItemId=np.arange(train.n_items))
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            ours = SideInformationALS(
                n_factors=FACTORS, n_iterations=ITERATIONS, user_penalty=PENALTY, item_penalty=PENALTY,
                projection_penalties=PENALTY, user_bias_penalty=PENALTY, item_bias_penalty=PENALTY,
            )  # fmt: skip
            ours.fit(train.take(np.arange(5000)))  # compiles
            seconds = _clock(lambda: ours.fit(train))
            error = _error(test, ours.predict(test.users, test.items))
            settings = {
                "k": FACTORS,
                "lambda_": PENALTY,
                "niter": ITERATIONS,
                "nthreads": 1,
                "verbose": False,
            }
            peer = cmfrec.CMF(method="als", **settings)
            peer_seconds = _clock(lambda: peer.fit(frame, I=items))
            peer_error = _error(test, peer.predict(test.users, test.items))
            return [
                {
                        "benchmark": "side_information_als_fit", "subject": "SideInformationALS",
                        "peer": "cmfrec CMF", "subject_seconds": seconds, "peer_seconds": peer_seconds,
                        "ratio": peer_seconds / seconds, "dataset": DATASET,
                        "note": f"{FACTORS} factors, {ITERATIONS} iterations, genres and year, one thread each; test RMSE "
                        f"{error:.4f} against {peer_error:.4f} at penalties of {PENALTY:g}, nothing tuned",
                    }
            ]  # fmt: skip
    finally:
        numba.set_num_threads(threads)


def _clock(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _error(test, predicted: np.ndarray) -> float:
    predicted = np.where(np.isfinite(predicted), predicted, test.ratings.mean())
    return rmse(test.ratings, test.scale.clip(predicted))
