"""Project D's networks: the settings that are compared, what one training leaves, and D's leak beside its mending."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lib import metrics
from lib.evaluation import RATING_METRICS, Evaluation
from lib.interactions import Interactions
from lib.metrics import recommend
from lib.metrics.lists import TopK
from lib.metrics.per_user import PerUser
from lib.metrics.rating import rmse
from lib.models import create
from lib.significance import bootstrap_interval
from lib.splits import Split
from lib.variants import Variant

MODULES = (
    "lib.neural_study", "lib.models.neural_mf", "lib.models.neural_mf_network", "lib.models.neural_mf_training",
    "lib.models.autorec", "lib.models.autorec_network", "lib.models.autorec_answers", "lib.models.row_centring",
    "lib.models.sparse_network", "lib.models.sparse_kernels", "lib.models.early_stopping",
    "lib.models.adam",
)  # fmt: skip
"""What a training's outcome depends on, for a grid's ``version``."""

PUBLISHED_NEURAL_MF = {
    "n_factors": 256, "hidden_size": 64, "dropout": 0.2, "learning_rate": 1e-3, "batch_size": 32_000, "l2": 0.0,
    "init_scale": 0.05, "averaging": 0.0, "max_epochs": 100, "patience": 5, "plateau_patience": 2, "plateau_factor": 0.5,
}  # fmt: skip
"""Project D's settings of NeuralMF."""

PUBLISHED_AUTOREC = {
    "form": "user", "hidden_sizes": (512, 256, 128), "activation": "relu", "input_dropout": 0.6, "l2": 0.0,
    "learning_rate": 1e-3, "batch_size": 512, "max_epochs": 50, "patience": 4, "plateau_patience": 2,
    "plateau_factor": 0.5, "centre": "global", "averaging": 0.0,
}  # fmt: skip
"""Project D's settings of AutoRec."""


AS_PUBLISHED = ("neural_mf_published", "autorec_published", "autorec_leaky")
"""Trained as D trains: stopped on validation ratings that are never learned from. The others cut their own validation
ratings from all training ratings, and then train again on all of them for as long."""


def variants() -> dict[str, Variant]:
    """Return the networks by the name that results use: D's settings, then ours, chosen on validation data."""
    found = [
        Variant("neural_mf_published", "NeuralMF, D's settings", "neural_mf", PUBLISHED_NEURAL_MF),
        Variant("neural_mf", "NeuralMF", "neural_mf", {}),
        Variant("autorec_published", "User AutoRec, D's settings", "autorec", PUBLISHED_AUTOREC),
        Variant("autorec_leaky", "User AutoRec, stopped as D stops it", "autorec", {
            **PUBLISHED_AUTOREC, "leaky_validation": True,
        }),
        Variant("autorec_user", "User AutoRec", "autorec", {"form": "user"}),
        Variant("autorec", "Item AutoRec", "autorec", {"form": "item"}),
    ]  # fmt: skip
    return {v.name: v for v in found}


def measure(
    context: Mapping[str, Any], *, variant: str, seed: int, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Train one network, stopped early on validation ratings, and measure it on the test ratings.

    Parameters
    ----------
    context : mapping
        ``train``, ``validation`` (cut from the protocol's training ratings, as project D cuts it) and ``test``;
        ``whole``: the protocol's training ratings with the validation ratings among them; ``k``: length of the lists,
        0 for none.
    changes : mapping
        Hyperparameters that differ from the variant's.

    Returns
    -------
    dict
        ``predictions`` (float32, clipped, in the order of the test ratings), ``test_rmse``, ``train_rmse``,
        ``validation_rmse``, ``n_epochs``, ``epochs_run``, ``curve`` (validation RMSE by epoch), ``seconds_fit``,
        ``seconds_predict``, ``n_parameters``, with k > 0 ``items`` and ``scores`` of everybody's list; for a user-based
        AutoRec also what `leaks` finds.
    """
    one = variants()[variant]
    whole, test = context["whole"], context["test"]
    train, validation = (
        (context["train"], context["validation"]) if variant in AS_PUBLISHED else (whole, None)
    )
    model = create(one.model, **{**one.fixed, **changes, "seed": seed})
    start = time.perf_counter()
    model.fit(train, validation=validation)
    fitted = time.perf_counter()
    predicted = test.scale.clip(model.predict(test.users, test.items))
    done = time.perf_counter()
    curve = np.asarray(model.history_)[:, 1]
    found = {
        "predictions": predicted.astype(np.float32), "test_rmse": rmse(test.ratings, predicted),
        "train_rmse": rmse(train.ratings, train.scale.clip(model.predict(train.users, train.items))),
        "validation_rmse": float(np.nanmin(curve)), "n_epochs": int(model.n_epochs_), "epochs_run": len(curve),
        "curve": curve.astype(np.float64), "seconds_fit": fitted - start, "seconds_predict": done - fitted,
        "n_parameters": int(model.n_parameters_),
    }  # fmt: skip
    if context["k"]:
        top = recommend(model, whole, context["k"])
        found |= {"items": top.items, "scores": top.scores.astype(np.float32)}
    if one.model == "autorec" and model.form == "user":
        found |= leaks(model, train, test)
    return found


def leaks(model, train: Interactions, test: Interactions) -> dict[str, float]:
    """Measure AutoRec on the test ratings with the training ratings as its input, and as project D does with those asked for.

    Returns
    -------
    dict of float
        RMSE of unclipped predictions, as D has it: ``honest_rmse``; ``leak_rmse``, the test ratings themselves being the
        input; ``both_rmse``, training and test ratings being the input.
    """
    both = type(train)(
        np.concatenate([train.users, test.users]), np.concatenate([train.items, test.items]),
        np.concatenate([train.ratings, test.ratings]), np.concatenate([train.timestamps, test.timestamps]),
        train.user_ids, train.item_ids, train.scale, train.user_table, train.item_table,
    )  # fmt: skip
    inputs = {"honest_rmse": train, "leak_rmse": test, "both_rmse": both}
    return {
        name: rmse(test.ratings, model.reconstruct(given, test.users, test.items))
        for name, given in inputs.items()
    }


def averaged_errors(fits: Sequence[Mapping[str, Any]], test: Interactions) -> PerUser:
    """Return each user's squared errors, averaged over random starts of one network, for paired comparisons."""
    samples = [
        metrics.user_errors(
            test.users, test.ratings, np.asarray(f["predictions"], dtype=np.float64)
        ).per_user("rmse")
        for f in fits
    ]
    numerators = np.mean([sample.numerators for sample in samples], axis=0)
    return PerUser("rmse", samples[0].users, numerators, samples[0].denominators, root=True)


def evaluation_of(
    name: str, fit: Mapping[str, Any], split: Split, *, ks: Sequence[int], threshold: float, n_resamples: int
) -> Evaluation:
    """Turn what `measure` left into the form in which results are kept, with intervals over resampled users."""
    test, train = split.test, split.train
    predicted = np.asarray(fit["predictions"], dtype=np.float64)
    errors = metrics.user_errors(test.users, test.ratings, predicted)
    samples = {metric: errors.per_user(metric) for metric in RATING_METRICS}
    values = {}
    lists, ranking = None, {}
    if "items" in fit:
        users = np.arange(train.n_users, dtype=np.int32)
        top = TopK(users, np.asarray(fit["items"], dtype=np.int32), np.asarray(fit["scores"]), train.n_items)
        for k in ks:
            ranking[k] = metrics.evaluate_ranking(top, test, k=k, threshold=threshold, train=train)
            samples[f"ndcg@{k}"] = ranking[k].per_user("ndcg")
        lists = top.frame(train.user_ids, train.item_ids)
    for metric, sample in samples.items():
        interval = bootstrap_interval(sample, n_resamples=n_resamples)
        values[metric] = (interval.value, interval.low, interval.high)
    values["train_rmse"] = (float(fit["train_rmse"]), np.nan, np.nan)
    values["n_parameters"] = (float(fit["n_parameters"]), np.nan, np.nan)
    return Evaluation(
        model=name, fitted=None, split=split, seed=int(fit["seed"]), values=values,
        seconds_fit=float(fit["seconds_fit"]), seconds_predict=float(fit["seconds_predict"]), errors=errors,
        ranking=ranking, predictions=test.frame().drop(columns="timestamp").assign(prediction=predicted), top_k=lists,
    )  # fmt: skip
