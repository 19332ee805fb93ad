import pytest

from lib.runner.errors import UsageError
from lib.runner.parameters import Resolved
from lib.runner.plan import load_plan
from lib.runner.sweep import Sweep, draw, main_records, split_sweep, variants
from tests.toy_report import ToyReport

CELL = """n: int = 2  # [1, 50] a
rate: float | None = 0.5  # b
grid: list[int] = [1]  # c
film: str = "Alien"  # d
on: bool = True  # e"""


@pytest.fixture
def plan(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("a", parameters=CELL)
    toy.notebook("b", parameters="n: int = 7")
    return load_plan(toy.plan("a", "b"))


def test_a_comma_sweeps_what_is_no_list(plan):
    plain, swept = split_sweep(plan, ["a"], [("n", "10, 20,10"), ("grid", "1,2")])
    assert plain == [("grid", "1,2")] and swept == Sweep("a", "n", (10, 20))
    assert split_sweep(plan, ["a"], [("a:rate", "none,0.1")])[1].values == (None, 0.1)
    assert split_sweep(plan, ["a"], [("on", "true,false")])[1].values == (True, False)


def test_a_text_with_a_comma_of_its_own_is_one_value(plan):
    options = [("film", "Matrix, The"), ("n", "3")]
    assert split_sweep(plan, ["a"], options) == (options, None)
    assert split_sweep(plan, ["a"], [("film", "Alien,Brazil")])[1].values == ("Alien", "Brazil")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([("n", "10,twenty")], "a takes n: int in .*; 'twenty' is not a whole number"),
        ([("n", "10,10")], "two different values"),
        ([("n", "1,99")], r"99 is out of \[1, 50\]"),
        ([("n", "1,2"), ("rate", "1,2")], "one parameter is swept at a time, not n, rate"),
    ],
)
def test_what_is_no_sweep_is_refused(plan, options, said):
    with pytest.raises(UsageError, match=said):
        split_sweep(plan, ["a"], options)


def test_a_sweep_takes_one_run_at_a_time(plan):
    with pytest.raises(UsageError, match=r"name one with --only: a, b"):
        split_sweep(plan, ["a", "b"], [("n", "1,2")])
    assert split_sweep(plan, ["a", "b"], [("b:n", "1,2")])[1].run == "b"


def test_each_value_makes_a_run(plan):
    swept = Sweep("a", "film", ("A b", "A-b", "A  b"))
    found = variants(plan.run("a"), swept, Resolved({"n": 2, "film": "x", "on": True}, {"on": True}))
    assert list(found) == ["a--film-a_b", "a--film-aminus_b", "a--film-a_b_"]
    run, resolved, value = found["a--film-a_b"]
    assert run.notebook == "a.ipynb" and run.title == "A, film = A b" and value == "A b"
    assert resolved.values == {"n": 2, "film": "A b", "on": True}
    assert resolved.given == {"on": True, "film": "A b"}


def record(n, model, metric, value, low=None, high=None, fold=""):
    return {
        "n": n, "dataset": "d", "split": "s", "fold": fold, "model": model, "metric": metric, "value": value,
        "low": low, "high": high,
    }  # fmt: skip


N = Sweep("a", "n", (1, 2))


def test_folds_are_averaged_and_what_no_value_moves_is_left_out():
    records = [
        record(1, "svd", "rmse", 0.9, 0.8, 1.0, fold="1"), record(1, "svd", "rmse", 1.1, 1.0, 1.4, fold="2"),
        record(2, "svd", "rmse", 0.5), record(1, "bias", "rmse", 3.0), record(2, "bias", "rmse", 3.0),
        record(1, "svd", "n_parameters", 5.0), record(2, "svd", "n_parameters", 6.0),
    ]  # fmt: skip
    frame = main_records(records, N)
    assert list(frame["model"]) == ["svd", "svd"] and list(frame["metric"]) == ["rmse", "rmse"]
    assert list(frame["value"]) == pytest.approx([1.0, 0.5]) and list(frame["n"]) == [1, 2]
    assert (frame["low"][0], frame["high"][0]) == pytest.approx((0.9, 1.2))


def test_where_nothing_moves_everything_is_shown():
    assert len(main_records([record(1, "a", "mae", 2.0), record(2, "a", "mae", 2.0)], N)) == 2
    assert main_records([record(1, "a", "novelty@10", 2.0)], N).empty


def test_a_panel_a_metric_and_a_line_a_model(tmp_path):
    records = [
        record(n, model, metric, n * scale)
        for n in (10, 20)
        for model, scale in (("svd", 1.0), ("bpr", 2.0))
        for metric in ("rmse", "ndcg@10")
    ]
    swept = Sweep("a", "n", (10, 20))
    draw(main_records(records, swept), swept, tmp_path / "sweep")
    svg = (tmp_path / "sweep.svg").read_text()
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    for text in ("rmse", "ndcg@10", "svd", "bpr"):
        assert text in svg


def test_a_swept_split_is_compared_though_each_record_has_its_own(tmp_path):
    swept = Sweep("a", "split", ("u1", "u2"))
    assert swept.column == "split (parameter)"
    records = [
        {**record(0, "svd", "rmse", value), "split": split, swept.column: split}
        for split, value in (("u1", 1.0), ("u2", 2.0))
    ]
    frame = main_records(records, swept)
    assert list(frame["value"]) == [1.0, 2.0] and list(frame[swept.column]) == ["u1", "u2"]
    draw(frame, swept, tmp_path / "sweep")
    assert (tmp_path / "sweep.svg").read_text().count("u2") == 1
