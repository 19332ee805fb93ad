"""The real data, read from wherever the loader finds it; skipped, with the reason, where it cannot be had."""

import hashlib
import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.data import index_wheels
from lib.data.catalogue import DATA, entries, entry
from lib.data.dataset import load
from lib.data.errors import DatasetUnavailable, UnknownDataset
from lib.data.splits import make_split, published


@cache
def real(name):
    return load(name)


def dataset(name):
    try:
        return real(name)
    except DatasetUnavailable as error:
        pytest.skip(f"{name} cannot be had here: {error}")


def test_the_manifest_names_four_data_sets_with_licence_citation_and_secure_addresses():
    assert list(entries()) == ["ml-100k", "ml-1m", "ml-latest-small", "ml-20m"]
    for known in entries().values():
        assert known.url.startswith("https://") and known.licence and "10.1145/2827872" in known.citation
        assert known.archive or all(known.files.values()), f"{known.name}: nothing to check a download by"


@pytest.mark.parametrize("name", ["ml100k", "ml-100K", "ml_100k"])
def test_an_unknown_name_hears_of_the_nearest(name):
    with pytest.raises(UnknownDataset, match=r"did you mean 'ml-100k'"):
        load(name)


RATING_COUNTS = {
    "ml-100k": [6110, 11370, 27145, 34174, 21201],
    "ml-1m": [56174, 107557, 261197, 348971, 226310],
}
TIMES = {
    "ml-100k": (874724710, 893286638),
    "ml-1m": (956703932, 1046454590),
    "ml-latest-small": (828124615, 1537799250),
}


@pytest.mark.parametrize("name", list(TIMES))
def test_ratings_are_those_of_the_archive_s_readme(name):
    interactions = dataset(name).interactions
    assert (interactions.timestamps.min(), interactions.timestamps.max()) == TIMES[name]
    assert interactions.user_counts[interactions.user_counts > 0].min() >= 20
    if name in RATING_COUNTS:
        assert np.bincount(interactions.ratings.astype(int))[1:].tolist() == RATING_COUNTS[name]
    else:
        assert set(np.unique(interactions.ratings)) == set(np.arange(1, 11) / 2)


def test_ml_100k_side_tables():
    interactions = dataset("ml-100k").interactions
    users, items = interactions.user_table, interactions.item_table
    assert list(users) == ["age", "gender", "occupation", "zip_code"] and users["age"].between(7, 73).all()
    assert users["gender"].value_counts().to_dict() == {"M": 670, "F": 273} and users["occupation"].nunique() == 21
    assert list(items) == ["title", "year", "genres"] and items["year"].isna().sum() == 1
    assert not items["title"].str.contains(r"\((?:19|20)\d\d\)").any()
    assert not (items["genres"] == "").any()


def test_unrated_films_stay_in_the_catalogue():
    interactions = dataset("ml-1m").interactions
    assert interactions.n_items == 3883 and np.count_nonzero(interactions.item_counts == 0) == 177
    assert (interactions.item_counts[3706:] == 0).all()


@pytest.mark.parametrize("fold", ["u1", "u2", "u3", "u4", "u5"])
def test_published_folds_are_those_of_the_archive(fold):
    split = make_split(dataset("ml-100k"), fold)
    folder = Path(os.environ.get("MOVIELENS_DIR", "")).expanduser()
    folder = next((f for f in (folder, DATA.parent / folder) if (f / "ml-100k/u1.test").is_file()), None)
    if folder is None:
        pytest.skip("MOVIELENS_DIR does not hold the unpacked ml-100k with its u1.test")
    for part, ending in ((split.train, "base"), (split.test, "test")):
        frame = part.frame()
        official = pd.read_csv(folder / f"ml-100k/{fold}.{ending}", sep="\t", names=list(frame))
        ours = frame.sort_values(["user", "item"]).to_numpy(dtype=np.int64)
        np.testing.assert_array_equal(ours, official.sort_values(["user", "item"]).to_numpy(dtype=np.int64))


def test_published_folds_exist_for_ml_100k_only():
    with pytest.raises(ValueError, match="its folds are u1, u2"):
        published(dataset("ml-100k"), "u6")
    with pytest.raises(ValueError, match="only ml-100k"):
        published(dataset("ml-latest-small"), "u1")


@pytest.mark.parametrize("name", ["ml-100k", "ml-1m"])
def test_the_index_s_copy_is_the_same_data_set(name, tmp_path, monkeypatch):
    """Where the official files and the package index are both at hand, both give one data set, side tables too."""
    try:
        rebuilt = index_wheels.fetch(entry(name))
    except DatasetUnavailable as error:
        pytest.skip(f"the package index cannot be reached: {error}")
    official = {n for n, expected in entry(name).files.items() if n in rebuilt}
    assert official == set(entry(name).files) - set(entry(name).substitutes)
    for file in official:
        assert hashlib.sha256(rebuilt[file]).hexdigest() == entry(name).files[file], file
    folder = tmp_path / "raw" / name
    folder.mkdir(parents=True)
    for file, content in rebuilt.items():
        (folder / file).write_bytes(content)
    ours = dataset(name).interactions
    monkeypatch.setenv("MOVIELENS_DIR", str(tmp_path))
    monkeypatch.setattr("lib.data.sources.CACHE", tmp_path / "raw")
    theirs = load(name).interactions
    pd.testing.assert_frame_equal(theirs.frame(), ours.frame())
    pd.testing.assert_frame_equal(theirs.user_table, ours.user_table)
    pd.testing.assert_frame_equal(theirs.item_table, ours.item_table)
