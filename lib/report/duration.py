"""Time as a reader would say it; imported where nothing heavy may be."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Return seconds in words, such as ``"3.2 s"`` or ``"74 min 05 s"``; None as an en dash."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
