"""How we stand beside the lowest published error: on either side of what decides it."""

import math

import pytest

from lib.claims.anchors import anchor_table, load_anchors
from lib.claims.standing import PROTOCOLS, standings
from lib.experiment.stored_runs import metrics_frame

FILE = """
anchors = [
  { id = "a", source = "book", dataset = "ml-100k", split = "u1", model = "K", ours = "svd", metric = "rmse", value = 0.910, comparable = true, checked = "no" },
  { id = "b", source = "book", dataset = "ml-100k", split = "u1", model = "L", ours = "svd", metric = "rmse", value = 0.900, comparable = false, why_not = "x", checked = "no" },
  { id = "c", source = "book", dataset = "ml-100k", split = "kfold_5", model = "K", ours = "", metric = "rmse", value = 0.93, comparable = true, checked = "no" },
  { id = "d", source = "book", dataset = "ml-1m", split = "random_90_10", model = "K", ours = "", metric = "rmse", value = 0.85, comparable = true, checked = "no" },
  { id = "e", source = "book", dataset = "ml-1m", split = "kfold_5", model = "K", ours = "", metric = "rmse", value = 0.85, comparable = true, checked = "no" },
]
[sources.book]
title = "A book"
authors = "Ann Berg"
year = 2001
url = "https://example.org"
protocol = "nothing tuned"
"""

NAMES = {"svd": "SVD", "joined": "Joined"}


@pytest.fixture
def stand(tmp_path):
    """How one error with an interval, beside one of a library's refits, stands on fold u1."""
    (tmp_path / "anchors.toml").write_text(FILE)
    anchors = load_anchors(tmp_path / "anchors.toml")

    def stand(value=None, low=None, high=None, **told):
        rows = [{"model": "surprise_svd", "value": 0.1}]
        rows += [] if value is None else [{"model": "svd", "value": value, "low": low, "high": high}]
        rows += [{"model": name, "value": of, "setting": "time_known"} for name, of in told.items()]
        results = metrics_frame(
            [{"dataset": "ml-100k", "split": "u1", "fold": "", "metric": "rmse", **row} for row in rows]
        )
        table = anchor_table(anchors, results)
        return standings(table, results, {"book": anchors[0].source}, NAMES)["MovieLens 100K, fold u1"]

    return stand


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.89, 0.88, 0.92, {"below": True, "inside": True, "below_marked": True}),
        (0.89, 0.88, 0.905, {"below": True, "inside": False, "below_marked": True}),
        (0.905, 0.88, 0.92, {"below": True, "inside": True, "below_marked": False}),
        (
            0.9096,
            0.9,
            0.92,
            {"below": False, "inside": True, "below_marked": False},
        ),  # equal as printed: 0.910
        (0.93, None, None, {"below": False, "inside": False, "below_marked": False}),
    ],
)
def test_what_is_said(stand, value, low, high, said):
    found = stand(value, low, high).said()
    assert {key: found[key] for key in said} == said
    assert (found["ours_model"], found["source"], found["marked_model"]) == ("SVD", "Berg 2001", "L")
    assert found["measured"] and found["lead"] == pytest.approx(abs(value - 0.91))


def test_a_refit_of_a_library_is_no_model_of_ours(stand):
    assert stand(0.89, 0.88, 0.92).models == 1


def test_what_is_told_the_second_of_a_test_rating_stands_beside_no_published_error(stand):
    found = stand(0.93, joined=0.7)
    said = found.said()
    assert (said["ours_model"], said["ours_rmse"], said["below"], found.models) == ("SVD", 0.93, False, 1)
    assert (said["told_model"], said["told_rmse"]) == ("Joined", 0.7)
    alone = stand(joined=0.7).said()
    assert not alone["measured"] and not alone["below"] and alone["told_rmse"] == 0.7
    assert math.isnan(stand(0.93).said()["told_rmse"]) and stand(0.93).said()["told_model"] == ""


def test_where_nothing_was_measured_nothing_is_true(stand):
    found = stand().said()
    assert not any(found[key] for key in ("measured", "below", "inside", "below_marked"))
    assert math.isnan(found["ours_rmse"]) and math.isnan(found["lead"]) and found["ours_model"] == ""


def test_every_protocol_has_a_published_figure():
    published = {
        (anchor.dataset, anchor.split) for anchor in load_anchors() if anchor.comparable and anchor.metric == "rmse"
    }
    assert set(PROTOCOLS) <= published
