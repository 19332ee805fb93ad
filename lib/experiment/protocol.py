"""The common protocol: the same splits, seeds, lists and measurements for every model of a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lib.data.folds import frozen_folds
from lib.data.splits import Split, make_split
from lib.experiment.fit import Fit


def make_splits(data, wanted: Sequence[Sequence[Any]]) -> dict[str, Split]:
    """Make splits from a notebook's list of [name, seed].

    Returns splits by name, with the seed behind it, and as their fold, where a name occurs again: ``"per_user_80_20"``,
    ``"per_user_80_20/1"``. ``kfold_5`` stands for the project's five frozen folds, ``"kfold_5/1"`` and so on, which
    come first. ValueError where an entry is not a name and a seed, or a split occurs twice.
    """
    found: dict[str, Split] = {}
    folds: dict[str, Split] = {}
    names: set[str] = set()
    for entry in wanted:
        if isinstance(entry, str) or len(entry) != 2:
            raise ValueError(f"a split is given as [name, seed], as ['per_user_80_20', 42]; got {entry!r}")
        name, seed = str(entry[0]), int(entry[1])
        if name == "kfold_5":
            parted = frozen_folds(data.interactions, name=data.name, n_folds=5, seed=seed)
            folds |= {f"{name}/{split.fold}": split for split in parted}
            continue
        split = make_split(data, name, seed=seed)
        key = f"{name}/{seed}" if name in names else name
        if key in found or (name in names and split.seed is None):
            raise ValueError(f"split {name!r} with seed {seed} is in the list twice")
        found[key] = replace(split, fold=str(seed)) if name in names else split
        names.add(name)
    return folds | found


def parts_of(splits: Mapping[str, Split]) -> dict[str, Any]:
    """Return the parts of splits by the names that fits call them, such as ``u1/train`` and ``u1/test``."""
    return {f"{key}/{side}": getattr(one, side) for key, one in splits.items() for side in ("train", "test")}


def table_fits(
    contenders: Mapping[str, Any],
    choices: Mapping[str, Mapping[str, Any]],
    splits: Mapping[str, Split],
    *,
    k: int,
    listed: Iterable[str],
    only_on: Mapping[str, Sequence[str]] | None = None,
    repeats: Iterable[str] = (),
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    threshold: float = 4.0,
    most_epochs: int = 0,
    seed: int = 0,
) -> list[Fit]:
    """Return the fits of a table, those on some splits only first, labelled ``contender``, ``split`` and ``seed``.

    `contenders` and `choices` are those of `lib.studies.contenders`, `splits` of `make_splits`. Of the splits that are
    `listed` lists of length `k` are drawn; a rating of `threshold` makes a hit. `only_on` has the splits of contenders
    that are fitted on some only, `changes` hyperparameters that differ from what was chosen. Of splits that are
    `repeats` errors by user and the lists' hits are enough, so that the project keeps them. No training that stops
    early lasts longer than `most_epochs`; 0 leaves each model its own limit. `seed` is of the random starts. ValueError
    for a name that no contender or split has.
    """
    changes, only_on = changes or {}, only_on or {}
    named = {"listed": set(listed), "only_on": set(only_on), "repeats": set(repeats), "changes": set(changes)}
    for label, names in named.items():
        known = splits if label in ("listed", "repeats") else contenders
        if unknown := names - set(known):
            raise ValueError(f"{label}: unknown {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    found = []
    for name in sorted(contenders, key=lambda name: name not in only_on):
        one = contenders[name]
        parameters = {**choices[name]["parameters"], **changes.get(name, {})}
        start, stopping = seed if one.starts else 0, one.stopping
        if stopping and most_epochs:
            stopping = replace(stopping, most=min(stopping.most, most_epochs))
        for key in splits:
            if key not in only_on.get(name, splits):
                continue
            again = key in named["repeats"]
            measure: dict[str, dict[str, Any]] = {"cost": {}, "by_user" if again else "predictions": {}}
            if key in named["listed"]:
                measure |= {"hits": {"ks": [k], "threshold": threshold}} if again else {"lists": {"k": k}}
            labels = {"contender": name, "split": key, "seed": start}
            fit = Fit(one.model, parameters, start, f"{key}/train", f"{key}/test", stopping=stopping)
            found.append(replace(fit, measure=measure, labels=labels, keep="one_table" if again else ""))
    return found
