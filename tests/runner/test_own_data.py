import json
from dataclasses import replace

import pytest

from lib.runner.data import DataChecksums
from lib.runner.errors import DATA, UsageError
from lib.runner.options import Options
from lib.runner.own_data import (
    BadRatings,
    is_file_name,
    parse_columns,
    parse_scale,
    refuse_own_options,
    slug,
    with_own_ratings,
)
from tests.toy_report import ToyReport


def test_a_path_is_told_from_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_file_name("ml-100k", ["ml-100k"]) and not is_file_name("ml-100", ["ml-100k"])
    assert is_file_name("ratings.csv", []) and is_file_name("a/ratings", []) and is_file_name("a\\b", [])
    (tmp_path / "mine").touch()
    assert is_file_name("mine", [])
    (tmp_path / "ml-100k").touch()
    assert not is_file_name("ml-100k", ["ml-100k"])


def test_columns_and_scale():
    assert parse_columns("user=reader, item=book id") == {"user": "reader", "item": "book id"}
    assert parse_scale("0.5,5") == (0.5, 5.0) and parse_scale("-10, 10") == (-10.0, 10.0)
    assert parse_columns(None) is None and parse_scale(None) is None


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (parse_columns, "reader", "not of the form user=NAME"),
        (parse_columns, "usr=reader", "did you mean 'user'"),
        (parse_columns, "user=", "not of the form"),
        (parse_scale, "1", "lowest and the highest"),
        (parse_scale, "a,b", "lowest and the highest"),
        (parse_scale, "5,1", "the lowest first"),
        (parse_scale, "1,inf", "the lowest first"),
    ],
)
def test_malformed_options_are_named(read, text, said):
    with pytest.raises(UsageError, match=said):
        read(text)


def test_options_about_a_file_need_one():
    with pytest.raises(UsageError, match="--scale describes a file"):
        refuse_own_options(Options(scale="1,5"))
    with pytest.raises(UsageError, match="--duplicates describes"):
        refuse_own_options(Options(dataset="ml-100k", duplicates="last"))
    refuse_own_options(Options(dataset="ml-100k"))


def test_a_folder_s_name_comes_from_the_file():
    from pathlib import Path

    assert slug(Path("x/My Ratings (2).csv.gz")) == "my_ratings_2"
    assert slug(Path("評価.csv")) == "ratings"


@pytest.fixture
def toy(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("a", parameters='dataset: str = "ml-100k"')
    toy.plan("a")
    return toy


def test_the_plan_gets_the_prepared_folder_as_its_notebooks_see_it(toy, tmp_path, capsys):
    file = tmp_path / "my ratings.csv"
    file.write_text("user,item,rating\n" + "".join(f"u{u},i{i},{1 + (u * i) % 5}\n" for u in range(5) for i in range(5)))  # fmt: skip
    options = Options(dataset=str(file), plan_path=toy.root / "report.toml", scale="1,5")
    plan, changed = with_own_ratings(options)
    assert changed.output_dir == toy.reports / "own" / "my_ratings"
    assert changed.dataset == "../reports/own/my_ratings/ratings"
    assert (plan.notebooks / changed.dataset).resolve().is_dir()
    assert capsys.readouterr().out.startswith("data   ")
    assert (toy.reports / "own" / ".gitignore").read_text() == "*\n"
    _, elsewhere = with_own_ratings(replace(options, output_dir=tmp_path / "out"))
    assert elsewhere.dataset == str(tmp_path / "out" / "ratings")


def test_a_bad_file_is_an_error_about_data(toy, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("user,item,rating\na,b,good\nc,d,3\n")
    options = Options(dataset=str(file), plan_path=toy.root / "report.toml")
    with pytest.raises(BadRatings, match=r"bad\.csv.*2.*good") as error:
        with_own_ratings(options)
    assert error.value.exit_code == DATA
    with pytest.raises(BadRatings, match=r"nowhere\.csv"):
        with_own_ratings(replace(options, dataset=str(tmp_path / "nowhere.csv")))


def test_other_ratings_make_another_checksum(tmp_path):
    folder = tmp_path / "reports" / "mine"
    folder.mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (folder / "ratings.parquet").write_bytes(b"1")

    def read():
        return DataChecksums(tmp_path / "memo.json", notebooks=tmp_path / "notebooks").of(["../reports/mine"])

    before = read()
    assert list(before) == ["../reports/mine/ratings.parquet"] and json.dumps(before)
    (folder / "ratings.parquet").write_bytes(b"22")
    assert read() != before
