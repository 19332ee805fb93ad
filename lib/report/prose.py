"""Numbers for Markdown cells: they compare and compute as numbers, and are shown as their quantity is in tables."""

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pandas as pd

from lib.data.errors import near_miss
from lib.report import columns


def _text(number: Any) -> str:
    return columns.as_text(+number, number.form)


class _Float(float):
    form = ""
    __repr__ = _text


class _Whole(int):
    form = ""
    __repr__ = _text


def shown(value: Any, quantity: str = "") -> Any:
    """Make a number that shows itself as its quantity is shown in tables; None is missing, and shown as an en dash.

    The `quantity` is a name that `lib.report.columns.find` knows, such as ``"rmse"`` or ``"count"``, or a format such as
    ``"{:.2f}"``. Without it the number is shown by its kind, as in a table; truth values and what is no number stay as
    they are. Raises KeyError: no quantity has that name; the message names the nearest ones. TypeError: a quantity is
    given for what is no number.

    >>> error = shown(0.93512, "rmse")
    >>> error, shown(-0.0012, "difference"), error < 0.9352
    (0.9351, −0.0012, True)
    """
    form = quantity
    if quantity and "{" not in quantity:
        found = columns.find(quantity)
        if found is None:
            raise KeyError(f"no quantity is called {quantity!r}{near_miss(quantity, columns.QUANTITIES)}")
        form = found.format
    if value is None or value is pd.NA:
        value = float("nan")
    if not _is_number(value):
        if quantity:
            raise TypeError(f"{value!r} is no number, so it can't be shown as {quantity!r}")
        return value
    number = _Whole(value) if pd.api.types.is_integer(value) else _Float(value)
    number.form = form
    return number


class Numbers(SimpleNamespace):
    """A namespace of what a Markdown cell says: ``Numbers(best=("rmse", 0.93512), users=943, model="SVD")``.

    Each is a value or a pair of a quantity and a value, see `shown`; a value alone is shown as the quantity that its name
    means, if it means one: ``Numbers(test_rmse=0.93512)``.
    """

    def __init__(self, **named: Any):
        super().__init__(**{name: _made(name, given) for name, given in named.items()})

    @classmethod
    def of(cls, quantity: str, named: Mapping[str, Any]) -> "Numbers":
        """Return numbers of one quantity, ``Numbers.of("rmse", {"svd": 0.9412, "bias": None})``; texts and the like stay."""
        numbers = {name for name, value in named.items() if value is None or _is_number(value)}
        return cls(**{name: (quantity, value) if name in numbers else value for name, value in named.items()})

    def __getattr__(self, name: str):
        raise AttributeError(f"nothing here is called {name!r}{near_miss(name, vars(self))}")


def _made(name: str, given: Any) -> Any:
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return shown(given[1], given[0])
    return shown(given, name if _is_number(given) and columns.find(name) else "")


def _is_number(value: Any) -> bool:
    return pd.api.types.is_number(value) and not pd.api.types.is_bool(value)


def enumerated(words: Iterable[str]) -> str:
    """Join words as a sentence has them; by semicolons where one holds a comma, and ``"none"`` where there are none.

    >>> enumerated(["SVD", "SVD++", "EASE"]), enumerated([])
    ('SVD, SVD++ and EASE', 'none')
    """
    *others, last = list(words) or ["none"]
    comma = "; " if any("," in word for word in (*others, last)) else ", "
    return f"{comma.join(others)} and {last}" if others else last
