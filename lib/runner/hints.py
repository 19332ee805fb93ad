"""Values by their type hints: a text of the command line or a file's value, made what the hint says or refused."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any


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
        for kind in sorted(kinds, key=lambda k: _base(k) == "str"):
            try:
                return parse_text(text, kind)
            except ValueError:
                continue
        raise ValueError(f"{text!r} is none of these")
    kind, base = kinds[0], _base(kinds[0])
    stripped = text.strip()
    if base == "str":
        return text
    if base == "None":
        if stripped.lower() in ("none", "null"):
            return None
        raise ValueError(f"{text!r} is not none")
    if base == "bool":
        if stripped.lower() in ("true", "yes", "on", "1"):
            return True
        if stripped.lower() in ("false", "no", "off", "0"):
            return False
        raise ValueError(f"{text!r} is not true or false")
    if base in ("int", "float"):
        try:
            return {"int": int, "float": float}[base](stripped)
        except ValueError:
            raise ValueError(f"{text!r} is not {'a whole number' if base == 'int' else 'a number'}") from None
    if base in ("list", "tuple", "Sequence") and not re.match(r"[\[(]", stripped):
        parts = [part for part in stripped.split(",") if part.strip()]
        inner = _elements(kind)
        if inner is not None:
            return [parse_text(part.strip(), inner) for part in parts]
        return [_written(part.strip()) for part in parts]
    return check_value(_written(stripped), kind)


def _written(text: str) -> Any:
    """Read a value as JSON or Python writes it; a bare word is a text."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
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
        for kind in kinds:
            try:
                return check_value(value, kind)
            except ValueError:
                continue
        raise ValueError(f"{value!r} is none of these")
    kind, base = kinds[0], _base(kinds[0])
    if base == "Literal":
        allowed = [ast.literal_eval(choice) for choice in _arguments(kind)]
        if value in allowed:
            return value
        raise ValueError(f"{value!r} is not one of {allowed}")
    if base == "float":
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
            return float(value)
    elif base == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif base == "None":
        if value is None:
            return None
    elif base in ("str", "bool", "dict"):
        if isinstance(value, {"str": str, "bool": bool, "dict": dict}[base]):
            return value
    elif base in ("list", "tuple", "Sequence"):
        if isinstance(value, (list, tuple)):
            inner = _elements(kind)
            return [check_value(item, inner) for item in value] if inner is not None else list(value)
    else:
        return value
    raise ValueError(f"{value!r} is not a {base}")


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
