"""Inline expressions: found, answered, put into the prose, and what happens where they can't be or don't hold."""

from __future__ import annotations

import pytest

from lib.report import inline

SOURCE = "% holds: a.rmse < b.rmse\n## Ours\n\nOurs is {eval}`a.rmse`, theirs {eval}`b.rmse`; again {eval}`a.rmse`."


def answers(**values):
    return [
        {"expression": name, "result": {"status": "ok", "data": {"text/plain": value}}}
        for name, value in values.items()
    ]


KEPT = answers(**{"a.rmse < b.rmse": "True", "a.rmse": "0.91", "b.rmse": "'0.95 or so'"})


def test_conditions_and_values_are_asked_once_each():
    assert inline.expressions(SOURCE) == ["a.rmse < b.rmse", "a.rmse", "b.rmse"]
    assert inline.expressions("Plain words, a `code` and 5 % holds: nothing.") == []


def test_a_comment_counts_at_the_top_only():
    assert inline.conditions("% one\n% holds: x\n\nwords") == ["x"]
    assert inline.conditions("words\n% holds: x") == []
    assert inline.told("words\n% 5", [])[0] == "words\n% 5"


def test_values_stand_in_the_prose_and_comments_do_not():
    prose, broken = inline.told(SOURCE, KEPT)
    assert prose == "## Ours\n\nOurs is 0.91, theirs 0.95 or so; again 0.91."
    assert broken == []


def test_where_a_condition_is_false_the_words_give_way_and_the_heading_stays():
    prose, broken = inline.told(SOURCE, [*answers(**{"a.rmse < b.rmse": "False"}), *KEPT[1:]])
    assert broken == ["a.rmse < b.rmse"]
    assert prose.startswith("## Ours\n\n")
    assert inline.NOT_HERE in prose
    assert "- `a.rmse`: 0.91" in prose
    assert "theirs" not in prose


def test_an_error_and_a_missing_answer_are_told():
    bad = {"expression": "a.rmse", "result": {"status": "error", "ename": "NameError", "evalue": "no a"}}
    with pytest.raises(inline.Unanswered, match=r"a\.rmse: NameError: no a"):
        inline.told(SOURCE, [bad])
    with pytest.raises(inline.Unanswered, match=r"b\.rmse: was never evaluated"):
        inline.told(SOURCE, KEPT[:2])


def test_a_cell_for_other_runs_is_left_out_with_what_cannot_be_asked_of_this_one():
    source = f"% only: late\n{SOURCE}"
    error = {"status": "error", "ename": "AttributeError", "evalue": "no a"}
    here = {one["expression"]: one["result"] for one in [*answers(late="True"), *KEPT]}
    elsewhere = {**dict.fromkeys(here, error), **{"late": answers(late="False")[0]["result"]}}
    assert inline.expressions(source) == ["late", *inline.expressions(SOURCE)]
    assert inline.told(source, inline.answered(source, here)) == inline.told(SOURCE, KEPT)
    kept = inline.answered(source, elsewhere)
    assert inline.failed(kept) == ""
    assert inline.told(source, kept) == ("", [])
    assert "late" in inline.failed(inline.answered(source, dict.fromkeys(here, error)))


def test_a_condition_that_numpy_answers_counts():
    for value, broken in (("np.True_", []), ("np.False_", ["a.rmse < b.rmse"])):
        assert inline.told(SOURCE, [*answers(**{"a.rmse < b.rmse": value}), *KEPT[1:]])[1] == broken


def test_a_title_tells_values_and_gives_way_alone_where_its_condition_is_false():
    lines = {"fig-title": "Ours has {eval}`a.rmse`", "fig-alt": "Theirs {eval}`b.rmse`.", "holds": "a.rmse < b.rmse"}
    source = "".join(f"#| {key}: {value}\n" for key, value in lines.items()) + "draw('{eval}`c`')"
    assert inline.expressions(inline.words_of("code", source)) == ["a.rmse < b.rmse", "a.rmse", "b.rmse"]
    options, broken = inline.told_options(source, lines, KEPT)
    assert (options["fig-title"], options["fig-alt"], broken) == ("Ours has 0.91", "Theirs 0.95 or so.", [])
    kept = [*answers(**{"a.rmse < b.rmse": "False"}), *KEPT[1:]]
    options, broken = inline.told_options(source, lines, kept)
    assert options["fig-title"] == f"*{inline.NOT_HERE}.* `a.rmse` 0.91" and broken == ["a.rmse < b.rmse"]
    assert options["fig-alt"] == "Theirs 0.95 or so."
