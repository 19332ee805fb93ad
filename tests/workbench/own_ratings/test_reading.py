"""Files as they are found in the world: what is read, what is noted, and what stops. One row a kind of file."""

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from lib.data.dataset import load
from lib.workbench.own_ratings.errors import InvalidRatingsFile
from lib.workbench.own_ratings.preparation import prepare, slug
from lib.workbench.own_ratings.protocol import parted, threshold_of, without_lists

FILES = Path(__file__).parents[2] / "files"
ROWS = [
    (f"u{u}", f"i{i}", 1 + (3 * u + i) % 5, 1_500_000_000 + 86400 * (9 * u + i)) for u in range(9) for i in range(6)
]
HEADER = "user,item,rating,timestamp"


def text(rows=ROWS, header=HEADER, separator=","):
    lines = [",".join(map(str, row)) for row in rows]
    return "\n".join(filter(None, [header, *lines, ""])).replace(",", separator)


def changed(column, change):
    """Return `ROWS` with one column put through a function of number and value."""
    return [(*row[:column], change(n, row[column]), *row[column + 1 :]) for n, row in enumerate(ROWS)]


def packed(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inside in members.items():
            archive.writestr(name, inside)
    return content.getvalue()


def bytes_set(archive, place, value):
    """Put a value into both headers of the only member: 0 are its flags, 2 is its kind of compression."""
    changed, central = bytearray(archive), archive.index(b"PK\x01\x02")
    changed[6 + place] = changed[central + 8 + place] = value
    return bytes(changed)


@pytest.fixture
def read(tmp_path):
    """Return what reading a file, or content, of a name gives: the text of the error, or all that is said."""

    def reading(what, options=None, name="r.csv"):
        path = tmp_path / name
        if isinstance(what, Path):
            path = what
        elif isinstance(what, pd.DataFrame):
            path = tmp_path / "r.parquet"
            what.to_parquet(path)
        else:
            path.write_bytes(what if isinstance(what, bytes) else what.encode())
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        try:
            found = prepare(path, folder=tmp_path / "out", **(options or {}))
        except InvalidRatingsFile as error:
            assert not (tmp_path / "out").exists()
            return f"stops: {error}"
        return "\n".join([f"reads: {found.summary}", *(f"notes: {note}" for note in found.notes)])

    return reading


SWAPPED = [(f"B00005N{u:03d}", f"A2SUAM1J3GN{i}", 5, 1_500_000_000 + i) for u in range(9) for i in range(6)]
COLUMNS = {"columns": {"user": "1", "item": "2", "rating": "3"}}
RENAMED = {"user": "Пользователь", "item": "Фильм"}


@pytest.mark.parametrize(
    ("what", "options", "said"),
    [
        # where each column is, and what was left
        (text(), {}, ["reads: r.csv: 54 ratings, 9 users, 6 items; user = 'user' (u0); item = 'item' (i0); rating = 'rating' (1), scale 1 to 5 "
                      "(lowest and highest rating) in steps of 1; timestamp = 'timestamp' (1500000000), seconds since 1970, 2017-07-14 to 2017-09-29."]),
        (text(header=""), {}, ["user = column 1 (u0)", "no header: columns by position"]),
        (text(header="user,item,rating,price"), {}, ["no timestamps; not used: price"]),
        (text(header="user_id:token,item_id:token,rating:float,timestamp:float"), {}, ["user = 'user_id' (u0)", "rating = 'rating' (1)"]),
        (text(changed(0, lambda n, _: f"{300 + n // 6}.0")), {}, ["user = 'user' (300)"]),
        # counts are confidences, unless a scale says that they are ratings
        (text(header="user,item,weight,t"), {}, ["rating = 'weight' (1), counts from 1 to 5, kept as confidences"]),
        (text(header="user,item,weight,t"), {"scale": (1, 5)}, ["rating = 'weight' (1), scale 1 to 5 (given)"]),
        (text(header="user,item,plays,rating"), {"columns": {"rating": "rating"}}, ["rating = 'rating' (1500000000)", "not used: plays"]),
        (text(changed(2, lambda n, _: int(1.5**n))), {}, ["rating = 'rating' (1), counts from 1 to"]),
        (text(changed(2, lambda n, _: 7 * n % 101)), {}, ["rating = 'rating' (0), scale 0 to"]),
        (text(header="Usér,item,rating,t"), {"columns": {"user": "USÉR"}}, ["user = 'Usér' (u0)"]),
        (FILES / "names/ru.csv", {"columns": {**RENAMED, "rating": "оценка"}}, ["rating = 'Оценка'", "not used: Дата"]),
        (FILES / "names/zh.csv", {"columns": {"user": "用户", "item": "电影", "rating": "評分"}}, ["stops: zh.csv, line 1: no column '評分' for the rating"]),
        (FILES / "names/de.csv", {"columns": {"user": "nutzer", "item": "KÜNSTLER", "rating": "bewertung"}}, ["item = 'Künstler'"]),
        (text(header="user,item,★,♥"), {"columns": {"rating": "☆"}}, ["stops: r.csv, line 1: no column '☆'"]),
        (text(header="who,item,rating,t"), {}, ["stops", "no column for the user", "Name it: --columns user=NAME;"]),
        (text(header="user,movie,movie_id,rating"), {}, ["stops", "2 columns may be the item: 'movie' (2), 'movie_id' (3)", "--columns item=2"]),
        (text(header="user,item,Mark,m-a-r-k"), {"columns": {"rating": "ma_rk"}}, ["stops", "2 columns may be the rating"]),
        (text(header="user,item,rating,rating"), {"columns": {"rating": "3"}}, ["rating = 'rating' (1)"]),
        (text(changed(3, lambda *_: "2017-07-14"), header=""), {"columns": {"user": "1", "item": "2"}}, ["no header", "not used: column 3, column 4"]),
        (text([(u, i) for u, i, *_ in ROWS], header="who,what"), {"columns": {"user": "1", "item": "2"}, "header": True}, ["user = 'who' (u0)"]),
        (text(header="who,what,mark,at"), {"columns": {"user": "1", "item": "2", "rating": "3"}}, ["user = 'who' (u0)"]),
        (text(header="0,1,2,3"), {}, ["reads", "notes: the first line counts (0, 1, 2, 3)", "--header yes"]),
        (text([("a", "b", 2, 0), *ROWS], header=""), {"header": False}, ["55 ratings", "user = column 1 (a)"]),
        (text([*ROWS[:9], HEADER.split(","), *ROWS[9:]]), {}, ["stops: r.csv, line 11: the header stands there again"]),
        (text([(n, *row[:3]) for n, row in enumerate(ROWS)], header=""), {}, ["stops: r.csv: column 1, taken for the user, counts the rows", "--columns user=1,item=2,rating=3,timestamp=4"]),
        (text(changed(0, lambda n, _: n + 5)), {}, ["reads", "notes: 'user', taken for the user, counts the rows"]),
        (text(), {"columns": {"user": "1", "item": "user"}}, ["stops", "--columns gives one column two roles"]),
        (text([(3 * n, n % 6, n % 5) for n in range(54)], header=""), {}, ["notes: column 1, taken for the user, has a value of its own on each row"]),
        (text(changed(2, lambda n, value: 1_500_000_000 + n), header=""), {}, ["stops: r.csv: column 3 (1500000000), taken for the rating, looks like a time"]),
        (text([(*row[:2], 10**12 + n) for n, row in enumerate(ROWS)], header="user,item,rating"), {}, ["stops", "looks like a time"]),
        (text(header=",0,1,2"), {}, ["stops: r.csv, line 1: no column for the user and the item; its columns are '', '0', '1', '2'"]),
        (text(header="user,item,rating (1-5),at"), {}, ["each pair counts as 1", "notes: no name is known for ratings; if one of rating (1-5), at holds them"]),
        (text(header="user,item,mark,at"), {"columns": {"rating": "none"}}, ["each pair counts as 1; no timestamps; not used: mark, at."]),
        (text(changed(0, lambda n, value: "NULL" if value == "u3" else value)), {}, ["notes: the user 'NULL' may be nobody's, or cut short"]),
        (text([*ROWS, ("Total", "72", 3.1, 0)]), {}, ["55 ratings", "notes: the user 'Total' may be nobody's, or cut short, or a sum's"]),
        (text([*ROWS, *((f"v{n}", "i1", n % 5 + 1, 0) for n in range(60)), ("w", "i1", 3.1, 0)]), {}, ["notes: the rating 3.1 (1 in all) is off the step of 1"]),
        (text(changed(0, lambda n, value: n // 6 - 1)), {}, ["notes: the user '-1' may be nobody's"]),
        (text(changed(1, lambda n, value: "9.78014E+12" if value == "i3" else value)), {}, ["notes: the item '9.78014E+12' may be nobody's, or cut short"]),
        (text(changed(0, lambda n, value: f"{n // 6 + 1:0{1 + n % 2}d}")), {}, ["notes: 18 users differ", "such as '01' and '1'"]),
        (text(SWAPPED, header=""), {}, ["stops: r.csv: column 1, taken for the user, looks like a product: 'B00005N000'", "--columns user=2,item=1,rating=3,timestamp=4"]),
        (text(SWAPPED), {}, ["stops", "looks like a product: 'B00005N000'"]),
        (text(SWAPPED, header=""), COLUMNS, ["reads"]),
        (text([(n % 9, 1000 + n, 3) for n in range(54)], header=""), {}, ["stops", "column 2, taken for the item, has 100% of its values once", "--columns user=2,item=1,rating=3"]),
        (text([(n % 9, 1000 + n, 3) for n in range(54)], header="user,item,rating"), {}, ["reads", "notes: 'item', taken for the item, has 100%"]),
        (text([(n % 9, 1000 + n, 3) for n in range(54)], header=""), COLUMNS, ["reads"]),
        (text([*ROWS[:9], ("User", " item", "RATING", "Timestamp"), *ROWS[9:]]), {}, ["stops: r.csv, line 11: the header stands there again"]),
        (text([*ROWS[:9], ("item", "user", "rating", "timestamp"), *ROWS[9:]]), {}, ["stops: r.csv, line 11: the header stands there again"]),
        (pd.DataFrame([row[:2] for row in [*ROWS[:9], ("Item", "user"), *ROWS[9:]]], columns=["user", "item"]), {}, ["stops: r.parquet, row 10: the header stands there again"]),
        (text([(f"{n:04d}", *row[:3]) for n, row in enumerate(ROWS)], header=""), {}, ["stops", "column 1, taken for the user, counts the rows"]),
        (text([(54 - n, *row[:3]) for n, row in enumerate(ROWS)], header=""), {}, ["stops", "column 1, taken for the user, counts the rows"]),
        (text([(*row[:2], 20170701 + n % 30) for n, row in enumerate(ROWS)], header=""), {}, ["stops: r.csv: column 3 (20170701), taken for the rating, looks like a date"]),
        (text([(*row[:2], 20170701, row[2]) for row in ROWS]), {}, ["stops", "looks like a date"]),
        (text(changed(2, lambda n, _: 2000 + n % 9)), {}, ["stops", "looks like a year"]),
        (text(changed(2, lambda n, _: 2000 + n % 9)), {"columns": {"rating": "rating"}}, ["scale 2000 to 2008"]),
        (text(changed(0, lambda n, value: value + [" ", "\u00a0", ""][n % 3])), {}, ["9 users", "notes: 18 users differ from another only by blanks around them"]),
        (text(changed(0, lambda n, _: f"{['straße', 'STRASSE'][n // 6 % 2]}{n // 12}")), {}, ["notes: 8 users differ", "such as 'STRASSE0' and 'straße0'"]),
        (text(changed(1, lambda n, value: f"{n % 6 + 1}E+09")), {}, ["notes: the item '1E+09' may be nobody's, or cut short"]),
        # values
        (text(changed(2, lambda n, _: 999 if n % 18 == 0 else n % 21)), {}, ["notes: the highest ratings: 999, far off the others, 0 to 20", "add --missing 999"]),
        (text(changed(2, lambda n, _: 998 + n % 5 % 2 if n % 18 == 0 else n % 21)), {}, ["notes: the highest ratings: 998 and 999, far off"]),
        (text(changed(2, lambda n, _: 999 if n % 18 == 0 else n % 21)), {"scale": (0, 20)}, ["stops: r.csv, line 2: the rating 999 lies off the scale 0 to 20; 3 do", "--missing 999"]),
        (text(changed(2, lambda n, _: n % 3 and 2 ** (n % 9)), header="user,item,plays,t"), {}, ["counts from 0 to", "notes: 18 of 54 counts are 0, and not liked", "--missing 0"]),
        (FILES / "values/ninety_nine.csv", {}, ["notes: the highest ratings: 99, far off the others, -10 to 9.79", "add --missing 99"]),
        (FILES / "values/ninety_nine.csv", {"missing": "99"}, ["reads", "rows with 99, which means 'not rated', are left out"]),
        (FILES / "values/minus_1.csv", {}, ["notes: the lowest ratings: -1, alone below zero"]),
        (FILES / "values/minus_1.csv", {"missing": "-1.0"}, ["scale 2 to 10"]),
        (text(changed(2, lambda n, value: "" if n == 7 else value)), {"missing": ""}, ["53 ratings"]),
        (text(changed(2, lambda n, value: "NA" if n == 7 else value)), {"missing": "NA"}, ["53 ratings"]),
        (text(changed(2, lambda n, value: "" if n == 7 else value)), {"missing": ""}, ["rows with nothing, which means 'not rated'"]),
        (text(changed(2, lambda n, value: "\\N" if n == 7 else value)), {}, ["stops: r.csv, line 9: the rating '\\\\N' is not", "--missing '\\N'"]),
        (text(changed(2, lambda n, value: f'"{99 if n == 7 else value},0"')), {"missing": "99"}, ["53 ratings", "scale 1 to 5"]),
        (text(), {"missing": "99"}, ["stops: r.csv: --missing 99: no rating is '99'"]),
        (text(changed(2, lambda n, value: 2**31 - 1 if n == 7 else value)), {}, ["add --missing 2.14748365e+09"]),
        (text(changed(2, lambda n, value: 2**31 - 1 if n == 7 else value)), {"missing": "2.14748365e+09"}, ["53 ratings"]),
        (text(changed(2, lambda n, value: {3: 98, 7: 99}.get(n, value))), {}, ["notes: the highest ratings: 98 and 99, far off the others, 1 to 5"]),
        (text(changed(2, lambda n, value: {3: -2, 7: -1}.get(n, value))), {}, ["notes: the lowest ratings: -2 and -1, alone below zero"]),
        (text(changed(2, lambda n, value: f"{value * 400:,}".replace(",", "."))), {}, ["notes: ratings have three digits behind each point, such as 1."]),
        (text(changed(2, lambda n, value: value + n / 54)), {}, ["scale 1 to"]),
        (text(changed(2, lambda n, value: f'"{value * 400:,}"')), {}, ["stops", "thousands without a comma"]),
        (text(changed(2, lambda n, value: "TRUE" if n == 7 else value)), {}, ["stops: r.csv, line 9: the rating 'TRUE' is not a finite number"]),
        (text(changed(2, lambda n, value: 1e7 + value / 1e3)), {}, ["stops: r.csv: ratings of 10000000.001 to", "too near to each other"]),
        (text(), {"scale": (-1e308, 1e308)}, ["stops", "has no room"]),
        (text(changed(2, lambda n, value: 0 if n % 5 < 3 else value)), {}, ["notes: the lowest ratings: 0, on 6"]),
        (text(changed(2, lambda n, value: 8 if n == 9 else value)), {}, ["notes: the highest ratings: 8, outside the step of 1"]),
        (text(changed(2, lambda n, value: 1e308 if n == 9 else value)), {}, ["stops: r.csv, line 11: the rating '1e+308' is too large a number"]),
        (text(changed(2, lambda n, value: n % 2 == 0)), {}, ["scale 0 to 1"]),
        (FILES / "values/decimal_comma.csv", {}, ["rating = 'rating' (2,5), scale 1.5 to 5", "steps of 0.5"]),
        (text(changed(2, lambda n, value: f'"{value},250"')), {}, ["stops", "Write decimals with a point"]),
        (FILES / "values/wide.csv", {}, ["stops: wide.csv: looks like a matrix of users by items", "pandas.read_csv('wide.csv', sep=',', header=None)"]),
        (text([(u, *range(9)) for u in "abc"], header="user," + ",".join(f"Film {n}" for n in range(9))), {}, ["stops", "looks like a matrix", "index_col=0"]),
        (text(changed(0, lambda n, value: value.upper() if n % 6 == 0 else value)), {}, ["notes: 18 users differ from another only by Unicode form, case or spaces, or by leading zeros, such as 'U0' and 'u0'"]),
        (text(changed(1, lambda n, value: ["é", "e\u0301"][n // 6 % 2] + value)), {}, ["notes: 12 items differ from another only by Unicode form", "such as 'e\u0301i0' and 'éi0'"]),
        # times
        (FILES / "times/seconds_and_milliseconds.csv", {}, ["stops: seconds_and_milliseconds.csv, line 81: the timestamp", "is in milliseconds, those before it are in seconds"]),
        (text(changed(3, lambda n, value: value * 1000)), {}, ["milliseconds since 1970, 2017-07-14 to"]),
        (text(changed(3, lambda n, value: 0 if n == 3 else value * 1000)), {}, ["milliseconds", "notes: 1 of 54 times lie before 1990"]),
        (text(changed(3, lambda n, value: 17_000 + n)), {}, ["notes: all times lie in one day of 1970"]),
        (text(changed(3, lambda n, value: 17_000 + n)), {"time_unit": "days"}, ["days since 1970, 2016-07-18 to"]),
        (text(changed(3, lambda n, value: 20170701 + n % 30)), {}, ["dates of eight digits, 2017-07-01 to 2017-07-30", "notes: the timestamps look like dates"]),
        (text(changed(3, lambda n, value: 20170701 + n % 30)), {"time_unit": "seconds"}, ["1970-08-22 to"]),
        (text(changed(3, lambda n, value: 20170701 + n)), {"time_unit": "dates"}, ["stops: r.csv, line 33: the timestamp 20170732 is no date of eight digits"]),
        (text(changed(3, lambda n, value: value * 1000)), {"time_unit": "seconds"}, ["stops", "too large to be in seconds"]),
        (text(changed(3, lambda n, value: 20170701120000 + n)), {}, ["dates of fourteen digits, 2017-07-01 to 2017-07-01"]),
        (text(changed(3, lambda n, value: 201707011200 + n)), {}, ["dates of twelve digits, 2017-07-01 to", "notes: the timestamps look like dates of twelve"]),
        (text(changed(3, lambda n, value: 2017070112 + n % 9)), {}, ["dates of ten digits, 2017-07-01 to"]),
        (text(changed(3, lambda n, value: value * 10**6)), {}, ["microseconds since 1970, 2017-07-14 to"]),
        (text(changed(3, lambda n, value: value * 10**9)), {}, ["nanoseconds since 1970, 2017-07-14 to"]),
        (text(changed(3, lambda n, value: value // 60)), {}, ["notes: all times lie in 1970; if they count something else"]),
        (text(changed(3, lambda n, value: value // 86400 if n % 2 else value)), {}, ["notes: 27 of 54 times lie before 1990"]),
        (text(changed(3, lambda n, value: value + 10**9)), {}, ["notes: times reach beyond the year 2037"]),
        (text(changed(3, lambda n, value: 1e300)), {}, ["stops", "the timestamp '1e+300' is too large"]),
        (text(changed(3, lambda n, value: 1_500_000_000)), {}, ["all the same, so of no use"]),
        (text(changed(3, lambda n, value: 637 * 10**15 + n * 10**13)), {}, ["nanoseconds since 1970, 1990-", "notes: all times lie before 1996"]),
        (text(changed(3, lambda n, value: f"{value:.3E}")), {}, ["notes: times are written such as 1.500E+09"]),
        (text(changed(3, lambda n, value: 0 if n == 0 else 20170701 + n % 30)), {}, ["dates of eight digits, 1970-01-01 to 2017-07-30", "notes: 1 of 54 times lie before 1990"]),
        (text(changed(3, lambda n, value: -1 if n == 3 else value * 1000)), {}, ["milliseconds since 1970", "notes: 1 of 54 times lie before 1990"]),
        (text(changed(3, lambda n, value: f"2017-07-{n % 30 + 1:02d}")), {"time_unit": "dates"}, ["2017-07-01 to 2017-07-30"]),
        (text(changed(3, lambda n, value: "" if n == 3 else "2017-07-01")), {}, ["stops: r.csv, line 5: the timestamp is empty"]),
        (FILES / "times/plays.tsv", {"columns": {"user": "1", "timestamp": "2", "item": "3"}}, ["80 pairs", "timestamp = column 2 (2018-10-09T15:26:54Z), dates"]),
        (FILES / "times/plays.tsv", {}, ["stops: plays.tsv: column 2, taken for the item, looks like a time", "--columns"]),
        # shapes
        (FILES / "shapes/blanks.txt", {}, ["80 ratings", "no header"]),
        (FILES / "shapes/blanks_and_decimal_commas.txt", {}, ["30 ratings", "item = column 2 (i0); rating = column 3 (0,5), scale 0 to 4.5"]),
        (FILES / "shapes/blank_before_quote.csv", {}, ["30 ratings", "item = 'item' (Film, the 0th)"]),
        (FILES / "shapes/unclosed_quotes.tsv", {}, ["stops: unclosed_quotes.tsv, line 6: 'artist' holds 4 further lines", "Close the quote"]),
        (text(changed(3, lambda n, _: '"Long\nu0,i3,5,good, too"' if n == 9 else "short"), header="user,item,rating,review"), {}, ["54 ratings"]),
        (text(changed(3, lambda n, _: {9: '"Long', 20: '"Long, too"', 30: '"Longer'}.get(n, "short")), header="user,item,rating,review"), {}, ["stops", "line"]),
        (text(changed(3, lambda n, _: {9: '"Long', 20: '"Longer'}.get(n, "short")), header="user,item,rating,review"), {}, ["stops: r.csv, line 11: 'review' holds 11 further lines"]),
        (text(changed(3, lambda *_: '"Bad:\nred, green, blue, black"'), header="user,item,rating,review"), {}, ["54 ratings"]),
        (text(changed(3, lambda *_: '"Long, and\nnot, at, all,\n\ngood"'), header="user,item,rating,review"), {}, ["54 ratings", "not used: review"]),
        ("".join(f"  {u}   {i}  {v},5 \n" for u, i, v, _ in ROWS).replace("u", "").replace("i", ""), {}, ["54 ratings", "scale 1.5 to 5.5"]),
        (text(separator=" "), {}, ["54 ratings", "user = 'user'"]),
        (FILES / "shapes/sep_line.csv", {}, ["78 ratings"]),
        ((FILES / "shapes/sep_line.csv").read_bytes().replace(b"\r", b"").replace(b"\n", b"\r"), {}, ["78 ratings"]),
        (text(header="").replace(",", "\t").replace("u", "a, b, c, d, e u"), {}, ["user = column 1 (a, b, c, d, e u0)"]),
        (text([(u, i, "a|b|c|d|e", r) for u, i, r, _ in ROWS], header=""), {"columns": {"user": "1", "item": "2", "rating": "4"}}, ["54 ratings"]),
        (text([(f"ns::{u}", f"ns::{i}", r) for u, i, r, _ in ROWS], header=""), {}, ["user = column 1 (ns::u0)"]),
        (text([(u, i) for u, i, *_ in ROWS], header=""), {}, ["stops", "no column for the user and the item", "add --header no"]),
        ("My ratings of 2024\n" + text(), {}, ["stops: r.csv, line 2", "a title or comment above the table is taken out"]),
        ("sep=;\n" + text(changed(0, lambda n, value: f"a,b,c,d {value}"), separator="\x00").replace("\x00", ";").replace(";b;c;d", ",b,c,d"), {}, ["user = 'user' (a,b,c,d u0)"] ),
        (FILES / "shapes/reviews.json", {}, ["80 ratings", "user = 'reviewerID' (U001)", "timestamp = 'unixReviewTime'"]),
        (json.dumps([{"user": u, "item": i, "rating": r} for u, i, r, _ in ROWS]), {}, ["54 ratings"]),
        ("{'user': 'a', 'item': 'x', 'rating': 5}\n", {}, ["stops: r.csv: is not one JSON object a line"]),
        (json.dumps({"ratings": [{"user": 1, "item": 2, "rating": 3}]}), {}, ["stops: r.csv: has lists or objects where values should be, first in 'ratings'"]),
        (json.dumps({"1": {"2": 3}, "2": {"2": 5}}), {}, ["stops: r.csv: has lists or objects where values should be, first in '1'"]),
        (json.dumps([[1, 2, 3], [1, 3, 4]]), {}, ["stops: r.csv: is not one JSON object a line"]),
        ('{"user": "a", "item": ["x"], "rating": 5}\n', {}, ["stops: r.csv: 'item' has the type list<item: string>"]),
        ('{"user": "a", "item": "x", "rating": 5}\n{"item": "x", "rating": 5}\n', {}, ["stops: r.csv, row 2: the user's id is empty"]),
        ("1:\n12,3,2005-09-06\n13,4,2005-09-07\n2:\n12,1,2005-09-06\n", {}, ["stops: r.csv: is in Netflix's blocks", "awk"]),
        ("1:\r12,3,2005-09-06\r13,4,2005-09-07\r", {}, ["stops: r.csv: is in Netflix's blocks"]),
        (json.dumps([{"user": u, "item": i} | ({"rating": r} if n else {}) for n, (u, i, r, _) in enumerate(ROWS)]), {}, ["stops: r.csv, row 1: the rating is empty"]),
        (json.dumps([{"user": 2**64 + n, "item": i} for n, (_, i, *_) in enumerate(ROWS)]), {}, ["stops: r.csv: is not one JSON object a line"]),
        ("".join(json.dumps({"user": 2**64 + n, "item": i}) + "\n" for n, (_, i, *_) in enumerate(ROWS)), {}, ["stops", "too large to be exact"]),
        ("".join(json.dumps({"user": {str(k): 1 for k in range(99)}, "item": i}) + "\n" for _, i, *_ in ROWS), {}, ["stops: r.csv: 'user' has the type struct<0: int64"]),
        # packed
        (FILES / "packed/ratings.zip", {}, ["967 ratings"]),
        (FILES / "packed/zip_called.csv", {}, ["967 ratings"]),
        (FILES / "packed/ratings.csv.bz2", {}, ["967 ratings"]),
        (FILES / "packed/ratings.csv.xz", {}, ["967 ratings"]),
        (FILES / "packed/ratings.xlsx", {}, ["stops: ratings.xlsx: is a workbook of Excel"]),
        (packed(**{"a/ratings.csv": text(), "a/README.txt": "hello", "__MACOSX/a": "x"}), {}, ["54 ratings"]),
        (packed(a=text(), b=text()), {}, ["stops: r.csv: holds 2 files (a, b)"]),
        (packed(), {}, ["stops"]),
        (packed(a=gzip.compress(text().encode(), mtime=0)), {}, ["stops: r.csv: is an archive inside an archive"]),
        (gzip.compress(b"0" * (70 << 20), mtime=0), {}, ["stops: r.csv: would unpack to more than 64 MiB"]),
        (packed(a=b"0" * (70 << 20)), {}, ["stops: r.csv: would unpack to more than 64 MiB"]),
        (bz2.compress(b"0" * (70 << 20)), {}, ["stops: r.csv: would unpack to more than 64 MiB"]),
        (lzma.compress(text().encode())[:-20], {}, ["stops: r.csv: is an archive that can't be unpacked"]),
        (gzip.compress(text().encode(), mtime=0)[:200] + b"\xff" * 9, {}, ["stops: r.csv: is an archive that can't be unpacked"]),
        (packed(a=text())[:-30], {}, ["stops: r.csv: is an archive that can't be unpacked"]),
        (bytes_set(packed(a=text()), 0, 1), {}, ["stops: r.csv: is an archive that can't be unpacked (", "encrypted"]),
        (bytes_set(packed(a=text()), 2, 99), {}, ["stops: r.csv: is an archive that can't be unpacked (", "compression"]),
        (b"7z\xbc\xaf\x27\x1c" + bytes(90), {}, ["stops: r.csv: is an archive of a kind that is not read here"]),
        (b"\xd0\xcf\x11\xe0" + bytes(90), {}, ["stops: r.csv: is a workbook of Excel"]),
        (bytes(257) + b"ustar" + bytes(90), {}, ["stops: r.csv: is an archive of a kind"]),
        (gzip.compress(b"", mtime=0), {}, ["stops: r.csv: is empty"]),
        (b"PK\5\6" + bytes(18), {}, ["stops: r.csv: holds no table"]),
        (packed(**{"../r.csv": text()}), {}, ["stops: r.csv: holds no table"]),
        (lzma.compress(text().encode(), format=lzma.FORMAT_ALONE), {}, ["stops: r.csv: is an archive of a kind that is not read here"]),
        (b"\x80\x04\x95" + bytes(90), {}, ["stops: r.csv: is neither text nor Parquet"]),
        # sizes
        (FILES / "sizes/few.csv", {"for_report": True}, ["stops: few.csv: 40 ratings are too few for a report"]),
        (text(), {"for_report": True}, ["54 ratings"]),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)  # fmt: skip
def test_what_a_file_is_taken_for_is_said(read, what, options, said):
    found = read(what, options)
    for words in said:
        assert words in found


def frame(**columns):
    usual = {"user": [row[0] for row in ROWS], "item": [row[1] for row in ROWS], "rating": [row[2] for row in ROWS]}
    return pd.DataFrame(usual | columns)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (frame(user=np.arange(54, dtype="uint64") // np.uint64(6) + np.uint64(2**63)), ["user = 'user' (9223372036854775808)"]),
        (frame(user=np.arange(54) // 6 * 1.0), ["user = 'user' (0)"]),
        (frame(item=[[1]] * 54), ["stops: r.parquet: 'item' has the type list<element: int64>"]),
        (frame(item=[{"a": 1}] * 54), ["stops: r.parquet: 'item' has the type struct<a: int64>"]),
        (frame(user=[b"u"] * 54), ["stops: r.parquet: 'user' has the type binary"]),
        (frame(timestamp=[pd.Timestamp("2018-10-09 15:26:54").time()] * 54), ["stops: r.parquet: 'timestamp' has the type time64[us]"]),
        (frame(timestamp=pd.to_timedelta(range(54), unit="s")), ["stops: r.parquet: 'timestamp' has the type duration"]),
        (frame(timestamp=pd.date_range("2018-10-09", periods=54, tz="Europe/Paris")), ["dates, 2018-10-08 to"]),
        (frame(timestamp=[np.datetime64("9999-01-01", "us")] * 53 + [np.datetime64("2018-01-01", "us")]), ["dates, 2018-01-01 to 9999-01-01", "beyond the year 2037"]),
        (frame(rating=pd.array([*range(53), None], dtype="Int64")), ["stops: r.parquet, row 54: the rating is empty", "--missing ''"]),
        (frame(rating=np.float32([0.1, 0.2, 0.3] * 18)), ["scale 0.1 to 0.3"]),
        (frame(user=np.arange(54) // 6 + 2.0**53), ["stops: r.parquet, row 1: the user's id 9.0072e+15 is a decimal number too large to be exact"]),
        (frame(user=np.float32(np.arange(54) // 6 + 2**24)), ["stops", "too large to be exact"]),
        (frame(user=[np.inf, 1.0, 2.0] * 18), ["stops", "too large to be exact"]),
        (frame(user=["nan"] * 6 + [str(n // 6) for n in range(48)]), ["notes: the user 'nan' may be nobody's"]),
        (frame(rating=[2**60] * 54), ["stops: r.parquet, row 1: the rating", "too large a number"]),
        (frame(rating=[True, False] * 27), ["scale 0 to 1"]),
        (frame(extra=[[1]] * 54), ["54 ratings", "not used: extra"]),
        (frame().set_index(["user", "item"]), ["54 ratings"]),
        (frame()[["rating"]].set_index([list(frame()["user"]), list(frame()["item"])]), ["stops", "no column for the user and the item"]),
        (frame().astype({"user": "category"}), ["user = 'user' (u0)"]),
        (frame().rename(columns={"rating": "('rating', 'mean')"}), ["each pair counts as 1", "notes: no name is known for ratings"]),
    ],
)  # fmt: skip
def test_types_of_parquet(read, table, said):
    found = read(table)
    for words in said:
        assert words in found


def test_damaged_and_boundless_parquet(read, tmp_path):
    content = (tmp_path / "whole.parquet", tmp_path / "wide.parquet")
    frame().to_parquet(content[0])
    whole = content[0].read_bytes()
    assert "stops: r.csv: is not a whole Parquet file" in read(whole[: len(whole) // 2])
    for at in range(4, len(whole) - 8, 97):
        read(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])  # whatever it says, it says it
    parquet.write_table(pa.table([[1.0], [2.0]], names=["user", "user"]), content[1])
    assert "2 columns may be the user" in read(content[1])


@pytest.mark.parametrize(("make", "said"), [(os.mkfifo, "is a pipe or a device"), (os.mkdir, "is a folder")])
def test_what_is_no_file_never_hangs(read, tmp_path, make, said):
    make(tmp_path / "r")
    assert said in read(tmp_path / "r")
    assert "is a pipe or a device" in read(Path("/dev/zero"))
    assert "stops: /: is a folder" in read(Path("/"))
    assert "is empty" in read(Path("/proc/self/status"))
    with open(tmp_path / "sparse.csv", "wb") as file:
        file.truncate(1 << 40)
    assert "is larger than 4 GiB" in read(tmp_path / "sparse.csv")


BOOKS = FILES / "side_tables/BX-Book-Ratings.csv"


@pytest.mark.parametrize(
    ("ratings", "options", "said"),
    [
        (FILES / "side_tables/ratings.dat", {"items": FILES / "side_tables/movies.dat"}, ["notes: movies.dat has no header: its columns are taken for item, title, genres"]),
        (BOOKS, {"items": FILES / "side_tables/BX-Books.csv"}, ["stops: BX-Books.csv, line 2: not UTF-8 text"]),
        (BOOKS, {"items": FILES / "side_tables/BX-Books-utf8.csv"}, ["stops: BX-Books-utf8.csv, line 2: a backslash stands before a quote"]),
        (BOOKS, {"items": FILES / "side_tables/plain-quotes.csv"}, ["reads"]),
        (text(), {"items": "i0,A title\ni1,Another\n"}, ["notes: t.csv has no header: its columns are taken for item, title"]),
        (text(), {"users": "u0::F::24\nu1::M::30\n"}, ["its columns are taken for user, column 2, column 3"]),
        (text(header="user,what,rating,t"), {"items": "movieId,what\n1,i0\n2,i1\n", "columns": {"item": "what"}}, ["reads", "4 rated items are not in t.csv"]),
        (text(), {"items": "movieId,isbn\n1,i0\n2,i1\n"}, ["stops: t.csv, line 1: 2 columns may hold the item's id: movieId, isbn"]),
        (text(header="user,movie,rating,t"), {"items": "movie,item\ni0,a\ni1,b\n"}, ["reads"]),
        (text(), {"items": "id,style\ni0,a\ni1,b\n"}, ["reads"]),
        (text(), {"items": "id,year,price\ni0,1e308,inf\ni1,99999999999,1e308\ni2,1999,3\n"}, ["reads"]),
        (text(), {"users": "u0|F|24\nu1|M|24\nu2|M|24\n"}, ["its columns are taken for user, column 2, column 3"]),
        (text(), {"items": "Kennung,Titel\ni0,a\n"}, ["stops", "no column with the item's id"]),
    ],
)  # fmt: skip
def test_tables_beside_the_ratings(read, tmp_path, ratings, options, said):
    for role in ("items", "users"):
        if isinstance(options.get(role), str):
            (tmp_path / "t.csv").write_text(options[role])
            options = {**options, role: tmp_path / "t.csv"}
    found = read(ratings, options)
    for words in said:
        assert words in found


def test_a_headerless_table_keeps_its_first_row_and_lines(tmp_path, read):
    read(FILES / "side_tables/ratings.dat", {"items": FILES / "side_tables/movies.dat"})
    table = load(str(tmp_path / "out")).interactions.item_table
    assert table.loc[1, ["title", "genres", "year"]].tolist() == ["Film 1", "Drama|Comedy", 1951]
    (tmp_path / "t.csv").write_text("1::A\n2::B\n1::C\n")
    found = read(FILES / "side_tables/ratings.dat", {"items": tmp_path / "t.csv", "write": False})
    assert "t.csv, line 3: the item '1' stands there again, first on line 1" in found


def test_lines_are_right_after_rows_were_left_out(read):
    rows = changed(2, lambda n, value: -1 if n < 5 else value)
    assert "r.csv, line 56: user 'u0' rates item 'i5' again, first on line 7" in read(
        text([*rows, ROWS[5]]), {"missing": "-1"}
    )


def test_a_song_that_nobody_played_is_not_liked(read, tmp_path):
    read(text(changed(2, lambda n, _: n % 3 and 2 ** (n % 9)), header="user,item,plays,t"))
    assert threshold_of(load(str(tmp_path / "out")).interactions, counts=True) == (
        np.float32(np.log2(3)),
        "every count above 0",
    )


def test_signs_that_command_a_terminal_are_spelled(read):
    for content in (text(), text(changed(2, lambda *_: "bad"))):
        found = read(content, name="a\x1b[31mé.csv")
        assert "\x1b" not in found and r"a\x1b[31mé.csv" in found


def test_a_lack_of_memory_is_not_the_file_s_fault(read, monkeypatch):
    def lacking(*_):
        raise pa.lib.ArrowMemoryError("malloc of size 1 failed")

    monkeypatch.setattr(parquet, "ParquetFile", lacking)
    with pytest.raises(MemoryError):
        read(pd.DataFrame(ROWS, columns=HEADER.split(",")))


def test_what_nobody_prepared_is_left_alone(read, tmp_path):
    mine = {"dataset.json": '{"mine": 1}', "items.parquet": "mine", "ratings.parquet": "mine"}
    (tmp_path / "theirs").mkdir()
    for name, content in mine.items():
        (tmp_path / "theirs" / name).write_text(content)
    with pytest.raises(InvalidRatingsFile, match="theirs holds what nobody has prepared"):
        prepare(FILES / "values/minus_1.csv", folder=tmp_path / "theirs")
    assert {path.name: path.read_text() for path in (tmp_path / "theirs").iterdir()} == mine


def test_a_full_disk_is_named_and_the_next_call_mends_the_folder(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path, folder = FILES / "values/minus_1.csv", tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(OSError, match=r"ratings\.parquet"):
        patch.setattr(pd.DataFrame, "to_parquet", full)
        prepare(path, folder=folder)
    assert prepare(path, folder=folder).changed and len(load(str(folder)).interactions)


def test_nothing_is_written_unless_asked(read, tmp_path):
    found = prepare(FILES / "values/minus_1.csv", folder=tmp_path / "out", write=False)
    assert found.changed and not (tmp_path / "out").exists()


def test_every_file_has_a_folder_of_its_own(tmp_path):
    names = (
        "a/ratings.csv",
        "b/ratings.csv",
        "ratings.2023.csv",
        "ratings.csv",
        "оценки.csv",
        "评分.csv",
        "!!!.csv",
        "ml-100k",
    )
    folders = [slug(tmp_path / name) for name in names]
    assert len(set(folders)) == len(names) and all(folders) and "оценки-csv" in folders[4]


def test_lists_are_left_out_where_no_late_rating_is_liked(read, tmp_path):
    read(FILES / "sizes/late_ratings_low.csv")
    data = load(str(tmp_path / "out"))
    splits, _ = parted(data, seed=42)
    threshold, _ = threshold_of(data.interactions)
    assert list(without_lists(splits, threshold)) == ["chronological"]
    assert "no test rating reaches 4, the highest is 3" in without_lists(splits, threshold)["chronological"]
