"""Project E's experiment run again: which settings are its own, and what is changed in them one at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lib.experiment.fit import Fit, Fitted, Stopping

LABELS = {  # what readers see, how the claims name E's row (with its size), what the size is, E's learning rate
    "baseline": ("Baseline", "Baseline", "", 2e-3),
    "correlation": ("CorNgbr", "CorNgbr", "", 2e-3),
    "svd": ("SVD", "SVD dim {}", "n_factors", 5e-5),
    "nsvd": ("NSVD", "NSVD dim {}", "n_factors", 5e-6),
    "neighbourhood": ("Revised neighbourhood", "Revised-Ngbr K={}", "n_neighbours", 5e-6),
    "asymmetric_svd": ("Asymmetric-SVD", "Asymmetric-SVD dim {}", "n_factors", 5e-7),
    "svdpp": ("SVD++", "SVD++ dim {}", "n_factors", 5e-7),
    "integrated": ("Integrated model", "Integrated dim {}", "n_factors", 5e-7),
}

SMALL_START = {"initial_scale": 0.1}
STRONGER = {"regulariser": "squared", "weight": 5.0}  # about the papers' 0.05 a rating for who has a hundred ratings

PICTURED = (  # changes (`one_at_a_time`) whose curves are drawn
    "as E ran it",
    "no penalty",
    "penalty on squares that weighs something",
    "Adam",
    "start a tenth as wide",
    "narrow start, penalty, Adam",
)

SMALLEST = 10  # factors or neighbours of trainings that are always run again; those of larger models are kept


def rows_of_e(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return the models and sizes that project E reports, for `training`; a size of 0 where a model has none."""
    return [{"model": m, "size": n} for m, (*_, size, _) in LABELS.items() for n in (sizes if size else (0,))]


def figure_name(model: str, size: int) -> str:
    """Return the name under which ``claims.toml`` has project E's test RMSE of a model."""
    return f"{LABELS[model][1].format(size)}/test_rmse"


def one_at_a_time(model: str) -> dict[str, dict[str, Any]]:
    """Return what is changed in E's training of a model, by what readers see; the first is no change."""
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
        "gradients clipped at 1": {"clip_gradient": 1.0, "rate_factor": 100.0},
        "gradient's length clipped at 1": {"clip_gradient": 1.0, "clip_by": "norm", "rate_factor": 1e4},
        "Adam": {"optimiser": "adam", "learning_rate": 0.01},
        "narrow start, penalty": narrow,
        "narrow start, penalty, Adam": {**narrow, "optimiser": "adam", "learning_rate": 0.005},
    }
    if model == "correlation":
        kept = "as E ran it", "no penalty", "start a tenth as wide", "learning rate ten times larger", "Adam"
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


def training(model: str, size: int, changes: Mapping[str, Any], *, n_epochs: int, rate_factor: float, seed: int) -> Fit:
    """Return the training of one of E's models, measured by `course`.

    `size` is 0 where the model has neither factors nor neighbours. `changes` are hyperparameters of `FullBatch`,
    ``rate_factor`` and ``epoch_factor``; E's learning rates are multiplied by `rate_factor` too.
    """
    *_, sized, rate = LABELS[model]
    changed = dict(changes)
    rate = rate * rate_factor * changed.pop("rate_factor", 1.0)
    n_epochs *= changed.pop("epoch_factor", 1)
    parameters = {"kind": model, **({sized: size} if sized else {})}
    if model == "integrated":
        parameters["n_neighbours"] = 10  # E's code leaves it at its default
    parameters |= {"learning_rate": rate, **changed, "n_epochs": n_epochs}
    stopping = Stopping(validation="test", refit=False)  # E follows its test error; nothing stops by it
    fit = Fit("lib.studies.full_batch:FullBatch", parameters, seed, stopping=stopping)
    labels = {"model": model, "size": size, "changes": dict(changes), "seed": seed}
    keep = "full_batch" if size > SMALLEST else ""  # minutes, on top of the smallest's
    return replace(fit, measure={f"{__name__}:course": {}}, labels=labels, keep=keep)


def course(fitted: Fitted) -> dict[str, Any]:
    """Return ``test_curve``, RMSEs before and after each epoch, its ends, and ``diverged``: 1 for overflow or a rise."""
    model = fitted.model
    train, test = model.train_rmse_, model.validation_rmse_
    found = {"train_rmse": train[-1], "test_rmse": test[-1], "lowest": test.min(), "start": test[0]}
    diverged = int(model.diverged_ or train[-1] > train[0])
    return {"test_curve": test, **{name: float(value) for name, value in found.items()}, "diverged": diverged}


def rating_by_rating(model: str, *, n_factors: int, initial_scale: float, seed: int) -> Fit:
    """Return the fit of a model of this library by one step a rating; a record with a ``failure`` has diverged."""
    parameters = {"n_factors": n_factors, "initial_scale": initial_scale}
    fit = Fit(model, parameters, seed=seed, measure={"errors": {}}, labels={"model": model, **parameters})
    return replace(fit, records_errors=("FloatingPointError",))
