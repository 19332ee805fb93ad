"""Calls of pandoc: many pieces of markdown in one call, apart again afterwards."""

import json
import re
import subprocess
from functools import cache

import pypandoc

from lib.report.errors import RenderingError

DIALECT = "commonmark+tex_math_dollars+pipe_tables+footnotes+smart+strikeout+autolink_bare_uris"
"""What JupyterLab shows, and what the report adds to it."""

HTML = ["-t", "html5", "--mathml", "--wrap=none"]
TYPST = ["-t", "typst", "--wrap=none"]
"""Arguments that ask for a format."""

MARK = "pieceboundary"


@cache
def api_version() -> list[int]:
    """Return the version of the document tree that this pandoc reads and writes."""
    return json.loads(run("", ["-f", "commonmark", "-t", "json"])[0])["pandoc-api-version"]


def run(text: str, arguments: list[str], fix: str = "This is a fault of lib/report.") -> tuple[str, str]:
    """Run pandoc; return what it wrote and what it warned of."""
    command = [pypandoc.get_pandoc_path(), *arguments]
    done = subprocess.run(command, input=text.encode("utf-8"), capture_output=True, check=False)
    errors = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise RenderingError(f"pandoc failed: {errors.strip()}", fix)
    return done.stdout.decode("utf-8"), errors


def parse(texts: list[str]) -> list[list]:
    """Parse pieces of markdown into trees, in one call; one by one where a piece runs into the next.

    An open fence or comment runs to the end of its own piece only, as it does in a notebook's cell.
    """

    def read(text: str) -> list:
        return json.loads(run(text, ["-f", DIALECT, "-t", "json"])[0])["blocks"]

    # Footnotes get their piece's number, so that two cells can each have a first one.
    texts = [re.sub(r"\[\^(?=[^\]\s]+\])", f"[^p{n}-", text) for n, text in enumerate(texts)]
    blocks = read("".join(f"\n\n{MARK}{n}\n\n{text}" for n, text in enumerate(texts)))
    found: list[list] = []
    for block in blocks:
        mark = [{"t": "Str", "c": f"{MARK}{len(found)}"}]
        if block["t"] == "Para" and block["c"] == mark:
            found.append([])
        elif found:
            found[-1].append(block)
    return found if len(found) == len(texts) else [read(text) for text in texts]


def write(blocks: list, arguments: list[str]) -> tuple[str, str]:
    """Return a tree in another format, and what pandoc warned of."""
    document = json.dumps({"pandoc-api-version": api_version(), "meta": {}, "blocks": blocks})
    return run(document, ["-f", "json", *arguments])


def split(text: str, pattern: str) -> dict[str, str]:
    """Cut written text at its marks; `pattern` has one group, the key of what follows."""
    parts = re.split(pattern, text)
    return {key: body.strip() for key, body in zip(parts[1::2], parts[2::2], strict=True)}
