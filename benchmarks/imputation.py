"""Speed of Soft-Impute and Hard-Impute against fancyimpute, at project A's settings on its split.

`run()` returns rows of ``benchmarks.csv``. Both sides solve the same problem: the objectives must agree before a ratio
is given. Ours is the median of three fits after a warm-up that compiles its kernels; fancyimpute, a minute long, is
fitted once. Both have one BLAS thread: two gain fancyimpute little on two cores, and lose it much beside other work.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from threadpoolctl import threadpool_limits

from lib.data.dataset import load
from lib.data.splits import make_split
from lib.models.imputation.hard_impute import HardImpute
from lib.models.imputation.imputation_reference import ReferenceIterativeSVD, ReferenceSoftImpute
from lib.models.imputation.soft_impute import SoftImpute

DATASET, SPLIT, SEED = "ml-100k", "per_user_80_20", 42


def run() -> list[dict]:
    train = make_split(load(DATASET), SPLIT, seed=SEED).train
    small = train.take(np.arange(2000))
    pairs = [
        (
            "soft_impute_fit",
            SoftImpute(),
            ReferenceSoftImpute(),
            "lambda 10, user-centred, at most 100 iterations",
        ),
        (
            "hard_impute_fit",
            HardImpute(),
            ReferenceIterativeSVD(),
            "rank 3, user-centred, at most 100 iterations",
        ),
    ]
    rows = []
    for name, ours, theirs, note in pairs:
        ours.fit(small)  # compiles the kernels
        seconds = statistics.median(_clock(ours, train) for _ in range(3))
        peer_seconds = _clock(theirs, train)
        if not np.isclose(ours.objective_, theirs.objective_, rtol=1e-3):
            raise AssertionError(
                f"{name}: objectives {ours.objective_} and {theirs.objective_} must agree first"
            )
        distance = ours.objective_ / theirs.objective_ - 1
        rows.append(
            {
                "benchmark": name, "subject": type(ours).__name__, "peer": f"fancyimpute {type(theirs).__name__[9:]}",
                "subject_seconds": seconds, "peer_seconds": peer_seconds, "ratio": peer_seconds / seconds,
                "dataset": DATASET, "note": f"{note}; one thread each; our objective is {distance:+.1e} from theirs, relatively",
            }
        )  # fmt: skip
    return rows


def _clock(model, train) -> float:
    with threadpool_limits(1, user_api="blas"):
        start = time.perf_counter()
        model.fit(train)
        return time.perf_counter() - start


if __name__ == "__main__":
    for row in run():
        print(row)
