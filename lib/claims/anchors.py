"""Published results on MovieLens, read from ``data/anchors.toml``, and ours beside them."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path

import pandas as pd

from lib import ROOT
from lib.claims.anchor_measurements import measured
from lib.claims.published import InvalidClaims, check_keys, read_toml, rounding_of
from lib.data.catalogue import entry
from lib.data.errors import UnknownDataset
from lib.data.splits import FOLDS

PATH = ROOT / "data" / "anchors.toml"
METRICS = ("rmse", "mae")
CHECKED = ("repository", "poster", "website", "leaderboard", "no")
"""Where a figure was looked up; the file's head says what each means."""


@dataclass(frozen=True)
class Source:
    """Who published, where, and under which protocol: folds, seeds, side information, and what could not be verified."""

    id: str
    title: str
    authors: str
    year: int
    url: str
    protocol: str

    @property
    def cite(self) -> str:
        """The surnames of one or two authors, of more the first and "et al.", and the year."""
        # A surname starts at its particle ("van den Berg"), or else is the last word; a hard space holds two together.
        first, *others = [re.sub("^.*? (?=[a-z])|^.* ", "", one) for one in self.authors.split(", ")]
        more = " et al." if others[1:] else f" and {others[0]}" if others else ""
        return f"{first}{more} {self.year}"


@dataclass(frozen=True)
class Anchor:
    """One published figure: the `value` of one of `METRICS`, in stars, with half a unit of its last printed digit, `rounding`.

    `dataset` and `split` are as `lib.data` names them, `model` as its authors call it; `ours` is the model in our results that
    comes nearest (empty where none does), and `differs` says how beyond the protocol. A figure is `comparable` where no choice
    was made on the test ratings and the model was told nothing of them but what it `knows` besides user and film (such as
    their day; empty for nothing), as far as the published code shows, and the split is the one named; else `why_not` says
    what makes it not so. `checked` is one of `CHECKED`.
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
    checked: str
    why_not: str = ""
    differs: str = ""
    knows: str = ""


OPTIONAL = {"why_not", "differs", "knows"}
REQUIRED = {field.name for field in fields(Anchor)} - OPTIONAL - {"rounding"}


def load_anchors(path: Path | str = PATH) -> list[Anchor]:
    """Read and check the file of published results; InvalidClaims, which says where, for what is wrong in it."""
    content = read_toml(path, parse_float=Decimal)
    check_keys(str(path), content, {"anchors", "sources"})
    sources = {}
    for name, found in content["sources"].items():
        check_keys(f"source {name}", found, {field.name for field in fields(Source)} - {"id"})
        sources[name] = Source(name, **found)
    anchors: dict[str, Anchor] = {}
    for number, found in enumerate(content["anchors"], start=1):
        anchor = _anchor(f"anchor {found.get('id', number)}", found, sources)
        if anchor.id in anchors:
            raise InvalidClaims(f"anchor {anchor.id}: the id occurs twice")
        anchors[anchor.id] = anchor
    return list(anchors.values())


def _anchor(here: str, found: Mapping, sources: Mapping[str, Source]) -> Anchor:
    """Check one record."""
    check_keys(here, found, REQUIRED, OPTIONAL | {"seconds"})
    allowed = {"source": sources, "metric": METRICS, "checked": CHECKED, "comparable": (True, False)}
    for key, known in allowed.items():
        if found[key] not in known:
            raise InvalidClaims(f"{here}: {key} {found[key]!r} is none of {', '.join(map(str, known))}")
    try:
        lowest, highest = entry(found["dataset"]).scale
    except UnknownDataset as error:
        raise InvalidClaims(f"{here}: {error}") from error
    if not re.fullmatch(r"u[1-5]|kfold_\d+|random_\d+_\d+|per_user_\d+_\d+|chronological", found["split"]):
        raise InvalidClaims(f"{here}: no split is called {found['split']!r}; see lib.data.splits for their names")
    value, widest = found["value"], highest - lowest
    if not isinstance(value, int | Decimal) or not (math.isfinite(value) and 0 < value < widest):
        raise InvalidClaims(f"{here}: an error in stars lies between 0 and {widest:g}, the scale's width; got {value}")
    if found["comparable"] == bool(found.get("why_not", "").strip()):
        raise InvalidClaims(f"{here}: why_not says why a figure is not comparable, and stands only there")
    read = {"source": sources[found["source"]], "value": float(value), "rounding": rounding_of(value)}
    return Anchor(**{key: of for key, of in found.items() if key != "seconds"} | read)


def anchor_table(anchors: Iterable[Anchor], results: pd.DataFrame) -> pd.DataFrame:
    """Put our results beside published ones: a row an anchor, in their order, with what it holds.

    `results` are rows with `lib.experiment.stored_runs.METRIC_COLUMNS`, of any runs. Added are the source's id, the
    value as ``published`` and its counterpart as ``ours_model``; ``ours`` with the interval of
    `lib.claims.anchor_measurements.measured` as ``low`` and ``high``; ``difference`` as ours minus published (below
    zero: ours has the lower error); in ``note`` why they differ, and ``alike``: the figure is comparable and ours was told no
    more of the test ratings, so not their second. Ours is NaN where it was not measured on that split.
    """
    anchors = list(anchors)
    protocols = {(anchor.dataset, anchor.split, anchor.metric) for anchor in anchors}
    measurements = {key: {row["model"]: row for _, row in measured(results, *key).iterrows()} for key in protocols}
    rows = []
    for anchor in anchors:
        one = measurements[anchor.dataset, anchor.split, anchor.metric].get(anchor.ours)
        value, low, high = (math.nan,) * 3 if one is None else map(float, one[["value", "low", "high"]])
        ours = {"ours_model": anchor.ours, "ours": value, "low": low, "high": high}
        beside = {"published": anchor.value, "difference": value - anchor.value, "note": _note(anchor, one)}
        beside["alike"] = anchor.comparable and not (one is not None and one["timed"])
        rows.append({**vars(anchor), "source": anchor.source.id, **ours, **beside})
    return pd.DataFrame(rows)


def _note(anchor: Anchor, one: pd.Series | None) -> str:
    """Say why the two figures differ, or why there is none to compare with."""
    notes = [] if anchor.comparable else [f"not comparable: {anchor.why_not}"]
    if one is None:
        return "; ".join([*notes, "not measured here on this split" if anchor.ours else "no counterpart here"])
    if one["basis"] != anchor.split:
        notes.append(f"ours on GroupLens's own folds {FOLDS[0]} to {FOLDS[-1]}, theirs on random ones")
    elif anchor.split in FOLDS:
        notes.append("the same test ratings")
    else:
        notes.append("other random folds" if anchor.split.startswith("kfold") else "another random split")
    if one["timed"]:
        knows = anchor.knows or "nothing of time"
        notes.append(f"not comparable, as ours is told the second of each test rating, theirs {knows}")
    if anchor.differs:
        notes.append(anchor.differs)
    if abs(one["value"] - anchor.value) <= anchor.rounding:
        notes.append("they agree to the last printed digit")
    return "; ".join(notes)


def best_published(table: pd.DataFrame, *, comparable: bool = True) -> pd.Series | None:
    """Return the row with the lowest published error of those that are comparable, or of those that are not; None without."""
    rows = table[table["comparable"] == comparable]
    return None if rows.empty else rows.iloc[rows["published"].argmin()]


def why_not_comparable(anchors: Iterable[Anchor]) -> str:
    """Name the models whose squared errors are not comparable, with the reasons."""
    reasons: dict[str, list[str]] = {}
    for anchor in anchors:
        if not anchor.comparable and anchor.metric == "rmse":
            reasons.setdefault(anchor.why_not, []).append(anchor.model)
    return "; ".join(f"{' and '.join(dict.fromkeys(models))}, {why}" for why, models in reasons.items())


def sources_table(anchors: Iterable[Anchor]) -> pd.DataFrame:
    """Return a row a source: ``source`` (author and year), ``title``, ``figures``, ``looked_up_in``, ``protocol`` and ``url``."""
    found: dict[Source, list[Anchor]] = {}
    for anchor in anchors:
        found.setdefault(anchor.source, []).append(anchor)
    rows = []
    for source, of in found.items():
        places = dict.fromkeys("could not be verified" if one.checked == "no" else one.checked for one in of)
        rows.append((source.cite, source.title, len(of), ", ".join(places), source.protocol, source.url))
    return pd.DataFrame(rows, columns=["source", "title", "figures", "looked_up_in", "protocol", "url"])


def readers_table(table: pd.DataFrame, sources: Mapping[str, Source], names: Mapping[str, str]) -> pd.DataFrame:
    """Turn rows of `anchor_table` into what a reader sees: squared errors before absolute ones, lowest first.

    `sources` are those that the rows cite; `names` are what a reader sees for our models, one without an entry by its
    name. What has no counterpart or interval is missing there.
    """
    rows = table.sort_values(["metric", "published"], ascending=[False, True], kind="stable")
    bounds = zip(rows["low"], rows["high"], strict=True)
    cited = [sources[one] for one in rows["source"]]
    return pd.DataFrame(
        {
            "published_model": rows["model"],
            "source": [one.cite for one in cited],
            "metric": rows["metric"].str.upper(),
            "published": rows["published"],
            "our_counterpart": [names.get(one, one) or None for one in rows["ours_model"]],
            "value: Ours": rows["ours"],
            "interval": [f"{low:.3f} to {high:.3f}" if math.isfinite(low) else None for low, high in bounds],
            "difference: Ours − published": rows["difference"],
            "why_they_differ": rows["note"],
            "url": [one.url for one in cited],
        }
    ).reset_index(drop=True)
