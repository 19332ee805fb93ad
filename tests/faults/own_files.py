"""Files of the user's own in every place that is written: refused before anything happens, and as they were afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lib.report.folder import MOVING
from tests.faults.bench import MINE, Bench, Call, Fault, heals

KIND = "files of the user's"


def beside(files: dict[str, str], *arguments: str):
    """Call with a folder of the user's that holds some files."""

    def act(bench: Bench) -> Call:
        for name, text in files.items():
            bench.keep(bench.root / "theirs" / name, text)
        return bench.call("--output-dir", "theirs", *arguments)

    return act


def faults() -> Iterator[Fault]:
    calls = {
        "": (),
        "--dry-run": ("--dry-run",),
        "--render-only": ("--render-only",),
        "--only first": ("--only", "first"),
        "--force": ("--force",),
    }
    folders = {
        "a thesis": MINE, "a page": {"index.html": "mine"}, "figures": {"figures/a.svg": "mine"}, "data": {"data/results.csv": "mine"},
        "results of their own": {"runs/first/value.csv": "mine"}, "ratings": {"ratings/ratings.parquet": "mine"},
        "ratings of their own making": {"ratings/dataset.json": '{"mine": 1}', "ratings/items.parquet": "mine"},
        "another files.json": {"files.json": '{"mine": 1}', "index.html": "mine"},
    }  # fmt: skip
    for name, files in folders.items():
        for said, arguments in calls.items():
            act = beside(files, *arguments)
            yield Fault(
                KIND, f"--output-dir holds {name} {said}".strip(), act, {2}, "--output-dir", quick=not arguments
            )

    def below_a_file(bench: Bench) -> Call:
        bench.keep(bench.root / "theirs")
        return bench.call("--output-dir", "theirs/report")

    yield Fault(KIND, "--output-dir lies below a file", below_a_file, {2}, "theirs")

    def is_a_file(bench: Bench) -> Call:
        bench.keep(bench.root / "theirs")
        return bench.call("--output-dir", "theirs")

    yield Fault(KIND, "--output-dir is a file", is_a_file, {2}, "theirs", quick=True)

    def foreign_page(bench: Bench) -> Call:
        bench.keep(bench.reports / "second.html").rename(bench.reports / "x")
        (bench.reports / "x").rename(bench.reports / "second.html")
        names = json.loads((bench.reports / "files.json").read_text())
        (bench.reports / "files.json").write_text(json.dumps([name for name in names if name != "second.html"]))
        return bench.call("--force")

    yield Fault(KIND, "a page that no build has written", foreign_page, {4}, "is not the report's", quick=True)

    def own_run(bench: Bench) -> Call:
        import shutil

        shutil.rmtree(bench.runs / "second")
        bench.keep(bench.runs / "second" / "measured.csv")
        return bench.call()

    yield Fault(
        KIND, "a run's folder is somebody's", own_run, {2}, "second does not hold what a run has left", quick=True
    )

    def own_rerun(bench: Bench) -> Call:
        bench.keep(bench.reports / "reruns" / "second-n-5" / "runs" / "first" / "measured.csv")
        return bench.call("--only", "second", "-p", "n", "5")

    yield Fault(KIND, "a rerun's folder is somebody's", own_rerun, {2}, "does not hold what a run has left")

    def further(bench: Bench) -> Call:
        for name in (
            "notes.txt",
            "figures/mine.svg",
            "data/mine.csv",
            "runs/notes.txt",
            ".hidden",
            ".build-mine/a",
            "runs/.mine.old/a",
        ):
            bench.keep(bench.reports / name)
        return bench.call("--force")

    yield Fault(KIND, "files beside the report's own stay", further, {0}, "The report is built", heals, True)

    def in_the_way(bench: Bench) -> Call:
        (bench.reports / "second.html").unlink()
        bench.keep(bench.reports / "second.html" / "a.txt")
        return bench.call("--force")

    yield Fault(KIND, "a folder in the place of a page", in_the_way, {4}, r"second\.html is not the report's")

    def a_link(bench: Bench) -> Call:
        (bench.reports / "index.html").unlink()
        (bench.reports / "index.html").symlink_to(bench.keep(bench.root / "theirs.html"))
        return bench.call("--force")

    yield Fault(KIND, "a page is a link to a file of theirs", a_link, {0}, "", heals)

    def half_moved(bench: Bench) -> Call:
        bench.keep(bench.reports / "notes.txt")
        (bench.reports / MOVING).mkdir()
        (bench.reports / MOVING / "index.html").write_text("<html></html>")
        return bench.call()

    yield Fault(KIND, "a build that was killed before it was whole", half_moved, {0}, "", heals)
