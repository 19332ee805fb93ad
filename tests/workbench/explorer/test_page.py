import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lib.report.build import build
from lib.report.display import EXPLORER_MIME
from lib.workbench.explorer.films import FilmSpace
from lib.workbench.explorer.page import payload, reason_table, show

sys.path.insert(0, str(Path(__file__).parents[2] / "report"))
from toy_notebooks import Notebook, make_plan, run
from toy_notebooks import shown as shown_output


@pytest.fixture
def data(explorer):
    vectors = np.array([[1.0, 0], [0, 1], [1, 0.1], [1, 0.5], [1, 0.2], [0, 1]])
    space = FilmSpace("S", vectors, np.ones(6, bool))
    return payload(explorer, [space], [0], [0, 1], shown=["b"], n_near=2)


def test_the_data_say_what_the_explorer_says(data):
    (ann,) = data["users"]
    titles = data["films"]
    assert data["models"] == ["Model <A>", "b", "c"] and data["shown"] == [1]
    assert [[titles[film] for film in films] for films in ann["lists"]] == [
        ["Godfather, The (1972)", "映画", 'Plain & "Simple" (1999)'],
        ['Plain & "Simple" (1999)', "Godfather, The (1972)", "Last (2000)"],
        [],
    ]
    assert {titles[film]: mark for film, mark in ann["marks"].items()} == {"Godfather, The (1972)": "hit", "映画": "low"}  # fmt: skip
    near, genres = ann["why"][titles.index("Godfather, The (1972)")]
    assert [[titles[film], words] for film, words in near] == [["<script>alert(1)</script> (1990)", "liked"]]
    assert genres == ["Crime"] and set(ann["why"]) == {film for films in ann["lists"] for film in films}
    assert ann["predicted"] == [[3.0, 4.0], [], [4.0, 2.0]] and ann["rmse"] == [1.58, None, 0.0]
    assert (ann["n_train"], ann["n_test"]) == (2, 2)
    first = data["near"][0]
    assert [titles[film] for film in first["near"][0]] == ["Godfather, The (1972)", 'Plain & "Simple" (1999)']


def test_no_single_rating_and_no_id_leaves_with_the_page(data, explorer):
    """What is passed on tells who liked what of whom nobody can look up, and no stars."""
    (ann,) = data["users"]
    assert ann["name"] == "user A, woman, <b>artist" and "ann" not in ann["name"]
    assert [words for _, words in ann["held"]] == ["liked", "not liked"]
    assert set(ann["marks"].values()) <= set(data["marks"]) and "mean" not in ann
    assert all(isinstance(film, int) for film in ann["best"])


def test_what_speaks_for_a_film_is_told_without_stars(explorer):
    table = reason_table(explorer, 0, 2).set_index("film")
    assert table.index.tolist() == ["Godfather, The (1972) [held-out hit]", 'Plain & "Simple" (1999)']
    assert table["models"].tolist() == [2, 2]
    first = table.iloc[0]
    assert first["nearest"] == "<script>alert(1)</script> (1990) (liked)"
    assert first["shared_favourite_genres"] == "Crime"


def test_it_is_plain_json_and_published_under_the_reports_type(data, shown):
    json.dumps(data, allow_nan=False)
    show(data)
    assert shown[0][0][EXPLORER_MIME] is data


def test_the_report_holds_it_as_data_that_no_title_can_leave(data, tmp_path):
    bundle = {EXPLORER_MIME: json.loads(json.dumps(data)), "text/plain": "[explorer]"}
    Notebook().markdown("# Page\n\nWords.").code("show()", shown_output(bundle)).write(tmp_path / "runs" / "page")
    build(make_plan(tmp_path, run("page")), tmp_path / "runs", tmp_path / "reports", pdf=False)
    page = (tmp_path / "reports" / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "[explorer]" not in page
    (found,) = re.findall(r'<script type="application/json" class="explorer-data">(.*?)</script>', page, re.S)
    assert json.loads(found)["films"] == data["films"]
    assert 'src="assets/explorer.js"' in page and "need scripts" in page
    script = (tmp_path / "reports" / "assets" / "explorer.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|https?:", script)
