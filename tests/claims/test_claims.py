import math
from dataclasses import replace

import pytest

from lib.claims.published import STATEMENT, Figure, InvalidClaims, load_claims
from lib.claims.verdicts import COLUMNS, FAILS, UNTESTED, Verdict, judge_figure, overall, verdict_table
from tests.claims.made_up import judged

HEAD = """
[projects.A]
title = "T"
document = "slides"
dataset = "ml-100k"
protocol = "P"
"""
CLAIM = """
[[claims]]
id = "A-one"
project = "A"
model = "M"
"""


@pytest.fixture(scope="module")
def claims():
    return load_claims()


@pytest.fixture
def few(tmp_path):
    """Two claims: figures and a statement; rows."""
    path = tmp_path / "claims.toml"
    path.write_text(
        HEAD + CLAIM + 'statement = "S"\nfigures = { rmse = 0.920, rank = 3 }\n'
        '[[claims]]\nid = "A-two"\nproject = "A"\nmodel = "M"\nrows = [{ name = "r 1", p = 0.5 }]\n'
    )
    return load_claims(path)


# -- the file ------------------------------------------------------------------------------------------------------
def test_all_five_projects_are_there_and_every_claim_can_be_judged(claims):
    assert {claim.project for claim in claims.values()} == set("ABCDE")
    assert all(claim.id.startswith(f"{claim.project}-") for claim in claims.values())
    assert all(claim.parts for claim in claims.values())


def test_figures_that_must_agree_with_each_other_do(claims):
    # A squared error is its root squared, whatever was typed.
    rmse, loss = claims.figure("D-autorec", "test_rmse"), claims.figure("D-autorec", "test_loss")
    assert rmse.reported**2 == pytest.approx(loss.reported, abs=2 * rmse.rounding + 2 * loss.rounding + 6e-4)
    # The least p of a two-sided sign test over 5 folds, and the 0.22 that side features are said to be worth.
    assert claims.figure("B-ablation", "no_features/p").reported == 2 * 0.5**5
    gain = (
        claims.figure("B-ablation", "no_features/test_rmse").reported
        - claims.figure("B-ablation", "full/test_rmse").reported
    )
    assert round(gain, 2) == 0.22
    for pair in ("soft_hard", "soft_two_tower", "hard_two_tower"):
        low, mean, high = (claims.figure("A-correlation", f"{pair}_{part}").reported for part in ("min", "mean", "max"))
        assert low < mean < high
    for model in ("SVD", "Asymmetric-SVD", "SVD++", "Integrated"):
        row = [claims.figure("E-published-order", f"{model}/f{n}").reported for n in (50, 100, 200)]
        assert row == sorted(row, reverse=True)


def test_printed_digits_say_how_far_a_figure_was_rounded(few, claims):
    assert few.figure("A-one", "rmse").rounding == pytest.approx(0.0005)
    assert few.figure("A-one", "rank").rounding == 0
    assert few.figure("A-two", "r 1/p").reported == 0.5
    assert claims.figure("A-correlation", "soft_hard_max").rounding == pytest.approx(0.00005)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            HEAD + CLAIM + "figure = { rmse = 1.0 }",
            "claim A-one: unknown key 'figure'; did you mean 'figures'",
        ),
        (HEAD + CLAIM + 'statement = "S"\n' + CLAIM + 'statement = "S"', "the id occurs twice"),
        (HEAD + CLAIM.replace('"A"', '"F"') + 'statement = "S"', "no project 'F'; there are A"),
        (HEAD + CLAIM, "nothing to judge"),
        (HEAD + CLAIM + "figures = { rmse = nan }", "rmse must be a finite number"),
        (HEAD + CLAIM + "figures = { rmse = true }", "rmse must be a finite number"),
        (HEAD + CLAIM + 'figures = { rmse = "0.9" }', "rmse must be a finite number"),
        (HEAD + CLAIM + "rows = [{ rmse = 1.0 }]", "a row needs a name"),
        (HEAD + CLAIM + 'rows = [{ name = "r", p = 1.0 }, { name = "r", p = 2.0 }]', "row 'r' occurs twice"),
        (HEAD + '[[claims]]\nid = "A-x"\nproject = "A"', "claim A-x: lacks model"),
        (HEAD, "lacks claims"),
        ("[projects.A]\ntitle = 1\n[[claims]]", "project A: lacks dataset, document, protocol"),
        ("projects = ", "not valid TOML"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, content, message):
    path = tmp_path / "claims.toml"
    path.write_text(content)
    with pytest.raises(InvalidClaims, match=message):
        load_claims(path)


def test_a_misspelt_claim_or_figure_names_the_near_miss(claims):
    with pytest.raises(KeyError, match="no claim is called 'A-svd-tset'; did you mean 'A-svd-test'"):
        claims["A-svd-tset"]
    with pytest.raises(KeyError, match="A-svd-test has no figure 'test_rsme'; did you mean 'test_rmse'"):
        claims.figure("A-svd-test", "test_rsme")


# -- judging -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reported", "low", "high", "tolerance", "verdict"),
    [
        (0.92, 0.915, 0.925, 0, "holds"),
        (0.92, 0.92, 0.93, 0, "holds"),
        (0.92, 0.921, 0.93, 0, "does not hold"),
        (0.92, 0.921, 0.93, 0.005, "holds"),
        (0.92, 0.90, 0.91, 0.005, "does not hold"),
        (0.94, 0.9405, 0.95, 0.0005, "holds"),  # the very edge, which binary fractions miss
        (0.92, 0.9251, 0.93, 0.005, "does not hold"),
        (10, 10, 10, 0, "holds"),
        (0.92, math.nan, math.nan, 0, "could not be tested"),
    ],
)
def test_a_figure_holds_where_it_meets_our_interval(reported, low, high, tolerance, verdict):
    assert judge_figure(Figure(reported, 0.1), low, high, tolerance)[0] == verdict


@pytest.mark.parametrize("tolerance", [-0.1, math.nan])
def test_a_tolerance_that_is_none_is_refused(tolerance):
    with pytest.raises(InvalidClaims, match="cannot judge"):
        judge_figure(Figure(1, 0), 0, 1, tolerance)


def test_judging_uses_the_published_figure_and_its_rounding(few):
    close = judged(few, "A-one", "rmse", 0.9204)
    assert (close.verdict, close.low, close.high) == ("holds", 0.9204, 0.9204)
    far = judged(few, "A-one", "rmse", 0.95, 0.94, 0.96)
    assert far.verdict == "does not hold"
    assert "below" in far.reason
    assert judged(few, "A-one", "rmse", 0.95, 0.94, 0.96, tolerance="0.02").verdict == "holds"
    mild = judged(few, "A-one", "rank", 3, condition="Only when chosen on test.")
    assert (mild.verdict, mild.reason) == ("holds with a condition", "Only when chosen on test.")
    wrong = judged(few, "A-one", "rank", 4, condition="Only when chosen on test.")
    assert wrong.verdict == "does not hold"
    assert wrong.reason == "The published figure lies below ours: Only when chosen on test."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "true"}, "'true' is none of holds"),
        ({"reason": " "}, "give the reason"),
        ({"evidence": ""}, "must be run:label"),
        ({"evidence": "tbl-scores"}, "must be run:label"),
        ({"ours": 0.5}, "lies outside 0.9 to 1.1"),
    ],
)
def test_a_verdict_without_ground_is_refused(change, message):
    given = {
        "id": "A-one",
        "figure": "rmse",
        "ours": 1.0,
        "low": 0.9,
        "high": 1.1,
        "verdict": "holds",
        "reason": "It does.",
        "evidence": "svd:tbl-scores",
    }
    Verdict(**given)
    with pytest.raises(InvalidClaims, match=message):
        Verdict(**{**given, **change})


# -- collecting ----------------------------------------------------------------------------------------------------
def given(few):
    return [
        judged(few, "A-one", "rmse", 0.9204),
        judged(few, "A-one", "rank", 3),
        Verdict("A-one", STATEMENT, FAILS, "It is not so.", "svd:fig-sweep", ours=0.1),
        Verdict("A-two", "r 1/p", UNTESTED, "No data."),
    ]


def test_the_table_has_the_published_columns_with_figures_quoted(few):
    table = verdict_table(few, given(few))
    assert tuple(table.columns) == COLUMNS
    assert table["figure"].tolist() == ["rmse", "rank", "statement", "r 1/p"]
    assert table["project"].tolist() == ["A"] * 4
    assert table["reported"].tolist()[:2] == [0.92, 3]
    assert math.isnan(table["reported"][2])
    assert table["reported"][3] == 0.5  # filled in for what could not be tested


def test_one_verdict_a_claim(few):
    def sum_up(*verdicts):
        return overall(verdict_table(few, verdicts))["verdict"].to_dict()

    rmse, rank, statement, untested = given(few)
    assert sum_up(rmse, rank) == {"A-one": "holds"}
    assert sum_up(rmse, replace(rank, verdict="holds with a condition")) == {"A-one": "holds with a condition"}
    assert sum_up(rmse, rank, statement) == {"A-one": "does not hold"}, "a failing statement outweighs side figures"
    assert sum_up(statement) == {"A-one": "does not hold"}
    assert sum_up(untested, rmse, Verdict("A-one", "rank", UNTESTED, "No data.")) == {
        "A-one": "holds",
        "A-two": "could not be tested",
    }
    table = overall(verdict_table(few, given(few)))
    assert table.loc["A-one", ["holds", "does not hold", "could not be tested"]].tolist() == [2, 1, 0]
