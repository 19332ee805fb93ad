import numpy as np
import pytest

from lib.workbench.explorer.films import FilmSpace
from lib.workbench.explorer.widgets import TABS, Workbench


@pytest.fixture
def bench(explorer):
    vectors = np.array([[1.0, 0], [0, 1], [1, 0.1], [1, 0.5], [1, 0.2], [0, 1]])
    space = FilmSpace("The <space>", vectors, np.ones(6, bool))
    return Workbench(explorer, [space], shown=["a", "b"], n_near=2)


def answers(bench):
    return {name: bench.answers[name].value for name in TABS}


def test_typing_narrows_the_choice_and_the_tabs_follow(bench):
    assert [value for _, value in bench.users.options] == [0, 1, 2] and bench.users.value == 0
    bench.user_text.value = "writer"
    assert bench.users.options == (("user bob, age 40, man, writer", 1),) and bench.users.value == 1
    assert "user bob" in answers(bench)["The user"]
    bench.user_text.value = ""
    assert bench.users.value == 1  # the choice stays while it is found
    bench.user_text.value = "nobody at all"
    assert bench.users.value is None and answers(bench)["Lists"] == "<p>No user is chosen.</p>"
    bench.user_text.value = "ann"
    assert bench.users.value == 0 and "Last (2000)" in answers(bench)["Lists"]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("amelie", ["Amélie (2001)"]),
        ("AMÉ", ["Amélie (2001)"]),
        ("the godfather", ["Godfather, The (1972)"]),
        ("god 1972", ["Godfather, The (1972)"]),
        ("映", ["映画"]),
        ("script", ["<script>alert(1)</script> (1990)"]),
        ("godfather 2001", []),
    ],
)
def test_films_are_found_by_words_whatever_case_and_accents(bench, query, titles):
    bench.film_text.value = query
    assert [title for title, _ in bench.films.options] == titles


def test_of_what_is_found_films_with_more_ratings_come_first(bench, explorer):
    counts = [explorer.train.item_counts[item] for _, item in bench.films.options]
    assert len(counts) == 6 and counts == sorted(counts, reverse=True)
    bench.user_text.value = "artist 50"
    assert bench.users.value == 2


def test_lists_are_side_by_side_with_marks_in_words(bench):
    found = answers(bench)["Lists"]
    assert "[held-out hit: 4]" in found and "[held out, not liked: 2]" in found
    assert "Model &lt;A&gt;" in found
    assert "Held-out ratings and predictions" in found and "<td>3.00</td>" in found  # a's of a film rated 4
    bench.models.value = ("b",)
    assert "held out, not liked" not in answers(bench)["Lists"]  # film 4 is in a's list only
    bench.models.value = ()
    assert "Choose one" in answers(bench)["Lists"]


def test_why_names_near_films_genres_and_models(bench):
    bench.film_text.value = "godfather"
    found = answers(bench)["Why"]
    assert "Genres shared with the user&#x27;s favourites: Crime." in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (1990)" in found and ">5<" in found
    assert "In the list of Model &lt;A&gt;, b." in found
    bench.film_text.value = "amelie"
    assert "[seen: 2]" in answers(bench)["Why"] and "In no model" in answers(bench)["Why"]


def test_near_films_are_marked_for_the_user(bench):
    bench.film_text.value = "script"
    found = answers(bench)["Near films"]
    assert found.index("Godfather") < found.index("Plain")
    assert "The &lt;space&gt;" in found and "[held-out hit: 4]" in found


def test_no_title_is_read_as_markup(bench):
    for text in ("script", "plain", "godfather"):
        bench.film_text.value = text
        assert not [
            name for name, shown in answers(bench).items() if "<script" in shown or "<b>artist" in shown
        ]
    assert any("&lt;script&gt;" in shown for shown in answers(bench).values())


def test_an_empty_list_is_said(bench):
    bench.users.value = 2
    assert "None of these models made a list" in answers(bench)["Lists"]
