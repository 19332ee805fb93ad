"""The whole report: the real plan under the quick profile, through the real runner, into HTML and PDF."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest

from lib import ROOT
from lib.report import inline
from lib.runner.kept import archives
from lib.runner.plan import load_plan

pytestmark = pytest.mark.end_to_end


def call(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "run_notebooks.py"), *arguments], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"}, timeout=1800, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def plan():
    return load_plan()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    from lib.data.dataset import load
    from lib.data.errors import DatasetUnavailable

    try:
        load("ml-100k")
    except DatasetUnavailable as error:
        pytest.skip(f"ml-100k can't be had here: {error}")
    output = tmp_path_factory.mktemp("report")
    done = call("--profile", "quick", "--output-dir", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    return output, done


@pytest.fixture(scope="module")
def shown(built, plan):
    """The runs of other profiles and those whose data can't be had: of these the kept pages are shown."""
    _, done = built
    names = set(re.findall(r"^kept   (\w+): as it was made on ", done.stdout, flags=re.MULTILINE))
    assert names >= {run.id for run in plan.runs if run.outside("quick")} & set(archives(plan))
    return names


@pytest.fixture(scope="module")
def absent(built, plan):
    """The runs of other profiles of which no page is kept."""
    _, done = built
    names = set(re.findall(r"^(\w+) is part of --profile ", done.stdout, flags=re.MULTILINE))
    assert names == {run.id for run in plan.runs if run.outside("quick")} - set(archives(plan))
    return names


@pytest.fixture(scope="module")
def executed(shown, absent, plan):
    return [run for run in plan.runs if run.id not in shown | absent]


def test_it_prints_progress_and_nothing_else(built, executed):
    _, done = built
    # PYTHONWARNINGS=default also lets through what Dask's shutdown leaves to the garbage collector.
    own = [
        line
        for line in done.stderr.splitlines()
        if "/lib/" in line and "site-packages" not in line and "/python3" not in line
    ]
    assert own == [] and "Traceback" not in done.stderr, done.stderr
    known = (
        r"(start|done|kept|note|data|fits) |\s+\w+: (cell|starting|waiting)|Runs: |The report is built: |\d+ runs, "
        r"|\w+ is part of --profile "
    )
    assert [line for line in done.stdout.splitlines() if not re.match(known, line)] == []
    assert sum(line.startswith("done ") for line in done.stdout.splitlines()) == len(executed)


def test_every_run_left_whole_results(built, executed):
    output, _ = built
    for run in executed:
        record = json.loads((output / "runs" / run.id / "cache.json").read_text())
        assert record["profile"] == "quick" and record["seconds"] > 0
        assert (output / "runs" / run.id / "provenance.json").exists()
    assert not list((output / "runs").glob(".*.partial"))


def test_notebooks_get_to_their_end_where_their_words_do_not_hold(built, executed):
    """The quick profile's numbers are not the published ones; and each condition may fail, whatever the others say."""
    output, _ = built
    gave_way = set()
    for run in executed:
        cells = json.loads((output / "runs" / run.id / "notebook.ipynb").read_text())["cells"]
        for cell in cells:
            source, answers = "".join(cell["source"]), cell["metadata"].get(inline.KEY, [])
            source = inline.words_of(cell["cell_type"], source)
            _, broken = inline.told(source, answers)
            gave_way |= {run.id} if broken else set()
            asked = inline.conditions(source)
            if asked and len(answers) >= len(inline.expressions(source)):
                never = {"status": "ok", "data": {"text/plain": "False"}}
                flipped = [one | {"result": never} if one["expression"] in asked else one for one in answers]
                words, broken = inline.told(source, flipped)
                assert inline.NOT_HERE in words and broken == asked, run.id
    assert len(gave_way) >= len(executed) / 3, "hardly any condition fails here: the test shows little"


def test_the_pages_and_the_pdf_show_every_run(built, absent, plan):
    output, _ = built
    index = (output / "index.html").read_text()
    for run in plan.runs:
        if run.part != "front" and run.id not in absent:
            assert (output / f"{run.id}.html").stat().st_size > 2000
            first = next(one.id for one in plan.runs if one.notebook == run.notebook)  # the others are its tabs
            assert f'href="{first}.html"' in index
            assert first == run.id or f'href="{run.id}.html"' in (output / f"{first}.html").read_text()
    for name in ("report.pdf", "supplement.pdf"):
        assert (output / name).read_bytes().startswith(b"%PDF-") and (output / name).stat().st_size > 50_000


def test_pages_ask_for_nothing_from_outside(built):
    output, _ = built
    for page in output.glob("*.html"):
        text = page.read_text()
        loads = re.findall(r"""<(?:script|img|iframe|source|audio|video)\b[^>]*\bsrc=["']([^"']+)""", text)
        loads += re.findall(r"""<link\b[^>]*\bhref=["']([^"']+)""", text) + re.findall(r"url\(([^)]+)\)", text)
        assert [address for address in loads if re.match(r"[\"']?(https?:)?//", address)] == []


def test_the_data_behind_it_hold_every_run_that_measured(built, executed, shown, plan):
    output, _ = built
    for name in ("results.csv", "claims.csv"):
        assert (output / "data" / name).exists()
    with open(output / "data" / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    measured = {
        run.id
        for run in plan.runs
        if run in executed or run.id in shown
        if json.loads((output / "runs" / run.id / "metrics.json").read_text())
    }
    assert measured and {row["run"] for row in rows} == measured
    assert all(row["dataset"] and row["model"] and row["metric"] and row["value"] for row in rows)


def test_nothing_of_this_machine_is_published(built):
    output, _ = built
    for path in [*output.glob("*.html"), *(output / "data").rglob("*.csv")]:
        assert str(output) not in path.read_text() and str(ROOT) not in path.read_text()


def test_a_second_call_executes_and_builds_nothing(built, absent, plan):
    output, _ = built
    before = (output / "index.html").stat().st_mtime_ns
    done = call("--profile", "quick", "--output-dir", str(output))
    assert done.returncode == 0
    assert f"All {len(plan.runs) - len(absent)} runs are up to date." in done.stdout
    assert "The report is up to date" in done.stdout
    assert (output / "index.html").stat().st_mtime_ns == before
