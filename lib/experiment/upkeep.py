"""Looking after the kept layer: copying what was made here into it, making samples of it anew, signing it again.

``python -m lib.experiment.upkeep`` keeps what takes long and was made here: searches, and fits with a `Fit.keep`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lib.data.errors import DatasetUnavailable
from lib.data.files import plain
from lib.experiment import records
from lib.experiment.cluster import run_jobs
from lib.experiment.fit import Fit, fit_and_measure
from lib.experiment.key import code_digest, fingerprint
from lib.experiment.origin import UnknownOrigin, rebuild
from lib.experiment.search import DIVERGED, Trials
from lib.experiment.search_result import Search
from lib.experiment.space import hyperparameters

Say = Callable[[str], None]

NEAR = 1e-6
"""Largest relative difference that still counts as agreement, between machines."""

COSTS = ("seconds", "mib", "mebibytes", "memory")
"""Beginnings and ends of names that tell costs, which are never the same twice."""

SAMPLE = 3
"""Records of a stale group that are made anew before it is signed again."""


@dataclass(frozen=True)
class Kept:
    """A kept record, or a fold of a trial of a kept search, with what it takes to make it anew."""

    file: Path
    name: str
    fit: Fit
    parts: Mapping[str, Mapping[str, Any]]
    found: Mapping[str, Any]
    code: str
    made: Mapping[str, Any]

    @property
    def stale(self) -> bool:
        """Whether other code has made it."""
        return self.code != current_code(self.file, [self.fit])


def current_code(file: Path, fits: list[Fit]) -> str:
    """Return the digest of the code that a kept file's content depends on, as it is now."""
    searched = [f"{Trials.__module__}:{Trials.__name__}"] if file.parent.name == "searches" else []
    return code_digest([root for fit in fits for root in fit.roots()] + searched)


def kept_files() -> list[Path]:
    """Return the files of kept records and searches."""
    return sorted(p for kind in ("records", "searches") for p in (records.KEPT / kind).glob("*.json.gz"))


def kept_in(file: Path) -> list[Kept]:
    """Read all that a file of the kept layer holds."""
    content = records.read_kept(file)
    return list(_of_search(file, content) if file.parent.name == "searches" else _of_group(file, content))


def _of_group(file: Path, content: Mapping[str, Any]) -> Iterator[Kept]:
    for key, one in content.items():
        fit = records.fit_from_text(one["fit"])
        yield Kept(file, f"{file.name.partition('.')[0]} {key[:8]} ({fit})", fit, one["fit"]["parts"], one["found"], one["code"], one["made"])  # fmt: skip


def _of_search(file: Path, content: Mapping[str, Any]) -> Iterator[Kept]:
    found = Search.from_text(content)
    for row in found.trials.to_dict("records"):
        for number, text in enumerate(content["folds"]):
            if row["state"] == "failed" or (score := row[f"score_{number}"]) != score:
                continue
            fold, point = records.fit_from_text(text), {n: plain(row[n]) for n in found.parameters}
            fit = replace(
                fold, parameters={**hyperparameters(point, fold.parameters), **fold.parameters}, labels=point,
                records_errors=DIVERGED,
            )  # fmt: skip
            name = f"{found.name}, trial {row['trial']}" + (
                f", fold {number}" if len(content["folds"]) > 1 else ""
            )
            yield Kept(file, name, fit, text["parts"], {"score": score}, content["code"], content["made"])


def stale_files() -> list[Path]:
    """Return the kept files that other code has made: publishing refuses while there is one."""
    return [file for file in kept_files() if any(one.stale for one in kept_in(file)[:1])]


# -- making anew ---------------------------------------------------------------------------------------------------
def make_anew(kept: list[Kept], say: Say) -> list[str]:
    """Make kept records anew, and say of each: ``same bits``, ``within 1e-6``, ``different``, or why it could not be."""
    parts: dict[str, Any] = {}
    jobs: dict[int, _Again] = {}
    verdicts = [""] * len(kept)
    for place, one in enumerate(kept):
        try:
            jobs[place] = _Again(one.fit, {name: _part(parts, told) for name, told in one.parts.items()})
        except (UnknownOrigin, DatasetUnavailable, ValueError) as error:
            verdicts[place] = f"not made: {str(error).splitlines()[0]}"
            say(f"{verdicts[place]}: {one.name}")
    places = list(jobs)
    for index, found in run_jobs(_fit_again, list(jobs.values()), parts):
        place = places[index]
        verdicts[place] = agreement(kept[place].found, plain(dict(found)))
        say(f"{verdicts[place]}: {kept[place].name}")
    return verdicts


@dataclass(frozen=True)
class _Again:
    """A fit, and the digest that each of its parts goes by among those of many fits."""

    fit: Fit
    digests: Mapping[str, str]

    def needs(self) -> list[str]:
        """Name the data by their digests."""
        return list(self.digests.values())

    def __str__(self) -> str:
        return str(self.fit)


def _fit_again(parts: Mapping[str, Any], job: _Again) -> dict[str, Any]:
    return fit_and_measure({name: parts[digest] for name, digest in job.digests.items()}, job.fit)


def _part(parts: dict[str, Any], told: Mapping[str, Any]) -> str:
    """Rebuild a part unless it is there, hold it against its digest, and return that."""
    name = told["digest"]
    if name not in parts:
        found = rebuild(told["origin"])
        if fingerprint(found) != name:
            raise ValueError("its data are not those that it was made of")
        parts[name] = found
    return name


def agreement(kept: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Hold two records' numbers against each other, costs aside."""
    worst = 0.0
    for name, value in kept.items():
        if name.startswith(COSTS) or name.endswith(COSTS) or isinstance(value, (str, list, dict)):
            continue
        other = found.get(name)
        if value is None or other is None:
            worst = worst if value is other else np.inf
        else:
            worst = max(worst, abs(float(other) - float(value)) / max(abs(float(value)), 1e-12))
    return "same bits" if worst == 0 else f"within {NEAR:g}" if worst <= NEAR else "different"


def verify(n: int, say: Say = print, *, seed: int | None = None) -> int:
    """Make `n` kept records, drawn at random, anew, and say how they agree.

    Returns
    -------
    int
        0 where all agree: to the last bit on the machine that made them, to `NEAR` elsewhere; else 1.
    """
    seed = random.randrange(10**6) if seed is None else seed
    everything = [one for file in kept_files() for one in kept_in(file)]
    drawn = random.Random(seed).sample(everything, min(n, len(everything)))
    say(f"{len(drawn)} of {len(everything)} kept records, drawn with seed {seed}:")
    here = records.made_here()["machine"]
    failed = 0
    for one, verdict in zip(drawn, make_anew(drawn, say), strict=True):
        same_machine = one.made.get("machine") == here
        failed += verdict == "different" or (same_machine and verdict.startswith("within"))
    say(
        "All agree."
        if not failed
        else f"{failed} do not agree; bits are asked for on the machine that made a record."
    )
    return int(failed > 0)


def rekey(say: Say = print, *, seed: int = 0) -> int:
    """Sign stale groups again, where a sample of each, made anew, agrees.

    Returns
    -------
    int
        0 where no group is stale any more, else 1.
    """
    held = {file: kept_in(file) for file in stale_files()}
    draw = random.Random(seed)
    samples = {file: draw.sample(all_of, min(SAMPLE, len(all_of))) for file, all_of in held.items()}
    verdicts = iter(make_anew([one for sample in samples.values() for one in sample], say))
    left = 0
    for file, sample in samples.items():
        said = [next(verdicts) for _ in sample]
        if any(verdict == "different" or verdict.startswith("not made") for verdict in said):
            say(f"{file.name} stays as made by earlier code: make it anew")
            left += 1
            continue
        how = f"{len(sample)} made anew on {records.made_here()['day']}, {', '.join(sorted(set(said)))}"
        _sign(file, [one.fit for one in held[file]], how)
        say(f"{file.name} is signed again")
    return int(left > 0)


def _sign(file: Path, fits: list[Fit], how: str) -> None:
    content = records.read_kept(file)
    for one, fit in [(content, fits[0])] if file.parent.name == "searches" else zip(content.values(), fits, strict=True):  # fmt: skip
        one["code"] = current_code(file, [fit])
        one["made"] = {**one["made"], "signed_again": how}
    records.write_kept(file, content)


# -- keeping -------------------------------------------------------------------------------------------------------
def keep(say: Say = print) -> None:
    """Copy what was made here and takes long into the kept layer: searches, and records of fits with a `Fit.keep`."""
    count = 0
    for folder in records.folders():
        for path in sorted((folder / "searches").glob("*.json.gz")):
            count += _keep_search(path)
        for path in sorted((folder / "to_keep").glob("*.json")):
            count += _keep_record(folder, path)
    say(f"{count} searches and records are new in data/kept")


def _keep_search(path: Path) -> int:
    made, target = records.read_kept(path), records.KEPT / "searches" / path.name
    made.pop("time", None)
    if target.exists():
        kept = records.read_kept(target)
        longer = len(kept["trials"]["trial"]) >= len(made["trials"]["trial"])
        if kept["code"] == made["code"] and longer:
            return 0
    records.write_kept(target, made)
    return 1


def _keep_record(folder: Path, path: Path) -> int:
    import json

    text = json.loads(path.read_text(encoding="utf-8"))
    key, fit = text.pop("key"), records.fit_from_text(text)
    record = records.find(replace(fit, keep=""), key)
    group = dict(records.kept_group(fit.keep))
    if record is None or group.get(key, {}).get("code") == code_digest(fit.roots()):
        return 0
    found = {n: v for n, v in record.items() if not isinstance(v, np.ndarray)}
    group[key] = {"fit": text, "found": found, "code": code_digest(fit.roots()), "made": record.made}
    records.write_kept(records.group_file(fit.keep), group)
    return 1


if __name__ == "__main__":
    keep()
