"""Published results on MovieLens, read from ``data/anchors.toml``, and ours beside them."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pandas as pd

from lib import ROOT
from lib.anchor_measurements import measured
from lib.datasets import FOLDS
from lib.datasets.catalogue import entry
from lib.datasets.errors import UnknownDataset

PATH = ROOT / "data" / "anchors.toml"
METRICS = ("rmse", "mae")
CHECKED = ("repository", "poster", "website", "leaderboard", "no")
"""Where a figure was looked up; the file's head says what each means."""

TABLE_COLUMNS = (
    "id", "source", "dataset", "split", "metric", "model", "published", "rounding", "ours_model", "ours", "low",
    "high", "difference", "comparable", "note",
)  # fmt: skip


class InvalidAnchors(ValueError):
    """The file of published results contradicts itself; the message says where and what is missing."""


@dataclass(frozen=True)
class Source:
    """Who published, where, and under which protocol."""

    id: str
    title: str
    authors: str
    year: int
    url: str
    protocol: str

    @property
    def cite(self) -> str:
        """The first author's surname, "et al." where there are more, and the year."""
        first, *others = self.authors.split(", ")
        words = first.split()
        # A surname starts at its particle ("van den Berg"), or else is the last word.
        start = next((i for i, word in enumerate(words) if i and word[0].islower()), len(words) - 1)
        return f"{' '.join(words[start:])}{' et al.' if others else ''} {self.year}"


@dataclass(frozen=True)
class Anchor:
    """One published figure.

    Parameters
    ----------
    id : str
    source : Source
    dataset, split : str
        As `lib.datasets` and `lib.splits` name them.
    model : str
        As its authors call it.
    ours : str
        The model in our results that comes nearest; empty where none does.
    metric : str
        One of `METRICS`.
    value : float
        In stars.
    rounding : float
        Half a unit of the last printed digit.
    comparable : bool
        Whether no choice was made on the test ratings and the model was told nothing of them, as far as the published
        code shows, and the split is the one named.
    why_not : str
        What makes it not comparable; empty where it is.
    differs : str
        How our counterpart differs beyond the protocol.
    checked : str
        One of `CHECKED`.
    seconds : float
        As stated; NaN where nothing is.
    """

    id: str
    source: Source
    dataset: str
    split: str
    model: str
    ours: str
    metric: str
    value: float
    rounding: float
    comparable: bool
    why_not: str = ""
    differs: str = ""
    checked: str = "no"
    seconds: float = math.nan

    @property
    def protocol(self) -> str:
        """The source's notes: folds, seeds, side information, dates, clipping, and what could not be verified."""
        return self.source.protocol


def load_anchors(path: Path | str = PATH) -> list[Anchor]:
    """Read and check the file of published results.

    Raises
    ------
    InvalidAnchors
        An unknown or missing key, an id twice, a source that is not described, an unknown data set, split or metric,
        an error outside the rating scale, or a figure that is not comparable without a reason.
    """
    path = Path(path)
    try:
        # Decimal keeps the digits as printed: 0.910 is a figure to three places.
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InvalidAnchors(f"{path} is not valid TOML: {error}") from error
    _keys(str(path), content, {"anchors", "sources"})
    sources = {}
    for name, found in content["sources"].items():
        _keys(f"source {name}", found, {"title", "authors", "year", "url", "protocol"})
        for key, value in found.items():
            if not str(value).strip():
                raise InvalidAnchors(f"source {name}: {key} is empty")
        sources[name] = Source(name, **found)
    anchors: dict[str, Anchor] = {}
    for number, found in enumerate(content["anchors"], start=1):
        anchor = _anchor(f"anchor {found.get('id', number)}", found, sources)
        if anchor.id in anchors:
            raise InvalidAnchors(f"anchor {anchor.id}: the id occurs twice")
        anchors[anchor.id] = anchor
    unused = set(sources) - {anchor.source.id for anchor in anchors.values()}
    if unused:
        raise InvalidAnchors(
            f"no anchor cites source {', '.join(sorted(unused))}; remove it or add its figures"
        )
    return list(anchors.values())


def _anchor(here: str, found: Mapping, sources: Mapping[str, Source]) -> Anchor:
    """Check one record."""
    required = {
        "id",
        "source",
        "dataset",
        "split",
        "model",
        "ours",
        "metric",
        "value",
        "comparable",
        "checked",
    }
    _keys(here, found, required, {"why_not", "differs", "seconds"})
    if found["source"] not in sources:
        raise InvalidAnchors(f"{here}: no source is called {found['source']!r}; describe it under [sources]")
    for key, known in (("metric", METRICS), ("checked", CHECKED)):
        if found[key] not in known:
            raise InvalidAnchors(f"{here}: {key} {found[key]!r} is none of {', '.join(known)}")
    try:
        lowest, highest = entry(found["dataset"]).scale
    except UnknownDataset as error:
        raise InvalidAnchors(f"{here}: {error}") from error
    if not re.fullmatch(r"u[1-5]|kfold_\d+|random_\d+_\d+|per_user_\d+_\d+|chronological", found["split"]):
        raise InvalidAnchors(f"{here}: no split is called {found['split']!r}; see lib.splits for their names")
    value = found["value"]
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value < highest - lowest:
        raise InvalidAnchors(
            f"{here}: an error in stars lies between 0 and {highest - lowest:g} on a scale from {lowest:g} to "
            f"{highest:g}; got {value}"
        )
    if not isinstance(found["comparable"], bool):
        raise InvalidAnchors(f"{here}: comparable is true or false, got {found['comparable']!r}")
    why_not = found.get("why_not", "").strip()
    if found["comparable"] == bool(why_not):
        problem = (
            "is comparable, so it takes no why_not" if why_not else "is not comparable: say in why_not why"
        )
        raise InvalidAnchors(f"{here}: it {problem}")
    digits = -value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return Anchor(
        found["id"], sources[found["source"]], found["dataset"], found["split"], found["model"], found["ours"],
        found["metric"], float(value), 0.5 * 10.0**-digits, found["comparable"], why_not, found.get("differs", ""),
        found["checked"], float(found.get("seconds", math.nan)),
    )  # fmt: skip


def _keys(here: str, found: Mapping, required: set[str], optional: set[str] = frozenset()) -> None:
    missing = required - set(found)
    if missing:
        raise InvalidAnchors(f"{here}: lacks {', '.join(sorted(missing))}")
    for key in set(found) - required - optional:
        near = difflib.get_close_matches(key, required | optional, n=1)
        raise InvalidAnchors(
            f"{here}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        )


def anchor_table(anchors: Iterable[Anchor], results: pd.DataFrame) -> pd.DataFrame:
    """Put our results beside published ones.

    Parameters
    ----------
    anchors : iterable of Anchor
    results : DataFrame
        Rows with `lib.results.METRIC_COLUMNS`, of any runs; data sets, splits, models and metrics that no anchor names
        do no harm.

    Returns
    -------
    DataFrame
        `TABLE_COLUMNS`, a row an anchor, in their order: ``published`` and ``ours`` in stars, ours with the interval
        of `lib.anchor_measurements.measured`, ``difference`` as ours minus published (below zero: ours has the lower
        error), and in ``note`` why they differ. Where our counterpart was not measured on that split, ours is NaN and
        the note says so.
    """
    anchors = list(anchors)
    ours: dict[tuple[str, str, str], pd.DataFrame] = {}
    for key in {(anchor.dataset, anchor.split, anchor.metric) for anchor in anchors}:
        ours[key] = measured(results, *key).set_index("model")
    rows = []
    for anchor in anchors:
        of_protocol = ours[anchor.dataset, anchor.split, anchor.metric]
        one = of_protocol.loc[anchor.ours] if anchor.ours in of_protocol.index else None
        value = math.nan if one is None else float(one["value"])
        rows.append(
            {
                "id": anchor.id, "source": anchor.source.id, "dataset": anchor.dataset, "split": anchor.split,
                "metric": anchor.metric, "model": anchor.model, "published": anchor.value,
                "rounding": anchor.rounding, "ours_model": anchor.ours, "ours": value,
                "low": math.nan if one is None else float(one["low"]),
                "high": math.nan if one is None else float(one["high"]),
                "difference": value - anchor.value, "comparable": anchor.comparable,
                "note": _note(anchor, one),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def _note(anchor: Anchor, one: pd.Series | None) -> str:
    """Say why the two figures differ, or why there is none to compare with."""
    notes = [] if anchor.comparable else [f"not comparable: {anchor.why_not}"]
    if one is None:
        why = "not measured here on this split" if anchor.ours else "no counterpart here"
        return "; ".join([*notes, why])
    if one["basis"] != anchor.split:
        notes.append(f"ours on GroupLens's own folds {FOLDS[0]} to {FOLDS[-1]}, theirs on random ones")
    elif anchor.split in FOLDS:
        notes.append("the same test ratings")
    else:
        notes.append("other random folds" if anchor.split.startswith("kfold") else "another random split")
    if anchor.differs:
        notes.append(anchor.differs)
    if abs(one["value"] - anchor.value) <= anchor.rounding:
        notes.append("they agree to the last printed digit")
    return "; ".join(notes)
