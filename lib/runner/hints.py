"""Values by their type hints: a text of the command line or a file's value, made what the hint says or refused."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

WORDS = {
    "None": {None: ("none", "null")},
    "bool": {True: ("true", "yes", "on", "1"), False: ("false", "no", "off", "0")},
}
TYPES = {"int": int, "None": type(None), "str": str, "bool": bool, "dict": dict}
SEQUENCES = ("list", "tuple", "Sequence")


def hint_of(value: Any) -> str:
    """Return the hint that a value without one would carry."""
    if isinstance(value, (list, tuple)):
        kinds = {hint_of(item) for item in value}
        kinds = {"float"} if kinds == {"int", "float"} else kinds
        return f"{type(value).__name__}[{kinds.pop()}]" if len(kinds) == 1 else type(value).__name__
    return "object" if value is None else type(value).__name__


def is_sweepable(hint: ast.expr | None, default: Any) -> bool:
    """Whether a comma between values means several runs: of a number, a text or a truth value, never of a list."""
    if hint is None:
        return isinstance(default, (bool, int, float, str))
    bases = {_base(kind) for kind in _alternatives(hint)} - {"None"}
    return bool(bases) and bases <= {"int", "float", "str", "bool", "Literal"}


def parse_text(text: str, hint: ast.expr | None) -> Any:
    """Turn a text into a value of the hinted type; without a hint, read it as JSON or Python writes it.

    Raises
    ------
    ValueError
        The text isn't of that type.
    """
    kinds = _alternatives(hint)
    if len(kinds) > 1:
        return _first(
            lambda kind: parse_text(text, kind), sorted(kinds, key=lambda k: _base(k) == "str"), text
        )
    kind, base, stripped = kinds[0], _base(kinds[0]), text.strip()
    if base == "str":
        return text
    if base in WORDS:
        for value, words in WORDS[base].items():
            if stripped.lower() in words:
                return value
        raise ValueError(f"{text!r} is not {'none' if base == 'None' else 'true or false'}")
    if base in ("int", "float"):
        try:
            return check_value({"int": int, "float": float}[base](stripped), kind)
        except ValueError:
            raise ValueError(f"{text!r} is not {'a whole number' if base == 'int' else 'a number'}") from None
    if base in SEQUENCES and not re.match(r"[\[(]", stripped):
        inner, parts = _elements(kind), [part.strip() for part in stripped.split(",") if part.strip()]
        return [_written(part) if inner is None else parse_text(part, inner) for part in parts]
    return check_value(_written(stripped), kind)


def _written(text: str) -> Any:
    """Read a value as JSON or Python writes it; a bare word is a text."""
    # NaN and Infinity are texts, and no number's value.
    for read in (lambda: json.loads(text, parse_constant=str), lambda: ast.literal_eval(text)):
        with suppress(ValueError, SyntaxError):
            return read()
    return text


def check_value(value: Any, hint: ast.expr | None) -> Any:
    """Return a value if it is of the hinted type; an int is taken for a float, and sequences become lists.

    Raises
    ------
    ValueError
        The value isn't of that type.
    """
    kinds = _alternatives(hint)
    if len(kinds) > 1:
        return _first(lambda kind: check_value(value, kind), kinds, value)
    kind, base = kinds[0], _base(kinds[0])
    is_truth = isinstance(value, bool)
    if base == "Literal":
        allowed = [ast.literal_eval(choice) for choice in _arguments(kind)]
        if value not in allowed:
            raise ValueError(f"{value!r} is not one of {allowed}")
    elif base == "float" and isinstance(value, (int, float)) and not is_truth and math.isfinite(value):
        return float(value)
    elif base in SEQUENCES and isinstance(value, (list, tuple)):
        inner = _elements(kind)
        return [check_value(item, inner) for item in value] if inner is not None else list(value)
    elif base in (*TYPES, *SEQUENCES, "float") and (
        not isinstance(value, TYPES.get(base, ())) or (is_truth and base == "int")
    ):
        raise ValueError(f"{value!r} is not a {base}")
    return value


def _first(read: Callable[[ast.expr | None], Any], kinds: Iterable[ast.expr | None], value: Any) -> Any:
    for kind in kinds:
        with suppress(ValueError):
            return read(kind)
    raise ValueError(f"{value!r} is none of these")


def _alternatives(hint: ast.expr | None) -> list[ast.expr | None]:
    """Split ``a | b`` and ``Optional[a]`` into their parts."""
    if isinstance(hint, ast.BinOp) and isinstance(hint.op, ast.BitOr):
        return _alternatives(hint.left) + _alternatives(hint.right)
    if _base(hint) == "Optional":
        return [*_alternatives(_arguments(hint)[0]), ast.Constant(None)]
    if _base(hint) == "Union":
        return [kind for part in _arguments(hint) for kind in _alternatives(part)]
    return [hint]


def _base(hint: ast.expr | None) -> str:
    if hint is None:
        return ""
    if isinstance(hint, ast.Constant):
        return str(hint.value)
    if isinstance(hint, ast.Subscript):
        return _base(hint.value)
    return {"List": "list", "Tuple": "tuple", "Dict": "dict"}.get(
        name := ast.unparse(hint).split(".")[-1], name
    )


def _arguments(hint: ast.expr) -> list[ast.expr]:
    inner = hint.slice if isinstance(hint, ast.Subscript) else None
    return inner.elts if isinstance(inner, ast.Tuple) else [inner]


def _elements(hint: ast.expr | None) -> ast.expr | None:
    """Return the hint of a sequence's elements, or None where they may be anything or differ by place."""
    if not isinstance(hint, ast.Subscript):
        return None
    arguments = [a for a in _arguments(hint) if not (isinstance(a, ast.Constant) and a.value is Ellipsis)]
    return arguments[0] if len({ast.dump(a) for a in arguments}) == 1 else None
