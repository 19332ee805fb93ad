"""The examples in docstrings do what they show."""

import doctest
from importlib import import_module

import pytest

from lib import ROOT

WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "lib").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def test_there_are_examples():
    assert WITH_EXAMPLES


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_of(module):
    done = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.attempted and not done.failed
