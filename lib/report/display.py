"""What a notebook shows: figures and tables that HTML, PDF and JupyterLab can set."""

import html
import re
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from lib.models import cards, label
from lib.report.columns import as_text, column

TABLE_MIME = "application/vnd.filling-the-matrix.table+json"
"""Plain text cells by row, with alignment: the report escapes and typesets it for the screen and for print."""
EXPLORER_MIME = "application/vnd.filling-the-matrix.explorer+json"
"""What `lib.workbench.explorer.page.show` publishes: the report turns it into controls, where there are scripts."""
POINTS_MIME = "application/vnd.filling-the-matrix.points+json"
"""Places in a figure and what a reader is told there, as [x, y, text]: shares of width and height from the upper left."""
STRIP_MIME = "application/vnd.filling-the-matrix.strip+json"
"""Claims as marks in rows, as `strip` takes them: the report draws them, each as a link."""

LONG_WORD = 40
"""Characters from which a word may be broken."""
BREAK, APART, TOGETHER = "\u200b", "\u2068", "\u2069"
"""Signs that show nothing: where a word may be broken; and around what has a direction of writing of its own."""
_OTHER_WAY = re.compile(
    "[\u0590-\u08ff\u202a-\u202e\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)


def cell_text(text: str) -> str:
    """Return a text from data fit for a cell: long words may be broken, and what is written from the right turns no neighbour.

    Titles in one cell are parted by a middle dot; each keeps to itself.
    """
    text = re.sub("[\u2066-\u2069]", "", text)
    if _OTHER_WAY.search(text):
        text = re.sub(r"[^\s·](?:[^·]*[^\s·])?", rf"{APART}\g<0>{TOGETHER}", text)
    return re.sub(rf"\S{{{LONG_WORD},}}", lambda word: re.sub(r"\S{20}(?=\w)", rf"\g<0>{BREAK}", word[0]), text)


def typographic(text: str) -> str:
    """Return a text with apostrophes as prose has them: ``A's users' means`` with ’."""
    return re.sub(r"(?<=\w)'(?=\w)|(?<=s)'(?=[\s,;.)]|\Z)", "’", text)


def svg(text: str, name: str, points: list | None = None) -> None:
    """Show a figure that is already SVG text; `points` are places with a text, see `POINTS_MIME`."""
    bundle = {"image/svg+xml": text, "text/plain": f"[figure {name}]"}
    _publish({**bundle, POINTS_MIME: points} if points else bundle, name)


def claim(card: Mapping[str, Any]) -> None:
    """Show a claim's card, of `lib.claims.cards`: Markdown, which the report sets apart."""
    look = " ".join(["claim", *(f"{part}-{card[part].replace(' ', '-')}" for part in ("stands", "reproduced"))])
    _publish(dict.fromkeys(("text/markdown", "text/plain"), card["markdown"]), look)


def strip(rows: list[dict]) -> None:
    """Show claims as marks, row by row.

    A row is ``{"name": ..., "about": ..., "marks": [...]}``, a mark ``{"text": ..., "href": ..., "reproduced": ...,
    "stands": ...}``: where it leads, and a word of each of `lib.claims.REPRODUCED` and `lib.claims.STANDS`.
    """
    said = "\n".join(
        f"- **{row['name']}**: "
        + "; ".join("{text} (stands: {stands}; reproduced: {reproduced})".format(**m) for m in row["marks"])
        for row in rows
    )
    _publish({STRIP_MIME: rows, "text/markdown": said, "text/plain": said}, "strip")


def table(frame: pd.DataFrame, name: str, links: Mapping[Hashable, list[str]] | None = None) -> None:
    """Show a table; an empty one says "no rows". The index is not shown: reset it first if it says something.

    A column's heading and decimals are those of the quantity that its name means (`lib.report.columns.find`). A model's
    registered name in a column with the heading Model is shown by its label. `links` give a column one target a row: a
    label such as ``fig-svd-sweep``, or an address; an empty text for no link. KeyError: the table lacks such a column.
    """
    if unknown := set(links or ()) - set(frame.columns):
        raise KeyError(f"table {name!r} has no column {', '.join(sorted(map(str, unknown)))}")
    columns, align, cells = [], [], []
    for one, values in frame.items():
        known = column(str(one))
        models = cards() if known.heading == "Model" else {}
        texts = [label(v) if isinstance(v, str) and v in models else as_text(v, known.format) for v in values]
        texts = [cell_text(text) if isinstance(v, str) else text for v, text in zip(values, texts, strict=True)]
        targets = (links or {}).get(one) or [""] * len(texts)
        cells.append([{"text": a, "href": b} if b else a for a, b in zip(texts, targets, strict=True)])
        numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        columns.append(known.heading)
        align.append("right" if numeric else "left")
    rows = [list(row) for row in zip(*cells, strict=True)]
    bundle = {TABLE_MIME: {"columns": columns, "rows": rows, "align": align}, "text/html": _html(columns, rows, align)}
    _publish({**bundle, "text/plain": f"[table {name}: {len(rows)} rows]"}, name)


def _html(columns: list[str], rows: list[list], align: list[str]) -> str:
    """Plain HTML for JupyterLab; everything that came from data is escaped."""

    def line(tag: str, contents: list) -> str:
        texts = [content["text"] if isinstance(content, dict) else content for content in contents]
        sides = zip(texts, align, strict=True)
        cells = (f'<{tag} style="text-align:{side}">{html.escape(text)}</{tag}>' for text, side in sides)
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(line("td", row) for row in rows) or "<tr><td>no rows</td></tr>"
    return f"<table><thead>{line('th', columns)}</thead><tbody>{body}</tbody></table>"


def _publish(bundle: dict, name: str) -> None:
    from IPython.display import display

    display(bundle, raw=True, metadata={"label": name})
