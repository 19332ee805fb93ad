"""Every split of the library has words for running text."""

import pytest

from lib.data.split_names import NAMES, split_heading, split_name
from lib.data.splits import FOLDS, PROTOCOLS


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("per_user_80_20", "project A's split"),
        ("per_user_80_20/2", "project A's split, seed 2"),
        ("kfold_5/1", "fold 1 of five random folds"),
        ("chronological", "the split by time"),
        ("u1", "u1"),
        ("u1 to u5", "u1 to u5"),
        ("mine/3", "mine/3"),
    ],
)
def test_words_of_a_split(key, words):
    assert split_name(key) == words


def test_every_protocol_but_the_published_folds_has_words():
    assert set(NAMES) == {name for name in PROTOCOLS if name not in FOLDS} | {"kfold_5"}


@pytest.mark.parametrize(
    ("key", "heading"),
    [
        ("kfold_5/1", "Fold 1"),
        ("random_90_10/2", "A tenth held out, seed 2"),
        ("chronological", "By time"),
        ("u1", "u1"),
    ],
)
def test_headings_are_shorter(key, heading):
    assert split_heading(key) == heading
