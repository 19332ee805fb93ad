"""The protocol on a reader's ratings: how they are parted, and what counts as relevant."""

from __future__ import annotations

import numpy as np

from lib.interactions import Interactions
from lib.splits import Split, make_split

LEAST = 10
"""Fewer test ratings than this are no test."""
SHARE = 0.1
"""Least share of ratings that reaches a threshold read from the scale; else it is read from the ratings."""


def parted(data, *, seed: int, by_time: bool = True) -> tuple[dict[str, Split], list[tuple[str, str]]]:
    """Part the ratings: a fifth of each user's, and the last fifth of all where there are timestamps.

    Parameters
    ----------
    data : lib.datasets.Dataset
    seed : int
    by_time : bool
        Whether to part by time too.

    Returns
    -------
    splits : dict of str to Split
        The main one first.
    left_out : list of (str, str)
        Protocols that these ratings do not allow, and why.

    Raises
    ------
    ValueError
        There are too few ratings to hold any out.
    """
    splits, left_out = {}, []
    main = make_split(data, "per_user_80_20", seed=seed)
    if len(main.test) < LEAST:
        left_out.append(("per_user_80_20", "hardly any user has 5 ratings; a fifth of all ratings is held out at random instead"))  # fmt: skip
        main = make_split(data, "random_80_20", seed=seed)
    if len(main.test) < LEAST:
        raise ValueError(
            f"{len(data.interactions):,} ratings are too few: a fifth of them must be at least {LEAST}"
        )
    splits[main.name] = main
    if by_time:
        try:
            late = make_split(data, "chronological")
        except ValueError as error:
            left_out.append(("chronological", str(error)))
        else:
            if len(late.test) < LEAST:
                left_out.append(("chronological", f"only {len(late.test)} ratings are later than the others"))
            else:
                splits[late.name] = late
    return splits, left_out


def threshold_of(ratings: Interactions, given: float | None = None) -> tuple[float, str]:
    """Return the least rating that counts as relevant, and where it comes from, in words.

    Parameters
    ----------
    ratings : Interactions
    given : float, optional
        None: three quarters of the way up the scale (4 of 1 to 5), or the upper quartile of the ratings where fewer than
        a tenth of them reach that.

    Raises
    ------
    ValueError
        No rating reaches the given threshold.
    """
    low, high = ratings.scale
    if given is not None:
        if not (ratings.ratings >= given).any():
            raise ValueError(
                f"threshold={given:g}: no rating reaches it; the highest is {ratings.ratings.max():g}"
            )
        return float(given), "given"
    if low == high or ratings.ratings.min() == ratings.ratings.max():
        return float(ratings.ratings.min()), "every pair counts"
    usual = low + 0.75 * (high - low)
    if (ratings.ratings >= usual).mean() >= SHARE:
        return float(usual), "three quarters of the way up the scale"
    return float(
        np.quantile(ratings.ratings, 0.75)
    ), "the upper quartile of the ratings, as few come near the top of the scale"


def sample_users(split: Split, n: int) -> np.ndarray:
    """Return codes of test users from the quietest to the most active, evenly by rank of their training ratings."""
    tested = np.unique(split.test.users)
    order = tested[np.argsort(split.train.user_counts[tested], kind="stable")]
    places = np.unique(np.round(np.linspace(0.1, 0.9, n) * (len(order) - 1)).astype(int))
    return order[places]
