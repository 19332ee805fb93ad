"""``data/coverage.csv``: every page, figure, table and section that it names is there, and what is missing is said."""

import csv
import re

import pytest

from lib import ROOT
from lib.runner.plan import load_plan
from lib.runner.reproduce import labels_of

with open(ROOT / "data" / "coverage.csv", newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
PLAN = load_plan()


def headings(run):
    """The headings of a run's notebook."""
    texts = (cell.source for cell in PLAN.notebook(PLAN.run(run)).cells if cell.type == "markdown")
    return {one for text in texts for one in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_it_has_items_of_all_five_documents_in_their_order():
    assert list(ROWS[0]) == ["project", "section", "item", "state", "run", "where", "note"]
    projects = [row["project"] for row in ROWS]
    assert projects == sorted(projects) and set(projects) == set("ABCDE")
    assert len({(row["project"], row["section"], row["item"]) for row in ROWS}) == len(ROWS) > 140
    assert all(row["section"] and row["item"] for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['project']}: {row['item'][:40]}")
def test_a_row_names_what_there_is(row):
    assert row["state"] in ("there", "partly", "not", "does not apply")
    assert bool(row["where"]) == bool(row["run"])
    if row["state"] == "there":
        assert row["run"], "where is it?"
    if row["state"] in ("partly", "not"):
        assert row["note"], "what is missing?"
    if row["run"] and not re.match("(fig|tbl)-", row["where"]):
        assert row["where"] in headings(row["run"])
    elif row["run"]:
        assert set(row["where"].split()) <= set(labels_of(PLAN, PLAN.run(row["run"])))
        assert len(row["where"].split()) <= 2, "the page has room for two"
        assert row["run"] in PLAN.run("coverage").wants
