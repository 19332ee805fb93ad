"""A prediction taken apart into the user's films that it rests on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Explanation(NamedTuple):
    """A prediction taken apart: `baseline`, the `contributions` and `rest` add up to it.

    Parameters
    ----------
    items : ndarray of int, shape (n,)
        Codes of the user's films that weigh most, by the size of their contribution, largest first.
    contributions : ndarray of float64, shape (n,)
        What each adds to the prediction or takes from it, in units of the rating scale.
    baseline : float
        The terms that no single film answers for: mean, biases and, where the model has them, the user's own factors.
    rest : float
        Sum of the contributions of the films that are not listed.
    """

    items: np.ndarray
    contributions: np.ndarray
    baseline: float
    rest: float


def explanation(items: np.ndarray, contributions: np.ndarray, baseline: float, n: int | None) -> Explanation:
    """Sort contributions by size, and list the n largest that are not zero; None lists them all.

    Raises
    ------
    ValueError
        n is below 1.
    """
    if n is not None and n < 1:
        raise ValueError(f"n={n}: list at least 1 film, or None for all")
    order = np.argsort(-np.abs(contributions), kind="stable")[:n]
    order = order[contributions[order] != 0]
    rest = float(contributions.sum() - contributions[order].sum())
    return Explanation(items[order], contributions[order], float(baseline), rest)
