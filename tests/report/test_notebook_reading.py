"""What is read from an executed notebook, and which faults stop the report."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from toy_notebooks import SVG, Notebook, run, shown

from lib.report import display, notebooks
from lib.report.content import _provenance
from lib.report.document import Code, Empty, Figure, Prose, Table, Text
from lib.report.errors import RenderingError
from lib.report.exporter import split_options


def read(tmp_path, notebook, name="first", **more):
    notebook.write(tmp_path / name, **more)
    return notebooks.read_page(run(name), tmp_path / name)


def document_of(tmp_path, name="first"):
    return notebooks.read_page(run(name), tmp_path / name)


def test_the_types_are_those_that_notebooks_emit():
    assert notebooks.TABLE_MIME == display.TABLE_MIME
    assert notebooks.POINTS_MIME == display.POINTS_MIME


def test_a_figure_keeps_its_places(tmp_path):
    page = read(tmp_path, Notebook().figure("fig-map", points=[[0.25, 0.5, "Alien (1979)"]]))
    assert page.blocks[-1].points == ((0.25, 0.5, "Alien (1979)"),)


def test_title_prose_code_and_outputs_in_order(tmp_path):
    notebook = (
        Notebook()
        .markdown("# SVD, `n_factors` and *taste*\n\nThe question.")
        .code("fit()", {"output_type": "stream", "name": "stdout", "text": "\x1b[32mdone\x1b[0m\n"})
        .figure("fig-sweep")
        .table("", ["film"], [["Se7en"]])
    )
    page = read(tmp_path, notebook)
    assert page.title == "SVD, n_factors and taste"
    assert [type(block) for block in page.blocks] == [Prose, Code, Text, Code, Figure, Code, Table]
    assert page.blocks[0].markdown.strip() == "The question."
    assert page.blocks[2].text == "done"
    assert page.blocks[3].source == "draw()"
    assert page.blocks[4].image == SVG.encode()


def test_a_labelled_figure_or_table_without_a_row_is_known_to_be_empty(tmp_path):
    notebook = (
        Notebook()
        .table("tbl-none", ["film"], [], caption="Films.")
        .figure("fig-none", caption="Curves.")
        .figure("fig-some")
        .figure("fig-bare")
        .table("", ["film"], [])
    )
    (tmp_path / "first" / "figures").mkdir(parents=True)
    (tmp_path / "first" / "figures" / "fig-none.csv").write_text("epoch,rmse\n", encoding="utf-8")
    (tmp_path / "first" / "figures" / "fig-some.csv").write_text("epoch,rmse\n1,0.9\n", encoding="utf-8")
    blocks = [block for block in read(tmp_path, notebook).blocks if not isinstance(block, Code)]
    assert [type(block) for block in blocks] == [Empty, Empty, Figure, Figure, Table]
    assert [(block.label, block.caption) for block in blocks[:2]] == [
        ("tbl-none", "Films."),
        ("fig-none", "Curves."),
    ]


def test_what_is_optional_may_show_nothing(tmp_path):
    blocks = read(tmp_path, Notebook().code("#| label: tbl-a\n#| optional: true\n#| tbl-cap: C.\nx")).blocks
    assert [type(block) for block in blocks] == [Code]


def test_tags_hide_a_cell_or_its_code(tmp_path):
    output = shown({"text/plain": "42"})
    notebook = (
        Notebook()
        .code("setup()", output, tags=["remove-cell"])
        .code("quiet()", output, tags=["remove-input"])
        .code("claim()", shown({"text/markdown": "A card."}))
    )
    page = read(tmp_path, notebook)
    assert [type(block) for block in page.blocks] == [Text, Code, Prose]


def test_injected_parameters_say_nothing_of_this_machine(tmp_path):
    code = '# Parameters\nrun = "svd"\nruns_dir = "/home/someone/runs"\nn_factors = [2, 5]\n'
    notebook = Notebook().code(code, tags=["injected-parameters"])
    assert [block.source for block in read(tmp_path, notebook).blocks] == ["# set for this run\nn_factors = [2, 5]"]
    only_places = Notebook().code('runs_dir = "/home/someone/runs"', tags=["injected-parameters"])
    assert read(tmp_path, only_places).blocks == []


def test_the_time_is_the_whole_notebooks_where_the_runner_took_it(tmp_path):
    page = read(tmp_path, Notebook(), seconds=3.0)
    assert page.provenance["seconds"] == 3.0
    (tmp_path / "first" / "cache.json").write_text('{"seconds": 17.5}')
    assert document_of(tmp_path).provenance["seconds"] == 17.5


@pytest.mark.parametrize(("seconds", "expected", "much"), [(13.0, 840, True), (500.0, 840, False), (13.0, None, False)])
def test_a_run_that_found_kept_fits_is_told_by_its_time(tmp_path, seconds, expected, much):
    Notebook().write(tmp_path / "first", seconds=seconds)
    page = notebooks.read_page(replace(run("first"), seconds=expected), tmp_path / "first")
    assert page.kept_much is much


def test_option_lines_may_hold_colons_and_quotes():
    settings, code = split_options('#| label: fig-a\n#| fig-alt: Two lines: one falls.\n#| fig-cap: "A: b" \n\ndraw()')
    assert settings == {"label": "fig-a", "fig-alt": "Two lines: one falls.", "fig-cap": "A: b"}
    assert code == "draw()"


def test_stderr_is_left_out_with_a_warning(tmp_path, caplog):
    notebook = Notebook().code("x", {"output_type": "stream", "name": "stderr", "text": "W tensorflow"})
    page = read(tmp_path, notebook)
    assert [type(block) for block in page.blocks] == [Code]
    assert "run first: left out what cell 1 wrote to stderr" in caplog.text


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        (Notebook().figure("fig-a", alt=None), "run first, cell 1: the figure fig-a has no #| fig-alt"),
        (Notebook().figure("fig-a", caption=None), "no #| fig-cap"),
        (Notebook().code("plot()", shown({"image/svg+xml": SVG})), "no #| label"),
        (
            Notebook().code(
                "#| label: fig-a\n#| fig-cap: C.\n#| fig-alt: A.",
                shown({"image/svg+xml": SVG.replace("<path", "<script>alert(1)</script><path")}),
            ),
            "the figure fig-a holds a script",
        ),
        (
            Notebook().code("#| label: fig-a\n#| fig-cap: C.\n#| fig-alt: A.", shown({"image/png": "iVBORw0K"})),
            "the figure fig-a is no SVG",
        ),
        (Notebook().table("tbl-a", ["x"], [["1"]], caption=""), "the table tbl-a has no caption"),
        (Notebook().figure("Fig A"), "the label 'Fig A' is malformed"),
        (Notebook().code("#| label: fig-a\nx"), "the cell labelled fig-a shows no figures"),
        (Notebook().table("fig-a", ["x"], [["1"]]), "the cell labelled fig-a shows no figures"),
        (Notebook().table("tbl-a", ["x", "y"], [["1"]]), "rows and columns differ"),
        (
            Notebook()
            .markdown("x")
            .code(
                "1/0",
                {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "division", "traceback": []},
            ),
            "run first, cell 2: the notebook failed here with ZeroDivisionError",
        ),
    ],
)
def test_faults_name_the_run_and_the_cell(tmp_path, notebook, message):
    with pytest.raises(RenderingError) as caught:
        read(tmp_path, notebook)
    assert message in str(caught.value)
    assert caught.value.run == "first" and caught.value.cell


def test_a_run_that_was_not_executed_names_the_command(tmp_path):
    with pytest.raises(RenderingError, match=r"run_notebooks\.py --only first"):
        notebooks.read_page(run("first"), tmp_path / "first")


def test_the_commit_of_the_run_that_ended_last_stands_last():
    records = [
        ("b", "2026-01-02T00:00:00+00:00"),
        ("c", "2026-01-01T00:00:00+00:00"),
        ("b", "2026-01-01T12:00:00+00:00"),
    ]
    records += [("a", "2026-01-03T00:00:00+00:00"), ("", "2026-01-04T00:00:00+00:00")]
    pages = [SimpleNamespace(provenance={"commit": commit, "finished": day}, id="x") for commit, day in records]
    assert _provenance(pages)["commits"] == ["c", "b", "a"]
