"""How notebooks are stored: without outputs, with one parameters cell, their figures and tables labelled."""

import ast
import re

import nbformat
import pytest

from lib import ROOT
from lib.runner.kept import NOTE
from lib.runner.notebook import read_notebook
from lib.runner.parameters import RESERVED, declared

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LABEL = re.compile(r"(fig|tbl)-[a-z0-9]+([-_][a-z0-9]+)*")


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def options(source):
    """The ``#| key: value`` lines at a cell's top."""
    found = {}
    for line in source.splitlines():
        if not line.startswith("#|"):
            break
        key, colon, value = line[2:].strip().partition(":")
        if colon and re.fullmatch(r"[a-z-]+", key):
            found[key] = value.strip()
    return found


def shown_names(source):
    """The names that ``results.figure(..., "fig-...")`` and ``results.table(..., "tbl-...")`` give."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    calls = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in ("figure", "table")]
    texts = [a.value for call in calls for a in call.args[1:2] if isinstance(a, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and text.startswith(("fig-", "tbl-"))]


def labelled(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(cell, found) for cell in code if "label" in (found := options(cell.source))]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_the_format_is_valid_with_unique_ids(notebook):
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


def test_nothing_of_an_execution_is_stored(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
        assert "execution" not in cell.metadata and "papermill" not in cell.metadata
    assert "papermill" not in notebook.metadata


def test_the_kernel_is_any_python_3(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_it_opens_with_a_title_and_its_question(path, notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    if path.stem not in ("summary", "own_ratings"):  # a front page goes straight to the answer
        assert len(first.source.partition("\n\n")[2]) > 40
    titles = [cell for cell in notebook.cells if cell.cell_type == "markdown" and re.match(r"# ", cell.source)]
    assert len(titles) == 1


def test_one_parameters_cell_writes_its_values_down(path):
    notebook = read_notebook(path)
    found = declared(notebook)
    assert set(RESERVED) <= set(found)
    assert found["runs_dir"].default == ""
    assert all(parameter.hint for parameter in found.values())
    lines = notebook.parameters_cell.source.splitlines()
    undescribed = [line for line in lines if re.match(r"\w+\s*:", line) and "#" not in line and not line.endswith(("{", "[", "("))]  # fmt: skip
    assert undescribed == []


def test_every_cell_is_plain_python(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source, filename=cell.id)


def test_no_class_and_no_algorithm(notebook):
    for cell in notebook.cells:
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            assert not isinstance(node, ast.ClassDef)
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 15, f"{node.name} belongs into lib"


def test_labels_are_unique_well_formed_and_described(notebook):
    names = [found["label"] for _, found in labelled(notebook)]
    assert len(names) == len(set(names))
    for _, found in labelled(notebook):
        assert LABEL.fullmatch(found["label"])
        needed = ("fig-cap", "fig-alt") if found["label"].startswith("fig-") else ("tbl-cap",)
        for key in needed:
            assert len(found.get(key, "")) > 15, f"{found['label']} has no {key}"


def test_a_label_is_the_name_under_which_the_cell_keeps_its_figure_or_table(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            label = options(cell.source).get("label")
            assert shown_names(cell.source) == ([label] if label else [])


def test_labels_are_unique_over_all_notebooks():
    names = []
    for path in NOTEBOOKS:
        names += [found["label"] for _, found in labelled(nbformat.read(path, as_version=4))]
    assert sorted(names) == sorted(set(names))


def test_captions_name_no_measured_figure(notebook):
    for _, found in labelled(notebook):
        for key in ("fig-title", "fig-cap", "fig-alt", "tbl-cap"):
            assert not re.search(r"\b[0-9]\.[0-9]{3,}\b", found.get(key, "")), found["label"]


def test_no_cell_is_called_as_the_note_on_a_kept_page():
    taken = [
        path.name
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for cell in read_notebook(path).cells
        if cell.id == NOTE
    ]
    assert taken == []


def test_prose_refers_by_links_whose_words_jupyterlab_shows(notebook):
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert [found for text in prose for found in re.findall(r"(?<![\w`/])@(?:fig|tbl|sec)-[\w-]+", text)] == []
