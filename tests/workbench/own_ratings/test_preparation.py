"""Reading a reader's file: what is found, what is kept, and what stops with file, line and fix."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from lib.data.dataset import load
from lib.data.errors import UnknownDataset
from lib.workbench.own_ratings.errors import InvalidRatingsFile
from lib.workbench.own_ratings.preparation import prepare
from tests.workbench.own_ratings.shapes import NASTY, books, half_stars, plays

GOOD = "user,item,rating\na,x,1\na,y,2\nb,x,3\n"


@pytest.fixture
def write(tmp_path):
    def put(content, name="r.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


@pytest.fixture
def got(tmp_path):
    def read(path, **options):
        prepare(path, folder=tmp_path / "out", **options)
        return load(str(tmp_path / "out"))

    return read


def rows(data):
    return [tuple(row) for row in data.interactions.frame()[["user", "item", "rating"]].itertuples(index=False)]


# -- what is read --------------------------------------------------------------------------------------------------
def test_the_first_line_of_an_excel_file_is_passed_over(write, got):
    path = write("sep=;\r\n" + GOOD.replace(",", ";"))
    assert rows(got(path))[2] == ("b", "x", 3.0)


def test_names_of_any_alphabet_are_compared(write, got):
    path = write(GOOD.replace("user,item,rating", "Дата,Фильм,Оценка"))
    found = {"user": "Дата", "item": "фильм", "rating": "оценка"}
    assert rows(got(path, columns=found))[2] == ("b", "x", 3.0)
    with pytest.raises(InvalidRatingsFile, match="no column '評分' for the rating"):
        got(path, columns={**found, "rating": "評分"})


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::"])
def test_every_separator_gives_the_same_ratings(write, got, separator):
    data = got(write(GOOD.replace(",", separator)))
    assert rows(data) == [("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 3.0)]
    assert tuple(data.interactions.scale) == (1.0, 3.0)


@pytest.mark.parametrize(
    "header",
    ["UserID,Movie_Id,Stars", "customer,product,score", "Reader,ISBN,Book-Rating", "user id,TRACK,Value"],
)
def test_columns_are_found_by_usual_names(write, got, header):
    assert rows(got(write(GOOD.replace("user,item,rating", header))))[0] == ("a", "x", 1.0)


def test_columns_can_be_given_and_in_any_order(write, got):
    path = write("note,mark,who,what\nn,5,ann,1\nn,4,bob,2\n")
    data = got(path, columns={"user": "WHO", "item": "what", "rating": "mark"})
    assert rows(data) == [("ann", 1, 5.0), ("bob", 2, 4.0)]


def test_a_file_without_header_is_read_by_position(write, got):
    data = got(write("1\t10\t5\t900\n1\t11\t3\t901\n2\t10\t4\t902\n", "u.data"))
    assert rows(data) == [(1, 10, 5.0), (1, 11, 3.0), (2, 10, 4.0)]
    assert data.interactions.timestamps.tolist() == [900, 901, 902]
    assert not data.meta["header"] and "by position" in data.meta["summary"]


def test_positions_may_be_given(write, got):
    data = got(write("5,ann,x\n4,bob,y\n"), columns={"user": "2", "item": "3", "rating": "1"})
    assert rows(data) == [("ann", "x", 5.0), ("bob", "y", 4.0)]


def test_ids_keep_their_type_and_leading_zeros(write, got):
    data = got(write("user,item,rating\n007,1,1\n7,2,2\n"))
    assert data.interactions.user_ids.tolist() == ["007", "7"]
    assert data.interactions.item_ids.tolist() == [1, 2]


def test_without_ratings_each_pair_counts_as_one(write, got):
    data = got(write("user,item\na,x\nb,y\n"))
    assert data.interactions.ratings.tolist() == [1.0, 1.0]
    assert data.meta["single_valued"] and "each pair counts as 1" in data.meta["summary"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("86400", 86400),
        ("20170701", 1_498_867_200),
        ("1500000000000", 1_500_000_000),
        ("1970-01-02", 86400),
        ("1970-01-02T01:00:00+01:00", 86400),
    ],
)
def test_timestamps_are_unix_or_dates(write, got, text, seconds):
    data = got(write(f"user,item,rating,date\na,x,1,{text}\nb,y,2,{text}\n"))
    assert data.interactions.timestamps.tolist() == [seconds, seconds]
    assert not data.meta["has_timestamps"]  # they don't differ


def test_gzip_byte_order_mark_and_utf_16_are_read(write, got):
    for content in (gzip.compress(GOOD.encode()), b"\xef\xbb\xbf" + GOOD.encode(), GOOD.encode("utf-16")):
        assert rows(got(write(content, "r.csv.gz")))[2] == ("b", "x", 3.0)


def test_parquet_keeps_types(tmp_path, got):
    frame = pd.DataFrame({"user_id": [1, 1, 2], "item": ["x", "y", "x"], "rating": [0.5, 1.0, 5.0],
                          "time": pd.to_datetime(["1970-01-01", "1970-01-02", "1970-01-03"])})  # fmt: skip
    frame.to_parquet(tmp_path / "r.parquet")
    data = got(tmp_path / "r.parquet")
    assert rows(data) == [(1, "x", 0.5), (1, "y", 1.0), (2, "x", 5.0)]
    assert data.interactions.timestamps.tolist() == [0, 86400, 172800]


def test_the_scale_is_read_or_given_and_its_step_inferred(write, got):
    path = write("user,item,rating\na,x,1.5\na,y,2\nb,x,4\n")
    assert (got(path).meta["scale"], got(path).meta["step"]) == ([1.5, 4.0], 0.5)
    assert tuple(got(path, scale=(0.5, 5)).interactions.scale) == (0.5, 5.0)


def test_duplicates_by_policy(write, got):
    path = write("user,item,rating,time\na,x,1,50\na,y,2,1\na,x,4,20\nb,x,3,2\n")
    assert rows(got(path, duplicates="last")) == [("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 3.0)]
    assert rows(got(path, duplicates="mean")) == [("a", "x", 2.5), ("a", "y", 2.0), ("b", "x", 3.0)]


# -- what stops ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("reader,thing,rating\na,x,1\nb,y,2\n", {}, ["r.csv, line 1: no column for the item", "'thing'", "--columns item=NAME"]),
        (GOOD, {"columns": {"rating": "mark"}}, ["no column 'mark'", "'rating'", "--columns rating="]),
        (GOOD, {"columns": {"colour": "x"}}, ["'colour'", "user, item, rating, timestamp"]),
        ("1,2\n3,4\n", {}, ["line 1: no header, and 2 columns", "--columns user=1,item=2"]),
        ("user,item,rating\na,x,1\na,y,good\nb,x,3\n", {}, ["r.csv, line 3: the rating 'good' is not a finite number"]),
        ("user;item;rating\na;x;1.5\na;y;4,5\nb;x;3\n", {}, ["line 3: the rating '4,5'", "decimals with a point"]),
        ("user,item,rating\na,x,1\na,y,\nb,x,3\n", {}, ["line 3: the rating is empty"]),
        ("user,item,rating\na,x,1\n\nb,x,NaN\n", {}, ["line 4: the rating 'NaN' is not a finite number"]),
        ("user,item,rating\na,x,1\nb,x,inf\n", {}, ["line 3: the rating 'inf' is not a finite number"]),
        ("user,item,rating\na,x,1\n,x,2\n", {}, ["line 3: the user's id is empty"]),
        (GOOD, {"scale": (1, 2)}, ["line 4: the rating 3 lies off the scale 1 to 2", "--scale 1,3"]),
        (GOOD, {"scale": (5, 1)}, ["5 to 1", "--scale"]),
        ("user,item,rating\na,x,1\nb,x,2\na,x,3\na,x,4\n", {}, ["line 4", "first on line 2; 2 rows repeat", "--duplicates last"]),
        (GOOD, {"duplicates": "first"}, ["--duplicates first is unknown", "error, last, mean"]),
        ("user,item,rating\na,x,1\na,y,2\n", {}, ["all ratings are of one user, 'a'"]),
        ("user,item,rating\na,x,1\nb,x,2\n", {}, ["all ratings are of one item, 'x'"]),
        ("", {}, ["r.csv: is empty"]),
        ("user,item,rating\n", {}, ["a header and no rows"]),
        ("justonecolumn\n1\n", {}, ["line 1: no separator"]),
        (b"user,item,rating\na,x,1\nb,caf\xe9,2\n", {}, ["line 3: not UTF-8 text (byte 0xe9 at offset 28)", "iconv"]),
        (b"user,item,rating\na,x,1\nb,\x00y,2\n", {}, ["line 3: holds zero bytes"]),
        ("user,item,rating\na,x,1\nb,y\nb,x,2\n", {}, ["line 3: 2 fields where the first line has 3"]),
        ('user,item,rating,note\na,x,1,"x\ny"\nb,y,bad,z\n', {}, ["line 4: the rating 'bad'"]),
        ('user,item,rating\na,"x\ny",1\nb,y,2\n', {}, ["line 2: the item's id holds a line break", "Close the quote"]),
        ("user,item,rating,time\na,x,1,5\nb,y,2,soon\n", {}, ["line 3: the timestamp 'soon'", "--columns timestamp=none"]),
    ],
)  # fmt: skip
def test_bad_files_stop_with_line_and_fix(write, tmp_path, content, options, expected):
    with pytest.raises(InvalidRatingsFile) as caught:
        prepare(write(content), folder=tmp_path / "out", **options)
    for text in expected:
        assert text in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_names_the_near_miss(write, tmp_path):
    write(GOOD, "ratings.csv")
    with pytest.raises(InvalidRatingsFile, match=r"raitngs.csv: there is no such file. Did you mean ratings.csv\?"):
        prepare(tmp_path / "raitngs.csv", folder=tmp_path / "out")


def test_parquet_counts_rows(tmp_path):
    pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "rating": [1.0, np.nan]}).to_parquet(tmp_path / "r.parquet")
    with pytest.raises(InvalidRatingsFile, match=r"r.parquet, row 2: the rating is empty"):
        prepare(tmp_path / "r.parquet", folder=tmp_path / "out")


def test_a_bad_file_leaves_the_earlier_one_in_place(write, tmp_path, got):
    got(write(GOOD))
    with pytest.raises(InvalidRatingsFile):
        prepare(write("user,item,rating\na,x,bad\n"), folder=tmp_path / "out")
    assert len(load(str(tmp_path / "out")).interactions) == 3


def test_an_unprepared_folder_says_how_to_make_it(tmp_path):
    with pytest.raises(UnknownDataset, match="--dataset FILE"):
        load(str(tmp_path / "nothing"))


# -- tables of items and users -------------------------------------------------------------------------------------
def test_nasty_titles_come_through_unharmed(tmp_path, got):
    ratings, table, readers = books(tmp_path)
    data = got(ratings, items=table, users=readers)
    titles = data.interactions.item_table["title"]
    assert titles.loc[[f"0{i:04d}X" for i in range(len(NASTY))]].tolist() == list(NASTY)
    assert data.interactions.item_table.loc["00000X", "genres"] == "crime|classic"
    assert data.interactions.item_table["pages"].dtype == float
    assert data.interactions.user_table.loc["reader-001", "age"] == 19


def test_ids_that_only_one_side_knows_are_told(write, got):
    items = write("item,name\nx,Ex\nz,Zed\n", "items.csv")
    data = got(write(GOOD), items=items)
    assert data.interactions.item_ids.tolist() == ["x", "y"]
    assert data.interactions.item_table["title"].tolist()[0] == "Ex"
    assert "1 rows of items.csv left out" in data.meta["notes"][0]
    assert "1 rated items are not in items.csv" in data.meta["notes"][1]


def test_a_title_with_its_year_is_parted(write, got):
    data = got(
        write("user,item,rating\na,1,1\nb,2,2\n"),
        items=write("movieId,title\n1,Persona (1966)\n2,Heat (1995)\n", "i.csv"),
    )
    assert data.interactions.item_table["title"].tolist() == ["Persona", "Heat"]
    assert data.interactions.item_table["year"].tolist() == [1966, 1995]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("title,year\nEx,1990\n", ["i.csv, line 1: no column with the item's id", "'title'"]),
        (
            "item,title\nx,Ex\ny,Why\nx,Again\n",
            ["i.csv, line 4: the item 'x' stands there again, first on line 2"],
        ),
        ("item,title\nx,Ex\n,None\n", ["i.csv, line 3: the item's id is empty"]),
        ("item,title\nq,Q\n", ["none of its 1 ids is a rated item's"]),
    ],
)
def test_bad_tables_stop(write, tmp_path, content, expected):
    with pytest.raises(InvalidRatingsFile) as caught:
        prepare(write(GOOD), items=write(content, "i.csv"), folder=tmp_path / "out")
    for text in expected:
        assert text in str(caught.value)


# -- not twice -----------------------------------------------------------------------------------------------------
def test_what_did_not_change_is_not_read_again(write, tmp_path):
    path, folder = write(GOOD), tmp_path / "out"
    first = prepare(path, folder=folder)
    (folder / "ratings.parquet").write_bytes(b"left alone")
    again = prepare(path, folder=folder)
    assert again[:2] == first[:2] and (first.changed, again.changed) == (True, False)
    assert (folder / "ratings.parquet").read_bytes() == b"left alone"
    prepare(path, folder=folder, scale=(0, 5))
    assert len(load(str(folder)).interactions) == 3
    (folder / "ratings.parquet").unlink()
    assert prepare(path, folder=folder, scale=(0, 5)).changed and len(load(str(folder)).interactions) == 3


def test_files_of_one_name_are_told_apart(tmp_path):
    for kind, content in (("r", GOOD), ("i", "item,title\nx,Ex\n")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "data.csv").write_text(content)
    path, options = (
        tmp_path / "r" / "data.csv",
        {"items": tmp_path / "i" / "data.csv", "folder": tmp_path / "out"},
    )
    prepare(path, **options)
    path.write_text(GOOD + "b,y,2\n")
    assert "4 ratings" in prepare(path, **options).summary


def test_the_three_shapes(tmp_path):
    for path, scale, single, times in (
        (half_stars(tmp_path), [0.5, 5.0], False, True), (books(tmp_path)[0], None, False, True), (plays(tmp_path), [1.0, 1.0], True, False),
    ):  # fmt: skip
        prepare(path, folder=tmp_path / path.stem)
        meta = json.loads((tmp_path / path.stem / "dataset.json").read_text())
        assert (meta["single_valued"], meta["has_timestamps"]) == (single, times)
        assert scale is None or meta["scale"] == scale
