"""Looking after the kept layer: copying what was made here into it, making samples of it anew, signing it again.

``python -m lib.experiment.upkeep`` keeps what takes long and was made here: searches, and fits with a `Fit.keep`.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lib.data import folds, splits
from lib.data.dataset import load
from lib.data.errors import DatasetUnavailable
from lib.data.files import plain
from lib.data.interactions import Interactions
from lib.experiment import records
from lib.experiment.cluster import run_jobs
from lib.experiment.fit import Fit, fit_and_measure
from lib.experiment.key import code_digest, fingerprint
from lib.experiment.search import Trials, at_point
from lib.experiment.search_result import Search
from lib.models import model_class

Say = Callable[[str], None]

NEAR = 1e-6  # largest relative difference that still counts as agreement, between machines
COSTS = ("seconds", "mib", "mebibytes", "memory")  # ends of names of what is never the same twice
SAMPLE = 3  # records of a stale group that are made anew before it is signed again
LARGEST = 8_000  # numbers in an array of a kept record; predictions and lists are larger


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

    def __str__(self) -> str:
        return self.name

    def needs(self) -> list[str]:
        """Return the digests of its data."""
        return [told["digest"] for told in self.parts.values()]

    @property
    def stale(self) -> bool:
        """Whether other code has made it."""
        return self.code != _current_code(self.file, self.fit)


def _current_code(file: Path, fit: Fit) -> str:
    """Return the digest of the code that a kept file's content depends on, as it is now."""
    searched = [f"{Trials.__module__}:{Trials.__name__}"] if file.parent.name == "searches" else []
    with suppress(KeyError):  # a model that is no longer there
        return code_digest([*fit.roots(), *searched])
    return ""


def kept_files() -> list[Path]:
    """Return the files of kept records and searches."""
    return sorted(p for kind in ("records", "searches") for p in (records.KEPT / kind).glob("*.json.gz"))


def kept_in(file: Path) -> Iterator[Kept]:
    """Read what a file of the kept layer holds."""
    content = records.read_kept(file)
    if file.parent.name != "searches":
        for key, one in content.items():
            fit = records.fit_from_text(one["fit"])
            name = f"{file.name.partition('.')[0]} {key[:8]} ({fit})"
            yield Kept(file, name, fit, one["fit"]["parts"], records.kept_values(one), one["code"], one["made"])
        return
    found = Search.from_text(content)
    for row in found.trials.to_dict("records"):
        for number, text in enumerate(content["folds"]):
            score = row[f"score_{number}"]
            if row["state"] == "failed" or np.isnan(score):
                continue
            fit = at_point(records.fit_from_text(text), {n: plain(row[n]) for n in found.parameters})
            where = f", fold {number}" if len(content["folds"]) > 1 else ""
            name = f"{found.name}, trial {row['trial']}{where}"
            yield Kept(file, name, fit, text["parts"], {"score": score}, content["code"], content["made"])


def stale_files() -> list[Path]:
    """Return the kept files that other code has made: publishing refuses while there is one."""
    # All of a search is of one code; a group's records are of several models.
    ends = {file: 1 if file.parent.name == "searches" else None for file in kept_files()}
    return [file for file, end in ends.items() if any(one.stale for one in islice(kept_in(file), end))]


def make_anew(kept: list[Kept], say: Say) -> list[str]:
    """Make kept records anew, and say of each: ``same bits``, ``within 1e-6``, ``different``, or why it could not be."""
    parts: dict[str, Any] = {}
    verdicts, places = [""] * len(kept), []
    for place, one in enumerate(kept):
        try:
            for package in model_class(one.fit.model).loaded_first:
                if find_spec(package) is None:  # a peer's
                    raise ValueError(f"{package} is not installed")
            for told in one.parts.values():
                _add(parts, told)
            places.append(place)
        except (DatasetUnavailable, ValueError, AttributeError) as error:  # such as of a split that is no more
            verdicts[place] = f"not made: {str(error).splitlines()[0]}"
            say(f"{verdicts[place]}: {one}")
    for index, found in run_jobs(_fit_again, [kept[place] for place in places], parts):
        place = places[index]
        verdicts[place] = agreement(kept[place].found, found)
        say(f"{verdicts[place]}: {kept[place]}")
    return verdicts


def _fit_again(parts: Mapping[str, Any], job: Kept) -> dict[str, Any]:
    return fit_and_measure({name: parts[told["digest"]] for name, told in job.parts.items()}, job.fit)


def _add(parts: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Rebuild a part unless it is there, by its digest, and hold it against that."""
    if told["digest"] not in parts:
        found = rebuild(told["origin"])
        if fingerprint(found) != told["digest"]:
            raise ValueError("its data are not those that it was made of")
        parts[told["digest"]] = found


def agreement(kept: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Hold two records' numbers against each other, costs aside; of an array's the largest difference to its largest."""
    worst = 0.0
    for name, value in kept.items():
        if name.startswith(COSTS) or name.endswith(COSTS) or isinstance(value, (str, list, dict)):
            continue
        one, other = (np.asarray(np.nan if v is None else v, np.float64) for v in (value, found.get(name)))
        if one.shape != other.shape or not np.array_equal(np.isfinite(one), np.isfinite(other)):
            return "different"
        one, other = one[np.isfinite(one)], other[np.isfinite(other)]
        if one.size:
            worst = max(worst, np.abs(other - one).max() / max(np.abs(one).max(), 1e-12))
    return "same bits" if worst == 0 else f"within {NEAR:g}" if worst <= NEAR else "different"


def verify(n: int, say: Say = print, *, seed: int | None = None) -> int:
    """Make `n` random records anew; 0: all agree, to the bit where they were made, to `NEAR` elsewhere; else 1."""
    seed = random.randrange(10**6) if seed is None else seed
    everything = [one for file in kept_files() for one in kept_in(file)]
    drawn = random.Random(seed).sample(everything, min(n, len(everything)))
    say(f"{len(drawn)} of {len(everything)} kept records, drawn with seed {seed}:")
    here = records.made_here()["machine"]
    failed = unmade = 0
    for one, verdict in zip(drawn, make_anew(drawn, say), strict=True):
        same_machine = one.made.get("machine") == here
        failed += verdict == "different" or (same_machine and verdict.startswith("within"))
        unmade += verdict.startswith("not made")
    if failed:
        say(f"{failed} do not agree; bits are asked for on the machine that made a record.")
    if unmade:
        say(f"{unmade} could not be made anew, so nothing is known of them.")
    if not failed + unmade:
        say("All agree.")
    return int(failed + unmade > 0)


def rekey(say: Say = print) -> int:
    """Sign stale groups again, where a sample of each, made anew, agrees; return 1 where a group is left stale, else 0."""
    held, draw = {file: list(kept_in(file)) for file in stale_files()}, random.Random(0)
    stale = {file: [one for one in all_of if one.stale] for file, all_of in held.items()}
    samples = {file: draw.sample(all_of, min(SAMPLE, len(all_of))) for file, all_of in stale.items()}
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
    entries = [content] if file.parent.name == "searches" else content.values()
    for one, fit in zip(entries, fits, strict=False):
        if one["code"] != (code := _current_code(file, fit)):
            one |= {"code": code, "made": {**one["made"], "signed_again": how}}
    records.write_kept(file, content)


def keep(say: Say = print) -> None:
    """Copy what was made here and takes long into the kept layer: searches, and records of fits with a `Fit.keep`."""
    count = 0
    for folder in records.folders():
        count += sum(_keep_search(path) for path in sorted((folder / "searches").glob("*.json.gz")))
        count += sum(_keep_record(path) for path in sorted(folder.glob("*.npz")))
    say(f"{count} searches and records are new in data/kept")


def _keep_search(path: Path) -> bool:
    made, target = records.read_kept(path), records.KEPT / "searches" / path.name
    del made["time"]
    if target.exists():
        kept = records.read_kept(target)
        longer = len(kept["trials"]["trial"]) >= len(made["trials"]["trial"])
        if kept["code"] == made["code"] and longer:
            return False
    records.write_kept(target, made)
    return True


def _keep_record(path: Path) -> bool:
    with np.load(path, allow_pickle=False) as file:
        head = records.head_of(file)
        arrays = {name: file[name] for name in file.files if name != "__head__"}
    if "fit" not in head or any(array.size > LARGEST for array in arrays.values()):
        return False
    group, code = head["fit"]["keep"], code_digest(records.fit_from_text(head["fit"]).roots())
    kept = dict(records.kept_group(group))
    if head["code"] != code or kept.get(path.stem, {}).get("code") == code:
        return False
    kept[path.stem] = {name: head[name] for name in ("fit", "found", "code", "made")}
    kept[path.stem]["arrays"] = {name: records.packed(array) for name, array in arrays.items()}
    records.write_kept(records.group_file(group), kept)
    return True


def rebuild(origin: Sequence[Any]) -> Interactions:
    """Make ratings again from `Interactions.origin`, or JSON of it; ValueError: empty; DatasetUnavailable: no source."""
    if not origin:
        raise ValueError("nothing tells how these ratings came about")
    data = load(origin[0])
    found = data.interactions
    for name, arguments, options, fold, side in origin[1:]:
        function = getattr(splits, name, None) or getattr(folds, name)
        parted = function(data if name == "published" else found, *arguments, **options)
        one = next(s for s in parted if s.fold == fold) if isinstance(parted, list) else parted
        found = getattr(one, side)
    return found


if __name__ == "__main__":
    keep()
