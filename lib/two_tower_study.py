"""What project A's two-tower chapter measures: architectures, their figures on both scales, what the inputs are worth."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lib.experiment.fit import Fit, Fitted, Parts, Stopping
from lib.interactions import Interactions
from lib.metrics import mae, rmse
from lib.metrics.per_user import PerUser
from lib.models.two_tower import TwoTower
from lib.target_scaling import target_scaling

PLAIN = {
    "init_scale": 0.05, "l2": 0.0, "averaging": 0.0, "learning_rate": 1e-3, "batch_size": 1024, "patience": 5,
}  # fmt: skip
"""Training as A's code has it: Keras's own start, no penalty, Adam's default step. (A's batches hold 32 ratings.)"""

APPENDIX = {
    "embedding_size": 64, "user_dense_size": 128, "genre_dense_size": 64, "item_dense_size": 32, "final_size": 128,
}  # fmt: skip
"""The network that A's appendix trains, for 50 epochs; it is not the one that A names as its best."""


def architectures(
    embedding_sizes: Sequence[int], user_dense_sizes: Sequence[int], item_dense_sizes: Sequence[int],
    final_sizes: Sequence[int],
) -> list[dict[str, int]]:  # fmt: skip
    """All combinations as parameters of `TwoTower`, the largest first, so that none is left for last."""
    names = ("embedding_size", "user_dense_size", "item_dense_size", "final_size")
    found = [
        dict(zip(names, sizes, strict=True))
        for sizes in product(embedding_sizes, user_dense_sizes, item_dense_sizes, final_sizes)
    ]
    return sorted(found, key=lambda sizes: -np.prod(list(sizes.values()), dtype=float))


def architecture_name(sizes: Mapping[str, Any]) -> str:
    """Name an architecture as A does, such as ``emb16_user16_movie64_final64``."""
    return (
        f"emb{sizes['embedding_size']}_user{sizes['user_dense_size']}_movie{sizes['item_dense_size']}"
        f"_final{sizes['final_size']}"
    )


def architecture_sizes(name: str) -> dict[str, int]:
    """Read an architecture's name back.

    Raises
    ------
    ValueError
        The name has another form.
    """
    match = re.fullmatch(r"emb(\d+)_user(\d+)_movie(\d+)_final(\d+)", name)
    if match is None:
        raise ValueError(f"not an architecture's name: {name!r}; one is emb16_user16_movie64_final64")
    names = ("embedding_size", "user_dense_size", "item_dense_size", "final_size")
    return dict(zip(names, map(int, match.groups()), strict=True))


def training(
    *,
    seed: int,
    train: str = "train",
    validation: str = "",
    scaling: str = "linear",
    measure: Mapping[str, Mapping[str, Any]] | None = None,
    keep: str = "",
    **parameters,
) -> Fit:
    """Return one network's training, measured by `both_scales`.

    Parameters
    ----------
    seed : int
    train, validation : str
        Parts; without validation the model cuts its own, where it wants any.
    scaling : str
        Of the targets, by its name in `lib.target_scaling`.
    measure : mapping, optional
        What else is measured.
    keep : str
        As in `Fit`.
    **parameters
        Of `TwoTower`; they, `seed` and `scaling` are the labels.
    """
    return Fit(
        "two_tower", parameters, seed=seed, train=train,
        # The model maps the rating scale to [-1, 1] by itself.
        prepare=None if scaling == "linear" else (f"{__name__}:scaled", {"scaling": scaling}),
        stopping=Stopping(validation=validation, refit=False) if validation else None,
        measure={f"{__name__}:both_scales": {}, **(measure or {})}, keep=keep,
        labels={"seed": seed, "scaling": scaling, **parameters},
    )  # fmt: skip


def scaled(parts: Parts, fit: Fit, *, scaling: str) -> dict[str, Interactions]:
    """Return the parts with ratings on the scale -1 to 1, by a scaling learned from the training ratings."""
    scale = target_scaling(scaling, parts[fit.train])
    return {name: scale.transform(part) for name, part in parts.items()}


def both_scales(fitted: Fitted) -> dict[str, Any]:
    """Measure a network on the rating scale and on the scale of its targets.

    Returns
    -------
    dict
        ``<part>_rmse`` and ``<part>_mae`` on the rating scale, clipped, and ``unit_<part>_rmse`` and so on of the
        scaled ratings, for the parts train, validation (where given) and test; ``n_epochs``, ``epochs_run`` and
        ``seconds_epoch`` (the training's seconds by epochs run, start of the graph included).
    """
    fit, model = fitted.fit, fitted.model
    scale = target_scaling(fit.prepare[1]["scaling"] if fit.prepare else "linear", fitted.given[fit.train])
    runs = len(model.history_)
    if fit.stopping is None and model.epochs is None and model.refit:
        runs += model.n_epochs_
    found = {
        "n_epochs": model.n_epochs_,
        "epochs_run": runs,
        "seconds_epoch": fitted.seconds_fit / runs,
    }
    parts = {
        "train": fit.train,
        "validation": fit.stopping.validation if fit.stopping else "",
        "test": fit.test,
    }
    for name, part in parts.items():
        if part:
            found |= _errors(name, model, scale, fitted.given[part], fitted.parts[part])
    return found


def _errors(name: str, model: TwoTower, scale, part: Interactions, seen: Interactions) -> dict[str, float]:
    predicted = model.predict(part.users, part.items)
    if scale.name == "linear":  # the model has the rating scale and does this by itself
        ratings, unit = predicted, (predicted - scale.offsets[part.users]) / scale.widths[part.users]
        target = (part.ratings - scale.offsets[part.users]) / scale.widths[part.users]
    else:
        ratings, unit, target = scale.inverse(part.users, predicted), predicted, seen.ratings
    ratings = part.scale.clip(ratings)
    return {
        f"{name}_rmse": rmse(part.ratings, ratings),
        f"{name}_mae": mae(part.ratings, ratings),
        f"unit_{name}_rmse": rmse(target, unit),
        f"unit_{name}_mae": mae(target, unit),
    }


def permutation_importance(
    model: TwoTower, data: Interactions, *, repeats: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Measure how much worse the predictions get when one input is dealt out anew among the users, or the films.

    An input is what a tower knows of an entity: its id's embedding, or one of its features (Breiman 2001, applied to
    inputs of a fitted model; nothing is trained again). Two inputs that say the same share their importance.

    Returns
    -------
    DataFrame
        A row an input and repeat: ``input`` (such as ``user/age``), ``repeat``, ``increase`` of the clipped RMSE.
    """
    rng = np.random.default_rng(seed)
    clip = data.scale.clip
    before = rmse(data.ratings, clip(model.predict(data.users, data.items)))
    rows = []
    for name, values in model.inputs.items():
        for repeat in range(repeats):
            other = model.replace_features({name: values[rng.permutation(len(values))]})
            after = rmse(data.ratings, clip(other.predict(data.users, data.items)))
            rows.append({"input": name, "repeat": repeat, "increase": after - before})
    return pd.DataFrame(rows, columns=["input", "repeat", "increase"])


def mean_errors(models: Sequence[TwoTower], data: Interactions, keep: np.ndarray | None = None) -> PerUser:
    """Squared errors by user, averaged over models that differ by their seed only, as one RMSE to compare.

    Parameters
    ----------
    models : sequence
        Any fitted models of ratings.
    data : Interactions
    keep : ndarray of bool, shape (n_users,), optional
        Users that count.
    """
    errors = [(data.scale.clip(m.predict(data.users, data.items)) - data.ratings) ** 2 for m in models]
    sums = np.bincount(data.users, np.mean(errors, axis=0), minlength=data.n_users)
    users = np.flatnonzero((data.user_counts > 0) & (True if keep is None else keep))
    return PerUser("rmse", users, sums[users], data.user_counts[users], root=True)


def pooled_errors(draws: Sequence[PerUser]) -> PerUser:
    """Put together the errors of several draws of users, as one RMSE.

    A user that stands in several draws is one user still: errors and ratings add up.
    """
    users = np.concatenate([draw.users for draw in draws])
    found, places = np.unique(users, return_inverse=True)
    sums = [
        np.bincount(places, np.concatenate([getattr(draw, name) for draw in draws]))
        for name in ("numerators", "denominators")
    ]
    return PerUser(draws[0].metric, found, *sums, root=draws[0].root)


def published_tables() -> pd.DataFrame:
    """Read the architectures that A lists, best by train and by test error, with the figures that A gives for them.

    Returns
    -------
    DataFrame
        ``architecture``, ``metric`` (``rmse`` or ``mae``), ``train``, ``test``: on A's unit scale, one training each.
    """
    rows = [line.split() for line in _PUBLISHED.strip().splitlines()]
    return pd.DataFrame(
        [(f"emb{e}_user{u}_movie{i}_final{f}", metric, float(train), float(test))
         for metric, e, u, i, f, train, test in rows],
        columns=["architecture", "metric", "train", "test"],
    )  # fmt: skip


# metric, embedding, user dense, movie dense, final, train, test
_PUBLISHED = """
rmse 64 128 128 64 0.3099 0.3944
rmse 64 128 64 64 0.3157 0.3957
rmse 64 64 128 128 0.3172 0.3932
rmse 64 64 128 64 0.3174 0.3977
rmse 64 64 64 64 0.3189 0.3983
mae 64 128 128 64 0.2441 0.3086
mae 64 64 128 64 0.2499 0.3087
mae 64 128 64 128 0.2511 0.3070
mae 64 128 64 64 0.2516 0.3138
mae 64 64 32 64 0.2541 0.3083
rmse 16 16 64 64 0.3481 0.3908
rmse 16 32 16 128 0.3502 0.3917
rmse 16 8 64 128 0.3628 0.3919
rmse 64 8 64 128 0.3462 0.3920
rmse 32 16 64 64 0.3406 0.3920
mae 16 128 32 64 0.2713 0.3040
mae 16 64 8 128 0.2816 0.3040
mae 16 16 128 64 0.2719 0.3043
mae 32 64 16 64 0.2648 0.3043
mae 32 64 32 128 0.2660 0.3046
"""
