"""What a reader is told first: whom to take among those that can't be told apart, in words for the page and the terminal."""

import json

import pandas as pd
import pytest

from lib.models.card import FAMILIES
from lib.statistics.indistinguishable import Standing
from lib.workbench.own_ratings.advice import about, advise, plain, said

MEANS, LATENT = FAMILIES[0], "latent factors"
NAMES = ("deep", "quick", "other", "mean", "bad")
LABELS = {name: name.capitalize() for name in NAMES}
KINDS = dict.fromkeys(NAMES, LATENT) | {"mean": MEANS, "bad": MEANS}


def standing(n_same):
    """Five models, best first, of which so many can't be told from the best one."""
    table = pd.DataFrame({"model": NAMES, "value": [0.8, 0.81, 0.82, 0.83, 1.2]})
    pairs = pd.DataFrame({"model_a": "deep", "model_b": NAMES[1:], "differs": [n > n_same for n in range(1, 5)]})
    return Standing(table, pairs, [], 0.05)


def told(n_same, seconds=(), **options):
    cost = dict.fromkeys(NAMES, 0.1) | dict(seconds)
    found = advise(standing(n_same), cost, LABELS, KINDS, **options)
    return found.label, found.beside


def test_the_best_is_taken_unless_something_as_good_costs_less():
    assert told(0) == ("Deep", "ahead of every other model")
    assert told(0, {"deep": 600.0}) == ("Deep", "ahead of every other model")
    assert told(2) == ("Deep", "as good as Quick and Other at no more than about their cost")
    slow = "as good as Deep (0.800), which costs more: 10 min 00 s to fit instead of 1.0 s"
    assert told(2, {"deep": 600.0}) == ("Quick", slow)
    assert told(2, {"deep": 600.0, "quick": 90.0})[0] == "Other"
    # Below a second or so nothing costs more than another: times of one fit are no finding.
    assert told(2, {"deep": 0.9, "quick": 0.001})[0] == "Deep"


def test_it_is_told_where_no_taste_is_needed():
    assert told(3)[1].endswith("; Mean can't be told from it either, and knows no taste")
    assert told(3, {"deep": 50.0, "quick": 50.0, "other": 50.0}) == (
        "Mean",
        "as good as Deep (0.800), which costs more: 50.0 s to fit instead of 1.0 s",
    )
    assert told(3, simplest=True) == ("Mean", "as good, as far as can be told, as Deep (0.800)")
    assert told(2, simplest=True)[0] == "Deep", "a mean that is measurably worse is not taken"
    assert "Quick, Other, Mean and 1 more" in told(4)[1]


def test_a_reader_s_own_words_mean_nothing_to_markdown():
    assert plain("a_b*c.csv") == r"a\_b\*c\.csv" and plain("оценки 2") == "оценки 2"
    assert "@fig-x" not in plain("@fig-x") and "<" not in plain("<b>").replace(r"\<", "")


def test_what_was_read_is_told_in_short(ml_100k):
    found = about(ml_100k)
    assert (found.size, found.dates) == ("100,000 ratings", "1997-09-20 to 1998-04-22")


@pytest.mark.parametrize("holds", [True, False])
def test_the_terminal_says_what_the_page_says(tmp_path, holds):
    def result(text):
        return {"status": "ok", "data": {"text/plain": text}}

    source = ["% only: there\n", "For **lists** take {eval}`label`."]
    answers = [
        {"expression": "there", "result": result(str(holds))},
        {"expression": "label", "result": result(repr(r"a\_b"))},
    ]
    tagged = {"cell_type": "markdown", "metadata": {"tags": ["advice"], "user_expressions": answers}, "source": source}
    other = {"cell_type": "markdown", "metadata": {}, "source": ["# Your ratings"]}
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notebook.ipynb").write_text(json.dumps({"cells": [other, tagged]}))
    assert said(tmp_path) == (["advice For lists take a_b."] if holds else [])
    assert said(tmp_path / "own") == []
