"""Films by title, as people type them."""

from __future__ import annotations

import difflib
import re
import unicodedata

from lib.interactions import Interactions

ARTICLE = re.compile(r"^(.*), (the|a|an|le|la|les|il|das|der|die|el|los)( \(.*)?$", re.IGNORECASE)
"""MovieLens writes "Godfather, The (1972)"."""


class Titles:
    """Look films up by title.

    Parameters
    ----------
    interactions : Interactions
        With an item table that has the column ``title``.

    Raises
    ------
    ValueError
        There are no titles.
    """

    def __init__(self, interactions: Interactions):
        table = interactions.item_table
        if table is None or "title" not in table.columns:
            raise ValueError("this data set has no titles; films can only be looked up by their ids")
        self.titles = [str(title) for title in table["title"]]
        self._counts = interactions.item_counts
        self._codes: dict[str, list[int]] = {}
        for code, title in enumerate(self.titles):
            for form in {plain(title), plain(without_year(title))}:
                self._codes.setdefault(form, []).append(code)

    def __getitem__(self, code: int) -> str:
        return self.titles[code]

    def find(self, text: str) -> int:
        """Return the code of the film that is called so.

        Case, accents, punctuation, a leading or trailing article and the year may be left out; of several films that
        are called the same, the one with most ratings is meant.

        Raises
        ------
        KeyError
            No film is called so; the message suggests those that nearly are.
        """
        codes = self._codes.get(plain(text))
        if codes:
            return max(codes, key=lambda code: (self._counts[code], -code))
        near = self.suggest(text)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise KeyError(f"no film is called {text!r}{hint}")

    def suggest(self, text: str, n: int = 3) -> list[str]:
        """Return titles that contain the text or are spelt nearly so, the most rated ones first."""
        wanted = plain(text)
        holding = [codes for form, codes in self._codes.items() if wanted and wanted in form]
        near = [
            self._codes[form] for form in difflib.get_close_matches(wanted, self._codes, n=4 * n, cutoff=0.7)
        ]
        found = {code for codes in (holding or near) for code in codes}
        return [self.titles[code] for code in sorted(found, key=lambda c: (-self._counts[c], c))[:n]]


def without_year(title: str) -> str:
    """Drop what stands in brackets at the end: the year, and other titles."""
    return re.sub(r"(\s*\([^()]*\))+\s*$", "", title)


def plain(title: str) -> str:
    """Bring a title to the form that titles are compared in: lower case, no accents, no punctuation, article first."""
    title = ARTICLE.sub(r"\2 \1\3", title.strip())
    letters = unicodedata.normalize("NFKD", title.casefold())
    kept = "".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c)).split()
    return " ".join(kept[1:] if len(kept) > 1 and kept[0] in ("the", "a", "an") else kept)
