import numpy as np
import pandas as pd
import pytest
from toy_dataset import ITEMS, RATINGS, USERS

from lib.data import readers
from lib.data.errors import CorruptDataset
from lib.data.feature_groups import genre_matrix


def test_ratings_keep_the_file_s_order_and_types():
    frame = readers.read_ratings(b"2::10::4::102\n1::20::3::101\n", "r.dat", separator="::")
    assert frame["user"].tolist() == [2, 1] and frame["item"].tolist() == [10, 20]
    assert [str(dtype) for dtype in frame.dtypes] == ["int64", "int64", "float32", "int64"]
    same = readers.read_ratings(b"2\t10\t4\t102\r\n1\t20\t3\t101\r\n", "u.data", separator="\t")
    assert same.equals(frame)
    header = "userId,movieId,rating,timestamp"
    csv = readers.read_ratings(b"userId,movieId,rating,timestamp\r\n1,2,3.5,4\r\n", "r", separator=",", header=header)
    assert csv.iloc[0].tolist() == [1, 2, 3.5, 4]


@pytest.mark.parametrize(
    "bad",
    [b"1\t20\t3\n", b"1\t20\tthree\t101\n", b"1\t\t3\t101\n", b"1\t20\t3\t101\t9\n", b"1\tL\xe9on\t3\t1\n"],
)
def test_a_line_that_cannot_be_read_is_named(bad):
    content = RATINGS + bad + RATINGS
    with pytest.raises(CorruptDataset, match=r"/data/u\.data: .*Row #4: .*Mend the line"):
        readers.read_ratings(content, "/data/u.data", separator="\t")
    with pytest.raises(CorruptDataset, match=r"r: .*Row #5: "):
        readers.read_ratings(
            b"h\n" + content.replace(b"\t", b","), "r", separator=",", header="h"
        )  # the header counts as a line


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(CorruptDataset, match=r"r\.csv, line 1: expected the header 'userId"):
        readers.read_ratings(b"user,item\n1,2\n", "r.csv", separator=",", header="userId,movieId,rating,timestamp")
    with pytest.raises(CorruptDataset, match="holds no ratings"):
        readers.read_ratings(b"\n", "u.data", separator="\t")
    with pytest.raises(CorruptDataset, match=r"u\.user, line 2: expected 5 fields"):
        readers.read_users_100k(USERS.replace(b"|53", b""), "u.user")
    with pytest.raises(CorruptDataset, match=r"u\.user, line 1: 'old' is not a whole number"):
        readers.read_users_100k(USERS.replace(b"24", b"old"), "u.user")


def test_a_wrong_encoding_is_named_with_its_line():
    content = "movieId,title,genres\n1,Amélie (2001),Comedy\n".encode("latin-1")
    with pytest.raises(CorruptDataset, match=r"movies\.csv, line 2: not utf-8 text \(byte 0xe9\)"):
        readers.read_items_csv(content, "movies.csv")


@pytest.mark.parametrize(
    ("full", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Two Friends (1986) ", "Two Friends", 1986),
        ("Associate, The (L'Associe)(1982)", "Associate, The (L'Associe)", 1982),
        ("Land Before Time III (1995) (V)", "Land Before Time III", 1995),
        ("Death Note (2006–2007)", "Death Note", 2006),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("unknown", "unknown", None),
        ("Babylon 5", "Babylon 5", None),
        ("1984 (2) and more", "1984 (2) and more", None),
    ],
)
def test_titles_part_from_their_years(full, title, year):
    assert readers.split_title(full) == (title, year)


def test_film_tables_of_all_formats_agree():
    latin = readers.read_items_100k(ITEMS, "u.item")
    assert latin.loc[10].tolist() == ["Léon", 1994, "Action"]
    assert latin.loc[20, "title"] == "<script>alert(1)</script>" and latin.loc[20, "genres"] == "Animation|Western"
    rebuilt = "item\ttitle\tgenres\n10\tLéon (1994)\tAction\n20\t<script>alert(1)</script> (1995)\tAnimation|Western\n"
    assert readers.read_items_rebuilt(rebuilt.encode(), "items.tsv").equals(latin)
    lines = "10::Léon (1994)::Action\n20::<script>alert(1)</script> (1995)::Animation|Western\n"
    assert readers.read_items_1m(lines.encode("latin-1"), "movies.dat").equals(latin)
    csv = 'movieId,title,genres\r\n10,Léon (1994),Action\r\n20,"A, ""B"" (1995)",(no genres listed)\r\n'
    quoted = readers.read_items_csv(csv.encode(), "movies.csv")
    assert quoted.loc[20].tolist() == ['A, "B"', 1995, ""] and quoted.dtypes.equals(latin.dtypes)


def test_ml_1m_users_have_named_occupations():
    table = readers.read_users_1m(b"1::F::1::10::48067\n2::M::56::16::70072\n", "users.dat")
    assert table.loc[1].tolist() == [1, "F", "K-12 student", "48067"]
    assert table.loc[2, "occupation"] == "self-employed"
    with pytest.raises(CorruptDataset, match="line 1: '21' is not an occupation code"):
        readers.read_users_1m(b"1::F::1::21::48067\n", "users.dat")


def test_genre_matrix_by_hand():
    table = readers.read_items_1m(b"1::A (1990)::Drama|Comedy\n2::B (1991)::\n3::C (1992)::Drama\n", "movies.dat")
    names, indicators = genre_matrix(table)
    assert names == ["Comedy", "Drama"] and indicators.dtype == np.float32
    np.testing.assert_array_equal(indicators, [[1, 1], [0, 0], [0, 1]])
    np.testing.assert_array_equal(genre_matrix(table.reindex([3, 99]))[1], [[1], [0]])
    for none in (None, table.drop(columns="genres")):
        with pytest.raises(ValueError, match="no genres"):
            genre_matrix(none)


TAGS = "userId,movieId,tag,timestamp\r\n"


def test_tags_are_brought_together_by_film():
    content = (TAGS + '2,20,"Dark  Comedy",1\r\n3,20,odd|ends,2\r\n4,20,dark comedy,3\r\n2,10,Été,4\r\n').encode()
    found = readers.read_tags_csv(content, "tags.csv", items=pd.Index([10, 20, 30]))
    assert found.tolist() == ["été", "dark comedy|odd ends", ""]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2,99,odd,1", "line 2: film 99 is not in movies.csv"),
        ("2,10,odd", "line 2: expected 4 fields"),
        ("2,x,odd,1", "line 2: 'x' is not"),
    ],
)
def test_tags_that_cannot_be_read(line, told):
    with pytest.raises(CorruptDataset, match=told):
        readers.read_tags_csv(f"{TAGS}{line}\r\n".encode(), "tags.csv", items=pd.Index([10]))
    with pytest.raises(CorruptDataset, match="line 1: expected the header"):
        readers.read_tags_csv(b"user,tag\r\n", "tags.csv", items=pd.Index([10]))
