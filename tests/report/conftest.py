"""A small report of three runs that refer to each other."""

import json

import pytest
from toy_notebooks import CLAIM, METRIC, Notebook, make_plan, run, shown


@pytest.fixture
def site(tmp_path):
    """A plan of a front page and two runs that refer to each other; returns (plan, runs_dir, output_dir)."""
    runs = tmp_path / "runs"
    (
        Notebook()
        .markdown("# Front\n\nThe answer comes first: see @tbl-two and @fig-one.")
        .figure("fig-front", "The headline.")
        .table(
            "tbl-claims",
            ["claim", "stands", "told"],
            [[{"text": "A-1", "href": "fig-one"}, "◆ with a condition", "yes"]],
        )
        .write(runs / "front")
    )
    (
        Notebook()
        .markdown(
            "# The first: a *question*\n\nIt minimises $\\min_X \\|X - M\\|_F^2$, and\n\n$$\\hat r_{ui} = \\mu + b_u.$$"
        )
        .code("seed: int = 42  # of the split", tags=["parameters"])
        .code("import secret_setup", tags=["remove-cell"])
        .code("hidden_input()", shown({"text/plain": "42 shown"}), tags=["remove-input"])
        .markdown("## Results\n\nSee @fig-one, @tbl-two on [the other page](second.ipynb#results) and @sec-second.")
        .figure("fig-one", "RMSE against $\\lambda$; compare @tbl-two.", title="It *falls* to 0.9191, see @tbl-two")
        .markdown("## Results\n\nAgain under the same heading.")
        .write(runs / "first", labels=["fig-one"])
    )
    (
        Notebook()
        .markdown("# The second\n\n## Results\n\n> A finding.")
        .table("tbl-two", ["model", "RMSE"], [["svd", "0.9191"], ["bias", "0.9428"]], align=["left", "right"])
        .say("In @fig-one the **number** is 0.9191.")
        .card(
            "### A claim\n\nIt is larger than [itself](#a-claim); see @tbl-two-second.",
            "claim stands-no reproduced-yes",
        )
        .write(runs / "second", labels=["tbl-two"], seconds=5.0)
    )
    (runs / "first" / "metrics.json").write_text(json.dumps([METRIC]))
    (runs / "front" / "facts.json").write_text(json.dumps({"verdicts": [CLAIM]}))
    plan = make_plan(tmp_path, run("first"), run("second"), run("front", "front"))
    return plan, runs, tmp_path / "reports"


@pytest.fixture
def with_empties(tmp_path):
    """A plan of one run that shows a figure and a table without rows, and refers to both; as `site` returns it."""
    runs = tmp_path / "runs"
    (
        Notebook()
        .figure("fig-none", "Curves that were left out.")
        .table("tbl-none", ["film"], [], caption="Films that were left out.")
        .figure("fig-some")
        .markdown("See @fig-none, @tbl-none and @fig-some.")
        .write(runs / "first")
    )
    (runs / "first" / "figures").mkdir()
    (runs / "first" / "figures" / "fig-none.csv").write_text("epoch,rmse\n", encoding="utf-8")
    return make_plan(tmp_path, run("first")), runs, tmp_path / "reports"
