"""The common protocol on a reader's ratings: how they are parted, what counts as relevant, and every model's fits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lib.data.interactions import Interactions
from lib.data.splits import Split, make_split
from lib.experiment.fit import Fit, Parts, fit_and_measure
from lib.experiment.protocol import parts_of, table_fits
from lib.experiment.run import run_fits
from lib.workbench.own_ratings.candidates import Candidates
from lib.workbench.own_ratings.checking import LEAST
from lib.workbench.own_ratings.stars import for_models, from_stars

SHARE = 0.1
"""Least share of ratings that is a test, and that reaches a threshold read from the scale; else it is read from the ratings."""
TOO_SMALL = {
    "per_user_80_20": "few users have 5 ratings, so that it holds out {0:,}, or {1:.1%}; a fifth of all is held out at random",
    "random_80_20": "it holds out {0:,}",
    "chronological": "too many ratings share the last moments: it holds out {0:,}, or {1:.1%}",
}
"""By split, why it is not measured where its test ratings are so many, so large a share."""
FEW = 200
"""Ratings of a fit that only has its model's code compiled."""
CALMER = 4
"""Most times that a learning rate is lowered."""


def parted(data, *, seed: int, by_time: bool = True) -> tuple[dict[str, Split], list[tuple[str, str]]]:
    """Part the ratings: a fifth of each user's, and with `by_time` the last fifth of all where there are timestamps.

    Returned are the splits, the main one first, and what protocols these ratings do not allow, with the reason: among them
    those that hold out less than `SHARE`. Too few ratings to hold any out are a ValueError.
    """
    splits: dict[str, Split] = {}
    left_out, n = [], len(data.interactions)
    for name in ("per_user_80_20", "random_80_20", *(["chronological"] if by_time else [])):
        if name == "random_80_20" and splits:
            continue
        try:
            found = make_split(data, name, seed=seed)
            if (n_test := len(found.test)) < max(LEAST, SHARE * n):
                raise ValueError(TOO_SMALL[name].format(n_test, n_test / n))
            splits[name] = found
        except ValueError as error:
            left_out.append((name, str(error)))
    if {*splits} <= {"chronological"}:
        raise ValueError(f"{n:,} ratings are too few: a fifth of them must be at least {LEAST}")
    return splits, left_out


def threshold_of(ratings: Interactions, given: float | None = None, *, counts: bool = False) -> tuple[float, str]:
    """Return the least rating that counts as relevant, and where it comes from, in words.

    Where none is given: three quarters of the way up the scale (4 of 1 to 5), or the upper quartile where less than a tenth
    reaches that; any above 0 where ratings are `counts`. ValueError: no rating reaches the one that is given.
    """
    values, (low, high) = ratings.ratings, ratings.scale
    if given is not None:
        if not (values >= given).any():
            raise ValueError(f"threshold={given:g}: no rating reaches it; the highest is {values.max():g}")
        return float(given), "given"
    if counts and values.min() == 0:
        return float(values[values > 0].min()), "every count above 0"
    if counts or values.min() == values.max():
        return float(values.min()), "every pair counts"
    usual = low + 0.75 * (high - low)
    if (values >= usual).mean() >= SHARE:
        return float(usual), "three quarters of the way up the scale"
    words = "the upper quartile of the ratings, as few come near the top of the scale"
    return float(np.quantile(values, 0.75)), words


def without_lists(splits: Mapping[str, Split], threshold: float) -> dict[str, str]:
    """Return the splits whose lists can't be measured, as no test rating reaches the `threshold`, and that in words."""
    highest = {key: split.test.ratings.max() for key, split in splits.items()}
    why = "no list is measured: no test rating reaches {:g}, the highest is {:g}"
    return {key: why.format(threshold, most) for key, most in highest.items() if most < threshold}


def starred(split: Split) -> Split:
    """Return a split as models see it (`for_models`)."""
    return replace(split, train=for_models(split.train), test=for_models(split.test))


def fit_all(
    found: Candidates,
    choices: Mapping[str, Mapping[str, Any]],
    splits: Mapping[str, Split],
    *,
    once: Sequence[str] = (),
    unlisted: Collection[str] = (),
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> tuple[list[dict[str, Any]], dict[tuple[str, str], str]]:
    """Fit every candidate on every split, and bring predictions back onto the reader's scale.

    `splits` are on that scale; models see `starred` ones. The contenders `once` are slow, and fitted on the first split
    only; no lists are drawn on those `unlisted`; `changes` has hyperparameters that differ, by contender, `options` what else
    `lib.experiment.protocol.table_fits` takes. Returned are the records of fits that ended well, and, by contender and
    split, why one failed or what was done otherwise so that it did not.
    """
    known = found.contenders
    options["only_on"] = {name: list(splits)[:1] for name in once if name in known}
    changes = {name: change for name, change in (changes or {}).items() if name in known}
    listed = [key for key in splits if key not in unlisted]
    wanted = table_fits(known, choices, splits, listed=listed, changes=changes, **options)
    # A reader's data may break one model: the page says which, and how, and the others go on.
    told: dict[str, Any] = {"slower": CALMER, "records_errors": ("Exception",), "prepare": (f"{__name__}:warmed", {})}
    wanted = [replace(fit, **told) for fit in wanted]
    fits: list[dict[str, Any]] = []
    remarks = {}
    for fit in run_fits(wanted, parts_of({key: starred(split) for key, split in splits.items()})):
        where = fit["contender"], fit["split"]
        if "failure" in fit:
            remarks[where] = f"failed: {fit['failure']}"[:300]
            continue
        if "note" in fit:
            remarks[where] = fit["note"]
        if "predictions" in fit:
            fit["predictions"] = from_stars(fit["predictions"], splits[fit["split"]].test.scale)
        fits.append(fit)
    return fits, remarks


_warm: set[str] = set()


def warmed(parts: Parts, fit: Fit) -> Parts:
    """Fit the model on a few ratings, once a process, lest the time of the first fit holds compilation; no part changes."""
    if fit.model not in _warm:
        _warm.add(fit.model)
        train = parts[fit.train]
        rows = np.flatnonzero(np.isin(train.users, np.argsort(-train.user_counts)[:10]))
        few = train.take(rows[:: -(-len(rows) // FEW)]).frame()
        sides = {"user_table": train.user_table, "item_table": train.item_table}
        tables: dict[str, Any] = {side: t if t is None else t[t.index.isin(few[side[:4]])] for side, t in sides.items()}
        seen = Interactions.from_frame(few, scale=train.scale, **tables)
        short = replace(fit.stopping, most=1) if fit.stopping else None
        # What goes wrong will do so again, where it is told.
        told: dict[str, Any] = {"prepare": None, "stopping": short, "records_errors": ("Exception",)}
        fit_and_measure({fit.train: seen, fit.test: seen}, replace(fit, **told))
    return {}
