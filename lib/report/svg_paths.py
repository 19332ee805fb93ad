"""An SVG path written short: relative places, whole and short numbers, no space that nothing needs."""

from __future__ import annotations

import re

_COMMAND = re.compile(r"([MLQCZz])([^A-Za-z]*)|([A-Za-z])")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_ARITY = {"M": 2, "L": 2, "Q": 4, "C": 6}


def shorter(path: str, decimals: int) -> str:
    """Return a path's data with places rounded to `decimals`, each relative to the one before it.

    Differences are taken between rounded places, so that rounding does not add up along the path. A path with other
    commands than matplotlib's M, L, Q, C and z, with absolute places, comes back as it was.
    """
    unit = 10**decimals
    here = start = (0, 0)
    parts: list[str] = []
    last = ""
    for command, numbers, other in _COMMAND.findall(path):
        if other:
            return path
        if command in "Zz":
            parts.append("z")
            here, last = start, "z"
            continue
        values = [round(float(number) * unit) for number in _NUMBER.findall(numbers)]
        size = _ARITY[command]
        if not values or len(values) % size:
            return path
        for first in range(0, len(values), size):
            step = values[first : first + size]
            moved = [value - here[place % 2] for place, value in enumerate(step)]
            here = (step[-2], step[-1])
            # Places that follow a move's first are lines.
            letter = "l" if command == "M" and first else command.lower()
            if letter == "m":
                start = here
                if not parts:
                    letter, moved = "M", step
            elif moved == [0, 0] and last not in ("M", "m", "z"):
                continue  # a stretch shorter than the rounding; only a line that is all there is draws a dot
            elif letter == "l" and moved[0] == 0:
                letter, moved = "v", moved[1:]
            elif letter == "l" and moved[1] == 0:
                letter, moved = "h", moved[:1]
            # A minus sign parts two numbers as a space does.
            shorts = (short(value, decimals) for value in moved)
            text = "".join(number if number[0] == "-" else f" {number}" for number in shorts).lstrip()
            if letter == last and letter != "m":
                parts.append(text if text[0] == "-" else f" {text}")
            else:
                parts.append(letter + text)
            last = letter
    return "".join(parts)


def short(value: int, decimals: int) -> str:
    """Return ``value / 10**decimals`` in as few characters as it takes.

    >>> short(-50, 2), short(1200, 2), short(7, 1)
    ('-.5', '12', '.7')
    """
    sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    if not part:
        return sign + whole if value else "0"
    return f"{sign}{whole.lstrip('0')}.{part}"
