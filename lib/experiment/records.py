"""Records of fits, in two layers: what the project keeps, beneath what was made on this machine.

A record is told by its *identity* (model, hyperparameters, data by content, what is measured) and holds while the code that
it depends on is the same (`lib.experiment.key`). Records made here lie in ``reports/runs/.records``, a file each, with
their arrays; one made by other code is made anew. Records that take hours are kept with the project, in
``data/kept/records``, a file a group (`Fit.keep`), with small arrays only: such a one is taken, and marked, even then.
"""

import base64
import gzip
import io
import json
import os
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lib import ROOT
from lib.data.files import DamagedFile, has_form, plain, whole_file
from lib.experiment.fit import Fit, Parts, Stopping
from lib.experiment.key import code_digest, fingerprint, spec_digest
from lib.experiment.provenance import FITTING, collect_provenance, versions
from lib.models import model_class
from lib.models.base import Recommender

KEPT = ROOT / "data" / "kept"  # the kept layer: ``records``, ``searches``, ``pages``

FOLDERS = "REPORT_RECORDS"  # environment variable: folders of records made here, the first of which is written to

ANEW = "REPORT_ANEW"
"""Environment variable: JSON with the times since which ``fits`` and ``searches`` have to be made to count."""


class Record(dict):
    """What came of a fit: numbers, texts and arrays by name (a number that is not finite is None), and its labels.

    `made` tells ``machine``, ``day``, ``commit`` and ``versions``; `kept` is one of the kept layer, `stale` one of these that
    other code has made.
    """

    def __init__(self, values: Mapping[str, Any], made: Mapping[str, Any], *, kept: bool = False, stale: bool = False):
        super().__init__(values)
        self.made, self.kept, self.stale = dict(made), kept, stale


class DamagedRecord(DamagedFile):
    """A file of records that can't be read; the message names it and the way to get it again."""


_MADE = {"code": str, "made": dict}
GROUP = {...: {"fit": {"parts": dict, "stopping": (dict, type(None))}, "found": dict, **_MADE}}
_TRIALS = {"trial": list, "state": list, "score": list, ...: list}
SEARCH = {"name": str, "parameters": [str], "trials": _TRIALS, "folds": [dict], **_MADE}
"""The forms of the kept layer's files, as `lib.data.files.has_form` tells them."""


def identity(fit: Fit, parts: Parts) -> str:
    """Return what tells a fit from others: everything that its outcome depends on but the code."""
    stopping = asdict(fit.stopping) if fit.stopping else None
    if stopping:
        stopping |= {role: _content(parts, stopping[role]) for role in ("train", "validation")}
    takes_seed = "seed" in model_class(fit.model).parameter_names()
    return spec_digest(
        {
            "model": fit.model.rpartition(":")[2],
            "parameters": fit.parameters,
            "seed": fit.seed if takes_seed else None,
            "train": _content(parts, fit.train),
            "test": _content(parts, fit.test),
            "further": {name: _content(parts, name) for name in fit.further},
            "prepare": [fit.prepare[0].rpartition(":")[2], fit.prepare[1]] if fit.prepare else None,
            "stopping": stopping,
            "measure": {name.rpartition(":")[2]: options for name, options in fit.measure.items()},
            "errors": [list(fit.records_errors), fit.slower],
        }
    )


def _content(parts: Parts, name: str) -> str:
    return fingerprint(parts[name]) if name in parts else ""


def folders() -> list[Path]:
    """Return the folders of records made here."""
    named = os.environ.get(FOLDERS, "")
    return [Path(p) for p in named.split(os.pathsep) if p] or [ROOT / "reports" / "runs" / ".records"]


def since(kind: str) -> float:
    """Return the time before which what was made does not count; `kind` is ``fits`` or ``searches``."""
    return float(json.loads(os.environ.get(ANEW) or "{}").get(kind) or 0.0)


@cache
def made_here() -> dict[str, Any]:
    """Say where and by which code records are made in this process."""
    found = collect_provenance()
    made = {"machine": found["processor"], "day": found["finished"][:10], "commit": found["commit"]}
    return {**made, "versions": versions(FITTING)}


def find(fit: Fit, key: str) -> Record | None:
    """Return a fit's record, made here by the code as it is now or kept with the project; None where there is none."""
    code = code_digest(fit.roots())
    for folder in folders():
        with suppress(Exception), np.load(folder / f"{key}.npz", allow_pickle=False) as file:
            head = head_of(file)
            if head["code"] == code and head["time"] >= _since(fit):
                arrays = {name: file[name] for name in file.files if name != "__head__"}
                return Record({**head["found"], **arrays}, head["made"])
    if fit.keep and not _since(fit):
        entry = kept_group(fit.keep).get(key)
        if entry is not None:
            return Record(kept_values(entry), entry["made"], kept=True, stale=entry["code"] != code)
    return None


def _since(fit: Fit) -> float:
    """Return `since` of a fit: a grid is a search, and what a peer takes and comes to is measured by benchmarks alone."""
    kind = "searches" if fit.keep.endswith("_grid") else "fits"
    return 0.0 if fit.model.startswith("benchmarks.") else since(kind)


def write(fit: Fit, key: str, found: Mapping[str, Any], parts: Parts) -> Record:
    """Keep what came of a fit, and return it as it will be read; the file appears whole or not at all."""
    arrays: dict[str, Any] = {name: a for name, a in found.items() if isinstance(a, np.ndarray)}
    rest = {name: value for name, value in found.items() if name not in arrays}
    head = {"found": plain(rest), "code": code_digest(fit.roots()), "made": made_here(), "time": time.time()}
    if fit.keep:  # so that `lib.experiment.upkeep.keep` can tell how it is made again
        head["fit"] = fit_as_text(fit, parts)
    with whole_file(folders()[0] / f"{key}.npz") as partial, open(partial, "wb") as file:
        np.savez(file, __head__=np.array(json.dumps(head)), **arrays)
    return Record({**head["found"], **arrays}, head["made"])


def head_of(file: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return what a file of a record holds besides arrays: ``found``, ``code``, ``made``, ``time``, ``fit`` of a kept one."""
    return json.loads(str(file["__head__"]))


def model_of(record: Mapping[str, Any], fit: Fit, train) -> Recommender:
    """Bring a fitted model back from its record; ValueError unless `lib.experiment.measurements.fitted_arrays` was measured."""
    state = {name.removeprefix("model/"): a for name, a in record.items() if name.startswith("model/")}
    if not state:
        raise ValueError("the record holds no model: measure it with fitted_arrays")
    cls = model_class(fit.model)
    seeded = {"seed": fit.seed} if fit.seed is not None and "seed" in cls.parameter_names() else {}
    model = cls(**{**fit.parameters, **seeded})
    model._restore(state)
    model.scale_ = train.scale
    return model


def group_file(group: str) -> Path:
    """Return the file of a group of kept records."""
    return KEPT / "records" / f"{group}.json.gz"


def kept_group(group: str) -> dict[str, dict[str, Any]]:
    """Return a group's records by identity: ``fit``, ``found``, ``code``, ``made``; empty where none are kept."""
    path = group_file(group)
    return _group(path, path.stat().st_mtime_ns) if path.exists() else {}


@cache
def _group(path: Path, _: int) -> dict[str, dict[str, Any]]:
    return read_kept(path)


def kept_values(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a kept record holds, arrays among it."""
    packed = entry.get("arrays", {}).items()
    arrays = {n: np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) for n, text in packed}
    return {**entry["found"], **arrays}


def packed(array: np.ndarray) -> str:
    """Return an array as text, the same bits, for `kept_values`."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return base64.b64encode(file.getvalue()).decode()


def read_kept(path: Path) -> dict[str, Any]:
    """Read a file of the kept layer; `DamagedRecord` where that can't be."""
    searched = path.parent.name == "searches"
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        if not has_form(content, SEARCH if searched else GROUP):
            raise ValueError("it does not hold a search" if searched else "it is no table of records")
        columns = content["trials"] if searched else {}
        if len({*map(len, columns.values())}) > 1 or not {*(content["parameters"] if searched else ())} <= {*columns}:
            raise ValueError("its trials are no table")
    except (OSError, EOFError, ValueError, zlib.error, RecursionError) as error:
        raise DamagedRecord(f"{path} is damaged ({error}); restore it: git checkout -- data/kept") from error
    return content


def write_kept(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of the kept layer, whole; the same content is the same bytes."""
    text = json.dumps(plain(dict(content)), separators=(",", ":"))
    with whole_file(path) as partial:
        partial.write_bytes(gzip.compress(text.encode(), mtime=0))


def fit_as_text(fit: Fit, parts: Parts) -> dict[str, Any]:
    """Return a fit in what JSON can hold, with the way to its parts (`Interactions.origin`) and their digests."""
    given = {name: parts[name] for name in fit.needs() if name in parts}
    told = {
        name: {"origin": plain(list(part.origin)), "ratings": len(part), "digest": fingerprint(part)}
        for name, part in given.items()
    }
    return {**plain(asdict(fit)), "parts": told}


def fit_from_text(text: Mapping[str, Any]) -> Fit:
    """Return the fit that `fit_as_text` has written."""
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in text.items()}
    del values["parts"]
    if values["stopping"]:
        values["stopping"] = Stopping(**values["stopping"])
    return Fit(**values)
