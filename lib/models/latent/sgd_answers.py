"""Predictions of Koren's family from what it has learned: users' vectors, products of pairs, neighbours' shares."""

import numpy as np
from numba import njit

from lib.models.latent.sgd_kernels import match
from lib.models.latent.sgd_parameters import Parameters, Ratings
from lib.models.sparse_kernels import REORDERED


def user_vectors(ratings: Ratings, parameters: Parameters) -> np.ndarray:
    r"""Add up each user's vector, without what depends on time; float64, shape (n_users, k), zero where there is none.

    .. math:: v_u = p_u + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j + |R(u)|^{-1/2} \sum_{j \in R(u)} e_{uj} x_j
    """
    n_users, k = len(ratings.start) - 1, parameters.item_factors.shape[1]
    vectors = np.zeros((n_users, k))
    if parameters.user_factors.size:
        vectors += parameters.user_factors
    if parameters.implicit_factors.size:
        ones = np.ones(len(ratings.known_items), parameters.item_factors.dtype)
        _add_sums(ratings.known_start, ratings.known_items, ones, parameters.implicit_factors, vectors)
    if parameters.explicit_factors.size:
        _add_sums(ratings.start, ratings.items, ratings.residuals, parameters.explicit_factors, vectors)
    return vectors


@njit(cache=True)
def _add_sums(start, items, shares, table, out):
    for u in range(len(out)):
        n = start[u + 1] - start[u]
        if n == 0:
            continue
        sums = np.zeros(out.shape[1])
        for at in range(start[u], start[u + 1]):
            row = table[items[at]]
            for f in range(len(sums)):
                sums[f] += shares[at] * row[f]
        for f in range(len(sums)):
            out[u, f] += sums[f] / np.sqrt(n)


@njit(cache=True, fastmath=REORDERED)
def pair_products(users, items, vectors, factors):
    """Multiply users' and films' vectors pair by pair, in double precision; 0 where a code is outside the tables."""
    out = np.zeros(len(users))
    for n in range(len(users)):
        u, i = users[n], items[n]
        if 0 <= u < len(vectors) and 0 <= i < len(factors):
            a, b = vectors[u], factors[i]
            total = 0.0
            for f in range(len(a)):
                total += a[f] * np.float64(b[f])
            out[n] = total
    return out


def neighbour_sums(users, items, ratings: Ratings, explicit: np.ndarray, implicit: np.ndarray) -> np.ndarray:
    r"""Add up what the user's films near each film say; float64, shape (n,).

    .. math:: |R^k(i;u)|^{-1/2} \sum_{j \in R^k(i;u)} e_{uj} w_{ij} + |N^k(i;u)|^{-1/2} \sum_{j \in N^k(i;u)} c_{ij}

    It is 0 where no neighbour is known, and for codes outside the tables; `explicit` and `implicit` are the weights.
    """
    users, items = np.asarray(users, dtype=np.int64), np.asarray(items, dtype=np.int64)
    order = np.argsort(users, kind="stable")  # a user's films are looked up once
    out = np.zeros(len(users))
    _neighbour_sums(order, users, items, ratings, explicit, implicit, out)
    return out


@njit(cache=True)
def _neighbour_sums(order, users, items, ratings, explicit, implicit, out):
    pruned = len(ratings.neighbour_start) > 0
    n_users = len(ratings.start) - 1
    n_items = len(ratings.neighbour_start) - 1 if pruned else np.int64(np.round(np.sqrt(len(explicit))))
    known, residual_of = np.zeros(n_items, np.int8), np.zeros(n_items)
    places, partners = np.empty(n_items + 1, np.int64), np.empty(n_items + 1, np.int64)
    last = -1
    for at in order:
        u, i = users[at], items[at]
        if not (0 <= u < n_users and 0 <= i < n_items):
            continue
        if u != last:
            if last >= 0:
                _mark(last, ratings, known, residual_of, False)
            _mark(u, ratings, known, residual_of, True)
            last = u
        films = ratings.known_items[ratings.known_start[u] : ratings.known_start[u + 1]]
        starts, neighbours = ratings.neighbour_start, ratings.neighbours
        n_known = match(i, starts, neighbours, films, known, n_items, places, partners)
        by_rating, by_choice, n_rated = 0.0, 0.0, 0
        for t in range(n_known):
            if len(implicit):
                by_choice += implicit[places[t]]
            if known[partners[t]] == 2:
                n_rated += 1
                by_rating += explicit[places[t]] * residual_of[partners[t]]
        if n_known:
            out[at] += by_choice / np.sqrt(n_known)
        if n_rated:
            out[at] += by_rating / np.sqrt(n_rated)


@njit(cache=True)
def _mark(u, ratings, known, residual_of, on):
    for e in range(ratings.known_start[u], ratings.known_start[u + 1]):
        known[ratings.known_items[e]] = on
    for e in range(ratings.start[u], ratings.start[u + 1]):
        known[ratings.items[e]] = 2 if on else 0
        residual_of[ratings.items[e]] = ratings.residuals[e] if on else 0.0
