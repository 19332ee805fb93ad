"""Kernels of a factorisation machine's Gibbs sampler: draws of a side's features, of one-hot groups, and of cut points.

They are fast as each draw reads sums and not ratings: the features of a side (users or films) see its ratings through five
sums a row, and the indicators of a one-hot group touch different ratings, so that all of them are drawn in one pass.
"""

import math

import numpy as np
from numba import njit

SQRT_HALF = math.sqrt(0.5)
NORMAL_PEAK = 1.0 / math.sqrt(2.0 * math.pi)
SMALLEST = 1e-300


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def draw_side_weights(
    codes, indptr, rows, values, groups, counts, weights, own, precisions, means, noise, alpha, errors, trust
):
    """Draw the weights of a side's features one after the other, and bring `own` (their sums by row) and `errors` in step.

    Features stand as the columns of a sparse matrix (`indptr`, `rows`, `values`), each in one of the `groups`, whose normal
    priors have `precisions` and `means`. `trust` is what a rating counts for, `counts` its sums by row; `noise` has a
    standard normal draw a feature.
    """
    n = len(counts)
    before = own.copy()
    sums = np.zeros(n)
    for i in range(len(codes)):
        sums[codes[i]] += trust[i] * errors[i]
    for j in range(len(weights)):
        square = linear = 0.0
        for place in range(indptr[j], indptr[j + 1]):
            row, x = rows[place], values[place]
            square += x * x * counts[row]
            linear -= x * sums[row]
        group, old = groups[j], weights[j]
        precision = precisions[group] + alpha * square
        mean = (alpha * (linear + square * old) + precisions[group] * means[group]) / precision
        weights[j] = mean + noise[j] / math.sqrt(precision)
        change = weights[j] - old
        for place in range(indptr[j], indptr[j + 1]):
            row, x = rows[place], values[place]
            own[row] += x * change
            sums[row] += x * change * counts[row]
    for i in range(len(codes)):
        errors[i] += own[codes[i]] - before[codes[i]]


@njit(cache=True)
def begin_factor(places, own, codes, next_codes, side, errors, total, trust, before, now, gained, next_own, sums):
    """Bring `errors` in step with the last part drawn, set `total` to the next factor's, and sum up for its first part.

    `places` tell where in `own`, all rows of all parts, each rating's parts stand; the rest is as in `turn_over`.
    """
    n_parts = places.shape[1]
    for i in range(len(errors)):
        row = codes[i]
        rest = total[i] - before[row]
        error = errors[i] + rest * (now[row] - before[row]) + gained[row]
        errors[i] = error
        new = 0.0
        for part in range(n_parts):
            new += own[places[i, part]]
        total[i] = new
        row = next_codes[i]
        rest = new - next_own[row]
        weight = trust[i]
        sums[row, 1] += weight * rest * rest
        sums[row, 3] += weight * rest * error
        if side:
            sums[row, 0] += weight * rest
            sums[row, 2] += weight * error


@njit(cache=True)
def turn_over(codes, next_codes, side, errors, total, trust, before, now, gained, own, sums):
    """Bring `errors` and `total` in step with a part that was drawn, and sum up by row for the next one.

    With q the sum of one factor over all features of a rating (`total`), and `own` the next part of it, t = q - own:
    the `sums` are of t, its square, the errors and their products with t, each rating times its `trust`. `gained` is
    the change of the interactions among the drawn part's own features. The last row of each stands for ratings without
    the part.
    """
    for i in range(len(errors)):
        row = codes[i]
        change = now[row] - before[row]
        error = errors[i] + (total[i] - before[row]) * change + gained[row]
        new = total[i] + change
        errors[i] = error
        total[i] = new
        row = next_codes[i]
        rest = new - own[row]
        weight = trust[i]
        sums[row, 1] += weight * rest * rest
        sums[row, 3] += weight * rest * error
        if side:
            sums[row, 0] += weight * rest
            sums[row, 2] += weight * error


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def draw_side_factor(indptr, rows, values, groups, counts, factor, own, gained, sums, precisions, means, noise, alpha):
    """Draw one factor of a side's features, one after the other, and bring `own`, `gained` and `sums` in step.

    A feature's slope is x (t + own - x v), so that the sums of `turn_over` tell all that a draw needs of the ratings.
    """
    for j in range(len(factor)):
        square = linear = 0.0
        old = factor[j]
        for place in range(indptr[j], indptr[j + 1]):
            row, x = rows[place], values[place]
            among = own[row] - x * old
            square += x * x * (sums[row, 1] + among * (2.0 * sums[row, 0] + among * counts[row]))
            linear -= x * (sums[row, 3] + among * sums[row, 2])
        group = groups[j]
        precision = precisions[group] + alpha * square
        mean = (alpha * (linear + square * old) + precisions[group] * means[group]) / precision
        factor[j] = mean + noise[j] / math.sqrt(precision)
        change = factor[j] - old
        for place in range(indptr[j], indptr[j + 1]):
            row, step = rows[place], values[place] * change
            among = own[row] - values[place] * old
            gained[row] += step * among
            own[row] += step
            sums[row, 2] += step * (sums[row, 0] + among * counts[row])
            sums[row, 3] += step * (sums[row, 1] + among * sums[row, 0])


@njit(cache=True)
def draw_group_weights(codes, counts, weights, precision, mean, noise, alpha, errors, trust):
    """Draw the weights of a one-hot group, all at once, and bring `errors` in step; the last row is of ratings without."""
    n = len(noise)
    sums, change = np.zeros(n + 1), np.zeros(n + 1)
    for i in range(len(codes)):
        sums[codes[i]] -= trust[i] * errors[i]
    for j in range(n):
        drawn = precision + alpha * counts[j]
        new = (alpha * (sums[j] + counts[j] * weights[j]) + precision * mean) / drawn + noise[j] / math.sqrt(drawn)
        change[j] = new - weights[j]
        weights[j] = new
    for i in range(len(codes)):
        errors[i] += change[codes[i]]


@njit(cache=True)
def draw_group_factor(factor, own, sums, precision, mean, noise, alpha):
    """Draw one factor of a one-hot group, all at once: no two of its features share a rating."""
    for j in range(len(factor)):
        drawn = precision + alpha * sums[j, 1]
        new = (alpha * (sums[j, 1] * factor[j] - sums[j, 3]) + precision * mean) / drawn
        factor[j] = own[j] = new + noise[j] / math.sqrt(drawn)


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def sums_by_group(drawn, starts, mean, squares, sums):
    """Sum up what was drawn of each group, features of which stand side by side from `starts`, and squares around `mean`."""
    for group in range(len(mean)):
        for j in range(starts[group], starts[group + 1]):
            sums[group] += drawn[j]
            squares[group] += (drawn[j] - mean[group]) ** 2


@njit(cache=True)
def _below(x):
    return 0.5 * math.erfc(-x * SQRT_HALF)


@njit(cache=True)
def cut_likelihood(scores, classes, cuts, gradient, curvature, sharpness):
    r"""Return the log likelihood of an ordered probit's cut points, :math:`\sum_i \ln(\Phi(c_{k_i} - f_i) - \Phi(c_{k_i - 1} - f_i))`.

    Both differences are times the rating's `sharpness`, one over the noise's standard deviation. The likelihood's `gradient`
    and `curvature` (minus the second derivatives) are filled in unless they are empty.
    """
    last, wanted = len(cuts), len(gradient) > 0
    gradient[:] = 0.0
    curvature[:] = 0.0
    found = 0.0
    for i in range(len(scores)):
        k = classes[i]
        sharp = sharpness[i]
        high = (cuts[k] - scores[i]) * sharp if k < last else np.inf
        low = (cuts[k - 1] - scores[i]) * sharp if k > 0 else -np.inf
        # In the tail where both are small, differences keep their digits.
        chance = _below(-low) - _below(-high) if low > 0 else _below(high) - _below(low)
        chance = max(chance, SMALLEST)
        found += math.log(chance)
        if wanted:
            above = sharp * NORMAL_PEAK * math.exp(-0.5 * high * high) / chance if k < last else 0.0
            below = sharp * NORMAL_PEAK * math.exp(-0.5 * low * low) / chance if k > 0 else 0.0
            if k < last:
                gradient[k] += above
                curvature[k, k] += above * (above + sharp * high)
            if k > 0:
                gradient[k - 1] -= below
                curvature[k - 1, k - 1] += below * (below - sharp * low)
            if 0 < k < last:
                curvature[k, k - 1] -= above * below
                curvature[k - 1, k] -= above * below
    return found
