"""Values by their type hints: a text of the command line or a file's value, made what the hint says or refused."""

from __future__ import annotations

import ast
import json
import math
import typing
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Literal, Optional, Union

KNOWN = {
    kind.__name__: kind for kind in (bool, int, float, str, list, tuple, dict, Sequence)
} | {"Literal": Literal, "Optional": Optional, "Union": Union}  # fmt: skip
"""What a hint may name; a hint of anything else is met by every value."""

TRUTH = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}  # fmt: skip
WORDS = {
    int: "a whole number", float: "a number", bool: "true or false", str: "a text", dict: "a mapping", NoneType: "none",
    list: "a list", tuple: "a list", Sequence: "a list",
}  # fmt: skip


def kind_of(hint: str) -> Any:
    """Return the type that a hint names."""
    try:
        return eval(hint, {"__builtins__": {}, **KNOWN})
    except Exception:  # of a name or form that is not known here
        return Any


def is_sweepable(kind: Any) -> bool:
    """Whether a comma between values means several runs: of a number, a text or a truth value, never of a list."""
    bases = {_base(one) for one in _alternatives(kind)} - {NoneType}
    return bool(bases) and bases <= {int, float, str, bool, Literal}


def parse_text(text: str, kind: Any) -> Any:
    """Turn a text into a value of a type; where any will do, read it as JSON or Python writes it.

    Raises ValueError: the text isn't of that type.
    """
    alternatives = _alternatives(kind)
    if len(alternatives) > 1:
        return _first(parse_text, text, sorted(alternatives, key=lambda one: one is str))
    base, bare = _base(kind), text.strip()
    if base is str:
        return text
    if base is bool and bare.lower() in TRUTH:
        return TRUTH[bare.lower()]
    if base is NoneType and bare.lower() in ("none", "null"):
        return None
    if base in (list, tuple, Sequence) and bare[:1] not in ("[", "("):
        return [parse_text(part.strip(), _element(kind)) for part in bare.split(",") if part.strip()]
    return check_value(_written(bare), kind)


def check_value(value: Any, kind: Any) -> Any:
    """Return a value if it is of a type; an int is taken for a float, and sequences become lists.

    Raises ValueError: the value isn't of that type.
    """
    alternatives = _alternatives(kind)
    if len(alternatives) > 1:
        return _first(check_value, value, alternatives)
    base = _base(kind)
    if base is Literal and value not in (allowed := typing.get_args(kind)):
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, allowed))}")
    if base not in WORDS:
        return value
    if base is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if WORDS[base] == "a list" and isinstance(value, (list, tuple)):
        return [check_value(item, _element(kind)) for item in value]
    if base is not float and type(value) is base:
        return value
    raise ValueError(f"{value!r} is not {WORDS[base]}")


def _written(text: str) -> Any:
    """Read a value as JSON or Python writes it; a bare word is a text, and so are NaN and Infinity."""
    for read in (lambda: json.loads(text, parse_constant=str), lambda: ast.literal_eval(text)):
        with suppress(ValueError, SyntaxError):
            return read()
    return text


def _first(read: Callable[[Any, Any], Any], value: Any, kinds: Sequence[Any]) -> Any:
    for kind in kinds:
        with suppress(ValueError):
            return read(value, kind)
    raise ValueError(f"{value!r} is none of these")


def _alternatives(kind: Any) -> Sequence[Any]:
    return typing.get_args(kind) if typing.get_origin(kind) in (Union, UnionType) else (kind,)


def _base(kind: Any) -> Any:
    return typing.get_origin(kind) or (NoneType if kind is None else kind)


def _element(kind: Any) -> Any:
    """Return the type of a sequence's elements; any where they differ by place."""
    own = set(typing.get_args(kind)) - {Ellipsis}
    return own.pop() if len(own) == 1 else Any
