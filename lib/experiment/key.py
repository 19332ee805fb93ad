"""The three parts of what decides whether a stored result still holds: its code, its data and its specification."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions, RatingScale
from lib.experiment.definitions import Definitions

HANDED = tuple(f"{kind.__module__}:{kind.__qualname__}" for kind in (Interactions, RatingScale))
"""Classes of the data that all code is handed: none of it makes them, so that no name in it would lead to them."""

PLAIN = {type(None), bool, int, float, str}

_definitions = Definitions()
_known: WeakKeyDictionary[Interactions, str] = WeakKeyDictionary()


def code_digest(roots: Iterable[str]) -> str:
    """Return 16 hexadecimal digits for the code on disk that roots, as of `Definitions.reached`, and `HANDED` reach."""
    return _definitions.digest([*roots, *HANDED])


def fingerprint(value: Any) -> str:
    """Return 24 hexadecimal digits for some data, by content; Interactions are looked at once, as they do not change.

    Data are Interactions, arrays, tables, other dataclasses (by the class's name), sequences and plain values, in any nest;
    TypeError, which names its type, for anything else.
    """
    if not isinstance(value, Interactions):
        return _content(value)
    if value not in _known:
        _known[value] = _content(value)
    return _known[value]


def spec_digest(spec: Any) -> str:
    """Return 24 hexadecimal digits for mappings with texts as keys, sequences, texts, numbers; else TypeError."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, default=_plain).encode()).hexdigest()[:24]


def _content(value: Any) -> str:
    digest = hashlib.sha256()
    if type(value) in PLAIN:
        digest.update(f"{type(value).__name__} {value!r}".encode())
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        digest.update(f"objects {value.shape} {_content(value.ravel().tolist())}".encode())
    elif isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
    elif isinstance(value, pd.DataFrame):
        digest.update(repr([(str(name), str(kind)) for name, kind in value.dtypes.items()]).encode())
        digest.update(pd.util.hash_pandas_object(value).to_numpy().tobytes())
    elif is_dataclass(value) and not isinstance(value, type):
        counted = [field.name for field in fields(value) if field.compare]  # not where the ratings came from
        found = [(name, fingerprint(getattr(value, name))) for name in counted]
        digest.update(f"{type(value).__name__} {found}".encode())
    elif isinstance(value, (list, tuple)):
        items = [inner.item() if isinstance(inner, np.generic) else inner for inner in value]
        simple = set(map(type, items)) <= PLAIN  # such as many ids
        digest.update(f"sequence {items if simple else list(map(fingerprint, items))}".encode())
    else:
        raise TypeError(f"no fingerprint for a value of type {_type_of(value)}")
    return digest.hexdigest()[:24]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a specification holds plain values, not {_type_of(value)}")


def _type_of(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
