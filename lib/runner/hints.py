"""Values by their type hints: a text of the command line or a file's value, made what the hint says or refused."""

import ast
import json
import math
import typing
from collections.abc import Sequence
from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Literal, Optional, Union

PLAIN, LISTS = (bool, int, float, str, dict), (list, tuple, Sequence)
KNOWN: dict[str, Any] = {kind.__name__: kind for kind in (*PLAIN, *LISTS)}
KNOWN |= {"Literal": Literal, "Optional": Optional, "Union": Union}
"""What a hint may name; a hint of anything else is met by every value."""
WORDS = {"true": True, "false": False, "none": None, "null": None}


def kind_of(hint: str) -> Any:
    """Return the type that a hint names."""
    try:
        return eval(hint, {"__builtins__": {}, **KNOWN})
    except Exception:  # of a name or form that is not known here
        return Any


def is_sweepable(kind: Any) -> bool:
    """Whether a comma between values means several runs: of a number, a text or a truth value, never of a list."""
    bases = {typing.get_origin(one) or one for one in _alternatives(kind)} - {NoneType}
    return bool(bases) and bases <= {int, float, str, bool, Literal}


def parse_text(text: str, kind: Any) -> Any:
    """Turn a text into a value of a type: a word for truth or none, else what JSON or Python reads in it, else the text.

    A list may be written without brackets; ``010`` is 10. Raises ValueError: the text isn't of that type.
    """
    bare, alternatives, base = text.strip(), _alternatives(kind), typing.get_origin(kind) or kind
    if len(alternatives) > 1:
        for one in sorted(alternatives, key=lambda one: one is str):
            with suppress(ValueError):
                return parse_text(text, one)
    elif base in LISTS and bare[:1] not in ("[", "("):
        return [parse_text(part.strip(), _element(kind)) for part in bare.split(",") if part.strip()]
    elif base is not str:
        with suppress(KeyError, ValueError):
            return check_value(WORDS[bare.lower()], kind)
        readers: list[Any] = [lambda one: int(one, 10), json.loads, float, str]
        if bare[:1] in ("[", "(", "{", "'", '"'):  # Python's bare numbers may be octal
            readers.insert(2, ast.literal_eval)
        for read in readers:
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return check_value(read(bare), kind)
    return check_value(text, kind)


def check_value(value: Any, kind: Any) -> Any:
    """Return a value of a type, else raise ValueError; an int is taken for a float, and sequences become lists."""
    alternatives, base = _alternatives(kind), typing.get_origin(kind) or kind
    if len(alternatives) > 1:
        for one in alternatives:
            with suppress(ValueError):
                return check_value(value, one)
    elif base in LISTS:
        if isinstance(value, (list, tuple)):
            return [check_value(item, _element(kind)) for item in value]
    elif base is float:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    elif base is Literal:
        if value in typing.get_args(kind):
            return value
    elif base not in (*PLAIN, NoneType) or type(value) is base:
        return value
    raise ValueError(f"{value!r} is of another type")


def _alternatives(kind: Any) -> Sequence[Any]:
    return typing.get_args(kind) if typing.get_origin(kind) in (Union, UnionType) else (kind,)


def _element(kind: Any) -> Any:
    """Return the type of a sequence's elements; any where they differ by place."""
    own = set(typing.get_args(kind)) - {Ellipsis}
    return own.pop() if len(own) == 1 else Any
