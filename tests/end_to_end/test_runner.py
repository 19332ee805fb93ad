"""The runner as a process: what it executes, prints and exits with, on toy notebooks."""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from lib import ROOT
from lib.runner.command_line import main
from lib.runner.kept import FOLDER, pack
from tests.toy_report import ToyReport

WRITE = "(folder / 'value.txt').write_text(str(n * 10))\nprint('wrote', n * 10)"
# As lib.report.run_writer does it, whose import would cost pandas.
READ = """where = Path(runs_dir or '../reports/runs')
(folder / 'double.txt').write_text(str(2 * int((where / 'first' / 'value.txt').read_text())))"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two runs, the second of which reads the first's results, brought up to date once."""
    toy = ToyReport(tmp_path_factory.mktemp("toy"))
    toy.notebook("first", WRITE)
    toy.notebook("second", READ)
    toy.plan("first", {"id": "second", "needs": ["first"]})
    toy.first_call = toy.run()
    assert toy.first_call.returncode == 0, toy.first_call.stdout
    toy.first_executed = toy.executed
    return toy


@pytest.fixture
def told(capsys, monkeypatch):
    """Calls the command line in this very process, for options with which nothing is executed: that spares a start."""
    before = signal.getsignal(signal.SIGTERM)

    def call(toy, *arguments, **variables):
        monkeypatch.chdir(toy.root)
        monkeypatch.setattr("lib.experiment.driver.REACHED_IN", 2)  # seconds, of schedulers that are not there
        for name in ("REPORT_RUN_FOLDER", "MOVIELENS_DIR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        code = main(["--plan", str(toy.root / "report.toml"), *arguments])
        said = capsys.readouterr()
        return CompletedProcess(arguments, code, said.out + said.err)

    yield call
    signal.signal(signal.SIGTERM, before)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
    except NotADirectoryError:
        return True


class TestCaching:
    def test_needs_come_first_and_results_are_read(self, report):
        assert report.first_executed == ["first", "second"]
        assert (report.runs_dir / "second" / "double.txt").read_text() == "40"
        assert (report.reports / "index.html").exists() and (report.reports / "report.pdf").exists()

    def test_what_a_run_took_is_recorded(self, report):
        record = report.record("first")
        assert record["seconds"] > 0
        assert record["profile"] == "full"

    def test_the_executed_notebook_names_no_path_of_the_machine(self, report):
        text = (report.runs_dir / "first" / "notebook.ipynb").read_text()
        assert str(report.root) not in text
        assert "wrote 20" in text

    def test_second_call_executes_nothing_and_builds_nothing(self, report):
        before = (report.reports / "index.html").stat().st_mtime_ns
        call = report.run()
        assert call.returncode == 0
        assert report.executed == []
        assert (report.reports / "index.html").stat().st_mtime_ns == before
        assert "All 2 runs are up to date." in call.stdout and "report is up to date" in call.stdout

    def test_reworded_prose_is_rendered_without_executing(self, report):
        report.notebook("first", WRITE, prose="Other words.")
        call = report.run()
        assert report.executed == []
        assert "Other words." in (report.reports / "index.html").read_text()
        assert "wrote 20" in (report.reports / "index.html").read_text()
        assert "The report is built" in call.stdout

    def test_dry_run_says_why_and_does_nothing(self, report, told):
        report.notebook("first", WRITE + "\nprint('more')")
        call = told(report, "--dry-run")
        assert "first   would run: code changed in cell 4" in call.stdout
        assert "second  would run: first will run" in call.stdout
        assert report.executed == []
        report.notebook("first", WRITE)
        assert "first   up to date" in told(report, "--dry-run").stdout

    def test_other_parameters_into_the_report_and_back(self, report):
        call = report.run("--only", "first", "-p", "first:n", "5", "--into-report")
        assert report.executed == ["first"], call.stdout
        assert (report.runs_dir / "first" / "value.txt").read_text() == "50"
        assert "note   second is shown as it was made: results of first changed" in call.stdout
        call = report.run()
        assert report.executed == ["first"], "the results that it leaves are what second was made from"
        assert (report.runs_dir / "first" / "value.txt").read_text() == "20"

    def test_the_list_shows_what_needs_what_and_how_long_it_took(self, report, told):
        lines = told(report, "--list").stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["first", "second"]
        assert "second.ipynb, needs first; full, " in lines[1]

    def test_failed_rendering_leaves_the_last_report(self, report):
        (report.root / "unbuildable").touch()
        before = (report.reports / "index.html").read_bytes()
        call = report.run("--render-only")
        (report.root / "unbuildable").unlink()
        assert call.returncode == 4
        assert "a caption is missing" in call.stdout
        assert (report.reports / "index.html").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "m", "3"], ["a parameter 'm'", "known: n"]),
        (["-p", "frist:n", "3"], ["no run 'frist'", "did you mean 'first'"]),
        (["-p", "first:nn", "3"], ["first has no parameter 'nn'", "did you mean 'n'"]),
        (["-p", "n", "three"], ["takes n: int, not 'three'"]),
        (["-p", "n", "10,20,50"], ["a sweep, which takes one run at a time", "--only: first, second"]),
        (["--only", "first", "-p", "n", "10,twenty"], ["takes n: int, not 'twenty'"]),
        (["--only", "first", "-p", "n", "1,2", "--into-report"], ["a report has one value"]),
        (["--describe", "frist"], ["no run 'frist'", "did you mean 'first'"]),
        (["--contract"], ["--model my_module:MyModel --contract"]),
        (["--scale", "1,5"], ["--scale describes a file of your own ratings"]),
        (["--only", "frist"], ["'frist'", "did you mean 'first'"]),
        (["--skip", "*"], ["leave nothing to do"]),
        (["--dataset", "ml-100"], ["'ml-100'", "did you mean 'ml-100k'"]),
        (["--profle", "quick"], ["No such option", "--profile"]),
        (["--cluster", "localhost"], ["no Dask scheduler answers at localhost"]),
        (["--cluster", "ucx://a:1"], ["no Dask scheduler answers at ucx://a:1"]),
        (["--cluster", "tcp://127.0.0.1:1"], ["no Dask scheduler answers at tcp://127.0.0.1:1"]),
        (["--only", "first", "-p", "second:n", "3"], ["second is not among the runs of this call"]),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_names_the_near_miss(report, told, arguments, said):
    call = told(report, *arguments)
    assert call.returncode == 2
    assert all(text in call.stdout for text in said), call.stdout
    assert "Traceback" not in call.stdout
    assert report.executed == []


def test_a_wrong_command_line_ends_the_process_the_same_way(report):
    call = report.run("--only", "frist")
    assert call.returncode == 2
    assert "did you mean 'first'" in call.stdout and "Traceback" not in call.stdout


def test_a_folder_of_somebody_else_is_no_place_for_a_report(report, told, tmp_path):
    (tmp_path / "thesis.html").write_text("mine")
    call = told(report, "--output-dir", str(tmp_path))
    assert call.returncode == 2 and "--output-dir" in call.stdout and "thesis.html" in call.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.html"]


@pytest.mark.parametrize("packages", [[], ["click"]])
def test_without_the_environment_it_says_how_to_get_it(tmp_path, packages):
    for name in packages:
        (tmp_path / name).symlink_to(Path(importlib.import_module(name).__file__).parent)
    options = ["--only", "svd", "--output-dir", str(tmp_path / "out")]
    script = [sys.executable, "-S", str(ROOT / "run_notebooks.py"), *options]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    call = subprocess.run(script, capture_output=True, text=True, check=False, env=environment)
    assert call.returncode == 2 and call.stdout == ""
    assert call.stderr.count("`make install`") == 1 and "Traceback" not in call.stderr


class TestFailures:
    def test_a_failing_notebook_is_described_and_the_rest_goes_on_if_asked(self, tmp_path):
        toy = ToyReport(tmp_path / "toy")
        toy.notebook("bad", "def scale(x):\n    return x / 0", "#| label: x\nscale(n)", "print('never')")
        toy.notebook("after", "1")
        toy.notebook("apart", "1")
        toy.plan("bad", {"id": "after", "needs": ["bad"]}, "apart")
        call = toy.run("--keep-going", "--jobs", "2", "--profile", "quick")
        assert call.returncode == 1
        assert sorted(toy.executed) == ["apart", "bad"]
        for text in (
            "bad failed: notebooks/bad.ipynb, cell 4 of 5: scale(n)",
            "return x / 0",
            "ZeroDivisionError: division by zero",
            "The notebook as far as it got: reports/runs/.bad.partial/notebook.ipynb",
            "Run it again: type the same command, with --only bad for this run alone",
            "after: needs bad",
        ):
            assert text in call.stdout
        assert "\x1b" not in call.stdout
        assert not (toy.runs_dir / "bad").exists() and (toy.runs_dir / "apart" / "cache.json").exists()
        assert not (toy.reports / "index.html").exists()
        assert (toy.runs_dir / ".bad.partial" / "notebook.ipynb").exists()

    def test_a_corrupt_data_file_exits_with_3_and_keeps_the_last_good_results(self, report, tmp_path):
        folder = tmp_path / "ml-100k"
        folder.mkdir()
        for name in ("u.data", "u.user", "u.item"):
            (folder / name).write_text("1\t1\t5\t0\n")
        report.notebook("first", "from lib.data.dataset import load\nload('ml-100k')")
        call = report.run(MOVIELENS_DIR=str(tmp_path))
        report.notebook("first", WRITE)
        assert call.returncode == 3, call.stdout
        assert "CorruptDataset" in call.stdout and "u.data" in call.stdout
        assert "Its last good results are untouched" in call.stdout
        assert (report.runs_dir / "first" / "value.txt").read_text() == "20"

    def test_a_cell_over_its_time_and_a_dead_kernel_are_failures(self, tmp_path):
        toy = ToyReport(tmp_path / "toy")
        toy.notebook("slow", "import time\ntime.sleep(60)")
        toy.notebook("dead", "os._exit(7)")
        toy.plan("slow", "dead")
        call = toy.run("--timeout", "2", "--keep-going", "--jobs", "2")
        assert call.returncode == 1
        assert "longer than the 2 s of --timeout" in call.stdout
        assert "the notebook's process died" in call.stdout


def test_interrupted_then_killed_then_resumed(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("quick", "(folder / 'value.txt').write_text('1')")
    toy.notebook(
        "slow",
        "import time\nfrom pathlib import Path\nPath('../pid').write_text(str(os.getpid()))\n"
        "while not Path('../go').exists():\n    time.sleep(0.05)",
    )
    toy.plan("quick", {"id": "slow", "needs": ["quick"]})
    pid = toy.root / "pid"

    def started(process):
        wait_for(lambda: (pid.exists() and pid.read_text()) or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        return int(pid.read_text())

    process = toy.start()
    kernel = started(process)
    second = toy.run()
    assert second.returncode == 2 and "another run_notebooks.py is at work" in second.stdout
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=15)
    assert process.returncode == 130, output
    assert "Interrupted" in output and "Traceback" not in output
    wait_for(lambda: not alive(kernel), 5)
    assert toy.executed == ["quick", "slow"]
    assert not (toy.runs_dir / "slow").exists()

    pid.unlink()
    process = toy.start()
    kernel = started(process)
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(kernel), 10)
    assert toy.executed == ["slow"]

    (toy.root / "go").touch()
    call = toy.run()
    assert call.returncode == 0, call.stdout
    assert toy.executed == ["slow"]
    assert json.loads((toy.runs_dir / "slow" / "cache.json").read_text())["run"] == "slow"
    assert not list(toy.runs_dir.glob(".*.partial"))


def test_kernels_get_a_cluster_for_their_fits_and_it_ends_with_the_runner(tmp_path):
    toy = ToyReport(tmp_path)
    code = "from distributed import Client\nwith Client(os.environ['REPORT_CLUSTER']) as client:\n    pids = client.run(os.getpid)"
    toy.notebook("first", f"{code}\nprint('pids', *pids.values())")
    toy.notebook("second", "print(os.environ['REPORT_SLOTS'])")
    toy.plan("first", "second")
    call = toy.run("--jobs", "1", REPORT_CLUSTER=None)
    assert call.returncode == 0 and "fits   are made by 1 processes" in call.stdout, call.stdout
    outputs = json.loads((toy.runs_dir / "first" / "notebook.ipynb").read_text())["cells"][-1]["outputs"]
    (pid,) = re.search(r"pids ([\d ]+)", json.dumps(outputs))[1].split()
    wait_for(lambda: not alive(int(pid)), 10)
    assert not (toy.runs_dir / ".cluster").exists()
    page = (toy.runs_dir / "second" / "notebook.ipynb").read_text()
    assert ".slots:1" in page


def test_from_scratch_executes_everything_and_a_call_that_was_ended_goes_on(tmp_path, told):
    toy = ToyReport(tmp_path)
    toy.notebook("first", "print(os.environ['REPORT_ANEW'], os.environ['REPORT_RECORDS'])")
    toy.notebook("second", "1 / (not Path('../broken').exists())")
    toy.plan("first", {"id": "second", "needs": ["first"], "seconds": 7200})
    assert toy.run().returncode == 1, "REPORT_ANEW is only there where it was asked for"
    toy.notebook("first", "print(os.environ.get('REPORT_ANEW'), os.environ['REPORT_RECORDS'])")
    assert toy.run().returncode == 0
    toy.executed  # noqa: B018 - reading it clears it
    (tmp_path / "broken").touch()
    call = toy.run("--search-anew")
    assert call.returncode == 1 and toy.executed == ["first", "second"]
    assert "Everything is fitted anew; all pages took " in call.stdout and "repeated, which takes up to " in call.stdout
    began = json.loads((toy.runs_dir / ".from_scratch").read_text())
    assert set(began) == {"fits", "searches"}
    page = (toy.runs_dir / "first" / "notebook.ipynb").read_text()
    assert str(began["fits"]) in page and str(toy.runs_dir / ".records") in page
    (tmp_path / "broken").unlink()
    assert "second  would run: asked for" in told(toy, "--search-anew", "--dry-run").stdout
    call = toy.run("--search-anew")
    assert call.returncode == 0 and toy.executed == ["second"], call.stdout
    assert not (toy.runs_dir / ".from_scratch").exists()


def test_a_run_of_another_profile_is_no_part_of_the_report_until_it_is_made(tmp_path, told):
    toy = ToyReport(tmp_path)
    toy.notebook("first", WRITE)
    toy.notebook("second", "print((Path(runs_dir or '../reports/runs') / 'first' / 'value.txt').exists())")
    toy.plan({"id": "first", "profiles": ["large"]}, {"id": "second", "wants": ["first"]})
    dry = told(toy, "--dry-run").stdout.splitlines()
    assert dry[0] == "first is part of --profile large and left out"
    call = toy.run("--force")
    assert call.returncode == 0, call.stdout
    assert toy.executed == ["second"]
    assert "Runs: 1 executed." in call.stdout
    page = (toy.reports / "index.html").read_text()
    assert "False" in page and "# first" not in page
    assert "profile large; never run" in told(toy, "--list").stdout.splitlines()[0]

    call = toy.run("--only", "first")
    assert call.returncode == 0 and toy.executed == ["first"], call.stdout
    call = toy.run("--force")
    assert call.returncode == 0 and toy.executed == ["second"], call.stdout
    page = (toy.reports / "index.html").read_text()
    assert "wrote 20" in page and "True" in page
    assert "first   up to date\n" in told(toy, "--dry-run").stdout


DATA = """if not Path("../data-is-here").exists():
    class DatasetUnavailable(RuntimeError): pass
    raise DatasetUnavailable("MovieLens 20M (ml-20m) cannot be had. Sources asked, in order:\\n  1. none")
(folder / "value.txt").write_text("here")"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A report whose first run needs ml-20m, which no build machine has; the others read what it found."""
    toy = ToyReport(tmp_path_factory.mktemp("kept"))
    toy.notebook("first", DATA)
    for name in ("second", "third"):
        toy.notebook(
            name,
            "text = (Path(runs_dir or '../reports/runs') / 'first' / 'value.txt').read_text()\nprint('read', text)",
        )
    toy.plan(
        {"id": "first", "datasets": ["ml-20m"]}, {"id": "second", "needs": ["first"]},
        {"id": "third", "needs": ["first"], "profiles": ["large"]},
    )  # fmt: skip
    return toy


class TestKeptPages:
    """In this order: nothing is kept, the data come, pages are kept, the data are gone again."""

    def test_without_data_and_kept_pages_a_run_fails_with_3_and_one_sentence(self, toy):
        call = toy.run()
        assert call.returncode == 3 and toy.executed == []
        assert "FAILED first: needs ml-20m, which no source could serve; set MOVIELENS_DIR" in call.stdout
        assert "second: needs first" in call.stdout and "Traceback" not in call.stdout

    def test_no_page_is_empty_with_kept_pages_and_no_data_at_all(self, toy, told, tmp_path):
        (toy.root / "data-is-here").touch()
        folder = tmp_path / "named" / "ml-20m"
        folder.mkdir(parents=True)
        for name in ("ratings.csv", "movies.csv", "tags.csv"):
            (folder / name).write_text("not read by this toy")
        call = toy.run("--profile", "large", MOVIELENS_DIR=str(tmp_path / "named"))
        assert call.returncode == 0 and sorted(toy.executed) == ["first", "second", "third"], call.stdout
        for name in ("first", "third"):
            pack(toy.runs_dir / name, toy.root / FOLDER / f"{name}.tar.xz")
        shutil.rmtree(toy.reports)
        (toy.root / "data-is-here").unlink()

        dry = told(toy, "--dry-run").stdout.splitlines()
        assert "which is not here, or its kept page be shown" in dry[0]
        assert dry[2] == "third   would be shown as it is kept: it is part of --profile large"
        call = toy.run()
        assert call.returncode == 0 and toy.executed == ["second"], call.stdout
        page = (toy.reports / "index.html").read_text()
        assert page.count("and kept with the project; here it") == 2 and page.count("read here") == 2
        assert "needs ml-20m, which no source could serve" in page and "is part of --profile large" in page
        assert toy.run().returncode == 0 and toy.executed == []

    def test_asked_for_by_name_it_fails_and_with_its_data_it_is_made(self, toy, tmp_path):
        call = toy.run("--only", "first")
        assert call.returncode == 3 and "cannot be had" in call.stdout
        (toy.root / "data-is-here").touch()
        folder = tmp_path / "ml-20m"
        folder.mkdir()
        for name in ("ratings.csv", "movies.csv", "tags.csv"):
            (folder / name).write_text("not read by this toy")
        call = toy.run(MOVIELENS_DIR=str(tmp_path))
        assert call.returncode == 0 and toy.executed == ["first"], call.stdout
