"""Corrections of p-values for many comparisons."""

import numpy as np


def adjust(p_values: np.ndarray, method: str = "holm") -> np.ndarray:
    r"""Correct p-values for many comparisons.

    Sorted :math:`p_{(1)} \le \dots \le p_{(m)}`:

    * ``"holm"`` (Holm 1979), family-wise error: :math:`\max_{j \le i} \min(1, (m - j + 1)\,p_{(j)})`;
    * ``"bh"`` (Benjamini and Hochberg 1995), false discovery rate: :math:`\min_{j \ge i} \min(1, m\,p_{(j)} / j)`.

    ValueError where a p-value is NaN or outside 0 to 1, or there is no such method. Returns float64 of shape (m,): in
    the order given; compare with the level as it is.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError("p-values must be a list of numbers from 0 to 1; leave out comparisons not made")
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    ranks = np.arange(1, m + 1)
    if method == "holm":
        stepped = np.maximum.accumulate((m - ranks + 1) * p_values[order])
    elif method == "bh":
        stepped = np.minimum.accumulate((m * p_values[order] / ranks)[::-1])[::-1]
    else:
        raise ValueError(f"no correction is called {method!r}; there are 'holm' and 'bh'")
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
