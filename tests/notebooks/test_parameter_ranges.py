"""Each number that a reader may set says between what, so that a wrong one is refused before anything runs."""

import pytest

from lib import ROOT
from lib.runner.notebook import read_notebook
from lib.runner.parameters import declared

ANY = {"threshold", "user"}
"""A rating on a scale that the data set has, and a raw id."""

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def is_numeric(value):
    if isinstance(value, list):
        return bool(value) and all(map(is_numeric, value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_numbers_have_ranges_that_hold_their_defaults(path):
    parameters = declared(read_notebook(path)).values()
    numbers = [one for one in parameters if one.name not in ANY and is_numeric(one.default)]
    assert [one.name for one in numbers if not one.range] == []
    for one in numbers:
        one.taken(one.default, "its notebook")
