"""The search index: one entry a section, prebuilt, in a script file so that it loads from file:// too."""

from __future__ import annotations

import json

from lib.report.content import Report, prose_key
from lib.report.document import Figure, Page, Prose, Table

LONGEST = 1200
"""Characters of a section's text that the index keeps."""


def search_index(report: Report) -> str:
    """Return the JavaScript file that holds the index: address, page, section and words of every section."""
    entries = [entry for page in report.pages for entry in _entries(report, page)]
    # "<" is written as an escape so that a title can't close a script element, should the index be inlined.
    data = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.searchIndex={data};\n"


def _entries(report: Report, page: Page) -> list[dict[str, str]]:
    """Return a page's entries by address; what follows a figure or table belongs to the section again."""
    name = report.title if page.is_front else page.title
    found: dict[str, dict[str, str]] = {}

    def add(address: str, section: str, text: str) -> None:
        entry = found.setdefault(address, {"u": address, "p": name, "s": section, "t": ""})
        entry["t"] = f"{entry['t']} {text}".strip()

    here = page.file
    add(here, "", page.summary)
    for place, block in enumerate(page.blocks):
        key = prose_key(page, place)
        if isinstance(block, Prose):
            for heading, words in report.markdown.sections(key):
                if heading:
                    here = f"{page.file}#{heading.id}"
                add(here, heading.text if heading else "", words)
        elif isinstance(block, (Figure, Table)) and block.label:
            target = report.numbering.target(block.label)
            text = block.alt if isinstance(block, Figure) else " ".join(block.columns)
            section = f"{target.text}. {report.markdown.plain(key)}"
            add(f"{page.file}#{block.label}", section, text)
    return [{**entry, "t": entry["t"][:LONGEST]} for entry in found.values()]
