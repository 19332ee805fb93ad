import pytest

from lib.explorer.search import Search, film_search, folded, user_search


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
        ("!!", None),
    ],
)
def test_films_are_found_by_words_whatever_case_and_accents(explorer, query, titles):
    found = [explorer.titles[code] for code in film_search(explorer).find(query)]
    assert len(found) == 6 if titles is None else found == titles  # signs alone ask for nothing


def test_users_are_found_by_id_age_and_occupation(explorer):
    search = user_search(explorer)
    assert search.find("artist") == [0, 2] and search.find("artist 50") == [2] and search.find("bob") == [1]


def test_whole_words_come_before_beginnings_before_parts_and_then_the_heavier():
    search = Search(["restart", "starting", "star", "start", "stare"], [9, 1, 0, 5, 7])
    assert [search.texts[place] for place in search.find("star")] == [
        "star",
        "stare",
        "start",
        "starting",
        "restart",
    ]
    assert search.find("star", 2) == [2, 4]


def test_letters_are_folded():
    assert folded("Ça-va, STRASSE & Straße!") == ["ca", "va", "strasse", "strasse"]
