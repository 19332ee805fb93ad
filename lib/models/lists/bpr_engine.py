"""Kernels of Bayesian personalised ranking: one step a triplet, or the gradient of a batch of them."""

import math

import numpy as np
from numba import njit

from lib.models.als_rows import REORDERED

LARGE = 1e100  # where a product of factors of at most two is cut off, far from overflow


@njit(cache=True, fastmath=REORDERED, error_model="numpy")
def sgd_pass(users, items, biases, user_of, liked, others, learning_rate, l2):
    r"""Take one step a triplet (u, i, j), one after the other, against the gradient of the triplet's own loss.

    .. math:: -\ln \sigma(x_{uij})
        + \tfrac{\lambda}{2} (|p_u|^2 + |q_i|^2 + |q_j|^2 + b_i^2 + b_j^2), \qquad
        x_{uij} = \langle p_u, q_i - q_j \rangle + b_i - b_j .

    The weights p, q and b, float32 arrays of shapes (n_users, k), (n_items, k) and (n_items,), are updated in place. In
    the triplets, int32 arrays of shape (n,), `liked` and `others` differ. Returns the sum of
    :math:`-\ln \sigma(x_{uij})`, each just before its step.
    """
    k = users.shape[1]
    one = np.float32(1.0)
    rate = np.float32(learning_rate)
    keep = np.float32(1.0 - learning_rate * l2)
    total, product = 0.0, 1.0
    for t in range(len(user_of)):
        i, j = liked[t], others[t]
        user, better, worse = users[user_of[t]], items[i], items[j]
        x = biases[i] - biases[j]
        for f in range(k):
            x += user[f] * (better[f] - worse[f])
        # exp(-|x|) can't overflow, and logarithms are taken of a product of many factors of at most two.
        small = np.exp(-abs(x))
        push = rate * ((small if x > 0 else one) / (one + small))
        total += max(-x, np.float32(0.0))
        product *= 1.0 + small
        if product > LARGE:
            total += math.log(product)
            product = 1.0
        for f in range(k):
            a, b, c = user[f], better[f], worse[f]
            user[f] = keep * a + push * (b - c)
            better[f] = keep * b + push * a
            worse[f] = keep * c - push * a
        biases[i] = keep * biases[i] + push
        biases[j] = keep * biases[j] - push
    return total + math.log(product)


@njit(cache=True, fastmath=REORDERED, error_model="numpy")
def add_slopes(users, items, biases, user_of, liked, others, l2, to_users, to_items, to_biases):
    r"""Add a batch's gradient of `lib.models.lists.bpr.BPR`'s loss to `to_users`, `to_items` and `to_biases`.

    The parameters are those of `sgd_pass`; the weights stay as they are. Returns the sum of
    :math:`-\ln \sigma(x_{uij})`.
    """
    k = users.shape[1]
    one = np.float32(1.0)
    share = np.float32(1.0 / max(len(user_of), 1))
    pull = np.float32(l2)
    total = 0.0
    for t in range(len(user_of)):
        u, i, j = user_of[t], liked[t], others[t]
        user, better, worse = users[u], items[i], items[j]
        x = biases[i] - biases[j]
        for f in range(k):
            x += user[f] * (better[f] - worse[f])
        small = np.exp(-abs(x))
        push = share * ((small if x > 0 else one) / (one + small))
        total += max(-x, np.float32(0.0)) + math.log1p(small)
        to_user, to_better, to_worse = to_users[u], to_items[i], to_items[j]
        for f in range(k):
            a, b, c = user[f], better[f], worse[f]
            to_user[f] += pull * a - push * (b - c)
            to_better[f] += pull * b - push * a
            to_worse[f] += pull * c + push * a
        to_biases[i] += pull * biases[i] - push
        to_biases[j] += pull * biases[j] + push
    return total


def shorten(gradient: np.ndarray, longest: float) -> None:
    """Scale a gradient that is longer than `longest` down to it, in place."""
    norm = math.sqrt(_squared_norm(gradient))
    if norm > longest:
        gradient *= np.float32(longest / norm)


@njit(cache=True, fastmath=REORDERED)
def _squared_norm(values):
    total = 0.0  # in double precision
    for n in range(len(values)):
        total += np.float64(values[n]) * np.float64(values[n])
    return total
