"""What hyperparameters were chosen on, held against the test ratings of the splits that they are used for."""

import math

import pandas as pd
import pytest

from lib import ROOT
from lib.data.dataset import load
from lib.data.errors import DatasetUnavailable
from lib.data.splits import inner_split
from lib.experiment.protocol import make_splits
from lib.experiment.selection import rows_digest

PUBLISHED = ROOT / "reports" / "data" / "selection.csv"
PLACE = ["dataset", "split", "fold", "seed", "on_dataset", "on_split", "on_fold", "on_seed", "users", "rows"]


def the_split(dataset, name, fold, seed):
    found = make_splits(load(dataset), [[name, 42 if math.isnan(seed) else int(seed)]])
    return next(split for split in found.values() if not name.startswith("kfold") or split.fold == str(fold))


def pairs(part):
    return set(zip(part.user_ids[part.users].tolist(), part.item_ids[part.items].tolist(), strict=True))


def test_nothing_published_was_chosen_on_its_test_ratings():
    if not PUBLISHED.exists():
        pytest.skip("no report that tells what was chosen on what is published")
    rows = pd.read_csv(PUBLISHED, dtype={"fold": str, "on_fold": str, "rows": str})
    looked_at = 0
    for _, row in rows[PLACE].drop_duplicates().iterrows():
        try:
            on = the_split(row.on_dataset, row.on_split, row.on_fold, row.on_seed)
            used = None
            if row.dataset == row.on_dataset:
                used = the_split(row.dataset, row.split, row.fold, row.seed)
        except DatasetUnavailable:
            continue
        inner = inner_split(on.train, by_time=row.on_split == "chronological", users=row.users)
        if used is not None:
            assert isinstance(row.rows, str), row
            assert not (pairs(inner.train) | pairs(inner.test)) & pairs(used.test)
        if isinstance(row.rows, str):
            assert rows_digest(inner.train, inner.test) == row.rows, row
        looked_at += 1
    if not looked_at:
        pytest.skip("no data set of the published report is at hand")


def test_every_headline_and_every_tuned_model_has_a_row_that_tells_how_it_was_chosen():
    if not PUBLISHED.exists():
        pytest.skip("no report that tells what was chosen on what is published")
    results = pd.read_csv(PUBLISHED.with_name("results.csv"), dtype={"fold": str})
    told = set(
        pd.read_csv(PUBLISHED, dtype={"fold": str})[["dataset", "split", "model"]].itertuples(index=False, name=None)
    )
    named = results[
        (results["headline"] == "yes") | (results["model"].str.endswith("_tuned") & (results["metric"] == "rmse"))
    ]
    untold = set(named[["dataset", "split", "model"]].itertuples(index=False, name=None)) - told
    assert len(named) > 50 and not untold


def test_every_published_figure_tells_what_its_model_knew_of_time():
    if not PUBLISHED.exists():
        pytest.skip("no report is published")
    results = pd.read_csv(PUBLISHED.with_name("results.csv"))
    untold = results.loc[results["setting"].isna(), "model"]
    assert len(results) > 1000 and untold.empty, sorted(set(untold))
