import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.report.build import build
from lib.report.display import EXPLORER_MIME
from lib.workbench.explorer.page import payload, rateable, show

sys.path.insert(0, str(Path(__file__).parents[2] / "report"))
from toy_notebooks import Notebook, make_plan, run
from toy_notebooks import shown as shown_output


@pytest.fixture
def data(explorer):
    why = pd.DataFrame([[3.5, 0.254, -0.1]], pd.MultiIndex.from_tuples([(0, 2)]), ["base", "user/id", "item/genres"])
    return payload(explorer, {"S": np.array([[2, 4], [3, -1]])}, [0], [0, 1], shown=["b"], why=why)


@pytest.fixture
def five(explorer):
    parts = {"settings": {"way": "sum", "least": None}, "pairs": np.array([[0, 0.5], [1, 0]])}
    return rateable(explorer, [0, 2], {"b": parts}, {1: 4})


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
    near, genres, added = ann["why"][titles.index("Godfather, The (1972)")]
    assert [[titles[film], liked] for film, liked in near] == [["<script>alert(1)</script> (1990)", 1]]
    assert genres == ["Crime"] and set(ann["why"]) == {film for films in ann["lists"] for film in films}
    assert added == [3.5, 0.25, -0.1] and data["inputs"] == ["user/id", "item/genres"]
    assert ann["why"][titles.index("映画")][2] == [], "no account of a film that the two-tower does not list"
    assert ann["predicted"] == [[3.0, 4.0], [], [4.0, 2.0]] and ann["rmse"] == [1.58, None, 0.0]
    assert (ann["n_train"], ann["n_test"], ann["n_liked"]) == (2, 2, 1)
    first, second = data["near"]
    assert [titles[film] for film in first["near"][0]] == ["Godfather, The (1972)", 'Plain & "Simple" (1999)']
    assert [titles[film] for film in second["near"][0]] == ["映画"]


def test_no_single_rating_and_no_id_leaves_with_the_page(data, explorer):
    """What is passed on tells who liked what of whom nobody can look up, and no stars."""
    (ann,) = data["users"]
    assert ann["name"] == "user A, woman, <b>artist" and "ann" not in ann["name"]
    assert [liked for _, liked in ann["held"]] == [1, 0]
    assert set(ann["marks"].values()) <= set(data["marks"]) and "mean" not in ann
    assert all(isinstance(film, int) for film in ann["best"])


def test_what_can_be_rated_comes_with_parts_of_models_and_made_up_stars(five):
    assert five["rateable"] == ["<script>alert(1)</script> (1990)", "Godfather, The (1972)"]
    assert five["values"] == [1, 2, 4, 5] and five["example"] == [[1, 4.0]] and five["length"] == 3
    (one,) = five["folded"]
    assert one["model"] == "b" and one["way"] == "sum" and one["pairs"]["size"] == 4


def test_it_is_plain_json_and_published_under_the_reports_type(data, five, shown):
    for place, one in enumerate((data, five)):
        json.dumps(one, allow_nan=False)
        show(one)
        assert shown[place][0][EXPLORER_MIME] is one


def test_the_report_holds_it_as_data_that_no_title_can_leave(data, five, tmp_path):
    notebook = Notebook().markdown("# Page\n\nWords.")
    for one in (data, five):
        bundle = {EXPLORER_MIME: json.loads(json.dumps(one)), "text/plain": "[explorer]"}
        notebook.code("show()", shown_output(bundle))
    notebook.write(tmp_path / "runs" / "page")
    build(make_plan(tmp_path, run("page")), tmp_path / "runs", tmp_path / "reports", pdf=False)
    page = (tmp_path / "reports" / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "[explorer]" not in page
    found = re.findall(r'<script type="application/json" class="explorer-data">(.*?)</script>', page, re.S)
    assert json.loads(found[0])["films"] == data["films"] and json.loads(found[1])["folded"] == five["folded"]
    # What is there where scripts are off: the lists with their marks, and the films that could be rated.
    static = re.findall(r'<div class="without">(.*?)</div>\s*<script type="application/json"', page, re.S)
    texts = [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", one)) for one in static]
    assert all("scripts" in text for text in texts)
    assert "Godfather, The (1972) held-out hit" in texts[0] and "&lt;b&gt;artist" in static[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (1990) ; Godfather, The (1972) ." in texts[1]
    for name in ("explorer", "fold_in"):
        assert f'src="assets/{name}.js"' in page
        script = (tmp_path / "reports" / "assets" / f"{name}.js").read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|https?:|fetch|XMLHttp", script)
