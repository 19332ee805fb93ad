"""The three parts of what decides whether a stored result still holds: its code, its data and its specification."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions, RatingScale
from lib.experiment.definitions import Definitions

HANDED = tuple(f"{kind.__module__}:{kind.__qualname__}" for kind in (Interactions, RatingScale))
"""Classes of the data that all code is handed: none of it makes them, so that no name in it would lead to them."""

PLAIN = (type(None), bool, int, float, complex, str, bytes)

_definitions = Definitions()
_known: WeakKeyDictionary[Interactions, str] = WeakKeyDictionary()


def code_digest(roots: Iterable[str]) -> str:
    """Return 16 hexadecimal digits for the code that some roots reach, as it stands on disk now.

    Parameters
    ----------
    roots : iterable of str
        As in `lib.experiment.definitions.Definitions.reached`; `HANDED` comes to them.
    """
    return _definitions.digest([*roots, *HANDED])


def fingerprint(value: Any) -> str:
    """Return 24 hexadecimal digits for some data, by content.

    Parameters
    ----------
    value : object
        Interactions, arrays, tables, mappings (in any order), other dataclasses (by the class's name), sequences, sets and
        plain values; in any nest. Interactions are looked at once, as they do not change.

    Raises
    ------
    TypeError
        Anything else; the message names its type.
    """
    if not isinstance(value, Interactions):
        return _content(value)
    if value not in _known:
        _known[value] = _content(value)
    return _known[value]


def spec_digest(spec: Any) -> str:
    """Return 24 hexadecimal digits for plain values: mappings with texts as keys, sequences, texts and numbers.

    Raises
    ------
    TypeError
        Anything else; the message names its type.
    """
    return hashlib.sha256(json.dumps(_plain(spec), sort_keys=True).encode()).hexdigest()[:24]


def _content(value: Any) -> str:
    digest = hashlib.sha256()
    if isinstance(value, np.generic):
        plain = value.item()
        value = plain if type(plain) in PLAIN else np.asarray(value)
    if type(value) in PLAIN:
        digest.update(f"{type(value).__name__} {value!r}".encode())
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        digest.update(f"objects {value.shape} {_content(value.ravel().tolist())}".encode())
    elif isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        digest.update(f"array {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
    elif isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        table = value.to_frame() if isinstance(value, (pd.Series, pd.Index)) else value
        digest.update(repr([(str(name), str(kind)) for name, kind in table.dtypes.items()]).encode())
        digest.update(pd.util.hash_pandas_object(table).to_numpy().tobytes())
    elif isinstance(value, Mapping):
        pairs = sorted((_content(key), fingerprint(inner)) for key, inner in value.items())
        digest.update(f"mapping {pairs}".encode())
    elif is_dataclass(value) and not isinstance(value, type):
        counted = [field.name for field in fields(value) if field.compare]  # not where the ratings came from
        found = [(name, fingerprint(getattr(value, name))) for name in counted]
        digest.update(f"{type(value).__name__} {found}".encode())
    elif isinstance(value, (list, tuple, range)):
        items = [inner.item() if isinstance(inner, np.generic) else inner for inner in value]
        simple = set(map(type, items)) <= set(PLAIN)  # such as many ids
        digest.update(f"sequence {items if simple else list(map(fingerprint, items))}".encode())
    elif isinstance(value, (set, frozenset)):
        digest.update(f"set {sorted(map(_content, value))}".encode())
    else:
        raise TypeError(
            f"no fingerprint for a value of type {type(value).__module__}.{type(value).__qualname__}"
        )
    return digest.hexdigest()[:24]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [_plain(inner) for inner in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(
        f"a specification holds plain values, not {type(value).__module__}.{type(value).__qualname__}"
    )
