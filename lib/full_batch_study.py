"""Project E's experiment run again: which settings are its own, and what is changed in them one at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lib.full_batch import LEARNING_RATES, train_full_batch
from lib.koren_study import answers
from lib.metrics.rating import rmse
from lib.models import create

MODULES = (
    "lib.full_batch_study", "lib.full_batch", "lib.full_batch_objective", "lib.full_batch_kernels", "lib.models.adam",
    "lib.item_similarity", "lib.models.bias", "lib.models.sparse_kernels", "lib.models.sgd_engine",
    "lib.models.sgd_kernels", "lib.models.sgd_schedule", "lib.models.sgd_parameters", "lib.models.biased_svd",
    "lib.models.svdpp",
)  # fmt: skip
"""What a training's outcome depends on, for a grid's ``version``."""

LABELS = {
    "baseline": ("Baseline", "Baseline", ""),
    "correlation": ("CorNgbr", "CorNgbr", ""),
    "svd": ("SVD", "SVD dim {}", "n_factors"),
    "nsvd": ("NSVD", "NSVD dim {}", "n_factors"),
    "neighbourhood": ("Revised neighbourhood", "Revised-Ngbr K={}", "n_neighbours"),
    "asymmetric_svd": ("Asymmetric-SVD", "Asymmetric-SVD dim {}", "n_factors"),
    "svdpp": ("SVD++", "SVD++ dim {}", "n_factors"),
    "integrated": ("Integrated model", "Integrated dim {}", "n_factors"),
}
"""By model: what readers see, how the claims name a row of project E's (with its size), and what the size is."""

SMALL_START = {"initial_scale": 0.1}
STRONGER = {"regulariser": "squared", "weight": 5.0}
"""A penalty on squares that weighs about what the papers' 0.05 a rating comes to for somebody with a hundred ratings."""


def rows_of_e(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return the models and sizes that project E reports, as jobs for `measure` without changes."""
    jobs = []
    for model, (_, _, size) in LABELS.items():
        jobs += [{"model": model, "size": n, "changes": {}} for n in (sizes if size else (0,))]
    return jobs


def figure_name(model: str, size: int) -> str:
    """Return the name under which ``claims.toml`` has project E's test RMSE of a model."""
    return f"{LABELS[model][1].format(size)}/test_rmse"


def one_at_a_time(model: str) -> dict[str, dict[str, Any]]:
    """Return what is changed in E's training of a model, by what readers see; the first is no change.

    Changes of the learning rate are given as ``rate_factor``, on top of that of all rows.
    """
    found: dict[str, dict[str, Any]] = {
        "as E ran it": {},
        "penalty on squares instead of norms": {"regulariser": "squared"},
        "no penalty": {"regulariser": "none"},
        "penalty on squares that weighs something": STRONGER,
        "predictions clipped to the scale": {"clip": True},
        "start a tenth as wide": SMALL_START,
        "learning rate ten times larger": {"rate_factor": 10.0},
        "ten times the epochs": {"epoch_factor": 10},
        "Adam": {"optimiser": "adam", "learning_rate": 0.01},
        "narrow start, penalty": {**SMALL_START, **STRONGER},
        "narrow start, penalty, Adam": {
            **SMALL_START,
            **STRONGER,
            "optimiser": "adam",
            "learning_rate": 0.005,
        },
    }
    if model == "correlation":
        names = (
            "as E ran it",
            "no penalty",
            "start a tenth as wide",
            "learning rate ten times larger",
            "Adam",
        )
        own = {
            "missing ratings left out": {"missing": "left_out"},
            "sum divided by the similarities": {"divide": True},
            "both": {"missing": "left_out", "divide": True},
            "both, biases of the baseline": {"missing": "left_out", "divide": True, "fitted_baseline": True},
        }
        return {name: found[name] for name in names} | own
    if model in ("neighbourhood", "integrated"):
        found |= {
            "missing ratings left out": {"missing": "left_out"},
            "narrow start, penalty, missing ratings left out": {
                **SMALL_START,
                **STRONGER,
                "missing": "left_out",
            },
        }
    if model == "asymmetric_svd":
        found |= {
            "films weighted by the residuals, as in the paper": {"residual_weights": True},
            "narrow start, penalty, residuals": {**SMALL_START, **STRONGER, "residual_weights": True},
        }
    return found


def measure(
    context: Mapping[str, Any], *, model: str, size: int, changes: Mapping[str, Any], seed: int = 0
) -> dict[str, Any]:
    """Train one of E's models.

    Parameters
    ----------
    context : mapping
        ``train``, ``test``, ``n_epochs`` and ``rate_factor``, which E's learning rates are multiplied by.
    size : int
        Factors or neighbours; 0 where the model has neither.
    changes : mapping
        Arguments of `lib.full_batch.train_full_batch`, ``rate_factor`` and ``epoch_factor``.

    Returns
    -------
    dict
        ``train_curve`` and ``test_curve`` (RMSE before and after each epoch, not clipped unless asked for), ``test_rmse``
        and ``train_rmse`` (their last values), ``lowest`` test RMSE, ``start`` (the test RMSE before training),
        ``diverged`` (1 where the training error left the range of floats, or ended above where it began) and ``seconds``.
    """
    changes = dict(changes)
    rate = LEARNING_RATES[model] * context["rate_factor"] * changes.pop("rate_factor", 1.0)
    n_epochs = context["n_epochs"] * changes.pop("epoch_factor", 1)
    sized = {LABELS[model][2]: size} if LABELS[model][2] else {}
    if model == "integrated":
        sized["n_neighbours"] = 10  # E's code leaves it at its default
    start = time.perf_counter()
    found = train_full_batch(
        context["train"], context["test"], model=model, **sized, **{"learning_rate": rate, **changes},
        n_epochs=n_epochs, seed=seed,
    )  # fmt: skip
    return {
        "train_curve": found.train_rmse, "test_curve": found.test_rmse, "train_rmse": float(found.train_rmse[-1]),
        "test_rmse": float(found.test_rmse[-1]), "lowest": float(found.test_rmse.min()),
        "start": float(found.test_rmse[0]),
        "diverged": int(found.diverged or found.train_rmse[-1] > found.train_rmse[0]), "seconds": time.perf_counter() - start,
    }  # fmt: skip


def rating_by_rating(
    context: Mapping[str, Any], *, model: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Train a model of this library by one step a rating.

    Returns
    -------
    dict
        ``test_rmse`` and ``train_rmse`` (clipped), ``diverged`` (0 or 1) and ``seconds``.
    """
    train, test = context["train"], context["test"]
    start = time.perf_counter()
    try:
        fitted = create(model, **parameters).fit(train)
    except FloatingPointError:
        return {
            "test_rmse": np.nan,
            "train_rmse": np.nan,
            "diverged": 1,
            "seconds": time.perf_counter() - start,
        }
    return {
        "test_rmse": rmse(test.ratings, answers(fitted, test)), "train_rmse": rmse(train.ratings, answers(fitted, train)),
        "diverged": 0, "seconds": time.perf_counter() - start,
    }  # fmt: skip
