"""Damaged results, notebooks and lists of the report: the runner makes them anew, or names the file and the fix."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tests.faults.bench import Bench, Call, Fault, heals, touch_up

KIND = "damaged store"
JSON = {
    "a list": "[]", "a table": "{}", "null": "null", "a text": '"x"', "a number": "7", "nothing": "", "half": '{"files": {"a"',
    "bytes": b"\xff\xfe\x00\x80", "nested": "[" * 20_000, "a list of tables": "[{}]", "a folder": "a folder", "NaN": '{"parts": NaN}',
}  # fmt: skip


def damage(place: str, content: bytes | str | None, *arguments: str):
    def act(bench: Bench) -> Call:
        touch_up(bench.root / place, content)
        return bench.call(*arguments)

    return act


def faults() -> Iterator[Fault]:
    record = "reports/runs/first/cache.json"
    for name, content in JSON.items():
        quick = name in ("a list", "nested")
        healed = heals if name != "a folder" else lambda bench: ""
        yield Fault(
            KIND,
            f"a run's record: {name}",
            damage(record, content),
            {0, 2} if name == "a folder" else {0},
            "",
            healed,
            quick,
        )
        yield Fault(
            KIND, f"a run's record: {name}, --render-only", damage(record, content, "--render-only"), {4}, "first"
        )
        for told in ("--dry-run", "--list"):
            yield Fault(KIND, f"a run's record: {name}, {told}", damage(record, content, told), {0}, "first")
        yield Fault(
            KIND, f"what was found in the code: {name}", damage("reports/runs/.definitions.json", content), {0, 2}
        )
        yield Fault(KIND, f"the report's stamp: {name}", damage("reports/runs/.report.json", content), {0, 2})
        began = damage("reports/runs/.from_scratch", content, "--from-scratch", "--dry-run")
        yield Fault(KIND, f"since when all is made anew: {name}", began, {0})
    page = "reports/runs/first/notebook.ipynb"
    for name, content in {
        **JSON,
        "gone": None,
        "cells of no form": '{"cells": [{}], "metadata": {}, "nbformat": 4}',
    }.items():
        quick = name in ("gone", "half")
        yield Fault(KIND, f"an executed notebook: {name}", damage(page, content), {0}, "", heals, quick)
        yield Fault(
            KIND,
            f"an executed notebook: {name}, --render-only",
            damage(page, content, "--render-only"),
            {4},
            r"first.*notebook\.ipynb",
        )
        source = damage("notebooks/first.ipynb", content)
        yield Fault(KIND, f"a notebook: {name}", source, {2}, r"first\.ipynb", quick=quick)
    for name, content in {
        "a list": "[]",
        "null": "null",
        "nothing": "",
        "half": '[{"metric": ',
        "a number": "3",
    }.items():
        for file in ("metrics", "facts", "provenance"):
            if (file, name) == ("metrics", "a list"):
                continue
            place = f"reports/runs/first/{file}.json"
            yield Fault(
                KIND,
                f"{file}.json: {name}, --render-only",
                damage(place, content, "--render-only"),
                {4},
                rf"first.*{file}\.json",
            )
    yield Fault(
        KIND,
        "a result changed with its size and time",
        same_size_and_time("value.txt"),
        {0},
        "changed since it ran",
        heals,
        True,
    )
    yield Fault(
        KIND,
        "an output changed with its size and time",
        same_size_and_time("notebook.ipynb"),
        {0},
        "changed since it ran",
        heals,
    )
    yield from lists()


def same_size_and_time(name: str):
    def act(bench: Bench) -> Call:
        path = bench.runs / "first" / name
        before = path.stat()
        text = path.read_text()
        path.write_text(text.replace("n is 2", "n is 3") if "n is 2" in text else "99")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
        return bench.call()

    return act


def lists() -> Iterator[Fault]:
    """Lists of the report's files that would lead a build elsewhere, and pages that are gone or cut off."""
    for name, content in {
        **JSON,
        "outside": '["../mine.txt"]',
        "absolute": '["/etc/hosts"]',
        "numbers": "[1, 2]",
        "dots": '["."]',
    }.items():

        def act(bench: Bench, content=content) -> Call:
            bench.keep(bench.root / "mine.txt")
            touch_up(bench.reports / "files.json", content)
            return bench.call("--force")

        yield Fault(
            KIND,
            f"the list of the report's files: {name}",
            act,
            {2, 4} if content != "[]" else {2, 4, 0},
            r"files\.json|is not the report's",
        )
    for name in ("second.html", "index.html"):

        def gone(bench: Bench, name=name) -> Call:
            (bench.reports / name).unlink()
            return bench.call()

        yield Fault(KIND, f"a page is gone: {name}", gone, {0}, "The report is built", heals)
    for name, content in {"a file": "x", "a folder": "a folder"}.items():
        for place in (".runner/0", ".runner/queue", ".slots", ".runner"):
            if (name, place) in (
                ("a folder", ".slots"),
                ("a folder", ".runner"),
                ("a file", ".runner/0"),
                ("a file", ".runner/queue"),
            ):
                continue

            def lock(bench: Bench, place=place, content=content) -> Call:
                for path in sorted(Path(bench.runs / place).rglob("*")) if (bench.runs / place).is_dir() else []:
                    path.unlink()
                if (bench.runs / place).is_dir():
                    (bench.runs / place).rmdir()
                touch_up(bench.runs / place, content)
                return bench.call()

            yield Fault(KIND, f"the lock {place} is {name}", lock, {2}, r"\.(runner|slots)")
    yield Fault(KIND, "the plan: no TOML", damage("report.toml", "[["), {2}, r"report\.toml")
    yield Fault(KIND, "the plan: bytes", damage("report.toml", b"\xff\x00"), {2}, r"report\.toml")
    yield Fault(KIND, "the plan: gone", damage("report.toml", None), {2}, r"report\.toml")
    yield Fault(KIND, "the plan: a folder", damage("report.toml", "a folder"), {2}, r"report\.toml")
    yield Fault(KIND, "the plan: inf as a parameter", plan_with("parameters = {n = inf}\n"), {2}, "inf")
    yield Fault(KIND, "the plan: a cycle", plan_with('needs = ["first"]\n'), {2}, "circle")


def plan_with(more: str):
    def act(bench: Bench) -> Call:
        path = bench.root / "report.toml"
        first = json.dumps("FIRST")
        path.write_text(path.read_text().replace(f"title = {first}\n", f"title = {first}\n{more}"))
        return bench.call()

    return act
