"""The house: which room may import which, no loose file, no circle, and tests that mirror it."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from lib import ROOT

ROOMS = (
    "data",
    "metrics",
    "statistics",
    "models",
    "experiment",
    "studies",
    "claims",
    "report",
    "workbench",
    "runner",
)
"""From the ground up: a room imports itself and the rooms before it."""


@cache
def modules() -> dict[str, set[str]]:
    """Return what each module of lib imports of it, wherever in the file the import stands."""
    paths = {}
    for path in sorted((ROOT / "lib").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        paths[name.removesuffix(".__init__")] = path
    found = {}
    for name, path in paths.items():
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: import from lib.… by its whole name"
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                imported |= {each if each in paths else node.module for each in inner}
        found[name] = {each for each in imported if each in paths and each != name}
    return found


def test_no_file_lies_loose():
    assert [path.name for path in (ROOT / "lib").glob("*.py")] == ["__init__.py"]
    assert {name.split(".")[1] for name in modules() if "." in name} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_lives_in_it(room):
    tree = ast.parse((ROOT / "lib" / room / "__init__.py").read_text(encoding="utf-8"))
    assert len(ast.get_docstring(tree) or "") > 60


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_downwards(room):
    above = set(ROOMS[ROOMS.index(room) + 1 :])
    wrong = [
        f"{name} imports {other}"
        for name, others in modules().items()
        if name.split(".")[1:2] == [room]
        for other in others
        if other.split(".")[1:2] and other.split(".")[1] in above
    ]
    assert not wrong


def test_no_module_imports_itself_through_others():
    try:
        list(TopologicalSorter(modules()).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_tests_lie_in_the_rooms_too():
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert set(ROOMS) | {"notebooks", "end_to_end", "faults"} == folders
    assert {path.name for path in (ROOT / "tests").glob("test_*.py")} == {"test_house.py", "test_doctests.py"}
