"""Results that the project keeps: shown where a profile doesn't make them, and never in the place of those made here."""

import io
import json
import re
import shutil
import tarfile
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import pytest

from lib import ROOT
from lib.data.files import DamagedFile
from lib.runner.cache import Cache, key_of
from lib.runner.errors import UsageError
from lib.runner.execute import Failure
from lib.runner.kept import FOLDER, NOTE, pack, sign, unpack
from lib.runner.options import Options
from lib.runner.parameters import resolve
from lib.runner.plan import load_plan
from lib.runner.progress import Progress
from lib.runner.render import refresh
from lib.runner.schedule import Schedule
from lib.runner.selection import outside, select
from lib.runner.store import Store
from tests.toy_report import ToyReport

LARGE = {"id": "a", "profiles": ["large"]}
RUNS = (LARGE, {"id": "b", "wants": ["a"]}, {"id": "c", "needs": ["a"], "profiles": ["large"]})


class StandIn(Executor):
    """Leaves what a run leaves: its notebook, a small result and a large one; or fails as told."""

    def __init__(self, notebooks, broken):
        self.notebooks, self.broken, self.order = notebooks, broken, []

    def submit(self, fn, request):
        self.order.append(request.run)
        folder = Path(request.folder)
        shutil.copy(self.notebooks / f"{request.run}.ipynb", folder / "notebook.ipynb")
        (folder / "facts.json").write_text('{"best": 1}')
        (folder / "provenance.json").write_text("{}")
        (folder / "predictions.parquet").write_bytes(bytes(1000))
        future = Future()
        future.set_result(self.broken.get(request.run))
        return future


class Project:
    def __init__(self, root):
        self.toy = ToyReport(root)
        for name in "abc":
            self.toy.notebook(name)
        self.plan = load_plan(self.toy.plan(*RUNS))
        self.store = Store(self.toy.runs_dir)
        self.archive = root / FOLDER / "a.tar.xz"

    def work(self, profile="full", required=(), broken=None, unavailable=()):
        """Bring all runs up to date; return those that were executed, what became of the others, and what was said."""
        away, nowhere = outside(self.plan, self.store, profile, required)
        values = resolve(self.plan, self.plan.ids, profile=profile, outside=away)
        cache = Cache(self.plan, self.store, values, outside=away)
        executor, said = StandIn(self.plan.notebooks, broken or {}), io.StringIO()
        how = {"required": required, "unavailable": dict.fromkeys(unavailable, "asked")}
        schedule = Schedule(cache, executor, Progress(said), Options(profile=profile), **how)
        return executor.order, schedule.work({*self.plan.ids} - nowhere), said.getvalue()

    def keep(self, *names):
        """Make everything, keep some runs' pages, and start afresh without any."""
        self.work("large")
        for name in names or "a":
            pack(self.store.folder(name), self.archive.with_name(f"{name}.tar.xz"))
        shutil.rmtree(self.toy.runs_dir)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "toy")


def cells(project, name="a"):
    return json.loads((project.store.folder(name) / "notebook.ipynb").read_text())["cells"]


def test_a_kept_run_is_shown_with_where_it_is_from_and_without_its_predictions(project):
    project.keep()
    order, summary, said = project.work()
    assert order == ["b"] and summary.shown_as_kept == ["a"] and "kept   a: as it was made on 20" in said
    names = {path.name for path in project.store.folder("a").iterdir()}
    assert {"facts.json", "notebook.ipynb", "provenance.json"} <= names and "predictions.parquet" not in names
    note = cells(project)[1]
    assert note["id"] == NOTE and "python run_notebooks.py --profile large --only a" in note["source"]
    assert "it is part of --profile large" in note["source"] and "earlier code" not in note["source"]
    assert outside(project.plan, project.store, "full")[1] == {"c"}, "there is nothing of it to be shown"


def test_a_second_pass_keeps_it_and_what_reads_it(project):
    project.keep()
    project.work()
    order, summary, _ = project.work()
    assert order == [] and sorted(summary.up_to_date) == ["a", "b"] and summary.shown_as_kept == []


def test_a_page_of_earlier_code_is_shown_all_the_same_and_says_so_until_it_is_signed_again(project):
    project.keep()
    project.work()
    project.toy.notebook("a", "x = 1")
    order, summary, said = project.work()
    assert order == [] and summary.shown_as_kept == ["a"] and "by earlier code; it is part of" in said
    assert "by earlier code and kept" in cells(project)[1]["source"]
    assert "a" in project.work()[1].up_to_date

    cache = Cache(project.plan, project.store, resolve(project.plan, project.plan.ids))
    parts = cache.parts(project.plan.run("a"))
    sign(project.archive, parts, key_of(parts))
    assert project.work()[1].shown_as_kept == ["a"] and "earlier" not in cells(project)[1]["source"]


def test_reworded_prose_reaches_the_page_and_the_note_stays(project):
    project.keep()
    project.work()
    project.toy.notebook("a", prose="Other prose.")
    part = replace(project.plan, runs=project.plan.runs[:2])
    refresh(part, project.store)
    assert "Other prose." in cells(project)[0]["source"] and [c["id"] for c in cells(project)].count(NOTE) == 1


def test_a_newer_archive_takes_the_place_of_an_older_one_and_of_meddled_results(project):
    project.keep()
    project.work()
    (project.store.folder("a") / "facts.json").write_text('{"meddled": 1}')
    assert project.work()[1].shown_as_kept == ["a"]
    again = Project(project.toy.root.with_name("again"))
    again.toy.notebook("a", prose="Made later.")
    again.keep()
    shutil.copy(again.archive, project.archive)
    assert project.work()[1].shown_as_kept == ["a"]
    assert "Made later." in cells(project)[0]["source"]


def test_its_own_profile_and_its_name_make_it_anew(project):
    project.keep()
    project.work()
    assert "a" in project.work("large")[0]
    shutil.rmtree(project.toy.runs_dir)
    project.work()
    selected, _ = select(project.plan, project.store, ["c"], [])
    assert selected == {"a", "c"}, "a run that needs predictions can't do with kept results"
    assert "a" in project.work(required={"a"})[0]


def test_results_made_here_are_not_replaced_while_they_hold(project):
    project.work("large")
    pack(project.store.folder("a"), project.archive)
    summary = project.work()[1]
    assert "a" in summary.up_to_date and summary.shown_as_kept == []
    assert (project.store.folder("a") / "predictions.parquet").exists()


def test_without_data_every_page_is_the_kept_one_and_what_reads_facts_is_executed(project):
    project.plan = load_plan(project.toy.plan({"id": "a", "datasets": ["ml-20m"]}, {"id": "b", "needs": ["a"]}, "c"))
    project.keep("a", "b")
    order, summary, said = project.work(unavailable=["ml-20m"])
    assert sorted(order) == ["b", "c"] and summary.shown_as_kept == ["a"] and not summary.failed
    assert "kept   a: as it was made on 20" in said and "it needs ml-20m, which no source could serve" in said
    order, summary, _ = project.work(unavailable=["ml-20m"])
    assert order == [] and sorted(summary.up_to_date) == ["a", "b", "c"]
    assert "a" in project.work(unavailable=["ml-20m"], required={"a"})[1].failed, "asked for by name it fails"
    assert "a" in project.work()[0], "with its data it is made"


def test_a_run_that_needs_the_predictions_of_a_kept_one_is_shown_as_it_is_kept(project):
    project.plan = load_plan(project.toy.plan({"id": "a", "datasets": ["ml-20m"]}, {"id": "b", "needs": ["a"]}, "c"))
    project.keep("a", "b")
    broken = {"b": Failure("MissingRun", "run 'a' left no predictions.parquet", 2, 3)}
    order, summary, _ = project.work(unavailable=["ml-20m"], broken=broken)
    assert sorted(order) == ["b", "c"] and summary.shown_as_kept == ["a", "b"] and not summary.failed
    assert "needs predictions of a, of which only the page is kept" in cells(project, "b")[1]["source"]
    order, summary, _ = project.work(unavailable=["ml-20m"], broken=broken)
    assert order == [] and sorted(summary.up_to_date) == ["a", "b", "c"], "it is not tried again while that is so"
    assert project.work()[0] == ["a", "b"]


def test_the_same_results_are_the_same_bytes(project):
    project.work("large")
    pack(project.store.folder("a"), project.archive)
    first = project.archive.read_bytes()
    pack(project.store.folder("a"), project.archive)
    assert project.archive.read_bytes() == first


def test_nothing_is_kept_of_what_was_not_made_here(project):
    with pytest.raises(UsageError, match="a has no results that were made here"):
        pack(project.store.folder("a"), project.archive)
    project.keep()
    project.work()
    for name in ("a", "c"):
        with pytest.raises(UsageError, match="has no results that were made here"):
            pack(project.store.folder(name), project.archive)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_archive_is_named(project, tmp_path, content):
    project.keep()
    whole = project.archive.read_bytes()
    project.archive.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(DamagedFile, match=r"a\.tar\.xz is damaged"):
        unpack(project.archive, tmp_path / "folder", project.plan.run("a"), "is away")


PLAN = load_plan(ROOT / "report.toml")


@pytest.mark.parametrize("archive", sorted((ROOT / FOLDER).glob("*")), ids=lambda path: path.name)
def test_what_the_project_keeps_fits_its_plan_and_names_no_place_of_a_machine(archive, tmp_path):
    run = PLAN.run(archive.name.removesuffix(".tar.xz"))
    record = unpack(archive, tmp_path, run, "is away")
    assert record["run"] == run.id and record["parts"]["code"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".parquet", ".npz")]
    named = [path.name for path in files if re.search(rb"/(tmp|home|root|work|Users)/", path.read_bytes())]
    assert named == []
    # A run that reads only what others found has no data of its own.
    checksums = json.loads((tmp_path / "provenance.json").read_text())["data_checksums"]
    assert checksums or not run.datasets


def test_an_archive_writes_nothing_beside_its_folder(project, tmp_path):
    project.keep()
    with tarfile.open(project.archive, "r:xz") as tar:
        held = [(entry, tar.extractfile(entry).read()) for entry in tar]
    with tarfile.open(project.archive, "w:xz") as tar:
        for name in ("../outside.txt", "/outside.txt"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        for entry, content in held:
            tar.addfile(entry, io.BytesIO(content))
    with pytest.raises(DamagedFile, match=r"'\.\./outside\.txt' in it is no plain file inside of its folder"):
        unpack(project.archive, tmp_path / "in" / "folder", project.plan.run("a"), "is away")
    assert not (tmp_path / "in").exists()


def test_a_repeat_is_executed_from_scratch_though_another_profile_makes_it(project):
    project.keep()
    plan = replace(project.plan, runs=tuple(replace(run, repeat=run.id == "a") for run in project.plan.runs))
    assert outside(plan, project.store, "full")[0]["a"] == "large"
    assert "a" not in outside(plan, project.store, "full", scratch=True)[0]
    assert "a" in outside(project.plan, project.store, "full", scratch=True)[0]
