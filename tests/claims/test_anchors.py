"""Published results: the file that holds them, our measurements on their protocols, and the table of both."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from lib.claims.anchor_measurements import gather, half_width, measured
from lib.claims.anchors import (
    PATH,
    anchor_table,
    best_published,
    load_anchors,
    readers_table,
    sources_table,
    why_not_comparable,
)
from lib.claims.published import InvalidClaims
from lib.experiment.stored_runs import load_run, metrics_frame
from lib.report.charts.anchor_figure import draw_anchors, drawn_rows

SOURCE = """
[sources.book]
title = "A book"
authors = "Ann van der Berg, Bo Ek"
year = 2001
url = "https://example.org"
protocol = "nothing tuned"
"""
RECORD = {
    "id": "a",
    "source": "book",
    "dataset": "ml-100k",
    "split": "u1",
    "model": "M",
    "ours": "svd",
    "metric": "rmse",
    "value": 0.910,
    "comparable": True,
    "checked": "repository",
}


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3f}" if isinstance(value, float) else f'"{value}"' if isinstance(value, str) else str(value)


@pytest.fixture
def write(tmp_path):
    """Write a file of anchors from changes to `RECORD`; a change to None drops the key."""

    def write(*changes, source=SOURCE):
        records = [{k: v for k, v in (RECORD | change).items() if v is not None} for change in changes]
        lines = ["{ " + ", ".join(f"{k} = {toml(v)}" for k, v in record.items()) + " }" for record in records]
        path = tmp_path / "anchors.toml"
        path.write_text("anchors = [\n" + ",\n".join(lines) + "\n]\n" + source)
        return path

    return write


def records(*rows):
    """Metric records: (split, fold, seed, model, metric, value, low, high)."""
    names = ("split", "fold", "seed", "model", "metric", "value", "low", "high")
    return metrics_frame([{"dataset": "ml-100k", "run": "r", **dict(zip(names, row, strict=True))} for row in rows])


# -- the file ------------------------------------------------------------------------------------------------------
def test_the_projects_file_is_sound():
    anchors = {anchor.id: anchor for anchor in load_anchors()}
    assert {anchor.dataset for anchor in anchors.values()} == {"ml-100k", "ml-1m"}
    assert anchors["gcmc-u1"].value == 0.910 and anchors["gcmc-u1"].rounding == pytest.approx(0.0005)
    assert not anchors["glocal-k-u1"].comparable and "test RMSE" in anchors["glocal-k-u1"].why_not
    # MyMediaLite's tables hold figures from before and after its cross-validation began to hand the test pairs over.
    assert anchors["mymedialite-100k-biased"].comparable and anchors["mymedialite-100k-svdpp"].comparable
    assert "test pairs" in anchors["mymedialite-100k-user-asymmetric"].why_not
    assert "test pairs" in anchors["mymedialite-1m-svdpp"].why_not
    assert all(anchor.source.url.startswith("http") for anchor in anchors.values())
    # An absolute error is never above the root of the mean squared one, and every MAE belongs to an RMSE.
    for anchor in anchors.values():
        if anchor.metric == "mae":
            assert anchor.value < anchors[anchor.id.removesuffix("-mae")].value


def test_every_doubt_about_a_figure_is_written_down():
    for anchor in load_anchors(PATH):
        known = anchor.source.id in ("surprise", "mymedialite", "gcmc", "igmc", "glocal-k", "cf-nade")
        assert known or "could not be verified" in anchor.source.protocol, anchor.id


def test_digits_are_read_as_printed(write):
    (anchor,) = load_anchors(write({"seconds": 7}))
    assert (anchor.value, anchor.differs) == (0.91, "")
    assert anchor.rounding == pytest.approx(0.0005)  # printed as 0.910
    assert anchor.source.cite == "van der Berg and Ek 2001"
    assert replace(anchor.source, authors="Ann Maria Oe, Bo Ek, Di Yu").cite == "Oe et al. 2001"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocl": "x"}, "unknown key 'protocl'"),
        ({"why_nott": "x"}, "did you mean 'why_not'"),
        ({"model": None}, "anchor a: lacks model"),
        ({"source": "film"}, "source 'film' is none of book"),
        ({"metric": "mse"}, "metric 'mse' is none of rmse, mae"),
        ({"checked": "yes"}, "checked 'yes' is none of"),
        ({"dataset": "ml-100"}, "ml-100"),
        ({"split": "u6"}, "no split is called 'u6'"),
        ({"value": 4.0}, "between 0 and 4"),
        ({"value": 0.0}, "between 0 and 4"),
        ({"value": "0.9"}, "between 0 and 4"),
        ({"value": math.nan}, "between 0 and 4"),
        ({"comparable": False}, "why_not says why a figure is not comparable"),
        ({"comparable": False, "why_not": " "}, "why_not says why a figure is not comparable"),
        ({"why_not": "epoch chosen on test"}, "why_not says why a figure is not comparable"),
        ({"comparable": "yes"}, "comparable 'yes' is none of True, False"),
    ],
)
def test_a_record_at_fault_is_named(write, change, message):
    with pytest.raises(InvalidClaims, match=re.escape(message)) as caught:
        load_anchors(write(change))
    assert "anchor a" in str(caught.value)


def test_ids_and_sources_are_checked(write, tmp_path):
    with pytest.raises(InvalidClaims, match="occurs twice"):
        load_anchors(write({}, {}))
    with pytest.raises(InvalidClaims, match="source book: lacks year"):
        load_anchors(write({}, source=SOURCE.replace("year = 2001\n", "")))
    broken = tmp_path / "broken.toml"
    broken.write_text("anchors = [")
    with pytest.raises(InvalidClaims, match="not valid TOML"):
        load_anchors(broken)


# -- what was measured here ----------------------------------------------------------------------------------------
def test_starts_are_averaged_within_a_fold_before_folds():
    found = measured(
        records(
            ("kfold_2", "1", 0, "svd", "rmse", 0.90, None, None),
            ("kfold_2", "1", 1, "svd", "rmse", 0.92, None, None),
            ("kfold_2", "2", 0, "svd", "rmse", 0.95, None, None),
            ("kfold_2", "1", 0, "svd", "mae", 0.10, None, None),
        ),
        "ml-100k",
        "kfold_2",
    )
    assert found["n_folds"].tolist() == [2]
    assert found["value"].tolist() == pytest.approx([0.93])  # of 0.91 and 0.95, not of three values
    # Standard deviation sqrt(2)·0.02 over sqrt(2) is 0.02; Student's t with one degree of freedom is 12.7062.
    assert found["high"].tolist() == pytest.approx([0.93 + 12.7062 * 0.02], abs=1e-5)
    assert found["low"].tolist() == pytest.approx([0.93 - 12.7062 * 0.02], abs=1e-5)


def test_one_split_keeps_its_interval_over_users():
    found = measured(
        records(
            ("u1", "", 0, "svd", "rmse", 0.90, 0.88, 0.92),
            ("u1", "", 1, "svd", "rmse", 0.92, 0.90, 0.96),
            ("u1", "", None, "bias", "rmse", 0.80, None, None),
            ("u1", "", None, "failed", "rmse", None, None, None),
        ),
        "ml-100k",
        "u1",
    )
    assert found["model"].tolist() == ["bias", "svd"]  # the lowest first, and no model without a value
    assert found.loc[1, ["value", "low", "high"]].tolist() == pytest.approx([0.91, 0.89, 0.94])
    assert math.isnan(found.loc[0, "low"])


def test_grouplens_folds_stand_in_only_where_all_five_are_there():
    five = [(f"u{i}", "", 0, "svd", "rmse", 0.9 + i / 100, None, None) for i in range(1, 6)]
    four = [(f"u{i}", "", 0, "bias", "rmse", 0.9, None, None) for i in range(1, 5)]
    found = measured(records(*five, *four), "ml-100k", "kfold_5")
    assert found[["model", "basis", "n_folds"]].to_numpy().tolist() == [["svd", "u1 to u5", 5]]
    assert found["value"].tolist() == pytest.approx([0.93])
    both = records(*five, ("kfold_5", "", 0, "svd", "rmse", 0.5, None, None))
    assert measured(both, "ml-100k", "kfold_5")["basis"].tolist() == ["kfold_5"]
    assert measured(both, "ml-1m", "kfold_5").empty


def test_one_fold_of_several_is_no_mean_over_them():
    one, five = ("kfold_5", "1", 0, "svd", "rmse", 0.5, None, None), [f"u{i}" for i in range(1, 6)]
    published = [(split, "", 0, "svd", "rmse", 0.9, None, None) for split in five]
    assert measured(records(one), "ml-100k", "kfold_5").empty
    assert measured(records(one, *published), "ml-100k", "kfold_5")["basis"].tolist() == ["u1 to u5"]
    folds = [("kfold_5", str(i), 0, "svd", "rmse", 0.9, None, None) for i in range(1, 6)]
    assert measured(records(*folds), "ml-100k", "kfold_5")["n_folds"].tolist() == [5]


def test_one_fold_has_no_interval():
    assert np.isnan(half_width(0.1, 1))


def test_runs_are_gathered_with_their_labels(tmp_path):
    metrics = records(("u1", "", 0, "svd", "rmse", 0.9, None, None)).drop(columns="seed")
    facts = {
        "one_table": {"contenders": {"svd": {"label": "Our SVD"}}},
        "koren": {"folds": [{"name": "surprise_svd", "model": "SVD", "rmse": 0.93, "spread": 0.01}]},
    }
    for run, found in facts.items():
        (tmp_path / run).mkdir()
        (tmp_path / run / "metrics.json").write_text(metrics.to_json(orient="records"))
        (tmp_path / run / "facts.json").write_text(json.dumps(found))
        (tmp_path / run / "provenance.json").write_text('{"dataset": "ml-100k"}')
    runs = {run: load_run(run, runs_dir=tmp_path) for run in facts}
    together, labels = gather(runs, "koren", 5)
    assert together["model"].tolist() == ["svd", "surprise_svd"]
    assert together["split"].tolist() == ["u1", "kfold_5"]
    # Student's t with four degrees of freedom is 2.77645.
    assert together.loc[1, "high"] - 0.93 == pytest.approx(2.77645 * 0.01 / math.sqrt(5), abs=1e-7)
    assert labels == {"ensemble": "Ensemble", "surprise_svd": "SVD", "svd": "Our SVD"}
    alone, labels = gather({"one_table": runs["one_table"]}, "koren", 5)
    assert alone["model"].tolist() == ["svd"] and labels == {"ensemble": "Ensemble", "svd": "Our SVD"}


# -- both together -------------------------------------------------------------------------------------------------
def test_the_table_has_ours_the_difference_and_why(write):
    anchors = load_anchors(
        write(
            {"id": "a", "differs": "ours is tuned"},
            {"id": "b", "ours": ""},
            {"id": "c", "ours": "timesvdpp"},
            {"id": "d", "comparable": False, "why_not": "epoch chosen on test", "value": 0.800},
            {"id": "e", "value": 0.9004},
            {"id": "f", "split": "kfold_5", "ours": "bias"},
        )
    )
    results = records(
        ("u1", "", 0, "svd", "rmse", 0.9, 0.88, 0.92),
        *((f"u{i}", "", None, "bias", "rmse", 0.95, None, None) for i in range(1, 6)),
    )
    table = anchor_table(anchors, results).set_index("id")
    assert table["difference"].tolist() == pytest.approx([-0.01, math.nan, math.nan, 0.1, 0.0, 0.04], nan_ok=True)
    assert table.loc["a", ["published", "ours", "low", "high"]].tolist() == pytest.approx([0.91, 0.9, 0.88, 0.92])
    assert table["note"].tolist() == [
        "the same test ratings; ours is tuned",
        "no counterpart here",
        "not measured here on this split",
        "not comparable: epoch chosen on test; the same test ratings",
        "the same test ratings; they agree to the last printed digit",
        "ours on GroupLens's own folds u1 to u5, theirs on random ones",
    ]
    assert best_published(table.reset_index())["id"] == "e"  # 0.9004 is written with three digits: 0.900
    assert best_published(table.reset_index(), comparable=False)["id"] == "d"
    assert best_published(table[table["comparable"]], comparable=False) is None


def test_ours_is_not_comparable_where_it_is_told_more_of_the_test_ratings(write):
    anchors = load_anchors(
        write(
            {"id": "a", "ours": "timed_factorisation_machine", "knows": "its day", "differs": "ours is tuned"},
            {"id": "b", "ours": "blend"},
            {"id": "c", "ours": "blend_timeless"},
            {"id": "d", "ours": "surprise_svd"},
            {"id": "e", "comparable": False, "why_not": "epoch chosen on test"},
            {"id": "f", "ours": ""},
        )
    )
    names = ("timed_factorisation_machine", "blend", "blend_timeless", "surprise_svd", "svd")
    results = records(*(("u1", "", 0, name, "rmse", 0.9, None, None) for name in names))
    told = results["model"] == "blend"  # of members that know time, as its page says
    results = results.assign(setting=np.where(told, "time_known", None))
    table = anchor_table(anchors, results).set_index("id")
    assert table["alike"].tolist() == [False, False, True, True, False, True]
    told = "the same test ratings; not comparable, as ours is told the second of each test rating, theirs"
    assert (
        table.loc["a", "note"] == f"{told} its day; ours is tuned"
        and table.loc["b", "note"] == f"{told} nothing of time"
    )
    told = anchor_table(anchors, results.assign(setting="no_time")).set_index("id")["alike"]
    assert told.tolist() == [True, True, True, True, False, True]  # what the run itself says counts


def test_without_any_result_every_row_says_so(write):
    table = anchor_table(load_anchors(write({}, {"id": "b", "ours": ""})), records())
    assert table["ours"].isna().all()
    assert table["note"].tolist() == ["not measured here on this split", "no counterpart here"]


def test_a_reader_sees_names_sources_and_intervals(write):
    anchors = load_anchors(
        write({"id": "m", "metric": "mae", "value": 0.700}, {}, {"id": "b", "ours": "", "value": 0.8})
    )
    table = anchor_table(anchors, records(("u1", "", 0, "svd", "rmse", 0.9, 0.88, 0.92)))
    shown = readers_table(table, {"book": anchors[0].source}, {"svd": "SVD, tuned"})
    assert shown["metric"].tolist() == ["RMSE", "RMSE", "MAE"] and shown["published"].tolist() == [
        0.8,
        0.91,
        0.7,
    ]
    assert shown["our_counterpart"].fillna("").tolist() == ["", "SVD, tuned", "SVD, tuned"]
    assert shown["interval"].fillna("").tolist() == ["", "0.880 to 0.920", ""]
    assert set(shown["source"]) == {"van der Berg and Ek 2001"} and set(shown["url"]) == {"https://example.org"}


def test_reasons_and_places_are_told_once(write):
    two = SOURCE + SOURCE.replace("book", "film", 1).replace("Ann van der Berg, Bo Ek", "Cy Dee")
    anchors = load_anchors(
        write(
            {"model": "K"},
            {
                "id": "b",
                "model": "L",
                "comparable": False,
                "why_not": "epoch chosen on test",
                "checked": "no",
            },
            {"id": "c", "model": "M", "comparable": False, "why_not": "another split", "source": "film"},
            {"id": "d", "model": "N", "comparable": False, "why_not": "epoch chosen on test"},
            {"id": "e", "model": "N", "comparable": False, "why_not": "epoch chosen on test"},
            {
                "id": "f",
                "model": "O",
                "comparable": False,
                "why_not": "absolute",
                "metric": "mae",
                "value": 0.7,
            },
            source=two,
        )
    )
    assert why_not_comparable(anchors) == "L and N, epoch chosen on test; M, another split"
    table = sources_table(anchors)
    assert table["source"].tolist() == ["van der Berg and Ek 2001", "Dee 2001"]
    assert table["figures"].tolist() == [5, 1]
    assert table["looked_up_in"].tolist() == ["repository, could not be verified", "repository"]


# -- the figure ----------------------------------------------------------------------------------------------------
def test_the_figure_shows_every_row_and_hollows_what_is_not_comparable(write):
    two = SOURCE + SOURCE.replace("book", "film", 1)
    changes = [
        {"model": "K"},
        {"id": "b", "model": "K", "source": "film", "value": 0.8},
        {"id": "c", "model": "L", "comparable": False, "why_not": "x", "value": 0.7},
    ]
    results = records(("u1", "", 0, "svd", "rmse", 0.9, 0.88, 0.92))
    table = anchor_table(load_anchors(write(*changes, source=two)), results)
    best = measured(results, "ml-100k", "u1").iloc[0]
    rows = drawn_rows(table, best, "SVD")
    assert rows["name"].tolist() == ["lowest here: SVD", "L", "K (film)", "K (book)"]
    assert drawn_rows(table, None)["name"].tolist() == ["L", "K (film)", "K (book)"]
    figure = draw_anchors({"one": rows, "none": rows.iloc[:0]}, "RMSE")
    (axis,) = figure.axes
    crosses = [line for line in axis.lines if line.get_marker() == "X"]
    drawn = {line.get_markerfacecolor(): sorted(x for x in line.get_xdata() if x == x) for line in crosses}
    assert drawn["white"] == [0.7] and sorted(x for of in drawn.values() for x in of) == [0.7, 0.8, 0.91]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() == "white" for line in dots] == [False, True]
    assert [len(line.get_xdata()) for line in dots] == [3, 1]  # beside what is not comparable hollow
    assert np.nanmax(dots[0].get_xdata()) == 0.9 and figure.get_size_inches()[0] <= 7.2
    plt.close(figure)
    with pytest.raises(ValueError, match="no published figure to draw"):
        draw_anchors({"none": pd.DataFrame()}, "RMSE")
