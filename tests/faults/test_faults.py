"""A short selection of the faults; `make faults` tries all of them."""

import csv
import random
from collections import Counter

import pytest

from tests.faults.__main__ import TABLE
from tests.faults.bench import Bench, Call, Fault, make_template, try_fault
from tests.faults.every import every_fault
from tests.faults.full_disk import FULL, READ_ONLY

ALL = list(every_fault())


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lib.runner.schedule.execute_run", None)  # so that it is set back
        yield make_template(tmp_path_factory.mktemp("faults") / "template")


def test_there_are_enough_and_each_has_a_name_of_its_own():
    assert len(ALL) >= 250
    assert [name for name, count in Counter((f.kind, f.name) for f in ALL).items() if count > 1] == []
    assert len({fault.kind for fault in ALL if fault.quick}) >= 10


def test_the_committed_table_tells_of_all_of_them():
    tried = Counter(fault.kind for fault in ALL if fault.kind not in (FULL, READ_ONLY))  # some of which need a mount
    with open(TABLE, encoding="utf-8") as file:
        told = {row["kind"]: int(row["tried"]) for row in csv.DictReader(file)}
    assert {kind: told.get(kind) for kind in tried} == tried


@pytest.mark.parametrize("fault", [f for f in ALL if f.quick], ids=lambda f: f"{f.kind}: {f.name}")
def test_a_fault_ends_in_a_sentence_and_nothing_is_lost(fault, template, tmp_path):
    outcome = try_fault(fault, template, tmp_path, seed=0)
    assert outcome.verdict == "passed", outcome.why


@pytest.mark.parametrize(
    ("verdict", "act"),
    [
        ("lost", lambda bench: (bench.keep(bench.root / "a").unlink(), Call(0, ""))[1]),
        ("lost", lambda bench: ((bench.reports / "index.html").write_text("half"), Call(0, ""))[1]),
        ("lost", lambda bench: ((bench.reports / "second.html").unlink(), Call(0, ""))[1]),
        ("traceback", lambda bench: bench.apart(lambda: 1 // 0)),
        ("wrong", lambda bench: bench.apart(lambda: 7)),
        ("wrong", lambda bench: Call("it did not end", "")),
    ],
)
def test_what_a_fault_comes_to_is_judged(template, tmp_path, verdict, act):
    fault = Fault("a test", f"of {verdict}", act, {0})
    assert try_fault(fault, template, tmp_path, seed=0).verdict == verdict


def test_moments_follow_from_the_seed(tmp_path):
    draws = [Bench(tmp_path, random.Random("1 a b")).draw.random() for _ in range(2)]
    assert draws[0] == draws[1]
