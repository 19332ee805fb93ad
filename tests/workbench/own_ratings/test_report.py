"""A file of another shape from its ratings to a page, through the real runner: nasty titles are shown, not run."""

import json
import os
import re
import subprocess
import sys

import pytest

from lib import ROOT
from tests.workbench.own_ratings.shapes import books


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    ratings, items, users = books(folder)
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_notebooks.py"), "--dataset", str(ratings), "--items", str(items), "--users", str(users),
         "--scale", "0,100", "--profile", "quick", "-p", "models", "item_mean,bias,most_popular,side_information_als_features_implicit",
         "-p", "by_time", "False", "--output-dir", str(folder / "report")],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "report" / "told.txt").write_text(done.stdout, encoding="utf-8")
    return folder / "report"


def test_titles_are_escaped_and_shown(built):
    page = (built / "index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(" in page and "<script>alert(" not in page
    assert "&lt;img src=x" in page and "<img src=x" not in page
    assert "千と千尋の神隠し" in page and "Преступление и наказание" in page
    assert 'href="javascript:' not in page and "{{ 7*7 }}" in page
    for path in built.rglob("*.html"):
        assert "<script>alert(" not in path.read_text(encoding="utf-8")


def test_the_page_says_how_the_file_was_read_and_what_did_not_run(built):
    page = re.sub(r"<[^>]+>", " ", (built / "index.html").read_text(encoding="utf-8"))
    for text in (
        "books.tsv",
        "Reader ID",
        "looks odd",
        "0 to 100 (given)",
        "publisher",
        "not among those asked for",
    ):
        assert text in page
    assert (built / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_titles_keep_to_their_direction_and_the_first_words_are_the_terminal_s(built):
    page = (built / "index.html").read_text(encoding="utf-8")
    assert "<bdi>الف ليلة وليلة" in page and "\u2068" not in page
    told = [
        line for line in (built / "told.txt").read_text(encoding="utf-8").splitlines() if line.startswith("advice ")
    ]
    assert [line.split()[2] for line in told[:3]] == ["ratings", "lists", "what"] and "books.tsv" in told[-1]
    first = re.sub(r"<[^>]+>", "", page.partition('<div class="prose">')[2].partition("</div>")[0])
    assert " ".join(first.split()).replace("’", "'") == told[0].removeprefix("advice ")
    assert 'id="tbl-own-by-time"' not in page and "Nothing to show" not in page


def test_errors_are_in_the_file_s_units(built):
    metrics = json.loads((built / "runs" / "own_ratings" / "metrics.json").read_text())
    rmse = {m["model"]: m["value"] for m in metrics if m["metric"] == "rmse" and m["split"] == "per_user_80_20"}
    assert set(rmse) == {"item_mean", "bias", "side_information_als_features_implicit"}
    assert all(5 < value < 50 for value in rmse.values())  # on 1 to 5 they would be near 1
