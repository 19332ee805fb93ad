"""Project E's experiment run again: which settings are its own, and what is changed in them one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lib.experiment.fit import Fit, Fitted, Stopping
from lib.studies.full_batch import LEARNING_RATES

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


PICTURED = (
    "as E ran it",
    "no penalty",
    "penalty on squares that weighs something",
    "Adam",
    "start a tenth as wide",
    "narrow start, penalty, Adam",
)
"""Changes (`one_at_a_time`) whose curves are drawn."""


def rows_of_e(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return the models and sizes that project E reports, for `training`; a size of 0 where a model has none."""
    return [{"model": m, "size": n} for m, (_, _, size) in LABELS.items() for n in (sizes if size else (0,))]


def figure_name(model: str, size: int) -> str:
    """Return the name under which ``claims.toml`` has project E's test RMSE of a model."""
    return f"{LABELS[model][1].format(size)}/test_rmse"


def one_at_a_time(model: str) -> dict[str, dict[str, Any]]:
    """Return what is changed in E's training of a model, by what readers see; the first is no change.

    Changes of the learning rate are given as ``rate_factor``, on top of that of all rows.
    """
    narrow, left_out = {**SMALL_START, **STRONGER}, {"missing": "left_out"}
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
        "narrow start, penalty": narrow,
        "narrow start, penalty, Adam": {**narrow, "optimiser": "adam", "learning_rate": 0.005},
    }
    if model == "correlation":
        kept = (
            "as E ran it",
            "no penalty",
            "start a tenth as wide",
            "learning rate ten times larger",
            "Adam",
        )
        return {name: found[name] for name in kept} | {
            "missing ratings left out": left_out,
            "sum divided by the similarities": {"divide": True},
            "both": {**left_out, "divide": True},
            "both, biases of the baseline": {**left_out, "divide": True, "fitted_baseline": True},
        }
    if model in ("neighbourhood", "integrated"):
        found["missing ratings left out"] = left_out
        found["narrow start, penalty, missing ratings left out"] = {**narrow, **left_out}
    if model == "asymmetric_svd":
        found["films weighted by the residuals, as in the paper"] = {"residual_weights": True}
        found["narrow start, penalty, residuals"] = {**narrow, "residual_weights": True}
    return found


def training(
    model: str, size: int, changes: Mapping[str, Any], *, n_epochs: int, rate_factor: float, seed: int
) -> Fit:
    """Return the training of one of E's models, measured by `course`.

    `size` is 0 where the model has neither factors nor neighbours. `changes` are hyperparameters of
    `lib.studies.full_batch.FullBatch`, ``rate_factor`` and ``epoch_factor``; E's learning rates are multiplied by
    `rate_factor`.
    """
    changed = dict(changes)
    rate = LEARNING_RATES[model] * rate_factor * changed.pop("rate_factor", 1.0)
    n_epochs = n_epochs * changed.pop("epoch_factor", 1)
    sized = {LABELS[model][2]: size} if LABELS[model][2] else {}
    if model == "integrated":
        sized["n_neighbours"] = 10  # E's code leaves it at its default
    return Fit(
        "lib.studies.full_batch:FullBatch",
        {"kind": model, **sized, "learning_rate": rate, **changed, "n_epochs": n_epochs},
        seed=seed,
        stopping=Stopping(validation="test", refit=False),  # E follows its test error; nothing stops by it
        measure={f"{__name__}:course": {}},
        labels={"model": model, "size": size, "changes": dict(changes), "seed": seed},
    )


def course(fitted: Fitted) -> dict[str, Any]:
    """Tell how one of E's trainings went.

    Returns
    -------
    dict
        ``test_curve`` (RMSE before and after each epoch, not clipped unless asked for), ``test_rmse`` and
        ``train_rmse`` (after the last), ``lowest`` test RMSE, ``start`` (the test RMSE before training) and
        ``diverged`` (1 where the training error left the range of floats, or ended above where it began).
    """
    model = fitted.model
    train, test = model.train_rmse_, model.validation_rmse_
    found = {"train_rmse": train[-1], "test_rmse": test[-1], "lowest": test.min(), "start": test[0]}
    diverged = int(model.diverged_ or train[-1] > train[0])
    return {"test_curve": test, **{name: float(value) for name, value in found.items()}, "diverged": diverged}


def rating_by_rating(model: str, *, n_factors: int, initial_scale: float, seed: int) -> Fit:
    """Return the fit of a model of this library by one step a rating; a record with a ``failure`` has diverged."""
    parameters = {"n_factors": n_factors, "initial_scale": initial_scale}
    return Fit(
        model, parameters, seed=seed, measure={"errors": {}}, records_errors=("FloatingPointError",),
        labels={"model": model, **parameters},
    )  # fmt: skip
