"""The ensemble at work: members fitted on parts of a training set, and what they say of the ratings left out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lib import metrics
from lib.common_protocol import code_of, make_splits
from lib.contenders import Contender
from lib.datasets.catalogue import DATA
from lib.evaluation import RATING_METRICS, Evaluation
from lib.folds import load_or_freeze
from lib.grid import Grid
from lib.interactions import Interactions
from lib.koren_study import answers
from lib.models import create, model_class
from lib.moment_features import MomentFeatures, moment_features
from lib.processes import source_version
from lib.results import runs_folder
from lib.significance import bootstrap_interval
from lib.splits import Split, chronological
from lib.stacking import LevelOne

WHOLE = -1
"""The part that leaves nothing out: members fitted on all training ratings answer for the test ratings."""

TELLS = "timesvdpp"
"""The member whose residuals and film vectors the moment features are made of: it is fitted within seconds."""


def study_splits(data, wanted: Sequence[Sequence[Any]]) -> dict[str, Split]:
    """Make splits from a list of [name, seed]; ``kfold_5`` stands for the project's five frozen folds.

    Returns
    -------
    dict of str to Split
        By key, as `lib.common_protocol.make_splits` has them; folds are ``"kfold_5/1"`` and so on.
    """
    found: dict[str, Split] = {}
    for entry in wanted:
        if entry[0] == "kfold_5":
            folds = load_or_freeze(
                DATA / "folds" / f"{data.name}.npz", data.interactions, n_folds=5, seed=int(entry[1])
            )
            found |= {f"kfold_5/{split.fold}": split for split in folds}
    return found | make_splits(data, [entry for entry in wanted if entry[0] != "kfold_5"])


def left_out(split: Split, part: int, *, n_folds: int, seed: int) -> np.ndarray:
    """Tell which training ratings one part leaves out, as a mask in the order of ``split.train``.

    Training ratings are parted evenly at random into `n_folds`. Under a split by time the only part is the latest ones,
    as many as the split itself holds out: level one asks what the test will ask.

    Raises
    ------
    ValueError
        There is no such part.
    """
    train = split.train
    mask = np.zeros(len(train), dtype=bool)
    if split.name == "chronological":
        if part != 0:
            raise ValueError(f"a split by time has one part, number 0; got {part}")
        share = len(split.test) / (len(train) + len(split.test))
        return train.timestamps > chronological(train, test_share=share).train.timestamps.max()
    if not 0 <= part < n_folds:
        raise ValueError(f"parts are numbered 0 to {n_folds - 1}; got {part}")
    order = np.random.default_rng(seed).permutation(len(train))
    mask[np.array_split(order, n_folds)[part]] = True
    return mask


def parts_of(split: Split, n_parts: int) -> list[int]:
    """List the parts of a split that members are fitted for; a split by time has one."""
    return [0] if split.name == "chronological" else list(range(n_parts))


def members_of(
    contenders: Mapping[str, Contender], choices: Mapping[str, Mapping[str, Any]],
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Return what each member is fitted with: its chosen hyperparameters, and the epochs that its search found.

    Parameters
    ----------
    contenders, choices : mappings
        By name, of `lib.contenders` and `lib.choices`.
    changes : mapping, optional
        By member, hyperparameters that differ.

    Raises
    ------
    ValueError
        A change for what is no member.
    """
    changes = dict(changes or {})
    if set(changes) - set(contenders):
        raise ValueError(
            f"changes: no members {', '.join(sorted(set(changes) - set(contenders)))}; there are {', '.join(contenders)}"
        )
    found = {}
    for name, one in contenders.items():
        parameters = dict(choices[name]["parameters"])
        if one.limit and choices[name]["n_epochs"]:
            parameters[one.limit] = choices[name]["n_epochs"]
        found[name] = {"model": one.model, "parameters": {**parameters, **changes.get(name, {})}}
    return found


def fit_all(
    members: Mapping[str, Mapping[str, Any]], splits: Mapping[str, Split], *, n_folds: int, n_parts: int, seed: int = 0,
    runs_dir: str | Path = "", workers: int | None = None, say=print,
) -> list[dict[str, Any]]:  # fmt: skip
    """Fit every member on every part of every split and on the whole, in processes of one thread each.

    Parameters
    ----------
    members : mapping
        Of `members_of`; the slow ones should come first.
    splits : mapping
        Of `study_splits`.
    n_folds : int
        Level-one ratings are left out a fold at a time.
    n_parts : int
        How many of the folds: all, or fewer where one fold is enough to learn the weights from.
    seed : int
        Of the folds and of the members.

    Returns
    -------
    list of dict
        As `measure` gives them.

    Raises
    ------
    ValueError
        More parts than folds.
    """
    if not 1 <= n_parts <= n_folds:
        raise ValueError(f"n_parts={n_parts} must lie between 1 and n_folds={n_folds}")
    context = {
        "splits": {
            key: {"name": s.name, "train": s.train, "test": s.test, "fold": s.fold}
            for key, s in splits.items()
        },
        "n_folds": n_folds, "seed": seed,
    }  # fmt: skip
    jobs = [
        {"member": name, "split": key, "part": part, "seed": seed, "code": code_of(one["model"]), **one}
        for name, one in members.items()
        for key, split in splits.items()
        for part in (WHOLE, *parts_of(split, n_parts))
    ]  # fmt: skip
    version = source_version("lib.ensemble_study", "lib.moment_features")
    store = runs_folder(runs_dir) / ".grids" / "ensemble"
    with Grid(measure, context=context, store=store, version=version, workers=workers, say=say) as grid:
        return grid.run(jobs)


def measure(
    context: Mapping[str, Any], *, member: str, split: str, part: int, model: str, parameters: Mapping[str, Any],
    seed: int = 0, code: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Fit one member without one part of the training ratings, and ask it for that part; or on all, for the test.

    Returns
    -------
    dict
        ``predictions`` (float32, clipped), ``seconds_fit``, ``seconds_predict``, ``n_parameters``; of the member `TELLS`
        also ``moments``, ``moment_names`` and ``moment_means``.
    """
    held = context["splits"][split]
    whole = Split(held["name"], held["train"], held["test"], held["fold"])
    if part == WHOLE:
        train, asked = whole.train, whole.test
    else:
        out = left_out(whole, part, n_folds=context["n_folds"], seed=context["seed"])
        train, asked = whole.train.take(~out), whole.train.take(out)
    parameters = dict(parameters)
    if "seed" in model_class(model).parameter_names():
        parameters["seed"] = seed
    start = time.perf_counter()
    fitted = create(model, **parameters).fit(train)
    ready = time.perf_counter()
    predicted = answers(fitted, asked)
    found = {
        "predictions": predicted.astype(np.float32), "seconds_fit": ready - start,
        "seconds_predict": time.perf_counter() - ready, "n_parameters": int(fitted.n_parameters_),
    }  # fmt: skip
    if member == TELLS:
        residuals = train.ratings - answers(fitted, train)
        moments = moment_features(train, residuals, fitted.item_factors_.astype(np.float64), asked)
        found |= {
            "moments": moments.values.astype(np.float32), "moment_names": list(moments.names),
            "moment_means": list(moments.means),
        }  # fmt: skip
    return found


def level_one(
    fits: Iterable[Mapping[str, Any]], key: str, split: Split, *, n_folds: int, n_parts: int, seed: int = 0
) -> tuple[LevelOne, Interactions, LevelOne]:
    """Bring one split's fits into the form that a stack learns from and answers in.

    Returns
    -------
    learned : LevelOne
        Of the training ratings left out, part by part.
    ratings : Interactions
        Those ratings, in the same order.
    asked : LevelOne
        Of the test ratings.

    Raises
    ------
    ValueError
        A member's fit is missing.
    """
    mine = {(f["member"], f["part"]): f for f in fits if f["split"] == key}
    members = list(dict.fromkeys(member for member, _ in mine))
    parts = parts_of(split, n_parts)
    missing = [(m, p) for m in members for p in (WHOLE, *parts) if (m, p) not in mine]
    if missing or not members:
        raise ValueError(f"{key}: no fits of {missing or 'any member'}")
    rows = [np.flatnonzero(left_out(split, part, n_folds=n_folds, seed=seed)) for part in parts]

    def joined(numbers: Sequence[int]) -> LevelOne:
        predictions = {
            m: np.concatenate([np.asarray(mine[m, p]["predictions"], dtype=np.float64) for p in numbers])
            for m in members
        }
        if TELLS not in members:
            return LevelOne(predictions)
        first = mine[TELLS, numbers[0]]
        values = np.concatenate([mine[TELLS, p]["moments"] for p in numbers]).astype(np.float64)
        names = MomentFeatures(values, tuple(first["moment_names"]), tuple(first["moment_means"]))
        return LevelOne(predictions, names)

    return joined(parts), split.train.take(np.concatenate(rows)), joined([WHOLE])


def evaluation_of(
    name: str, predictions: np.ndarray, split: Split, *, seconds_fit: float = np.nan, seconds_predict: float = np.nan,
    n_resamples: int = 1000, seed: int | None = None,
) -> Evaluation:  # fmt: skip
    """Turn predictions of a split's test ratings into the form in which results are kept, with intervals over users."""
    test = split.test
    predictions = np.asarray(predictions, dtype=np.float64)
    errors = metrics.user_errors(test.users, test.ratings, predictions)
    values = {}
    for metric in RATING_METRICS:
        interval = bootstrap_interval(errors.per_user(metric), n_resamples=n_resamples)
        values[metric] = (interval.value, interval.low, interval.high)
    return Evaluation(
        model=name, fitted=None, split=split, seed=seed, values=values, seconds_fit=float(seconds_fit),
        seconds_predict=float(seconds_predict), errors=errors,
        predictions=test.frame().drop(columns="timestamp").assign(prediction=predictions),
    )  # fmt: skip
