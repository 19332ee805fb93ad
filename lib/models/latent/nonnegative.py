"""Small quadratic problems over non-negative unknowns, by coordinate descent."""

import numpy as np
from numba import njit

TOLERANCE = 1e-6  # largest change of an unknown, in its own units, at which sweeps stop

MOST_SWEEPS = 500
TOO_LARGE = 1e3  # an unknown beyond this says that the sweeps diverge

FIRST_RIDGE = 0.05
"""Ridge of the first repair, as a share of the largest diagonal element; each further one is twice as large."""


@njit(cache=True)
def minimise_quadratic(matrix, linear, unknowns, slope):
    r"""Minimise :math:`x^\top A x - 2 b^\top x` over :math:`x \ge 0`.

    One unknown after the other is set to its best value while the others stand still, from zero on until none moves by
    more than `TOLERANCE`: for a positive definite A that is the minimum (which is unique). A whose entries are estimated
    from different ratings each need not be definite; where sweeps diverge or do not settle, they start again with a
    ridge on the diagonal that grows until they do; the ridge that was needed is returned.

    `matrix` is A, symmetric, with a positive diagonal, and `linear` b; `unknowns` are overwritten by x, `slope` by
    :math:`A x - b`.
    """
    n = len(linear)
    largest = 0.0
    for j in range(n):
        largest = max(largest, matrix[j, j])
    ridge = 0.0
    while not _descend(matrix, linear, ridge, unknowns, slope):
        ridge = FIRST_RIDGE * largest if ridge == 0.0 else 2.0 * ridge
    return ridge


@njit(cache=True)
def _descend(matrix, linear, ridge, unknowns, slope):
    """Sweep until nothing moves; False where that does not come about."""
    n = len(linear)
    for j in range(n):
        unknowns[j], slope[j] = 0.0, -linear[j]
    for _ in range(MOST_SWEEPS):
        moved = 0.0
        for j in range(n):
            present = unknowns[j]
            best = present - slope[j] / (matrix[j, j] + ridge)
            if best < 0.0:
                best = 0.0
            change = best - present
            if change == 0.0:
                continue
            unknowns[j] = best
            moved = max(moved, abs(change))
            row = matrix[j]
            for other in range(n):
                slope[other] += change * row[other]
            slope[j] += change * ridge
        if moved > TOO_LARGE or not np.isfinite(moved):
            return False
        if moved < TOLERANCE:
            return True
    return False
