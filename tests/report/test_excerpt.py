import pytest

from lib.report.display import TABLE_MIME
from lib.report.excerpt import cut_out

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10pt" height="10pt" viewBox="0 0 10 10"></svg>'


def code(source, *outputs):
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}} for data in outputs]
    cell = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "source": source,
        "outputs": outputs,
    }
    return {**cell, "id": f"c{len(source)}"}


@pytest.fixture
def notebook():
    table = {"columns": ["a"], "align": ["left"], "rows": [[{"text": "x", "href": "fig-far"}], ["y"]]}
    prose = "See @fig-own, @fig-far, [table](#tbl-far-off), @sec-baselines, [there](baselines.ipynb) and [out](https://a.org/)."
    return {
        "cells": [
            {"cell_type": "markdown", "id": "t", "metadata": {}, "source": f"# SVD\n\n{prose}"},
            code(
                "#| label: fig-own\n#| fig-cap: As @fig-far.\n#| fig-alt: Nothing.\ndraw('@fig-far')",
                {"image/svg+xml": SVG},
            ),
            code("#| label: tbl-own\n#| tbl-cap: A table.\nshow()", {TABLE_MIME: table}),
            code("say(x)", {"text/markdown": "As @sec-baselines says."}),
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def test_references_to_what_is_not_shown_become_words_and_code_stays(notebook):
    cut = cut_out(notebook, {"fig-own"}, {"svd": "SVD", "baselines": "Baselines"})
    prose, figure, table, said = cut["cells"]
    assert prose["source"].startswith("# SVD")
    assert "@fig-own" in prose["source"] and "[out](https://a.org/)" in prose["source"]
    assert "figure “far”" in prose["source"] and "table “far off”" in prose["source"]
    assert "page “Baselines”, there and" in prose["source"]
    assert "#| fig-cap: As the report's figure “far”." in figure["source"] and "draw('@fig-far')" in figure["source"]
    assert table["outputs"][0]["data"][TABLE_MIME]["rows"] == [[{"text": "x"}], ["y"]]
    assert said["outputs"][0]["data"]["text/markdown"] == "As the report's page “Baselines” says."
