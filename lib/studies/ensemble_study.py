"""The ensemble at work: members fitted on parts of a training set, and what they say of the ratings left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lib.data.interactions import Interactions
from lib.data.splits import Split, chronological
from lib.experiment.fit import Fit, Fitted, Parts
from lib.studies.contenders import Contender
from lib.studies.moment_features import moment_features
from lib.studies.stacking import LevelOne

WHOLE = -1
"""The part that leaves nothing out: members fitted on all training ratings answer for the test ratings."""

TELLS = "timesvdpp"
"""The member whose residuals and film vectors the moment features are made of: it is fitted within seconds."""


def left_out(split: Split, part: int, *, n_folds: int, seed: int) -> np.ndarray:
    """Tell which training ratings one part leaves out, as a mask in the order of ``split.train``.

    Training ratings are parted evenly at random into `n_folds`. Under a split by time the only part is the latest ones,
    as many as the split itself holds out: level one asks what the test will ask. Another part is a ValueError.
    """
    train = split.train
    if split.name == "chronological":
        if part != 0:
            raise ValueError(f"a split by time has one part, number 0; got {part}")
        share = len(split.test) / (len(train) + len(split.test))
        return train.timestamps > chronological(train, test_share=share).train.timestamps.max()
    if not 0 <= part < n_folds:
        raise ValueError(f"parts are numbered 0 to {n_folds - 1}; got {part}")
    order = np.random.default_rng(seed).permutation(len(train))
    return np.isin(np.arange(len(train)), np.array_split(order, n_folds)[part])


def part_left_out(
    parts: Parts, fit: Fit, *, split: str, part: int, n_folds: int, seed: int
) -> dict[str, Interactions]:
    """Prepare a fit without one part of the training ratings, asked for that part; `split` is the split's name."""
    train = parts[fit.train]
    out = left_out(Split(split, train, parts[fit.test]), part, n_folds=n_folds, seed=seed)
    return {fit.train: train.take(~out), fit.test: train.take(out)}


def part_numbers(split: Split, n_parts: int) -> list[int]:
    """List the parts of a split that members are fitted for; a split by time has one."""
    return [0] if split.name == "chronological" else list(range(n_parts))


def moments(fitted: Fitted) -> dict[str, Any]:
    """Return ``moments``, the moment features (float32) of the ratings asked for."""
    train, vectors = fitted.train, fitted.model.item_factors_.astype(np.float64)
    residuals = train.ratings - fitted.answers(fitted.fit.train)
    return {"moments": moment_features(train, residuals, vectors, fitted.test).astype(np.float32)}


def member_fits(
    contenders: Mapping[str, Contender],
    choices: Mapping[str, Mapping[str, Any]],
    splits: Mapping[str, Split],
    *,
    n_folds: int,
    n_parts: int,
    seed: int = 0,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Fit]:
    """Return the fits of every member on every part of every split and on the whole.

    Members have the hyperparameters and epochs that `choices` (of `lib.studies.choices`) say, but for those in `changes`.
    Slow members should come first. Of `n_folds` folds of the training ratings the first `n_parts` are left out in
    turn: fewer where one is enough to learn the weights from. `seed` is that of the folds and of the members.

    Fits are labelled ``member``, ``split`` and ``part``; the member `TELLS` measures the moments too.

    ValueError: more parts than folds, or a change for what is no member.
    """
    changes = dict(changes or {})
    if not 1 <= n_parts <= n_folds:
        raise ValueError(f"n_parts={n_parts} must lie between 1 and n_folds={n_folds}")
    if unknown := set(changes) - set(contenders):
        raise ValueError(
            f"changes: no members {', '.join(sorted(unknown))}; there are {', '.join(contenders)}"
        )
    found = []
    for name, one in contenders.items():
        choice = choices[name]
        epochs = {one.stopping.limit: choice["n_epochs"]} if one.stopping and choice["n_epochs"] else {}
        parameters = {**choice["parameters"], **epochs, **changes.get(name, {})}
        measure = {"predictions": {}, **({f"{__name__}:moments": {}} if name == TELLS else {})}
        for key, split in splits.items():
            for part in (WHOLE, *part_numbers(split, n_parts)):
                options = {"split": split.name, "part": part, "n_folds": n_folds, "seed": seed}
                prepare = None if part == WHOLE else (f"{__name__}:part_left_out", options)
                labels = {"member": name, "split": key, "part": part}
                data = {"train": f"{key}/train", "test": f"{key}/test", "prepare": prepare}
                found.append(Fit(one.model, parameters, seed, **data, measure=measure, labels=labels))
    return found


def level_one(
    fits: Iterable[Mapping[str, Any]], key: str, split: Split, *, n_folds: int, n_parts: int, seed: int = 0
) -> tuple[LevelOne, Interactions, LevelOne]:
    """Bring one split's fits, of `member_fits`, into the form that a stack learns from and answers in.

    Returns
    -------
    learned : LevelOne
        Of the training ratings left out, part by part.
    ratings : Interactions
        Those ratings, in the same order.
    asked : LevelOne
        Of the test ratings.
    """
    mine = {(f["member"], f["part"]): f for f in fits if f["split"] == key}
    members = list(dict.fromkeys(member for member, _ in mine))
    parts = part_numbers(split, n_parts)
    rows = [np.flatnonzero(left_out(split, part, n_folds=n_folds, seed=seed)) for part in parts]

    def joined(numbers: Sequence[int]) -> LevelOne:
        def of(member: str, what: str) -> np.ndarray:
            return np.concatenate([np.asarray(mine[member, part][what], np.float64) for part in numbers])

        predictions = {member: of(member, "predictions") for member in members}
        return LevelOne(predictions, of(TELLS, "moments") if TELLS in members else None)

    return joined(parts), split.train.take(np.concatenate(rows)), joined([WHOLE])
