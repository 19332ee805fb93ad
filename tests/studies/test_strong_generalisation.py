"""Strong generalisation: who and what is held out, and metrics against hand-worked lists and the published code."""

from dataclasses import replace

import numpy as np
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.models.baselines.orders import MostPopular
from lib.models.lists.ease import EASE
from lib.statistics.significance import bootstrap_interval, paired_difference
from lib.studies.strong_generalisation import HeldOutUsers, evaluate_fold_in, strong_split
from tests.conftest import planted_interactions


def rows_of(rows, n_users, n_items):
    users, items, ratings = np.array(rows).T if len(rows) else np.empty((3, 0))
    ids = np.arange(n_users) + 100, np.arange(n_items) + 500
    return Interactions(users, items, ratings, np.zeros(len(rows)), *ids, RatingScale(1, 5))


def pairs(part):
    return set(zip(part.users.tolist(), part.items.tolist(), strict=True))


@pytest.fixture(scope="module")
def data():
    """60 users with 1 to 60 films; every user alone has rated a film of their own that nobody else has."""
    rng = np.random.default_rng(8)
    rows = []
    for user in range(60):
        films = [user, *rng.choice(np.arange(60, 140), user, replace=False)]
        rows += [
            (user, film, rating) for film, rating in zip(films, rng.integers(1, 6, len(films)), strict=True)
        ]
    return rows_of([rows[place] for place in rng.permutation(len(rows))], 60, 140)


class TestSplit:
    def test_users_are_parted_and_training_users_keep_all_films(self, data):
        train, test = strong_split(data, held_out_users=0.14, seed=1)  # 8 of the 56 users with 5 films
        trained, tested = set(train.users.tolist()), set(test.users.tolist())
        enough = set(np.flatnonzero(data.user_counts >= 5).tolist())
        assert len(tested) == 8 and not trained & tested
        assert trained | tested <= enough and len(enough - trained - tested) == 8  # as many for validation
        assert len(train) == data.user_counts[sorted(trained)].sum()
        assert train.item_ids is data.item_ids

    def test_films_that_no_training_user_rated_are_not_asked_for(self, data):
        train, part = strong_split(data, held_out_users=0.14, seed=1)
        known = np.unique(train.items)
        assert np.array_equal(np.flatnonzero(part.catalogue), known)
        of_part = data.take(np.isin(data.users, part.users))
        unknown = ~np.isin(of_part.items, known)
        assert unknown.sum() >= 8  # each user's own film at least
        assert pairs(part.fold_in) | pairs(part.target) == pairs(of_part.take(~unknown))
        assert not pairs(part.fold_in) & pairs(part.target)

    def test_a_fifth_of_each_user_s_known_films_is_the_target(self, data):
        _, part = strong_split(data, held_out_users=0.14, seed=1)
        for user in part.users:
            n_fold_in, n_target = (int((p.users == user).sum()) for p in (part.fold_in, part.target))
            n = n_fold_in + n_target
            assert n_target == (n // 5 if n >= 5 else 0)  # users who are left with fewer are asked nothing

    def test_a_user_left_with_few_known_films_is_folded_in_only(self):
        """User 3 has five films, of which the others know four; some seed holds that user out."""
        rows = [(user, film, 5) for user in range(3) for film in range(5)]
        rows += [(3, film, 5) for film in (0, 1, 2, 3, 9)]
        seen = set()
        for seed in range(20):
            _, part = strong_split(rows_of(rows, 4, 10), held_out_users=0.25, seed=seed)
            short = part.users.tolist() == [3]
            assert (len(part.fold_in), len(part.target)) == ((4, 0) if short else (4, 1))
            seen.add(short)
        assert seen == {True, False}

    def test_the_threshold_counts_before_the_least_number_of_ratings(self, data):
        train, test = strong_split(data, held_out_users=0.1, threshold=4, seed=0)
        liked = data.take(data.ratings >= 4)
        enough = np.flatnonzero(liked.user_counts >= 5)
        assert {*np.unique(train.users), *test.users} <= set(enough)
        assert len(train) == liked.user_counts[np.unique(train.users)].sum()
        assert all((part.ratings >= 4).all() for part in (train, test.fold_in, test.target))

    def test_the_seed_decides_and_the_order_of_rows_does_not(self, data):
        def parts(interactions, seed):
            train, test = strong_split(interactions, seed=seed)
            return [pairs(part) for part in (train, test.fold_in, test.target)]

        first = parts(data, 3)
        assert parts(data.take(np.random.default_rng(0).permutation(len(data))), 3) == first
        assert parts(data, 4) != first

    def test_a_share_of_users_is_rounded_up(self, data):
        assert len(strong_split(data, held_out_users=0.1)[1].users) == 6  # of 56 users with 5 films

    def test_bad_parameters_are_named(self, data):
        with pytest.raises(ValueError, match=r"held_out_users must be a share between 0 and 0\.5"):
            strong_split(data, held_out_users=0.5)
        with pytest.raises(ValueError, match="leaves none to train on"):
            strong_split(data, held_out_users=0.49)
        with pytest.raises(ValueError, match="of 0 with at least 5 ratings"):
            strong_split(data, threshold=6.0)


class Fixed:
    """Answers every history with scores that were written down for it."""

    def __init__(self, scores):
        self.scores, self.asked = np.array(scores, dtype=float), 0

    def score_histories(self, histories):
        first, self.asked = self.asked, self.asked + histories.shape[0]
        return self.scores[first : self.asked]


class TestEvaluation:
    def part(self):
        """Six films, of which nobody in training knows film 0; users 2, 4 and 7 are held out."""
        fold_in = rows_of([(2, 1, 5), (4, 2, 1), (4, 3, 3), (7, 1, 4)], 9, 6)
        target = rows_of([(2, 2, 5), (2, 3, 1), (2, 5, 3), (4, 4, 2)], 9, 6)
        catalogue = np.array([False] + [True] * 5)
        return HeldOutUsers(np.array([2, 4, 7], np.int32), fold_in, target, catalogue)

    def test_hand_worked_lists(self):
        scores = [
            [8, 9, 3, 1, 4, 2],  # user 2: without film 1, seen, and film 0, unknown: 4, 2, 5, 3
            [7, 1, 9, 8, 3, 2],  # user 4: 4, 5, 1
            [5, 0, 1, 2, 3, 4],  # user 7, without a target: 5, 4, 3, 2
        ]
        found = evaluate_fold_in(Fixed(scores), self.part(), ks=(2, 4))
        discount = 1 / np.log2(np.arange(2, 6))
        assert list(found) == [2, 4]
        assert found[2].users.tolist() == [2, 4] and found[2].n_left_out == 1
        assert found[2].values["recall"] == pytest.approx([1 / 3, 1])
        assert found[2].values["recall_capped"] == pytest.approx([1 / 2, 1])
        assert found[2].values["ndcg"] == pytest.approx([discount[1] / discount[:2].sum(), 1])
        assert found[4].values["recall"].tolist() == found[4].values["recall_capped"].tolist() == [1, 1]
        assert found[4].values["ndcg"] == pytest.approx([discount[1:4].sum() / discount[:3].sum(), 1])
        assert found[4].values["precision"] == pytest.approx([3 / 4, 1 / 4])  # user 4's list has three films
        assert found[2].metrics()["recall_capped@2"] == pytest.approx(3 / 4)
        assert found[2].coverage == pytest.approx(3 / 6)  # films 2, 4 and 5
        assert {"ndcg", "recall", "recall_capped"} < set(found[2].values)

    def test_ratings_of_one_star_are_targets_too(self):
        part = self.part()
        best = evaluate_fold_in(Fixed([[0, 0, 1, 2, 0, 1]] * 3), part, ks=(1,))[1]
        assert best.values["recall"] == pytest.approx([1 / 3, 0])  # film 3, which user 2 gave one star

    def test_the_size_of_batches_does_not_show(self, data, monkeypatch):
        train, part = strong_split(data, held_out_users=0.21, seed=2)
        model = EASE(l2=5.0).fit(train)
        whole = evaluate_fold_in(model, part, ks=(5, 20))
        monkeypatch.setattr("lib.studies.strong_generalisation.CELLS", 5 * data.n_items)
        parts = evaluate_fold_in(model, part, ks=(5, 20))
        for k in (5, 20):
            assert parts[k].users.tolist() == whole[k].users.tolist()
            for metric, values in whole[k].values.items():
                np.testing.assert_allclose(parts[k].values[metric], values, rtol=1e-9)

    def test_against_the_code_published_with_the_paper(self, data):
        """Liang et al.'s NDCG_binary_at_k_batch and Recall_at_k_batch, user by user, on the training users' films."""
        train, part = strong_split(data, held_out_users=0.21, seed=5)
        model = EASE(l2=5.0).fit(train)
        films = np.flatnonzero(part.catalogue)
        predicted = model.score_histories(part.histories)[:, films]
        heldout = part.target.matrix[part.users].toarray()[:, films] > 0
        predicted[part.histories.toarray()[:, films] > 0] = -np.inf
        for k in (3, 10, 20):
            top = np.argsort(-predicted, axis=1)[:, :k]
            discounts = 1.0 / np.log2(np.arange(2, k + 2))
            rows, ndcg, recall = [], [], []
            for row, wanted in enumerate(heldout):
                if wanted.any():
                    n = int(wanted.sum())
                    rows.append(part.users[row])
                    ndcg.append((wanted[top[row]] * discounts).sum() / discounts[: min(n, k)].sum())
                    recall.append(wanted[top[row]].sum() / min(k, n))
            found = evaluate_fold_in(model, part, ks=(k,))[k]
            assert found.users.tolist() == rows
            np.testing.assert_allclose(found.values["ndcg"], ndcg)
            np.testing.assert_allclose(found.values["recall_capped"], recall)

    def test_a_model_that_reads_histories_beats_popularity_and_is_compared_user_by_user(self):
        whole = planted_interactions(n_users=120, n_items=60, density=0.7, seed=3)
        crowds = whole.take(whole.users % 2 == whole.items % 2)
        train, part = strong_split(crowds, held_out_users=0.2)
        first, second = (
            evaluate_fold_in(model.fit(train), part, ks=(5,))[5] for model in (EASE(l2=5.0), MostPopular())
        )
        for metric in ("ndcg@5", "recall_capped@5"):
            difference = paired_difference(first.per_user(metric), second.per_user(metric), n_resamples=200)
            assert difference.low > 0
        interval = bootstrap_interval(first.per_user("recall_capped@5"), n_resamples=100)
        assert interval.low <= first.metrics()["recall_capped@5"] <= interval.high

    def test_a_model_that_knows_the_targets_is_perfect(self, data):
        _, part = strong_split(data, held_out_users=0.21, seed=5)
        oracle = Fixed(part.target.matrix[part.users].toarray())
        found = evaluate_fold_in(oracle, part, ks=(2,))[2]
        assert found.values["recall_capped"].min() == found.values["ndcg"].min() == 1
        assert found.values["recall"].min() < 1

    def test_what_cannot_be_measured_is_an_error(self):
        part = self.part()
        with pytest.raises(ValueError, match="k=6 is larger than the catalogue of 5 films"):
            evaluate_fold_in(Fixed(np.zeros((3, 6))), part, ks=(1, 6))
        with pytest.raises(ValueError, match="k=0, but the lists hold 2 films"):
            evaluate_fold_in(Fixed(np.zeros((3, 6))), part, ks=(0, 2))
        with pytest.raises(ValueError, match="no held-out user has a target"):
            evaluate_fold_in(Fixed(np.zeros((3, 6))), replace(part, target=rows_of([], 9, 6)), ks=(1,))
