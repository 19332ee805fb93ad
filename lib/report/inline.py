"""Inline expressions in Markdown cells, as MyST has them: which there are, and the prose once the kernel has answered.

A cell may say ``{eval}`name.value` ``; what it stands for is kept in the cell's metadata, where jupyterlab-myst keeps it
too, so that JupyterLab and the report show the same sentence. Its first lines may be comments: ``% holds: expression``
says under which condition its words are true, ``% only: expression`` that the cell is for runs alone of which this is
true, such as those that have the split of which it speaks. A code cell's option lines may ask in the same way, once it
has run: ``#| fig-title: ...``, and ``#| holds: expression`` for the condition under which the title is true.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

KEY = "user_expressions"
"""Where a Markdown cell's metadata keep the answers: a list of ``expression`` and ``result``."""

NOT_HERE = "Written for the published parameters; does not hold here"

_ROLE = re.compile(r"\{eval\}`([^`\n]+)`")
_COMMENTS = re.compile(r"\A(?:\s*%[^\n]*(?:\n|\Z))+")
_CONDITION = re.compile(r"^\s*% (holds|only):\s*(\S[^\n]*?)\s*$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} [^\n]*$", re.MULTILINE)


class Unanswered(ValueError):
    """An expression that the kernel could not evaluate, or was never asked; the message names it."""


def words_of(kind: str, source: str) -> str:
    """Return a cell's words: a Markdown cell's source, or a code cell's option lines in the same form, conditions first."""
    if kind != "code":
        return source
    lines = [line[2:].strip() for line in takewhile(lambda line: line.startswith("#|"), source.strip().splitlines())]
    holds = [line for line in lines if line.startswith("holds:")]
    return "\n".join([*(f"% {line}" for line in holds), *(line for line in lines if line not in holds)])


def conditions(source: str, kind: str = "holds") -> list[str]:
    """Return the conditions under which a cell's words are true; those of the kind ``only``, under which it is there at all."""
    comments = _COMMENTS.match(source)
    return [told for named, told in _CONDITION.findall(comments.group()) if named == kind] if comments else []


def expressions(source: str) -> list[str]:
    """Return what the kernel is asked for a Markdown cell: its conditions, then the values in it, each once."""
    asked = (*conditions(source, "only"), *conditions(source), *_ROLE.findall(source))
    return list(dict.fromkeys(asked))


def answered(source: str, results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the entry of a cell's metadata for what the kernel answered; of a cell for other runs, that it is."""
    meant = conditions(source, "only")
    elsewhere = any(r["status"] == "ok" and _text(r) != "True" for r in map(results.__getitem__, meant))
    asked = meant if elsewhere else expressions(source)
    return [{"expression": expression, "result": dict(results[expression])} for expression in asked]


def failed(kept: Iterable[Mapping[str, Any]]) -> str:
    """Return the first expression that raised an error, with the error in words; empty where none did."""
    for one in kept:
        result = one["result"]
        if result.get("status") != "ok":
            return f"{one['expression']}: {result.get('ename', 'error')}: {result.get('evalue', '')}"
    return ""


def told(source: str, kept: Iterable[Mapping[str, Any]]) -> tuple[str, list[str]]:
    """Put the values, the entry of the cell's metadata, into a cell's prose; return it, and the conditions that are false.

    The prose has no comments and is empty where the cell is for other runs. Where a condition is false it has the headings
    and, instead of the words, `NOT_HERE` with the values. Raises `Unanswered`: an expression has no value.
    """
    kept = list(kept)
    if error := failed(kept):
        raise Unanswered(error)
    values = {one["expression"]: _text(one["result"]) for one in kept}
    if any(values.get(one, "True") != "True" for one in conditions(source, "only")):
        return "", []
    if missing := [asked for asked in expressions(source) if asked not in values]:
        raise Unanswered(f"{missing[0]}: was never evaluated")
    broken = [condition for condition in conditions(source) if values[condition] != "True"]
    words = _COMMENTS.sub("", source)
    if broken:
        shown = dict.fromkeys(_ROLE.findall(words))
        listed = "".join(f"\n- `{expression}`: {values[expression]}" for expression in shown)
        headings = "\n\n".join(_HEADING.findall(words))
        return f"{headings}\n\n*{NOT_HERE}.*\n{listed}".strip(), broken
    return _ROLE.sub(lambda role: values[role.group(1)], words), []


def told_options(source: str, options: Mapping[str, str], kept: list) -> tuple[dict[str, str], list[str]]:
    """Put the values into the `options` of a code cell; return them, and the conditions that are false: its title gives way."""
    _, broken = told(words_of("code", source), kept)
    texts = {key: told(value, kept)[0] for key, value in options.items()}
    if broken:
        shown = (f"`{one}` {told(f'{{eval}}`{one}`', kept)[0]}" for one in _ROLE.findall(options.get("fig-title", "")))
        texts["fig-title"] = f"*{NOT_HERE}.* {'; '.join(shown)}".strip()
    return texts, broken


def _text(result: Mapping[str, Any]) -> str:
    text = result["data"]["text/plain"]
    text = text if isinstance(text, str) else "".join(text)
    if text in ("np.True_", "np.False_"):  # of numpy's comparisons
        return text[3:-1]
    return str(ast.literal_eval(text)) if text[:1] in ("'", '"') else text
