"""myFM fitted again as its notebooks have it, and on our own split; our timed machine on theirs: the page of anchors reads them.

``python -m benchmarks anchors`` makes those that are missing, up to 40 minutes of one core and 3 GB each, and
``python -m lib.experiment.upkeep`` then keeps them with the project. Nothing is timed side by side, so that none is a row
of the table; the benchmark runs only where it is named.
"""

from __future__ import annotations

from typing import Any

from benchmarks.myfm_models import STUDIES
from benchmarks.pairs import installed
from lib.data.dataset import load
from lib.data.splits import make_split, shuffled_fold
from lib.experiment.fit import Fit
from lib.experiment.protocol import parts_of
from lib.experiment.run import run_fits
from lib.studies.contenders import chosen_from

GROUP, OURS = "anchors", "timed_factorisation_machine"
HERE = "benchmarks.myfm_models"
ITERATIONS = 512
THEIRS = "kfold_10"  # the notebook's own split: the first of ten folds
FITS = (  # data, split and rank; the first and the last are those of the published errors
    ("ml-100k", "u1", 10),
    ("ml-100k", "u1", 32),
    ("ml-1m", "random_90_10", 10),
    ("ml-1m", THEIRS, 10),
    ("ml-1m", THEIRS, 32),
)


def run() -> list[dict]:
    """Make what is missing, and print what it came to."""
    if installed("myfm"):
        for found in run_fits(fits(), parts(), keep=GROUP):
            told = "{dataset}, {split}, {model}, rank {rank}: test RMSE {test_rmse:.4f}, {seconds_fit:.0f} s"
            print("  " + told.format(**found), flush=True)
    return []


def fits(n_iterations: int = ITERATIONS) -> list[Fit]:
    """Return the fits: the library's, and ours with the parameters and the random start of the one table."""
    errors = {"parts": ["test"], "metrics": ["rmse", "mae"]}
    measure: dict[str, Any] = {"by_user": {}, "errors": errors, f"{HERE}:counts": {}}
    found = []
    for dataset, split, rank in FITS:
        described = dataset == "ml-100k"
        kept = n_iterations if described else max(n_iterations - 5, 1)  # as many samples as its notebook keeps
        parameters = {"rank": rank, "study": STUDIES[not described], "n_iterations": n_iterations, "n_samples": kept}
        told = {"labels": _labels(dataset, split, "myfm", rank), **_of(dataset, split)}
        told["prepare"] = (f"{HERE}:as_asked", {}) if split == THEIRS else None
        unclipped = {f"{HERE}:unclipped": {}} if described else {}
        found.append(Fit(f"{HERE}:Myfm", parameters, seed=42, measure=measure | unclipped, **told))
    ours = dict(chosen_from(only=[OURS])[OURS].fixed)
    told = {"labels": _labels("ml-1m", THEIRS, OURS, ours["n_factors"]), **_of("ml-1m", THEIRS)}
    return [*found, Fit(OURS, ours, seed=0, measure=measure, **told)]


def _labels(dataset: str, split: str, model: str, rank: int) -> dict[str, Any]:
    return {"dataset": dataset, "split": split, "model": model, "rank": rank}


def _of(dataset: str, split: str) -> dict[str, str]:
    return {side: f"{dataset}/{split}/{side}" for side in ("train", "test")}


def parts() -> dict[str, Any]:
    """Return the ratings of the splits; theirs of MovieLens 1M is the first of ten folds that numpy's seed 0 shuffles."""
    large = load("ml-1m")
    splits = {
        "ml-100k/u1": make_split(load("ml-100k"), "u1"),
        "ml-1m/random_90_10": make_split(large, "random_90_10", seed=42),
        f"ml-1m/{THEIRS}": shuffled_fold(large.interactions, fold=1, n_folds=10, seed=0),
    }
    return parts_of(splits)
