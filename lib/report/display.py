"""What a notebook shows: prose whose numbers come from results, and tables that HTML, PDF and JupyterLab can set."""

from __future__ import annotations

import html
from collections.abc import Callable

import pandas as pd

from lib.models import cards, label
from lib.report.columns import as_text, column

TABLE_MIME = "application/vnd.filling-the-matrix.table+json"
"""Plain text cells by row, with alignment: the report escapes and typesets it for the screen and for print."""

POINTS_MIME = "application/vnd.filling-the-matrix.points+json"
"""Places in a figure and what a reader is told there, as [x, y, text]: shares of width and height from the upper left."""


def say(text: str) -> None:
    """Show Markdown prose; meant for f-strings whose numbers come from this run or a stored one."""
    _publish({"text/markdown": text, "text/plain": text})


def svg(text: str, name: str, points: list | None = None) -> None:
    """Show a figure that is already SVG text; `points` are places with a text, see `POINTS_MIME`."""
    bundle = {"image/svg+xml": text, "text/plain": f"[figure {name}]"}
    _publish({**bundle, POINTS_MIME: points} if points else bundle, {"label": name})


def table(
    frame: pd.DataFrame,
    *,
    formats: dict[str, str | Callable] | None = None,
    headings: dict[str, str] | None = None,
    links: dict[str, list[str]] | None = None,
    name: str = "",
) -> None:
    """Show a table. The index is not shown: reset it first if it says something.

    A column's heading and decimals are those of the quantity that its name means (`lib.report.columns`): ``test_rmse``,
    ``ndcg@10``, ``n_users``, or ``rmse: By time`` for the RMSE under a heading of its own. A model's registered name in a
    column with the heading Model is shown by its label.

    Parameters
    ----------
    frame : DataFrame
        An empty one shows its headings and the words "no rows".
    formats : dict, optional
        Column to what this table alone shows otherwise: a format such as ``"{:.4f}"`` or a function from value to text.
    headings : dict, optional
        Column to the heading that this table alone has.
    links : dict, optional
        Column to one target a row: a label such as ``fig-svd-sweep``, or an address; an empty text for no link.

    Raises
    ------
    KeyError
        `formats`, `headings` or `links` name a column that the table lacks.
    """
    for options in (formats, headings, links):
        unknown = set(options or ()) - set(frame.columns)
        if unknown:
            raise KeyError(f"table {name!r} has no column {', '.join(sorted(map(str, unknown)))}")
    quantities = {one: column(str(one)) for one in frame.columns}
    columns = [str((headings or {}).get(one, known.heading)) for one, known in quantities.items()]
    forms = {one: known.format for one, known in quantities.items()} | (formats or {})
    cells: list[list] = [
        [_cell(value, forms[one], heading) for value in frame[one]]
        for one, heading in zip(frame.columns, columns, strict=True)
    ]
    numeric = [
        pd.api.types.is_numeric_dtype(frame[c]) and not pd.api.types.is_bool_dtype(frame[c])
        for c in frame.columns
    ]
    align = ["right" if n else "left" for n in numeric]
    for linked, targets in (links or {}).items():
        place = list(frame.columns).index(linked)
        cells[place] = [
            {"text": text, "href": target} if target else text
            for text, target in zip(cells[place], targets, strict=True)
        ]
    rows = [list(row) for row in zip(*cells, strict=True)]
    _publish(
        {
            TABLE_MIME: {"columns": columns, "rows": rows, "align": align},
            "text/html": _html(columns, rows, align),
            "text/plain": f"[table {name}: {len(rows)} rows]",
        },
        {"label": name},
    )


def _cell(value, form: str | Callable, heading: str) -> str:
    if callable(form) and not (pd.api.types.is_scalar(value) and pd.isna(value)):
        return str(form(value))
    if heading == "Model" and isinstance(value, str) and value in cards():
        return label(value)
    return as_text(value, "" if callable(form) else form)


def _html(columns: list[str], rows: list[list], align: list[str]) -> str:
    """Plain HTML for JupyterLab; everything that came from data is escaped."""

    def cell(tag: str, content, side: str) -> str:
        text = content["text"] if isinstance(content, dict) else content
        return f'<{tag} style="text-align:{side}">{html.escape(text)}</{tag}>'

    head = "".join(cell("th", column, side) for column, side in zip(columns, align, strict=True))
    body = "".join(
        f"<tr>{''.join(cell('td', content, side) for content, side in zip(row, align, strict=True))}</tr>"
        for row in rows
    )
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body or '<tr><td>no rows</td></tr>'}</tbody></table>"
    )


def _publish(bundle: dict, metadata: dict | None = None) -> None:
    from IPython.display import display

    display(bundle, raw=True, metadata=metadata or {})
