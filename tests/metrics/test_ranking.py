import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import TopK, evaluate_ranking, top_k

METRICS = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")


def interactions(rows, n_users, n_items, scale=(1, 5)):
    users, items, ratings = (np.array(column) for column in zip(*rows, strict=True))
    return Interactions(
        users,
        items,
        ratings,
        np.zeros(len(rows)),
        np.arange(n_users),
        np.arange(n_items),
        RatingScale(*scale),
    )


def lists(items, n_items, users=None):
    items = np.array(items, dtype=np.int32)
    users = np.arange(len(items)) if users is None else np.array(users)
    return TopK(users, items, np.zeros(items.shape), n_items)


def test_hand_worked_fractions():
    test = interactions(
        [(0, 1, 5), (0, 3, 4), (0, 5, 4), (0, 2, 2),  # user 0: films 1, 3, 5 relevant, 2 rated but not liked
         (1, 0, 5),                                   # user 1: film 0 relevant
         (2, 4, 3)],                                  # user 2: nothing relevant
        4, 8,
    )  # fmt: skip
    top = lists([[2, 1, 6, 3], [1, 2, 3, 4], [4, 0, 1, 2], [0, 1, 2, 3]], 8)
    ranking = evaluate_ranking(top, test)

    assert ranking.k == 4
    assert ranking.users.tolist() == [0, 1]
    assert ranking.n_left_out == 2
    discount = 1 / np.log2(np.arange(2, 6))
    expected = {  # user 0 hits at ranks 2 and 4, user 1 nowhere
        "precision": 2 / 4,
        "recall": 2 / 3,
        "ndcg": (discount[1] + discount[3]) / discount[:3].sum(),
        "map": (1 / 2 + 2 / 4) / 3,
        "mrr": 1 / 2,
        "hit_rate": 1,
    }
    assert set(expected) == set(METRICS)
    for metric, value in expected.items():
        assert ranking.values[metric] == pytest.approx([value, 0]), metric
        assert ranking.metrics()[f"{metric}@4"] == pytest.approx(value / 2)
    assert ranking.coverage == 6 / 8  # films 0, 1, 2, 3, 4, 6: every list counts, measured or not


def test_liked_films_without_a_list_are_told():
    test = interactions([(0, 1, 5), (1, 2, 5), (2, 0, 1)], 4, 4)
    ranking = evaluate_ranking(lists([[1, 2], [0, 1]], 4, users=[0, 3]), test)
    assert ranking.users.tolist() == [0]
    assert ranking.n_left_out == 2  # user 3 has a list and likes nothing, user 1 likes a film and has no list


def test_divisors_where_the_list_is_shorter_or_longer_than_what_is_relevant():
    test = interactions([(0, i, 5) for i in range(5)], 1, 6)
    cut = evaluate_ranking(lists([[0, 1]], 6), test)  # k=2 of R=5: a perfect list
    assert cut.values["precision"] == [1]
    assert cut.values["recall"] == [2 / 5]
    assert cut.values["ndcg"] == cut.values["map"] == [1]
    short = evaluate_ranking(lists([[0, -1, -1, -1]], 6), test)  # one film was left to recommend
    assert short.values["precision"] == [1 / 4]
    assert short.values["recall"] == [1 / 5]
    assert short.values["map"] == [1 / 4]
    assert short.coverage == 1 / 6


def test_threshold_and_k_are_parameters():
    test = interactions([(0, 0, 3.5), (0, 1, 4.0)], 1, 3, scale=(0.5, 5))
    top = lists([[0, 1, 2]], 3)
    assert evaluate_ranking(top, test).values["mrr"] == [1 / 2]
    assert evaluate_ranking(top, test, threshold=3.5).values["mrr"] == [1]
    assert evaluate_ranking(top, test, k=1).metrics()["hit_rate@1"] == 0
    with pytest.raises(ValueError, match="lists hold 3 films"):
        evaluate_ranking(top, test, k=4)
    with pytest.raises(ValueError, match=r"no user has a test rating of at least 4\.5; lower the threshold"):
        evaluate_ranking(top, test, threshold=4.5)


def test_novelty_is_self_information_of_the_training_popularity():
    test = interactions([(0, 0, 5)], 3, 3)
    train = interactions([(0, 1, 1), (1, 1, 5), (2, 1, 3), (1, 2, 3)], 3, 3)
    ranking = evaluate_ranking(lists([[1, 2, 0]], 3), test, train=train)
    # (3 + 1)/4, (1 + 1)/4 and (0 + 1)/4 of the users: 0, 1 and 2 bits.
    assert ranking.values["novelty"] == pytest.approx([1])
    short = evaluate_ranking(lists([[0, -1, -1]], 3), test, train=train)
    assert short.values["novelty"] == pytest.approx([2])


def test_refuses_another_catalogue():
    test = interactions([(0, 0, 5)], 1, 4)
    with pytest.raises(ValueError, match="the lists rank 3 films, test has a catalogue of 4"):
        evaluate_ranking(lists([[0]], 3), test)
    with pytest.raises(ValueError, match="train has a catalogue of 9"):
        evaluate_ranking(lists([[0]], 4), test, train=interactions([(0, 0, 5)], 1, 9))


def slow_metrics(recommended, relevant, k):
    """Written out for one user: no arrays, no shared code."""
    hits, precision_sum, dcg, first = 0, 0.0, 0.0, 0
    for rank, item in enumerate(recommended[:k], start=1):
        if item in relevant:
            hits += 1
            precision_sum += hits / rank
            dcg += 1 / np.log2(rank + 1)
            first = first or rank
    best = sum(1 / np.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return {
        "precision": hits / k,
        "recall": hits / len(relevant),
        "ndcg": dcg / best,
        "map": precision_sum / min(k, len(relevant)),
        "mrr": 1 / first if first else 0,
        "hit_rate": float(hits > 0),
    }


@pytest.fixture
def world():
    rng = np.random.default_rng(11)
    cells = np.argwhere(rng.random((80, 40)) < 0.4)
    ratings = rng.integers(1, 6, len(cells))
    in_test = rng.random(len(cells)) < 0.4
    parts = [interactions(np.column_stack([cells, ratings])[rows].tolist(), 80, 40) for rows in (~in_test, in_test)]
    return *parts, rng.normal(size=(80, 40))


@pytest.mark.parametrize("k", [1, 5, 10, 40])
def test_agrees_with_the_written_out_oracle(world, k):
    train, test, scores = world
    order = np.random.default_rng(0).permutation(80)  # lists need not stand in the order of codes
    ranking = evaluate_ranking(top_k(scores[order], k, train.matrix[order], users=order), test)
    relevant = {u: set(test.items[(test.users == u) & (test.ratings >= 4)]) for u in range(80)}
    kept = [u for u in order if relevant[u]]
    assert ranking.users.tolist() == kept
    assert ranking.n_left_out == 80 - len(kept)
    seen = train.matrix.toarray() > 0
    for row, user in enumerate(kept):
        left = [i for i in np.argsort(-scores[user]) if not seen[user, i]]
        for metric, value in slow_metrics(left, relevant[user], k).items():
            assert ranking.values[metric][row] == pytest.approx(value, abs=1e-12), (metric, user)


def test_agrees_with_scikit_learn(world):
    train, test, scores = world
    unseen = train.matrix.toarray() == 0
    truth = np.zeros(scores.shape, dtype=int)
    liked = test.ratings >= 4
    truth[test.users[liked], test.items[liked]] = 1
    at_ten = evaluate_ranking(top_k(scores, 10, train.matrix), test)
    whole = evaluate_ranking(top_k(scores, 40, train.matrix), test)
    for row, user in enumerate(at_ten.users):
        real, guess = truth[user][unseen[user]], scores[user][unseen[user]]
        assert at_ten.values["ndcg"][row] == pytest.approx(ndcg_score([real], [guess], k=10))
        # Over the whole catalogue min(k, R) is R, which is scikit-learn's average precision.
        assert whole.values["map"][row] == pytest.approx(average_precision_score(real, guess))


def test_a_training_film_can_neither_hit_nor_be_counted_as_new(world):
    train, test, scores = world
    boosted = scores.copy()
    boosted[train.users, train.items] += 100  # a model that only remembers what was rated
    assert np.array_equal(
        evaluate_ranking(top_k(boosted, 10, train.matrix), test).values["ndcg"],
        evaluate_ranking(top_k(scores, 10, train.matrix), test).values["ndcg"],
    )


def test_per_user_values_can_be_resampled(world):
    train, test, scores = world
    ranking = evaluate_ranking(top_k(scores, 10, train.matrix), test, train=train)
    for metric in (*METRICS, "novelty"):
        assert ranking.per_user(metric).value == pytest.approx(ranking.metrics()[f"{metric}@10"])
    assert ranking.per_user("ndcg@10").metric == "ndcg@10"
    with pytest.raises(ValueError, match="no ranking metric is called 'ndcg@5'"):
        ranking.per_user("ndcg@5")
