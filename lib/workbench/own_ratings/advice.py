"""What a reader is told first: for each protocol the model to take, and the same words for the terminal."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lib.data.files import read_whole
from lib.experiment.stored_files import NOTEBOOK
from lib.models.card import FAMILIES
from lib.report.columns import duration
from lib.report.inline import KEY, told
from lib.report.prose import Numbers, enumerated
from lib.statistics.indistinguishable import Standing

TAG = "advice"
"""Of the Markdown cells of a notebook that are told on the terminal, too."""
SHORT, MUCH = 1.0, 2.0
"""Seconds below which no fit costs less than another, and how many times as long costs more."""
BESIDE = {
    "alone": "ahead of every other model",
    "best": "as good as {others} at no more than about their cost",
    "cheaper": "as good as {best} ({value:.3f}), which costs more: {slow} to fit instead of {fast}",
    "simpler": "as good, as far as can be told, as {best} ({value:.3f})",
}
SIMPLE = "; {} can't be told from it either, and knows no taste"
NAMED = 3
"""So many of the models that are as good are named."""
_SIGN = r"([!-/:-@\[-`{-~])"
"""Whatever may mean something in Markdown."""


def advise(found: Standing, seconds: Mapping, labels: Mapping, families: Mapping, simplest: bool = False) -> Numbers:
    """Choose the best of the cheapest among the models that can't be told from the best one; first of means if `simplest`.

    Returned are its ``label`` and ``value``, and what to say ``beside`` it: why this one, and which mean or order without
    taste, if any, is as good.
    """
    best, values = found.table["model"].iloc[0], dict(zip(found.table["model"], found.table["value"], strict=True))
    same = [best, *found.best_equals]
    simple = [name for name in same if families[name] == FAMILIES[0]]
    pool = simple if simplest and simple else same
    cost = {name: max(SHORT, seconds[name]) for name in same}
    taken = next(name for name in pool if cost[name] <= MUCH * min(cost[one] for one in pool))
    kind = "best" if same[1:] else "alone"
    if taken != best:
        kind = "cheaper" if cost[best] > MUCH * cost[taken] else "simpler"
    named, more = [labels[name] for name in same[1:][:NAMED]], len(same) - 1 - NAMED
    others = enumerated(named + ([f"{more} more"] if more > 0 else []))
    told = {"others": others, "best": labels[best], "value": values[best]}
    beside = BESIDE[kind].format(**told, slow=duration(cost[best]), fast=duration(cost[taken]))
    if simple and taken not in simple:
        beside += SIMPLE.format(labels[simple[0]])
    return Numbers(label=labels[taken], value=("{:.3f}", values[taken]), beside=beside)


def plain(text: str) -> str:
    """Return a reader's own text, such as a file's name, fit for Markdown: no sign in it means anything there."""
    return re.sub(_SIGN, r"\\\1", text).replace("@", "@\u2060")


def about(data) -> Numbers:
    """Tell of a data set, for prose, its ``file``, ``size``, ``dates``, what was ``unused`` of it and what looks ``odd``."""
    meta, times = getattr(data, "meta", {}), data.interactions.timestamps
    words = meta.get("read", {})
    first, last = (str(np.datetime64(int(end), "s"))[:10] for end in (times.min(), times.max()))
    return Numbers(
        file=plain(data.title),
        size=words.get("size", f"{len(times):,} ratings"),
        dates=f"{first} to {last}" if first < last else "no times that differ",
        unused=plain(words.get("not used", "every column is used")),
        odd=plain("; ".join(meta.get("notes", []))),
    )


def said(runs_dir: Path) -> list[str]:
    """Return what cells with the `TAG` say in the executed notebooks of a folder of runs, in plain text, a line each."""
    lines = []
    for notebook in sorted(runs_dir.glob(f"*/{NOTEBOOK}")):
        cells = read_whole(notebook, {"cells": [{"cell_type": str, "metadata": dict}]}, "Run it again.")["cells"]
        tagged = [cell for cell in cells if TAG in cell["metadata"].get("tags", [])]
        texts = [told("".join(cell["source"]), cell["metadata"].get(KEY, []))[0] for cell in tagged]
        bare = (re.sub(rf"\\{_SIGN}", r"\1", text.replace("**", "").replace("\u2060", "")) for text in texts)
        lines += [f"advice {' '.join(text.split())}" for text in bare if text]
    return lines
