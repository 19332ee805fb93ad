import math
from dataclasses import replace

import pandas as pd
import pytest

from lib import ROOT
from lib.claims.published import STATEMENT, Figure, InvalidClaims, load_claims
from lib.claims.verdicts import COLUMNS, Verdict, compare, overall, told, verdict_table
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


def test_the_lists_of_project_a_s_architectures_are_its_published_ones(claims):
    rows = pd.read_csv(ROOT / "data" / "published_architectures.csv").to_dict("records")
    told = {f"{row['architecture']}/{part}_{row['metric']}": row[part] for row in rows for part in ("train", "test")}
    assert {name: figure.reported for name, figure in claims["A-two-tower-grid"].figures.items()} == told
    assert len(told) == 40


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
    ("reported", "ours", "low", "high", "tolerance", "word"),
    [
        (0.92, 0.9249, 0.92, 0.93, None, "yes"),  # to the last digit that was printed
        (0.92, 0.925, 0.925, 0.925, None, "yes"),  # the very edge, which binary fractions miss
        (0.92, 0.9251, 0.9251, 0.9251, None, "no"),
        (0.92, 0.93, 0.92, 0.94, None, "within a range"),
        (0.92, 0.93, 0.9249, 0.94, None, "within a range"),
        (0.92, 0.93, 0.9251, 0.94, None, "no"),
        (0.92, 0.93, 0.9251, 0.94, 0.006, "within a range"),
        (0.92, 0.90, 0.89, 0.914, 0.005, "no"),
        (0.92, math.nan, math.nan, math.nan, None, "not tried"),
    ],
)
def test_a_figure_is_reproduced_where_it_meets_ours_or_our_range(reported, ours, low, high, tolerance, word):
    assert compare(Figure(reported, 0.005), ours, low, high, tolerance) == word


@pytest.mark.parametrize("tolerance", [-0.1, math.nan])
def test_a_tolerance_that_is_none_is_refused(tolerance):
    with pytest.raises(InvalidClaims, match="cannot judge"):
        compare(Figure(1, 0), 1, 1, 1, tolerance)


def test_a_rule_may_say_how_a_figure_stands(few):
    close, far = judged(few, "A-one", "rmse", 0.9204), judged(few, "A-one", "rmse", 0.95, 0.94, 0.96)
    assert (close.reproduced, close.stands, close.low) == ("yes", "yes", 0.9204)
    assert (far.reproduced, far.stands) == ("no", "no")
    beaten = judged(few, "A-one", "rmse", 0.90, 0.89, 0.91, stands="yes if ours <= reported else no")
    assert (beaten.reproduced, beaten.stands) == ("no", "yes"), "a figure that ours beats still stands"
    elsewhere = judged(few, "A-one", "rmse", 0.90, reproduced="untried")
    assert (elsewhere.reproduced, elsewhere.stands, elsewhere.ours) == ("not tried", "open", 0.90)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reproduced": "with a condition"}, "'with a condition', is none of yes, within a range"),
        ({"stands": "not tried"}, "'not tried', is none of yes, with a condition"),
        ({"cause": "likely"}, "'likely', is none of shown, conjectured"),
        ({"reason": " "}, "give the reason"),
        ({"evidence": ""}, "must be run:label"),
        ({"evidence": "tbl-scores"}, "must be run:label"),
        ({"ours": 0.5}, "lies outside 0.9 to 1.1"),
    ],
)
def test_a_verdict_without_ground_is_refused(change, message):
    given = {
        **{"id": "A-one", "figure": "rmse", "ours": 1.0, "low": 0.9, "high": 1.1},
        **{"reproduced": "yes", "stands": "yes", "reason": "It does.", "evidence": "svd:tbl-scores"},
    }
    Verdict(**given)
    with pytest.raises(InvalidClaims, match=message):
        Verdict(**{**given, **change})


# -- collecting ----------------------------------------------------------------------------------------------------
def given(few):
    return [
        judged(few, "A-one", "rmse", 0.9204),
        judged(few, "A-one", "rank", 3),
        Verdict("A-one", STATEMENT, "yes", "no", "It is not so.", "svd:fig-sweep", ours=0.1),
        Verdict("A-two", "r 1/p", "not tried", "open", "No data."),
    ]


def test_the_table_has_the_published_columns_with_figures_quoted(few):
    table = verdict_table(few, given(few))
    assert tuple(table.columns) == COLUMNS
    assert table["figure"].tolist() == ["rmse", "rank", "statement", "r 1/p"]
    assert table["project"].tolist() == ["A"] * 4
    assert table["reported"].tolist()[:2] == [0.92, 3]
    assert math.isnan(table["reported"][2])
    assert table["reported"][3] == 0.5  # filled in for what was not tried


def test_one_verdict_a_claim(few):
    def sum_up(*verdicts):
        found = overall(verdict_table(few, verdicts))
        return dict(zip(found.index, zip(found["reproduced"], found["stands"], strict=True), strict=True))

    rmse, rank, statement, untried = given(few)
    assert sum_up(rmse, rank) == {"A-one": ("yes", "yes")}
    assert sum_up(rmse, replace(rank, stands="with a condition")) == {"A-one": ("yes", "with a condition")}
    assert sum_up(rmse, rank, statement) == {"A-one": ("yes", "no")}, "it stands as its statement does"
    failed = replace(rank, reproduced="no", stands="no")
    assert sum_up(rmse, failed) == {"A-one": ("no", "no")}
    assert sum_up(rmse, failed, replace(statement, stands="yes")) == {"A-one": ("within a range", "yes")}
    rest = replace(rank, reproduced="not tried", stands="open")
    assert sum_up(rmse, rest, untried) == {"A-one": ("yes", "yes"), "A-two": ("not tried", "open")}
    assert overall(verdict_table(few, given(few)))["project"].tolist() == ["A", "A"]


def test_words_are_counted_in_their_order():
    words = pd.Series(["open", "no", "yes", "with a condition", "yes"])
    assert told(words) == "2 *yes*, 1 *with a condition*, 1 *no*, 1 *open*"
    assert told(words[:0]) == ""
