"""Numbers of figures and tables, and cross-references."""

import pytest
from toy_notebooks import Notebook, make_plan, run

from lib.report.errors import RenderingError
from lib.report.notebooks import read_pages
from lib.report.numbering import Numbering


def numbered(tmp_path, **notebooks):
    for name, notebook in notebooks.items():
        notebook.write(tmp_path / name)
    plan = make_plan(tmp_path, *(run(n, "front" if n == "front" else "Models") for n in notebooks))
    pages = read_pages(plan, tmp_path)
    return pages, Numbering(pages)


def test_figures_and_tables_count_apart_through_the_report_front_page_first(tmp_path):
    pages, numbering = numbered(
        tmp_path,
        one=Notebook().figure("fig-b").table("tbl-b", ["x"], []).figure("fig-c"),
        front=Notebook().figure("fig-a").table("", ["x"], []),
    )
    texts = {target.label: target.text.replace("\u00a0", " ") for target in numbering}
    assert [page.id for page in pages] == ["front", "one"]
    assert texts == {
        "sec-front": "Front",
        "fig-a": "Figure 1",
        "sec-one": "One",
        "fig-b": "Figure 2",
        "tbl-b": "Table 1",
        "fig-c": "Figure 3",
    }
    assert numbering.target("fig-a").href(pages[1]) == "index.html#fig-a"
    assert numbering.target("fig-b").href(pages[1]) == "#fig-b"
    assert numbering.target("sec-one").href(pages[0]) == "one.html"


def test_references_are_cut_out_of_text_and_punctuation_and_addresses_are_left(tmp_path):
    _, numbering = numbered(tmp_path, one=Notebook().figure("fig-svd-sweep").figure("fig-a_b"))
    parts = numbering.split("(see @fig-svd-sweep, @fig-a_b.) a@fig-x.org")
    assert [getattr(part, "label", part) for part in parts] == [
        "(see ",
        "fig-svd-sweep",
        ", ",
        "fig-a_b",
        ".) a@fig-x.org",
    ]


def test_an_unknown_reference_names_itself_its_place_and_the_near_miss(tmp_path):
    _, numbering = numbered(tmp_path, one=Notebook().figure("fig-svd-sweep"))
    with pytest.raises(RenderingError) as caught:
        numbering.split("see @fig-svd-swep", run="one", cell=7)
    message = str(caught.value)
    assert "run one, cell 7" in message and "@fig-svd-swep" in message and "Did you mean fig-svd-sweep?" in message


def test_a_label_stands_once_in_the_whole_report(tmp_path):
    with pytest.raises(RenderingError, match="run two, cell 1: the label fig-a is taken already, in run one"):
        numbered(tmp_path, one=Notebook().figure("fig-a"), two=Notebook().figure("fig-a"))


def test_one_front_page_at_most(tmp_path):
    plan = make_plan(tmp_path, run("a", "front"), run("b", "front"))
    with pytest.raises(RenderingError, match="2 runs with part = 'front'"):
        read_pages(plan, tmp_path)


def test_runs_of_one_notebook_keep_their_labels_apart(tmp_path):
    for name in ("small", "large"):
        Notebook().figure("fig-a").write(tmp_path / name)
    Notebook().figure("fig-b").write(tmp_path / "other")
    runs = [run(n, "Models") for n in ("small", "large", "other")]
    runs = [type(r)(**{**vars(r), "notebook": "shared.ipynb"}) if r.id != "other" else r for r in runs]
    pages = read_pages(make_plan(tmp_path, *runs), tmp_path)
    numbering = Numbering(pages)
    assert [page.title for page in pages] == [r.title for r in runs]
    own = numbering.target("fig-a", run="large")
    assert (own.page.id, own.href(pages[1])) == ("large", "#fig-a-large")
    assert numbering.split("@fig-a-small", run="other")[0].page.id == "small"
    assert numbering.target("fig-b", run="large").page.id == "other"
    assert numbering.target("fig-a", run="other").page.id == "small"  # the first in the plan
    with pytest.raises(RenderingError, match="points nowhere"):
        numbering.target("fig-c", run="other")
