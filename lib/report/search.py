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
    name = report.title if page.is_front else page.title
    entries = [{"u": page.file, "p": name, "s": "", "t": page.summary}]
    for place, block in enumerate(page.blocks):
        key = prose_key(page, place)
        if isinstance(block, Prose):
            for heading, words in report.markdown.sections(key):
                if heading:
                    entries.append({"u": f"{page.file}#{heading.id}", "p": name, "s": heading.text, "t": ""})
                entries[-1]["t"] = f"{entries[-1]['t']} {words}".strip()
        elif isinstance(block, (Figure, Table)) and block.label:
            target = report.numbering.target(block.label)
            caption = report.markdown.plain(key)
            text = block.alt if isinstance(block, Figure) else " ".join(block.columns)
            current = {**entries[-1], "t": ""}
            entries.append(
                {"u": f"{page.file}#{block.label}", "p": name, "s": f"{target.text}. {caption}", "t": text}
            )
            entries.append(current)  # what follows belongs to the section again
    return [{**entry, "t": entry["t"][:LONGEST]} for entry in _merged(entries)]


def _merged(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    """Bring together the entries of one address."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries:
        if entry["u"] in found:
            old = found[entry["u"]]
            old["t"] = f"{old['t']} {entry['t']}".strip()
        else:
            found[entry["u"]] = dict(entry)
    return list(found.values())
