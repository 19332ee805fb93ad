from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import TopK, recommend
from lib.metrics import top_k as rank


def drawn(user, item):
    """Splitmix64 of user and film, written out in whole numbers."""
    mixed = (user * 2**32 + item + 0x9E3779B97F4A7C15) % 2**64
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
    return mixed ^ (mixed >> 31)


def slow_top_k(scores, k, mask):
    """Written out: sort the films that are left by falling score, then by what is drawn."""
    lists = []
    for user, (row, hidden) in enumerate(zip(scores, mask, strict=True)):
        left = [item for item in range(len(row)) if not hidden[item]]
        ordered = sorted(left, key=lambda item: (-row[item], drawn(user, item)))[:k]
        lists.append(ordered + [-1] * (k - len(ordered)))
    return np.array(lists)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("k", [1, 3, 11, 12])
@pytest.mark.parametrize("density", [0.0, 0.3, 0.95])
def test_agrees_with_the_written_out_ranking_ties_included(k, density, dtype):
    rng = np.random.default_rng(k)
    scores = rng.integers(0, 4, (60, 12)).astype(dtype)  # few values, so that ties stand at every edge
    mask = rng.random((60, 12)) < density
    top = rank(scores, k, sparse.csr_array(mask))
    assert np.array_equal(top.items, slow_top_k(scores, k, mask))
    present = top.items >= 0
    assert np.array_equal(np.isnan(top.scores), ~present)
    rows = np.nonzero(present)[0]
    assert np.array_equal(top.scores[present], scores[rows, top.items[present]])


def test_a_model_that_tells_nothing_apart_has_random_lists():
    lists = rank(np.zeros((4000, 10)), 3).items
    assert abs(np.bincount(lists.ravel(), minlength=10) / 4000 - 0.3).max() < 0.03
    first = np.bincount(lists[:, 0], minlength=10) / 4000
    assert abs(first - 0.1).max() < 0.02
    # Each user's own draw, whoever else is asked.
    alone = rank(np.zeros((1, 10)), 3, users=np.array([7]))
    assert alone.items[0].tolist() == lists[7].tolist()


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    scores, mask = rng.normal(size=(50, 20)), sparse.csr_array(rng.random((50, 20)) < 0.2)
    whole = rank(scores, 5, mask)
    monkeypatch.setattr("lib.metrics.lists.CELLS", 60)
    parts = rank(scores, 5, mask)
    assert np.array_equal(whole.items, parts.items)
    assert np.array_equal(whole.scores, parts.scores)


def test_a_stored_zero_masks_and_inputs_stay():
    scores = np.array([[3.0, 2.0, 1.0]])
    mask = sparse.csr_array((np.array([0.0]), np.array([0]), np.array([0, 1])), shape=(1, 3))
    before = scores.copy()
    assert rank(scores, 2, mask).items.tolist() == [[1, 2]]
    assert np.array_equal(scores, before)


@pytest.mark.parametrize(
    ("k", "message"),
    [(0, "at least 1"), (4, "larger than the catalogue of 3 films")],
)
def test_refuses_k_outside_the_catalogue(k, message):
    with pytest.raises(ValueError, match=message):
        rank(np.zeros((2, 3)), k)


def test_refuses_scores_without_an_order():
    scores = np.zeros((3, 4))
    scores[2, 1] = np.nan
    with pytest.raises(ValueError, match="score of user 2, item 1 is nan"):
        rank(scores, 2)
    with pytest.raises(ValueError, match=r"mask has shape \(2, 4\)"):
        rank(np.zeros((3, 4)), 2, sparse.csr_array((2, 4)))


def train_of(users, items, n_users, n_items):
    n = len(users)
    return Interactions(
        users, items, np.ones(n), np.zeros(n), np.arange(n_users), np.arange(n_items), RatingScale(1, 5)
    )


def test_recommend_masks_training_films_in_any_batching(monkeypatch):
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(9, 15))
    model = SimpleNamespace(score=lambda users: scores[users])
    pairs = np.argwhere(rng.random((9, 15)) < 0.3)
    train = train_of(pairs[:, 0], pairs[:, 1], 9, 15)
    expected = slow_top_k(scores, 4, train.matrix.toarray() > 0)
    for cells in (10**6, 15, 45):
        monkeypatch.setattr("lib.metrics.lists.CELLS", cells)
        top = recommend(model, train, 4)
        assert np.array_equal(top.items, expected)
        assert np.array_equal(top.users, np.arange(9))


def test_recommend_names_what_is_wrong():
    train = train_of([0], [0], 2, 3)
    model = SimpleNamespace(score=lambda users: np.zeros((len(users), 2)))
    with pytest.raises(ValueError, match=r"score returned shape \(2, 2\) for 2 users and 3 items"):
        recommend(model, train, 1)
    with pytest.raises(ValueError, match="larger than the catalogue"):
        recommend(model, train, 4)


def test_lists_refuse_twice_the_same():
    scores = np.zeros((1, 2))
    with pytest.raises(ValueError, match="an item twice"):
        TopK(np.array([0]), np.array([[1, 1]]), scores, 3)
    with pytest.raises(ValueError, match="two lists"):
        TopK(np.array([0, 0]), np.array([[1, 2], [1, 2]]), np.zeros((2, 2)), 3)
    with pytest.raises(ValueError, match="outside"):
        TopK(np.array([0]), np.array([[1, 3]]), scores, 3)
    TopK(np.array([0]), np.array([[-1, -1]]), scores, 3)


def test_cut_lists_and_raw_ids():
    top = TopK(np.array([1]), np.array([[2, 0, -1]]), np.array([[0.9, 0.5, np.nan]]), 3)
    assert top.first(2).items.tolist() == [[2, 0]]
    with pytest.raises(ValueError, match="choose k from 1 to 3"):
        top.first(4)
    frame = top.frame(np.array(["ann", "bob"]), np.array([10, 20, 30]))
    assert frame.to_dict("list") == {
        "user": ["bob", "bob"],
        "rank": [1, 2],
        "item": [30, 10],
        "score": [0.9, 0.5],
    }
