"""What is known of users when each rating comes: predictions from earlier ratings only, brought up to date one by one."""

import numpy as np
from numba import njit


@njit(cache=True)
def online(users, items, ratings, times, n_known, baseline, features, penalties, gap, kept_up):
    r"""Predict ratings in their order, each from the same user's earlier ones.

    A user's residuals are a ridge regression on the films' features x (a leading 1 makes the first weight a bias):

    .. math:: \hat r_{ui} = c_i + x_i^\top w_u, \qquad w_u = \Big(\Lambda + \sum_j x_j x_j^\top\Big)^{-1} \sum_j x_j (r_{uj} - c_j)

    over the user's ratings before; the inverse moves by one rank with each rating (Sherman and Morrison 1950). The first
    `n_known` ratings are learned from and not predicted; the others too are learned from if `kept_up`, once predicted.

    Ratings, arrays of shape (n,), are sorted by time; `baseline` c, shape (n_items,), is mean and film bias, `features`
    x have shape (n_items, width), `penalties`, shape (width,), are the diagonal of :math:`\Lambda`; `gap` seconds
    without a rating end a sitting. Returns predictions, shape (n - n_known,), and for each the sum of what predictions
    missed of the user's earlier ratings in the same sitting, over their number plus one.
    """
    n_users, width = users.max() + 1, features.shape[1]
    inverse = np.zeros((n_users, width, width))
    for f in range(width):
        inverse[:, f, f] = 1.0 / penalties[f]
    sums = np.zeros((n_users, width))
    missed, in_sitting = np.zeros(n_users), np.zeros(n_users)
    last = np.full(n_users, -(1 << 60))
    predicted, sitting = np.empty(len(users) - n_known), np.empty(len(users) - n_known)
    moved = np.empty(width)
    for n in range(len(users)):
        user, x = users[n], features[items[n]]
        target = ratings[n] - baseline[items[n]]
        if times[n] - last[user] > gap:
            missed[user] = in_sitting[user] = 0.0
        product, length = 0.0, 0.0
        for f in range(width):
            moved[f] = 0.0
            for g in range(width):
                moved[f] += inverse[user, f, g] * x[g]
        for f in range(width):
            product += moved[f] * sums[user, f]
            length += moved[f] * x[f]
        if n >= n_known:
            predicted[n - n_known] = baseline[items[n]] + product
            sitting[n - n_known] = missed[user] / (in_sitting[user] + 1.0)
        if n < n_known or kept_up:
            missed[user] += target - product
            in_sitting[user] += 1.0
            last[user] = times[n]
            for f in range(width):
                sums[user, f] += x[f] * target
                for g in range(width):
                    inverse[user, f, g] -= moved[f] * moved[g] / (1.0 + length)
    return predicted, sitting
