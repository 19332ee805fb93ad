"""Selection inside a split: what is seen is its train, whatever the order of rows, and the rows say so."""

from dataclasses import replace

import numpy as np
import pytest

from lib.data.splits import chronological, inner_split, random_holdout
from lib.experiment.selection import SELECTION, Place, rows_digest, selection_row
from lib.experiment.space import Choice, Integer, Real, Space
from lib.studies import inside
from tests.conftest import planted_interactions


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_RECORDS", str(tmp_path))


@pytest.fixture(scope="module")
def split():
    return random_holdout(planted_interactions(n_users=40, n_items=30, seed=2), test_share=0.2)


def replace_halves(part):
    half = np.arange(len(part)) % 2 == 0
    return part.take(~half), part.take(half)


def pairs(*parts):
    return {(int(p.user_ids[u]), int(p.item_ids[i])) for p in parts for u, i in zip(p.users, p.items, strict=True)}


def test_validation_is_cut_from_train_whatever_the_order_of_its_rows(split):
    inner = inner_split(split.train)
    assert pairs(inner.train, inner.test) == pairs(split.train) and not pairs(inner.train) & pairs(inner.test)
    assert not pairs(inner.train, inner.test) & pairs(split.test)
    shuffled = split.train.take(np.random.default_rng(1).permutation(len(split.train)))
    again = inner_split(shuffled)
    assert pairs(again.test) == pairs(inner.test)


def test_a_share_of_the_users_is_seen_with_all_their_ratings(split):
    inner = inner_split(split.train, users=0.25, seed=3)
    users = set(inner.train.users) | set(inner.test.users)
    assert len(users) <= 10
    assert len(inner.train) + len(inner.test) == np.isin(split.train.users, list(users)).sum()


def test_a_split_by_time_is_validated_on_the_latest(planted):
    late = chronological(planted)
    inner = inner_split(late.train, by_time=True)
    assert inner.train.timestamps.max() < inner.test.timestamps.min() < late.test.timestamps.min()


def test_members_of_small_and_large_data(split):
    small = inside.members(split.train)
    assert list(small) == [
        "timed_machine",
        "machine_process",
        "ordinal_machine",
        "process",
        "svdpp",
        "timesvdpp",
        "integrated",
        "side_information_als",
    ]
    assert all(one.space for one in small.values())
    assert small["process"].fixed["over_users"]
    assert "gaps" in small["timed_machine"].space and "gaps" not in small["ordinal_machine"].space


def test_a_search_inside_finds_a_point_and_tells_what_it_saw(split):
    wanted = {"process": inside.members(split.train)["process"]}
    found = inside.chosen_inside(split, wanted, n_trials=3)
    rows = rows_digest(*inside.inner_parts(split).values())
    assert rows == rows_digest(split.train) == rows_digest(*replace_halves(split.train))
    assert rows != rows_digest(split.test)
    assert rows != rows_digest(*inside.inner_parts(split, users=0.5).values())
    used, on = Place.of("made up", split), Place("another", "u1")
    row = selection_row("process", used, on, found["process"], wanted["process"].space, rows=rows)
    assert list(row) == list(SELECTION[1:])
    assert row["trials"] == 3 and 0 < row["share"] <= 1 and row["seconds"] > 0
    assert (row["split"], row["on_dataset"], row["on_split"]) == (split.name, "another", "u1")
    assert selection_row("fixed", used, used, trials=7)["trials"] == 7
    shuffled = split.train.take(np.random.default_rng(1).permutation(len(split.train)))
    assert (
        inside.chosen_inside(replace(split, train=shuffled), wanted, n_trials=3)["process"].chosen
        == found["process"].chosen
    )


def test_the_share_of_a_space_by_hand(split):
    wanted = {"process": inside.members(split.train)["process"]}
    found = inside.chosen_inside(split, wanted, n_trials=2)["process"]
    trials = found.trials.assign(scale=[0.1, 1.0], noise=[1.0, 2.0], kind=["a", "b"], n=[2, 8])
    space = {
        "scale": Real(0.01, 1.0, log=True),
        "noise": Real(0.0, 4.0),
        "kind": Choice(("a", "b", "c")),
        "n": Integer(1, 9),
    }
    expected = np.mean([0.5, 0.25, 2 / 3, 0.75])
    assert replace(found, trials=trials).share(Space(space)) == pytest.approx(expected)
