"""Project B's open choices: the base class to the bit where they are left alone, and each does what it says."""

import numpy as np
import pytest

from lib.models import create
from lib.studies.side_information_terms import CAP, NORMALISATIONS, VARIED, WEIGHTINGS, normalised
from tests.conftest import planted_interactions

SIZE = {"n_factors": 3, "n_iterations": 4, "groups": ["genres", "year"]}


@pytest.fixture(scope="module")
def train():
    return planted_interactions(n_users=40, n_items=30, density=0.35, seed=2)


def predictions(train, model=VARIED, **options):
    return create(model, **SIZE, **options).fit(train).predict(train.users, train.items)


def test_left_alone_it_is_the_model_of_the_report_to_the_bit(train):
    usual = predictions(train, "side_information_als")
    assert np.array_equal(predictions(train), usual)
    both = {"genres": "rows", "year": "columns"}
    np.testing.assert_allclose(predictions(train, normalisation=both), usual, atol=1e-9)
    shrunk = predictions(train, "side_information_als", popularity_shrinkage=True)
    assert np.array_equal(predictions(train, weighting="inverse root"), shrunk)


def test_each_choice_makes_another_model(train):
    found = [predictions(train, normalisation={"genres": way, "year": way}) for way in NORMALISATIONS]
    found += [predictions(train, weighting=way) for way in WEIGHTINGS]
    assert len({one.round(6).tobytes() for one in found}) == len(found)
    model = create(VARIED, **SIZE, item_penalty=6.0, weighting="capped")
    np.testing.assert_allclose(model.engine(train).items.ridges, 6 / np.minimum(train.item_counts + 1, CAP))


def test_features_are_normalised_by_row_by_column_or_not_at_all(train):
    raw, rows, columns = (normalised(train, "genres", way).toarray() for way in ("none", "rows", "columns"))
    assert set(np.unique(raw)) == {0, 1}
    np.testing.assert_allclose(rows.sum(axis=1), raw.any(axis=1))
    np.testing.assert_allclose(columns[:, raw.std(axis=0) > 0].std(axis=0), 1)
    years = train.item_table["year"].to_numpy(float)
    assert np.array_equal(normalised(train, "year", "none").toarray()[:, 0], years)
    assert set(normalised(train, "year", "rows").data) == {1.0}, "which says nothing of a year"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"normalisation": {"genres": "row"}}, "one of rows, columns, none; got genres: 'row'"),
        ({"normalisation": {"tags": "rows"}}, "genres and year one of"),
        ({"weighting": "log"}, "weighting is one of uniform, .*; got 'log'"),
    ],
)
def test_an_unknown_choice_is_refused(train, options, said):
    with pytest.raises(ValueError, match=said):
        predictions(train, **options)
