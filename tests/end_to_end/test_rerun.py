"""Reruns and sweeps as a process: what they execute, print and leave, and that the report stays as it was."""

import csv
import hashlib
import shutil

import pytest

from lib.runner.kept import FOLDER, pack
from tests.toy_report import ToyReport

MEASURE = """import json
where = Path(runs_dir or '../reports/runs')
read = int((where / 'first' / 'value.txt').read_text()) if run.startswith('second') else 0
(folder / 'value.txt').write_text(str(n * 10))
key = dict(dataset='d', split='s', fold='', seed=0, model='m')
(folder / 'metrics.json').write_text(json.dumps([
    {**key, 'metric': 'rmse', 'value': 1 / n, 'low': 0.5 / n, 'high': 2 / n},
    {**key, 'metric': 'mae', 'value': read, 'low': None, 'high': None},
]))"""


def tree(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two runs, of which the second reads the first, brought up to date once."""
    toy = ToyReport(tmp_path_factory.mktemp("toy"))
    toy.notebook("first", MEASURE, parameters="n: int = 2  # a number")
    toy.notebook("second", MEASURE, parameters="n: int = 4  # another")
    toy.plan("first", {"id": "second", "needs": ["first"]})
    call = toy.run()
    assert call.returncode == 0, call.stdout
    toy.executed  # noqa: B018 - reading it clears it
    return toy


@pytest.fixture
def untouched(report):
    """Asserts that a test leaves results, cache and report as they were."""
    before = tree(report.runs_dir), (report.reports / "index.html").read_bytes()
    yield
    assert (tree(report.runs_dir), (report.reports / "index.html").read_bytes()) == before


def test_another_parameter_runs_beside_the_report_and_says_what_changed(report, untouched):
    call = report.run("--only", "second", "-p", "n", "8")
    assert call.returncode == 0, call.stdout
    assert report.executed == ["second"]
    folder = report.reports / "reruns" / "second-n-8"
    assert (folder / "runs" / "second" / "value.txt").read_text() == "80"
    row = next(line for line in call.stdout.splitlines() if line.split()[:1] == ["m"])
    assert row.split() == ["m", "s", "rmse", "0.2500", "0.1250", "-0.1250", "0.1250", "to", "0.5000", "0.0625", "to", "0.2500"]  # fmt: skip
    with open(folder / "changes.csv", newline="") as file:
        rows = {(row["metric"], row["side"]): row["value"] for row in csv.DictReader(file)}
    assert float(rows["rmse", "after"]) == 0.125
    assert rows["mae", "before"] == rows["mae", "after"] == "20.0", "the report's first was read"
    assert "The page: reports/reruns/second-n-8/index.html" in call.stdout
    assert "n = 8" in (folder / "index.html").read_text()

    again = report.run("--only", "second", "-p", "n", "8")
    assert again.returncode == 0 and report.executed == []
    assert "second is up to date." in again.stdout and "0.1250" in again.stdout


def test_before_is_the_kept_page_s_where_no_results_were_made_here(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("alone", MEASURE, parameters="n: int = 4  # a number")
    toy.plan("alone")
    assert toy.run().returncode == 0
    pack(toy.runs_dir / "alone", toy.root / FOLDER / "alone.tar.xz")
    shutil.rmtree(toy.runs_dir)
    call = toy.run("--only", "alone", "-p", "n", "8")
    assert call.returncode == 0 and "as it is kept with the project" in call.stdout, call.stdout
    row = next(line for line in call.stdout.splitlines() if line.split()[:1] == ["m"])
    assert row.split()[2:6] == ["rmse", "0.2500", "0.1250", "-0.1250"]


def test_a_parameter_of_several_runs_reruns_them_all_with_each_other_s_results(report, untouched):
    call = report.run("-p", "n", "5")
    assert call.returncode == 0, call.stdout
    assert report.executed == ["first", "second"]
    with open(report.reports / "reruns" / "first-second-n-5" / "changes.csv", newline="") as file:
        rows = {(row["run"], row["metric"], row["side"]): row["value"] for row in csv.DictReader(file)}
    assert rows["second", "mae", "before"] == "20.0" and rows["second", "mae", "after"] == "50.0"


def test_a_dry_run_makes_nothing_and_the_plan_s_own_value_is_no_rerun(report, untouched):
    call = report.run("--only", "second", "-p", "n", "9", "--dry-run")
    assert "rerun  second beside the report: n 4 -> 9\nIn reports/reruns/second-n-9:" in call.stdout
    assert "second  would run: never run" in call.stdout
    sweep = report.run("--only", "second", "-p", "n", "9,11", "--dry-run").stdout
    assert "second--n-9   would run: never run" in sweep and "second--n-11  would run: never run" in sweep
    assert not (report.reports / "reruns" / "second-n-9").exists()
    assert "second is up to date." in report.run("--only", "second", "-p", "n", "4").stdout
    assert report.executed == []


def test_a_run_that_the_report_lacks_says_how_to_make_it(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("first", MEASURE)
    toy.plan("first")
    call = toy.run("--only", "first", "-p", "n", "5")
    assert call.returncode == 0, call.stdout
    assert "no results of first to compare with" in call.stdout
    assert "python run_notebooks.py --only first" in call.stdout
    assert not (toy.runs_dir / "first").exists()
    assert (toy.reports / "reruns" / "first-n-5" / "runs" / "first" / "value.txt").read_text() == "50"


def test_a_sweep_runs_each_value_and_plots_them(report, untouched):
    call = report.run("--only", "second", "-p", "n", "10,20", "--jobs", "2")
    assert call.returncode == 0, call.stdout
    assert sorted(report.executed) == ["second--n-10", "second--n-20"]
    (folder,) = (report.reports / "reruns").glob("second-n-10_20-*")
    row = next(line for line in call.stdout.splitlines() if line.split()[:1] == ["m"])
    assert row.split()[:6] == ["m", "s", "rmse", "0.1000", "0.0500", "-0.0500"]
    with open(folder / "changes.csv", newline="") as file:
        values = {row["side"]: float(row["value"]) for row in csv.DictReader(file) if row["metric"] == "rmse"}
    assert values == {"10": 0.1, "20": 0.05}
    assert "<svg" in (folder / "sweep.svg").read_text() and (folder / "sweep.png").stat().st_size > 1000
    assert (folder / "index.html").exists() and "The page: " in call.stdout

    report.run("--only", "second", "-p", "n", "10,20")
    assert report.executed == []


def test_a_failing_rerun_leaves_the_report_and_tells_the_command(report, untouched):
    call = report.run("--only", "second", "-p", "n", "0")
    report.executed  # noqa: B018 - reading it clears it
    assert call.returncode == 1
    assert "ZeroDivisionError" in call.stdout
    assert "type the same command, with --only second" in call.stdout


def test_describe_lists_the_parameters(report):
    call = report.run("--describe", "second")
    assert call.returncode == 0
    line = next(line for line in call.stdout.splitlines() if line.startswith("n "))
    assert line.split() == ["n", "int", "4", "4", "another"]
    assert report.executed == []
