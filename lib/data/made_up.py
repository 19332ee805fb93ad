"""Made-up ratings with the shape and skew of a real data set: for measuring time and memory, never accuracy."""

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions, RatingScale

GENRES = tuple(f"genre {n}" for n in range(1, 20))
USER_SKEW, ITEM_SKEW = 0.7, 0.9  # how steeply counts fall off by rank; 0 is even


def made_up_ratings(n_ratings: int, n_users: int, n_items: int, *, seed: int = 0) -> Interactions:
    r"""Draw distinct (user, item) pairs whose counts fall off by rank as MovieLens' do, with random ratings.

    User and item are drawn independently, rank r of n with a probability proportional to :math:`(r + 0.02\,n)^{-skew}`,
    with `USER_SKEW` and `ITEM_SKEW`. Ratings are the sum of a user's and an item's effect and noise, rounded to halves
    on 0.5 to 5. Items have one to three of 19 genres and a year. Every user and item is in the id maps; some may have
    no rating. ValueError: more than a fifth of all pairs are asked for, as drawing them would not end.
    """
    if not 0 < n_ratings <= n_users * n_items / 5:
        raise ValueError(f"n_ratings is 1 to a fifth of the {n_users:,} x {n_items:,} pairs; got {n_ratings:,}")
    rng = np.random.default_rng(seed)
    chances = _falling(n_users, USER_SKEW), _falling(n_items, ITEM_SKEW)
    pairs = np.empty(0, dtype=np.int64)
    while len(pairs) < n_ratings:
        missing = int(1.3 * (n_ratings - len(pairs))) + 100
        users, items = (np.searchsorted(c, rng.random(missing)) for c in chances)
        pairs = np.unique(np.concatenate([pairs, users * n_items + items]))
    users, items = np.divmod(np.sort(rng.permutation(pairs)[:n_ratings]), n_items)
    effect = rng.normal(0, 0.4, n_users)[users] + rng.normal(0, 0.4, n_items)[items]
    ratings = np.clip(np.round(2 * (3.5 + effect + rng.normal(0, 0.9, n_ratings))) / 2, 0.5, 5)
    rated = users, items, ratings, np.zeros(n_ratings), np.arange(n_users), np.arange(n_items)
    return Interactions(*rated, RatingScale(0.5, 5.0), item_table=_items(n_items, rng))


def _falling(n: int, skew: float) -> np.ndarray:
    total = np.cumsum((np.arange(n) + 0.02 * n) ** -skew)
    return total / total[-1]


def _items(n_items: int, rng: np.random.Generator) -> pd.DataFrame:
    drawn = rng.integers(0, len(GENRES), (n_items, 3))
    many = rng.integers(1, 4, n_items)
    genres = ["|".join(sorted({GENRES[g] for g in row[:m]})) for row, m in zip(drawn, many, strict=True)]
    years = pd.array(rng.integers(1930, 2015, n_items), dtype="Int64")
    columns = {"title": [f"Made-up film {n}" for n in range(n_items)], "year": years, "genres": genres}
    return pd.DataFrame(columns, index=pd.Index(np.arange(n_items), name="item"))
