"""The ledger of claims: one row each, with the part that decides."""

import math

import pytest

from lib.claims.ledger import ledger, readable
from lib.claims.published import STATEMENT, load_claims
from lib.claims.verdicts import CONDITION, FAILS, HOLDS, UNTESTED, Verdict, verdict_table
from tests.claims.made_up import judged

FILE = """
[projects.A]
title = "T"
document = "slides"
dataset = "ml-100k"
protocol = "P"

[[claims]]
id = "A-figures"
project = "A"
model = "M"
figures = { low = 0.50, far = 0.90, near = 0.90, size = 100 }

[[claims]]
id = "A-words"
project = "A"
model = "N"
statement = "Larger is better."
figures = { rmse = 0.90 }
"""


@pytest.fixture
def claims(tmp_path):
    path = tmp_path / "claims.toml"
    path.write_text(FILE)
    return load_claims(path)


def figure(claims, name, ours, low=None, high=None, claim="A-figures", **options):
    return judged(claims, claim, name, ours, low, high, evidence=f"svd:tbl-{name}", **options)


def words(verdict, reason="because"):
    return Verdict("A-words", STATEMENT, verdict, reason, "svd:fig-words", ours=0.1, low=0.0, high=0.2)


def rows(claims, *verdicts):
    return ledger(verdict_table(claims, verdicts), claims).set_index("id")


def test_a_row_a_claim_in_their_order(claims):
    table = rows(
        claims,
        words(HOLDS),
        figure(claims, "rmse", 0.9, claim="A-words"),
        *(figure(claims, n, v) for n, v in (("low", 0.5), ("far", 0.9), ("near", 0.9), ("size", 100))),
    )
    assert table.index.tolist() == ["A-figures", "A-words"]
    assert table["parts"].tolist() == [4, 2] and table["holding"].tolist() == [4, 2]
    assert table["verdict"].tolist() == [HOLDS, HOLDS]
    assert table["statement"].tolist() == ["", "Larger is better."]
    assert table.loc["A-words", ["decided_by", "reason", "evidence"]].tolist() == [
        "statement",
        "because",
        "svd:fig-words",
    ]
    assert table.loc["A-words", ["ours", "low", "high"]].tolist() == [0.1, 0.0, 0.2]
    assert math.isnan(table.loc["A-words", "reported"])
    assert table.loc["A-figures", "decided_by"] == "low"  # all agree: the first


def test_the_figure_farthest_outside_decides_in_units_of_its_own_size(claims):
    table = rows(
        claims,
        words(HOLDS),
        figure(claims, "rmse", 0.9, claim="A-words"),
        figure(claims, "low", 0.5),
        figure(claims, "far", 0.6, 0.5, 0.7),
        figure(claims, "near", 0.8, 0.7, 0.85),
        figure(claims, "size", 95),
    )
    # 0.90 against 0.7 is off by 0.22 of itself, 0.90 against 0.85 by 0.06, 100 against 95 by 0.05.
    one = table.loc["A-figures"]
    assert (one["verdict"], one["decided_by"], one["holding"]) == (FAILS, "far", 1)
    assert one[["reported", "ours", "low", "high"]].tolist() == [0.9, 0.6, 0.5, 0.7]
    assert one["evidence"] == "svd:tbl-far"


def test_a_statement_that_fails_decides_though_a_figure_agrees(claims):
    four = [figure(claims, n, v) for n, v in (("low", 0.5), ("far", 0.9), ("near", 0.9), ("size", 100))]
    table = rows(claims, *four, words(FAILS, "it is worse"), figure(claims, "rmse", 0.9, claim="A-words"))
    assert table.loc["A-words", ["verdict", "decided_by", "reason"]].tolist() == [
        FAILS,
        "statement",
        "it is worse",
    ]


def test_a_condition_is_explained_by_the_part_that_has_it_or_by_the_one_that_fails(claims):
    rest = [words(HOLDS), figure(claims, "rmse", 0.9, claim="A-words")]
    others = [figure(claims, "far", 0.9), figure(claims, "near", 0.9)]
    table = rows(
        claims,
        *rest,
        *others,
        figure(claims, "low", 0.7),
        figure(claims, "size", 100, condition="on one start"),
    )
    assert table.loc["A-figures", ["verdict", "decided_by"]].tolist() == [CONDITION, "size"]
    assert table.loc["A-figures", "reason"] == "on one start"
    table = rows(claims, *rest, *others, figure(claims, "low", 0.7), figure(claims, "size", 100))
    assert table.loc["A-figures", ["verdict", "decided_by"]].tolist() == [CONDITION, "low"]


def test_what_could_not_be_tested_has_a_row_without_evidence(claims):
    untested = [Verdict("A-figures", n, UNTESTED, "no data") for n in ("low", "far", "near", "size")]
    table = rows(claims, *untested, words(HOLDS), figure(claims, "rmse", 0.9, claim="A-words"))
    one = table.loc["A-figures"]
    assert (one["verdict"], one["reason"], one["evidence"]) == ("could not be tested", "no data", "")
    assert math.isnan(one["ours"]) and one["reported"] == 0.5


def test_a_reader_sees_ranges_words_and_labels(claims):
    four = [
        figure(claims, "low", 0.51234, 0.5, 0.52),
        figure(claims, "far", 0.9),
        figure(claims, "near", 0.9),
        Verdict("A-figures", "size", UNTESTED, "no data"),
    ]
    rest = [figure(claims, "rmse", 0.9, claim="A-words"), words(HOLDS)]
    table = readable(verdict_table(claims, four + rest).replace({"figure": {"low": "low_end"}}))
    assert table["figure"].tolist()[:2] == ["low end", "far"]
    assert table["our_range"].tolist() == ["0.5 to 0.52", "–", "–", "–", "–", "0 to 0.2"]
    assert table["evidence"].tolist() == ["tbl-low", "tbl-far", "tbl-near", "", "tbl-rmse", "fig-words"]
    assert readable(rows(claims, *four, *rest))["decided_by"].tolist() == ["low", "statement"]
