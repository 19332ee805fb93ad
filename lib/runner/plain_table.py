"""Tables in the terminal: drawn by rich where there is one, aligned columns of plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), stream: TextIO | None = None
) -> None:  # fmt: skip
    """Print a table of texts.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : sequence of sequence of str
        A text for each column.
    right : sequence of str
        Columns that are set to the right.
    stream : TextIO, optional
        Standard output by default.
    """
    stream = stream if stream is not None else sys.stdout
    if stream.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))  # as Text, so that nothing in it is taken for markup
        Console(file=stream, highlight=False).print(table)
        return
    widths = [
        max(len(column), *(len(row[place]) for row in rows)) if rows else len(column)
        for place, column in enumerate(columns)
    ]
    for row in [columns, *rows]:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for text, width, column in zip(row, widths, columns, strict=True)
        ]
        print("  ".join(cells).rstrip(), file=stream)
