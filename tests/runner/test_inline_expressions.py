"""Inline expressions are answered by the kernel where they stand, and an error in one names it."""

from __future__ import annotations

import json

import pytest

from lib import ROOT
from lib.report import inline
from lib.runner.execute import Request, execute_run, kernel_environment
from lib.runner.notebook import read_notebook
from lib.runner.render import merge

TEXT = "% holds: x < 2\nAt first {eval}`x`."


def code(name, source):
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def notebook(path, text=TEXT):
    prose = {"cell_type": "markdown", "id": "words", "metadata": {}, "source": text}
    again = {**prose, "id": "again", "source": "Then {eval}`x`."}
    content = {
        "cells": [code("one", "x = 1"), prose, code("two", "#| fig-title: Now {eval}`x`\nx = 2"), again],
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    source = notebook(folder / "source.ipynb")
    failure = execute_run(Request("toy", source, folder, ROOT, environment=kernel_environment(folder, {})))
    assert failure is None
    return json.loads((folder / "notebook.ipynb").read_text())


def test_a_text_sees_the_values_of_the_cell_before(executed):
    told = [inline.told("".join(c["source"]), c["metadata"][inline.KEY]) for c in executed["cells"][1::2]]
    assert told == [("At first 1.", []), ("Then 2.", [])]


def test_option_lines_see_the_values_of_their_own_cell(executed):
    cell = executed["cells"][2]
    assert inline.told_options(
        "".join(cell["source"]), {"fig-title": "Now {eval}`x`"}, cell["metadata"][inline.KEY]
    ) == (
        {"fig-title": "Now 2"},
        [],
    )


def test_reworded_prose_keeps_its_values_and_a_new_expression_does_not(executed, tmp_path):
    source = json.loads(notebook(tmp_path / "a.ipynb", TEXT.replace("At first", "Before")).read_text())
    merged = merge(source, executed)
    assert inline.told(merged["cells"][1]["source"], merged["cells"][1]["metadata"][inline.KEY])[0] == "Before 1."
    assert merged["cells"][2]["metadata"][inline.KEY] == executed["cells"][2]["metadata"][inline.KEY]
    source["cells"][2]["source"] = source["cells"][2]["source"].replace("{eval}`x`", "{eval}`-x`")
    assert merge(source, executed) is None
    assert merge(json.loads(notebook(tmp_path / "b.ipynb", "{eval}`x + 1`").read_text()), executed) is None


def test_expressions_count_among_the_code(tmp_path):
    cells = read_notebook(notebook(tmp_path / "a.ipynb")).counted
    assert [cell.source for cell in cells] == ["x = 1", "x < 2\nx", "#| fig-title: Now {eval}`x`\nx = 2\nx", "x"]


def test_an_expression_that_fails_ends_the_run(tmp_path):
    source = notebook(tmp_path / "source.ipynb", "{eval}`y.rmse`")
    failure = execute_run(Request("toy", source, tmp_path, ROOT, environment=kernel_environment(tmp_path, {})))
    assert failure is not None
    assert failure.message == "in the text of cell 2, y.rmse: NameError: name 'y' is not defined"
