"""Every model on a reader's ratings, under the common protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib.common_protocol import jobs, measure
from lib.own_ratings.candidates import Candidates
from lib.own_ratings.choosing import work
from lib.own_ratings.stars import for_models, from_stars
from lib.splits import Split

CALMER = 4
"""Most times that a learning rate is lowered."""


def starred(split: Split) -> Split:
    """Return a split as models see it (`for_models`)."""
    return replace(split, train=for_models(split.train), test=for_models(split.test))


def fit_reporting(context: Mapping[str, Any], **job: Any) -> dict[str, Any]:
    """Do one fit of the common protocol; a model that fails leaves its reason, and the others go on.

    Where training diverges and the model has a learning rate, a quarter of it is tried, up to `CALMER` times.
    """
    note, job = "", dict(job)
    for attempt in range(CALMER + 1):
        try:
            return measure(context, **job) | {"failure": "", "note": note}
        except Exception as error:  # a reader's data may break one model; the page says which, and how
            rate = job["parameters"].get("learning_rate")
            if attempt == CALMER or not rate or not isinstance(error, (FloatingPointError, ValueError)):
                return {"failure": f"failed: {type(error).__name__}: {error}"[:300], "note": ""}
            job["parameters"] = {**job["parameters"], "learning_rate": rate / 4}
            note = f"ran with a learning rate of {rate / 4:g}, as training diverged at {rate:g}"
    raise AssertionError("unreachable")


def fit_all(
    found: Candidates, choices: Mapping[str, Mapping[str, Any]], splits: Mapping[str, Split], *, k: int, once: Sequence[str] = (),
    most_epochs: int = 0, changes: Mapping[str, Mapping[str, Any]] | None = None, seed: int = 0, runs_dir: str | Path = "", workers: int | None = None,
    say: Callable[[str], None] | None = print,
) -> tuple[list[dict[str, Any]], dict[tuple[str, str], str]]:  # fmt: skip
    """Fit every candidate on every split, and bring predictions back onto the reader's scale.

    Parameters
    ----------
    splits : mapping
        On the reader's own scale; models see `starred` ones.
    once : sequence of str
        Slow contenders, fitted on the first split only.
    changes : mapping, optional
        By contender, hyperparameters that differ; those of contenders that are not fitted do not count.

    Returns
    -------
    fits : list of dict
        Of those that ended well; see `lib.common_protocol.measure`.
    remarks : dict
        By contender and split, why it failed, or what was done otherwise so that it did not.
    """
    changes = {name: change for name, change in (changes or {}).items() if name in found.contenders}
    wanted = jobs(
        found.contenders, choices, splits, listed=list(splits), once=[n for n in once if n in found.contenders],
        once_on=list(splits)[:1], most_epochs=most_epochs, changes=changes, seed=seed,
    )  # fmt: skip
    seen = {key: starred(split) for key, split in splits.items()}
    context = {"splits": {key: {"train": s.train, "test": s.test} for key, s in seen.items()}, "k": k}
    fits, remarks = [], {}
    for fit in work(fit_reporting, context, wanted, runs_dir, workers, say):
        if fit["failure"] or fit["note"]:
            remarks[fit["contender"], fit["split"]] = fit["failure"] or fit["note"]
        if fit["failure"]:
            continue
        if "predictions" in fit:
            fit["predictions"] = from_stars(fit["predictions"], splits[fit["split"]].test.scale)
        fits.append(fit)
    return fits, remarks
