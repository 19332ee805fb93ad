import numpy as np
import pytest

from lib.data.splits import per_user_holdout
from lib.experiment.evaluation import evaluate
from lib.experiment.stored_runs import load_run
from lib.report.run_writer import start_run
from lib.workbench.explorer.data import Explorer
from tests.workbench.explorer.conftest import run_of

ANN = 0


def test_marks_are_hit_low_seen_and_new(explorer):
    found = explorer.marked(ANN, [2, 3, 0, 5])
    assert list(found["mark"]) == ["hit", "low", "seen", "new"]
    assert found["rating"].tolist()[:3] == [4, 2, 5] and np.isnan(found["rating"].iloc[3])
    assert explorer.titled(found)[1:] == ["映画 [held out, not liked]", "<script>alert(1)</script> (1990) [seen]", "Last (2000)"]  # fmt: skip
    assert explorer.titled(found)[0] == "Godfather, The (1972) [held-out hit]"


def test_lists_come_in_their_order_with_titles(explorer):
    top = explorer.top(ANN, "b")
    assert top["item"].tolist() == [4, 2, 5]
    assert top["title"].tolist() == ['Plain & "Simple" (1999)', "Godfather, The (1972)", "Last (2000)"]
    assert explorer.top(1, "a").empty


def test_the_films_that_most_models_list_come_first(explorer):
    assert explorer.recommended(ANN).to_dict() == {2: 2, 4: 2, 3: 1, 5: 1}
    assert explorer.recommended(ANN).index.tolist() == [2, 4, 3, 5]


def test_favourite_genres_are_those_of_liked_films(explorer):
    """Ann rated film 1 (crime, drama) with 5 and film 2 (comedy) with 2: no comedy."""
    found = explorer.favourite_genres(ANN)
    assert found.to_dict("list") == {
        "genre": ["Crime", "Drama"],
        "liked": [1, 1],
        "rated": [1, 1],
        "mean": [5.0, 5.0],
    }


def test_a_user_is_described_without_zip_code_and_age(explorer):
    assert explorer.describe(ANN, "user A") == "user A, woman, <b>artist"


def test_predictions_stand_beside_the_held_out_ratings(explorer):
    found = explorer.predictions(ANN)
    assert found[["item", "rating", "a", "c"]].to_numpy().tolist() == [[2, 4, 3, 4], [3, 2, 4, 2]]


def test_the_users_films_that_are_rated_like_a_film_come_nearest_first(explorer):
    """Film 3 is rated like film 1 (bob high, cat low) and unlike film 2."""
    near = explorer.like(ANN, 2)
    assert near["item"].tolist() == [0] and near["rating"].tolist() == [5]
    assert explorer.similarity[2, 0] > 0 > explorer.similarity[2, 1]
    assert explorer.like(ANN, 5).empty  # a film without ratings
    assert 0 not in explorer.like(ANN, 0)["item"].tolist()  # no film is a reason for itself


def test_without_side_tables_ids_stand_for_titles(split, explorer):
    from dataclasses import replace

    bare = replace(
        split, **{part: replace(getattr(split, part), item_table=None, user_table=None) for part in ("train", "test")}
    )  # fmt: skip
    run = run_of(split, {"a": [3]}, {"a": [3.0, 4.0, 3.0]}, {})
    found = Explorer([run], bare, k=3, threshold=4.0)
    assert found.top(ANN, "a")["title"].tolist() == ["3"]
    assert found.favourite_genres(ANN).empty and found.describe(ANN, "user A") == "user A"


def test_what_is_wrong_is_named(split, explorer):
    run = run_of(split, {"a": [99]}, {"a": [3.0, 4.0, 3.0]}, {})
    with pytest.raises(ValueError, match="the list of user ann has film 99: not both in by_hand"):
        Explorer([run], split, k=3, threshold=4.0)
    run.top_k = run.top_k.iloc[:0]
    with pytest.raises(ValueError, match="--only one_table"):
        Explorer([run], split, k=3, threshold=4.0)


def test_it_reads_what_a_run_stored(planted, tmp_path):
    split = per_user_holdout(planted, seed=42)
    writer = start_run("one_table", runs_dir=tmp_path)
    evaluations = {}
    for name in ("bias", "most_popular"):
        evaluations[name] = evaluate(name, split, ks=(5,), n_resamples=0)
        writer.record(evaluations[name])
    writer.fact("contenders", {"bias": {"label": "The bias"}})
    writer.finish()
    found = Explorer([load_run("one_table", runs_dir=tmp_path)], split, k=5, threshold=4.0)
    assert found.models == ["bias", "most_popular"] and found.predicting == ["bias"]
    assert found.labels["bias"] == "The bias"
    expected = evaluations["bias"].top_k.query("user == 1003").sort_values("rank")["item"]
    user = int(split.train.user_codes([1003])[0])
    assert split.train.item_ids[found.top(user, "bias")["item"]].tolist() == expected.tolist()
    seen = split.train.items[split.train.users == user]
    assert not set(found.top(user, "bias")["item"]) & set(seen)
