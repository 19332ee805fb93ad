"""Tables in the terminal: aligned columns of plain text."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table of texts under headings; the columns named in `right` are set to the right."""
    widths = [max(map(len, texts)) for texts in zip(columns, *rows, strict=True)]
    for row in [columns, *rows]:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for text, width, column in zip(row, widths, columns, strict=True)
        ]
        print("  ".join(cells).rstrip())
