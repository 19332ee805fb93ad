import numpy as np
import pytest

from lib.data.made_up import made_up_ratings


def test_shape_skew_and_scale():
    data = made_up_ratings(20_000, 700, 500, seed=1)
    assert len(data) == 20_000
    assert (data.n_users, data.n_items) == (700, 500)
    pairs = data.users.astype(int) * 500 + data.items
    assert len(np.unique(pairs)) == 20_000
    assert set(np.unique(data.ratings)) <= set(np.arange(1, 11) / 2)
    counts = np.sort(data.item_counts)[::-1]
    assert counts[:50].sum() > 0.2 * counts.sum(), "a tenth of the items must have far more than a tenth of the ratings"
    assert data.item_counts[:50].mean() > 3 * data.item_counts[-50:].mean()
    assert data.item_table["genres"].str.len().min() > 0


def test_seeded():
    same = [made_up_ratings(1000, 60, 100, seed=s) for s in (1, 1, 2)]
    assert np.array_equal(same[0].items, same[1].items)
    assert np.array_equal(same[0].ratings, same[1].ratings)
    assert not np.array_equal(same[0].items, same[2].items)


def test_too_dense_is_refused():
    with pytest.raises(ValueError, match="fifth"):
        made_up_ratings(3000, 100, 100)
