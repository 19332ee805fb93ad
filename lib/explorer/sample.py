"""Which users and films a page of limited size shows: drawn by chance, so that nobody picked the flattering ones."""

from __future__ import annotations

import numpy as np

from lib.explorer.data import Explorer


def sample_users(explorer: Explorer, n: int, *, least: int = 5, most: int = 60, seed: int = 42) -> np.ndarray:
    """Draw n users who have lists, and from `least` to `most` held-out ratings; ascending codes.

    All who qualify where these are fewer.

    Raises
    ------
    ValueError
        Nobody qualifies.
    """
    counts = explorer.test.user_counts
    listed = np.isin(np.arange(explorer.train.n_users), explorer.listed_users)
    fitting = np.flatnonzero((counts >= least) & (counts <= most) & listed)
    return _draw(fitting, n, seed, f"user has {least} to {most} held-out ratings and a list")


def sample_films(explorer: Explorer, n: int, *, least: int = 50, seed: int = 42) -> np.ndarray:
    """Draw n films with at least `least` training ratings; ascending codes. All who qualify where these are fewer.

    Raises
    ------
    ValueError
        None qualifies.
    """
    return _draw(
        np.flatnonzero(explorer.train.item_counts >= least), n, seed, f"film has {least} training ratings"
    )


def _draw(codes: np.ndarray, n: int, seed: int, wanted: str) -> np.ndarray:
    if n < 1:
        raise ValueError(f"a sample has at least one member; got n={n}")
    if not len(codes):
        raise ValueError(f"no {wanted}; lower the least number")
    return np.sort(np.random.default_rng(seed).choice(codes, min(n, len(codes)), replace=False))
