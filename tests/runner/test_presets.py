import pytest

from lib.runner.errors import UsageError
from lib.runner.parameters import resolve
from lib.runner.plan import load_plan
from lib.runner.selection import PRESETS, preset_file

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_fits_the_plan_and_changes_something(name):
    plan = load_plan()
    planned = resolve(plan, plan.ids)
    now = resolve(plan, plan.ids, file=preset_file(name))
    assert any(now[run] != planned[run] for run in plan.ids)


def test_a_preset_may_be_about_more_runs_than_the_call_s():
    plan = load_plan()
    now = resolve(plan, ["svd"], file=preset_file("by_time"))
    assert now["svd"]["split"] == "chronological"
    assert now["baselines"]["split"] != "chronological"


def test_an_unknown_preset_names_the_near_miss():
    with pytest.raises(UsageError, match="did you mean 'by_time'"):
        preset_file("by_tme")


def test_a_file_of_the_reader_s_own_is_taken_by_its_path(tmp_path):
    (tmp_path / "mine.yaml").write_text("svd: {n_factors: 3}")
    now = resolve(load_plan(), ["svd"], file=preset_file(str(tmp_path / "mine.yaml")))
    assert now["svd"]["n_factors"] == 3
