"""Our metrics against the numbers that other libraries' public tests expect (oracle.toml)."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import TopK, evaluate_ranking, rating

ORACLE = tomllib.loads(Path(__file__).with_name("oracle.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", ORACLE["ranking"], ids=lambda case: case["source"])
def test_lists(case):
    users = {user: place for place, user in enumerate(case["lists"])}
    relevant = [(users[user], film) for user, films in case["relevant"].items() for film in films]
    codes, films = np.array(relevant).T
    n_films = 1 + max(films.max(), max(map(max, case["lists"].values())))
    ids = np.arange(len(users)), np.arange(n_films)
    test = Interactions(codes, films, np.full(len(films), 5), np.zeros(len(films)), *ids, RatingScale(1, 5))
    items = np.full((len(users), case["k"]), -1, dtype=np.int32)
    for place, of in zip(items, case["lists"].values(), strict=True):
        place[: len(of)] = of
    found = evaluate_ranking(TopK(np.arange(len(users)), items, np.zeros(items.shape), n_films), test)
    for metric, value in case.get("expected", {}).items():
        assert found.metrics()[f"{metric}@{case['k']}"] == pytest.approx(value, rel=case["tolerance"])
    for metric, values in case.get("by_user", {}).items():
        np.testing.assert_allclose(found.values[metric], values, atol=1e-6)


@pytest.mark.parametrize("case", ORACLE["rating"], ids=lambda case: case["source"])
def test_errors(case):
    pair = np.array(case["truth"], float), np.array(case["predicted"], float)
    for metric, value in case["expected"].items():
        assert getattr(rating, metric)(*pair) == pytest.approx(value, rel=case["tolerance"])
