import json
from dataclasses import replace

import pytest

from lib.data.present import checksums
from lib.experiment.slots import slots
from lib.runner.errors import DATA, UsageError
from lib.runner.options import Options
from lib.runner.own_data import BadRatings, check_dataset, is_file_name, told, with_own_ratings
from lib.runner.store import Store
from lib.workbench.own_ratings.preparation import slug
from tests.toy_report import ToyReport


def test_a_path_is_told_from_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_file_name("ml-100k") and not is_file_name("ml-100") and not is_file_name(None)
    assert is_file_name("ratings.csv") and is_file_name("a/ratings") and is_file_name("a\\b")
    (tmp_path / "mine").touch()
    assert is_file_name("mine")
    (tmp_path / "ml-100k").touch()
    assert not is_file_name("ml-100k")


def test_columns_and_scale():
    found = told(Options(columns="user=reader, item=book id", scale="-0.5, 10", duplicates="last"))
    assert found["columns"] == {"user": "reader", " item": "book id"} and found["scale"] == (-0.5, 10.0)
    assert found["duplicates"] == "last" and not {"columns", "scale"} & told(Options()).keys()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": "reader"}, "--columns reader: write it as user=NAME,item=NAME"),
        ({"columns": "user=a,User=b"}, "write it as user=NAME,item=NAME"),
        ({"columns": "user=a=b"}, "write it as user=NAME,item=NAME"),
        ({"scale": "1"}, "--scale 1: give the lowest and the highest rating"),
        ({"scale": "a,b"}, "the lowest and the highest"),
    ],
)
def test_malformed_options_are_named(options, said):
    with pytest.raises(UsageError, match=said):
        told(Options(**options))


def test_options_about_a_file_need_one_and_a_name_is_a_known_one():
    with pytest.raises(UsageError, match="--scale describes a file"):
        check_dataset(Options(scale="1,5"))
    with pytest.raises(UsageError, match="--duplicates describes"):
        check_dataset(Options(dataset="ml-100k", duplicates="last"))
    with pytest.raises(UsageError, match="--time-unit describes"):
        check_dataset(Options(time_unit="days"))
    with pytest.raises(UsageError, match="did you mean 'ml-100k'"):
        check_dataset(Options(dataset="ml-100"))
    check_dataset(Options(dataset="ml-100k"))


@pytest.fixture
def toy(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("a", parameters='dataset: str = "ml-100k"')
    toy.plan("a")
    return toy


def test_the_plan_gets_the_prepared_folder_as_its_notebooks_see_it(toy, tmp_path, capsys):
    file = tmp_path / "my ratings.csv"
    file.write_text("user,item,rating\n" + "".join(f"u{u},i{i},{1 + (u * i) % 5}\n" for u in range(5) for i in range(10)))  # fmt: skip
    options = Options(dataset=str(file), plan_path=toy.root / "report.toml", scale="1,5")
    plan, changed = with_own_ratings(options)
    assert changed.output_dir == toy.reports / "own" / slug(file)
    assert changed.dataset == f"../reports/own/{slug(file)}/ratings"
    assert (plan.notebooks / changed.dataset).resolve().is_dir()
    assert capsys.readouterr().out.startswith("data   ")
    assert plan.runs[0].seconds == pytest.approx(60 + 60 * 50 / 100_000), "reckoned from the number of ratings"
    _, elsewhere = with_own_ratings(replace(options, output_dir=tmp_path / "out"))
    assert elsewhere.dataset == str(tmp_path / "out" / "ratings")


def test_a_dry_run_writes_nothing_and_sees_what_changed(toy, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("user,item,rating\n" + "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(5) for i in range(10)))
    options = Options(dataset=str(file), plan_path=toy.root / "report.toml", dry_run=True)
    _, first = with_own_ratings(options)
    assert not (toy.reports / "own").exists()
    _, made = with_own_ratings(replace(options, dry_run=False))
    assert with_own_ratings(options)[1].dataset == made.dataset == first.dataset
    file.write_text(file.read_text() + "0,10,1\n")
    assert with_own_ratings(options)[1].dataset != made.dataset
    assert (toy.root / "notebooks" / made.dataset / "ratings.parquet").exists()


def test_ratings_of_a_report_at_work_are_not_changed(toy, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("user,item,rating\n" + "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(5) for i in range(10)))
    options = Options(dataset=str(file), plan_path=toy.root / "report.toml", output_dir=tmp_path / "out")
    other = slots(f"{tmp_path / 'out' / 'runs' / '.runner'}:1")
    with_own_ratings(options)
    assert not other.take(patience=0), "what was prepared is held until the report is made"
    Store(tmp_path / "out" / "runs").hold().give_back()
    before = (tmp_path / "out" / "ratings" / "ratings.parquet").read_bytes()
    file.write_text(file.read_text() + "0,10,1\n")
    with other, pytest.raises(UsageError, match="is at work in"):
        with_own_ratings(options)
    assert (tmp_path / "out" / "ratings" / "ratings.parquet").read_bytes() == before
    with_own_ratings(options)
    assert (tmp_path / "out" / "ratings" / "ratings.parquet").read_bytes() != before


def test_a_bad_file_is_an_error_about_data(toy, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("user,item,rating\na,b,good\nc,d,3\n")
    options = Options(dataset=str(file), plan_path=toy.root / "report.toml")
    with pytest.raises(BadRatings, match=r"bad\.csv.*2.*good") as error:
        with_own_ratings(options)
    assert error.value.exit_code == DATA
    with pytest.raises(BadRatings, match=r"nowhere\.csv"):
        with_own_ratings(replace(options, dataset=str(tmp_path / "nowhere.csv")))
    file.write_text("user,item,rating\na,b,1\nc,d,3\n")
    for own, said in (({"columns": "usr=user"}, "no role"), ({"scale": "5,1"}, "has no room")):
        with pytest.raises(BadRatings, match=said):
            with_own_ratings(replace(options, **own))


def test_other_ratings_make_another_checksum(tmp_path):
    folder = tmp_path / "reports" / "mine"
    folder.mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (folder / "ratings.parquet").write_bytes(b"1")

    def read():
        return checksums(["../reports/mine"], tmp_path / "notebooks")

    before = read()
    assert list(before) == ["../reports/mine/ratings.parquet"] and json.dumps(before)
    (folder / "ratings.parquet").write_bytes(b"22")
    assert read() != before
