"""Every model on a reader's ratings, under the common protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lib.experiment.protocol import parts_of, table_fits
from lib.experiment.run import run_fits
from lib.own_ratings.candidates import Candidates
from lib.own_ratings.stars import for_models, from_stars
from lib.splits import Split

CALMER = 4
"""Most times that a learning rate is lowered."""


def starred(split: Split) -> Split:
    """Return a split as models see it (`for_models`)."""
    return replace(split, train=for_models(split.train), test=for_models(split.test))


def fit_all(
    found: Candidates, choices: Mapping[str, Mapping[str, Any]], splits: Mapping[str, Split], *, k: int, once: Sequence[str] = (),
    most_epochs: int = 0, changes: Mapping[str, Mapping[str, Any]] | None = None, seed: int = 0,
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
    fits : list of Record
        Those that ended well.
    remarks : dict
        By contender and split, why it failed, or what was done otherwise so that it did not.
    """
    changes = {name: change for name, change in (changes or {}).items() if name in found.contenders}
    wanted = table_fits(
        found.contenders, choices, splits, k=k, listed=list(splits), once=[n for n in once if n in found.contenders],
        once_on=list(splits)[:1], most_epochs=most_epochs, changes=changes, seed=seed,
    )  # fmt: skip
    # A reader's data may break one model: the page says which, and how, and the others go on.
    wanted = [replace(fit, slower=CALMER, records_errors=("Exception",)) for fit in wanted]
    seen = {key: starred(split) for key, split in splits.items()}
    fits, remarks = [], {}
    for fit in run_fits(wanted, parts_of(seen)):
        failure = f"failed: {fit['failure']}"[:300] if "failure" in fit else ""
        if failure or "note" in fit:
            remarks[fit["contender"], fit["split"]] = failure or fit["note"]
        if failure:
            continue
        if "predictions" in fit:
            fit["predictions"] = from_stars(fit["predictions"], splits[fit["split"]].test.scale)
        fits.append(fit)
    return fits, remarks
