"""A row of the table: ours and the peer in turn, several times in one run, with the errors that both reach."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from lib.data.splits import Split
from lib.metrics import evaluate_ranking, rmse, top_k

PAIRS = 5
"""How often both sides are timed, in turn, each time with another seed; medians count."""

COLUMNS = (
    "benchmark", "subject", "peer", "subject_seconds", "peer_seconds", "ratio", "dataset", "threads", "error",
    "peer_error", "headline", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """Ours, or the peer.

    Parameters
    ----------
    name : str
        What is timed; of a peer, the package as ``pip`` calls it.
    fit : callable
        Takes a seed; all of it is timed.
    error : callable, optional
        Takes what `fit` returned; the lower the better.
    repeats : int
        How often it is timed in a pair, the median of which counts: for what is over within a second, while the peer takes
        a minute, over which the machine's whims average out.
    """

    name: str
    fit: Callable[[int], Any]
    error: Callable[[Any], float] | None = None
    repeats: int = 1


def compare(
    benchmark: str, ours: Side, peer: Side, *, dataset: str, note: str, threads: int = 1, headline: bool = False,
    pairs: int = PAIRS,
) -> dict[str, Any]:  # fmt: skip
    """Time both sides in turn, and return their row.

    `headline` marks the row that counts of several with the same name. A ratio above 1 says that ours is faster.
    """
    seconds, errors = [], []
    with on_threads(threads):
        for seed in range(pairs):
            made = [[clocked(side.fit, seed) for _ in range(side.repeats)] for side in (ours, peer)]
            seconds.append([np.median([one for one, _ in of]) for of in made])
            found = zip((ours, peer), made, strict=True)
            errors.append([side.error(of[-1][1]) if side.error else np.nan for side, of in found])
    own, other = np.median(seconds, axis=0)
    error, peer_error = np.mean(errors, axis=0)
    ratio = np.median([theirs / mine for mine, theirs in seconds])
    several = f", ours the median of {ours.repeats} fits in each" if ours.repeats > 1 else ""
    return {
        "benchmark": benchmark, "subject": ours.name, "peer": peer.name, "subject_seconds": own, "peer_seconds": other,
        "ratio": ratio, "dataset": dataset, "threads": threads, "error": error, "peer_error": peer_error,
        "headline": "yes" if headline else "",
        "note": f"{note}; {of_version(peer.name)}median of {pairs} pairs{several}",
    }  # fmt: skip


def clocked(work: Callable, *arguments: Any) -> tuple[float, Any]:
    """Return seconds and result."""
    start = time.perf_counter()
    found = work(*arguments)
    return time.perf_counter() - start, found


def of_version(package: str) -> str:
    """Say which version was timed; nothing for what is not a package."""
    try:
        return f"{package} {version(package)}, "
    except (ValueError, ModuleNotFoundError):
        return ""


@contextmanager
def on_threads(n: int) -> Iterator[None]:
    """Give BLAS and numba so many threads."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    try:
        with threadpool_limits(n):
            yield
    finally:
        numba.set_num_threads(before)


def installed(package: str) -> bool:
    """Whether a peer that is no dependency is there; if not, say how it gets there."""
    there = importlib.util.find_spec(package) is not None
    if not there:
        print(f"  left out: {package} is not installed (python -m pip install -r benchmarks/requirements.txt)")
    return there


def rating_error(split: Split, predicted: np.ndarray) -> float:
    """RMSE on the test ratings, clipped to the scale; the mean rating where there is no prediction."""
    predicted = np.where(np.isfinite(predicted), predicted, split.train.ratings.mean())
    return rmse(split.test.ratings, split.test.scale.clip(predicted))


def list_error(split: Split, scores: np.ndarray) -> float:
    """One less nDCG at 10 of everybody's list over the whole catalogue, films rated in train left out."""
    found = evaluate_ranking(top_k(scores, 10, split.train.matrix), split.test)
    return 1 - found.metrics()["ndcg@10"]
