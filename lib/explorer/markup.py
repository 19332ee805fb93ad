"""HTML for JupyterLab's widgets; every text that comes from data is escaped here, and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import pandas as pd

from lib.explorer.data import MARKS

COLOURS = {"hit": "#1f7a43", "low": "#b3261e", "seen": "#8a5300"}
"""Of a mark's words, in tones that are told from the text on light and on dark ground; the words say it all the same."""


def escaped(text) -> str:
    """Escape one text of the data."""
    return html.escape(str(text))


def paragraph(text: str) -> str:
    """Set a text, escaped, as a paragraph."""
    return f"<p>{escaped(text)}</p>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Set a table; headings and caption are escaped, cells are HTML already."""
    head = "".join(
        f'<th scope="col" style="text-align:left;padding:2px 10px 2px 0">{escaped(c)}</th>' for c in columns
    )
    cell = '<td style="text-align:left;vertical-align:top;padding:2px 10px 2px 0">'
    body = "".join(f"<tr>{''.join(f'{cell}{content}</td>' for content in row)}</tr>" for row in rows)
    above = f"<caption style='text-align:left'>{escaped(caption)}</caption>" if caption else ""
    return f"<div style='overflow-x:auto'><table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def film(title: str, mark: str = "new", rating: float = float("nan")) -> str:
    """Set a film with its mark in words and colour, and the user's rating where there is one."""
    words = mark_words(mark, rating)
    if not words:
        return escaped(title)
    return f'{escaped(title)} <b style="color:{COLOURS[mark]}">[{escaped(words)}]</b>'


def mark_words(mark: str, rating: float) -> str:
    """Say a mark, with the rating behind it; empty for a film without one."""
    if not MARKS[mark]:
        return ""
    return f"{MARKS[mark]}: {rating:g}" if pd.notna(rating) else MARKS[mark]
