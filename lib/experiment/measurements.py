"""What is measured of a fitted model, by name; a study adds a function of its own, as ``module:function``.

Each takes a `lib.experiment.fit.Fitted` and its options, and returns numbers, texts and arrays by name.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lib.data.interactions import Interactions
from lib.experiment.fit import Fitted
from lib.metrics import evaluate_ranking, recommend
from lib.metrics.ranking import hits_of, novelty_of
from lib.metrics.rating import UserErrors, mae, rmse, user_errors
from lib.metrics.sampled import EXCLUDED, sampled_ranks
from lib.models.fitting import answers


def predictions(fitted: Fitted, *, dtype: str = "float32") -> dict[str, Any]:
    """Predict the test ratings; ValueError where a prediction is not finite.

    Returns ``predictions`` (shape (n,), clipped to the scale, in the order of the test ratings) and ``seconds_predict``; NaN
    seconds alone for a model that predicts no ratings.
    """
    if not fitted.model.predicts_ratings:
        return {"seconds_predict": np.nan}
    start = time.perf_counter()
    predicted = fitted.answers(fitted.fit.test)
    seconds = time.perf_counter() - start
    if not np.isfinite(predicted).all():
        raise ValueError("predictions that are not finite; change its hyperparameters")
    return {"predictions": predicted.astype(dtype), "seconds_predict": seconds}


def errors(
    fitted: Fitted, *, parts: Sequence[str] = ("test", "train"), metrics=("rmse",), by_user: bool = False
) -> dict[str, float]:
    """Return ``<part>_rmse`` and, if asked for, ``<part>_mae`` of clipped predictions; NaN where none are made.

    With `by_user` errors are added up user by user first, as where users are resampled: the last bits may differ.
    """
    if not fitted.model.predicts_ratings:
        return {f"{part}_{metric}": np.nan for part in parts for metric in metrics}
    functions, found = {"rmse": rmse, "mae": mae}, {}
    for part in parts:
        name = {"test": fitted.fit.test, "train": fitted.learned}[part]
        data, answered = fitted.parts[name], fitted.answers(name)
        by_users = user_errors(data.users, data.ratings, answered) if by_user else None
        for metric in metrics:
            value = by_users.per_user(metric).value if by_users else functions[metric](data.ratings, answered)
            found[f"{part}_{metric}"] = value
    return found


def by_user(fitted: Fitted) -> dict[str, Any]:
    """Add errors of clipped test predictions up by user: all that intervals and paired tests need, small enough to keep.

    Returns ``squared``, ``absolute`` (float32, by user with test ratings; none without predictions), ``seconds_predict``.
    """
    found = predictions(fitted)
    if "predictions" in found:
        sums = user_errors(fitted.test.users, fitted.test.ratings, found.pop("predictions"))
        found |= {name: getattr(sums, name).astype(np.float32) for name in ("squared", "absolute")}
    return found


def errors_of(record: Mapping[str, Any], test: Interactions) -> UserErrors | None:
    """Return a record's test errors by user, from its `predictions` or as `by_user` left them (these without signs); or None."""
    if record.get("predictions") is not None:
        return user_errors(test.users, test.ratings, np.asarray(record["predictions"]))
    if record.get("squared") is None:
        return None
    users = np.flatnonzero(test.user_counts)
    squared, absolute = (np.asarray(record[name], np.float64) for name in ("squared", "absolute"))
    return UserErrors(users, test.user_counts[users], squared, absolute, np.full(len(users), np.nan))


def validation_error(fitted: Fitted) -> dict[str, float]:
    """Return ``validation_rmse`` of the stopped model, clipped, on the validation part of `Stopping`."""
    # Only fits that stop are asked.
    held_out = fitted.parts[fitted.fit.stopping.validation]  # type: ignore[union-attr]
    return {"validation_rmse": rmse(held_out.ratings, answers(fitted.stopped, held_out))}  # type: ignore[arg-type]


def curve(fitted: Fitted) -> dict[str, Any]:
    """Return ``curve``, the unclipped validation RMSE by epoch, ``epochs_run`` and the lowest ``validation_rmse`` (or NaN)."""
    model = fitted.stopped if fitted.stopped is not None else fitted.model
    history = np.asarray(model.history_) if hasattr(model, "history_") else np.empty((0, 2))
    by_epoch = history[:, 1].astype(np.float64)
    lowest = np.nan if np.isnan(by_epoch).all() else float(np.nanmin(by_epoch))
    return {"curve": by_epoch, "epochs_run": len(by_epoch), "validation_rmse": lowest}


def lists(fitted: Fitted, *, k: int, dtype: str = "float32") -> dict[str, Any]:
    """Draw everybody's list without films rated in train: ``items`` (n_users, k), ``scores`` and ``seconds_rank``."""
    start = time.perf_counter()
    top = recommend(fitted.model, fitted.train, k)
    found = {"items": top.items.astype(np.int32), "scores": top.scores.astype(dtype)}
    return {**found, "seconds_rank": time.perf_counter() - start}


def hits(fitted: Fitted, *, ks: Sequence[int], threshold: float) -> dict[str, Any]:
    """Draw the same lists and keep what their quality is measured from (`lib.experiment.evaluation.rankings_in`): small.

    Returns ``hits`` (uint8, eight ranks a byte, shape (n_users, longest / 8)), the test films rated at least `threshold`
    among them, and for each k ``novelty/<k>`` (float32, by user) and ``coverage/<k>``.
    """
    start = time.perf_counter()
    top = recommend(fitted.model, fitted.train, max(ks))
    marks = hits_of(top, fitted.test, threshold=threshold)
    found: dict[str, Any] = {"hits": np.packbits(marks, axis=1), "threshold": float(threshold)}
    for k in ks:
        first = top.first(k)
        found[f"novelty/{k}"] = novelty_of(first.items, fitted.train).astype(np.float32)
        found[f"coverage/{k}"] = np.count_nonzero(np.unique(first.items) >= 0) / top.n_items
    return {**found, "seconds_rank": time.perf_counter() - start}


class _Scores(NamedTuple):
    """Scores of everybody, made once for several questions."""

    values: np.ndarray

    def score(self, users: np.ndarray) -> np.ndarray:
        return self.values[users]


def sampled(fitted: Fitted, *, k: int, n_sampled: int, seed: int) -> dict[str, Any]:
    """Rank held-out favourites among random films, and draw everybody's list, both from one matrix of scores.

    Returns ``items`` and ``scores`` of the lists; for what is kept out of the samples (`lib.metrics.sampled.EXCLUDED`)
    ``above_<excluded>`` and ``level_<excluded>``, as in `lib.metrics.sampled.SampledRanks`.
    """
    scores = _Scores(fitted.scores)
    top = recommend(scores, fitted.train, k)
    found = {"items": top.items, "scores": top.scores.astype(np.float32)}
    for out in EXCLUDED:
        ranks = sampled_ranks(scores, fitted.train, fitted.test, n_sampled=n_sampled, exclude=out, seed=seed)
        found |= {f"above_{out}": ranks.above, f"level_{out}": ranks.level}
    return found


def score_matrix(fitted: Fitted) -> dict[str, Any]:
    """Return ``score_matrix``: unclipped scores of every user and film (float32, shape (n_users, n_items))."""
    return {"score_matrix": fitted.scores}


def cost(fitted: Fitted) -> dict[str, float]:
    """Return ``peak_mib``, by how much the process's memory grew in training, and ``held_mib``, the most that it held."""
    return {"peak_mib": fitted.memory.mib, "held_mib": fitted.memory.held}  # type: ignore[union-attr]  # it is kept for this


def score(fitted: Fitted, *, by: str = "rmse", k: int = 10, threshold: float = 4.0) -> dict[str, float]:
    """Return ``score``, what a search makes as low as it can, on the test part (which is validation data there).

    That is the clipped RMSE (`by` ``"rmse"``), minus the nDCG of lists of length `k`, where ratings of at least `threshold`
    are relevant (``"ndcg"``), or the one of the two that the model is for (``"purpose"``).
    """
    held_out = fitted.test
    if by == "rmse" or (by == "purpose" and fitted.model.predicts_ratings):
        return {"score": rmse(held_out.ratings, fitted.answers(fitted.fit.test))}
    ranking = evaluate_ranking(recommend(fitted.model, fitted.train, k), held_out, threshold=threshold)
    return {"score": -ranking.metrics()[f"ndcg@{k}"]}


def fitted_arrays(fitted: Fitted) -> dict[str, np.ndarray]:
    """Return the model's fitted arrays as ``model/<name>``, to bring it back with `lib.experiment.records.model_of`."""
    return {f"model/{name}": array for name, array in fitted.model._state().items()}
