r"""The kernel of Koren's family: stochastic gradient descent that visits one user's ratings after the other.

Every model of the family predicts

.. math::

    \hat r_{ui}(t) = \mu + \underbrace{b_u + b_i}_{\text{biases}}
    + \underbrace{\alpha_u\,d_u(t) + b_{u,t} + \dots}_{\text{time}} + q_i^\top v_u(t)
    + |R^k(i;u)|^{-1/2} \sum_{j \in R^k(i;u)} e_{uj} w_{ij} + |N^k(i;u)|^{-1/2} \sum_{j \in N^k(i;u)} c_{ij}

with a user's vector that has up to four parts,

.. math:: v_u(t) = p_u + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j + |R(u)|^{-1/2} \sum_{j \in R(u)} e_{uj} x_j + a_u\,d_u(t).

A model has the terms whose arrays are not empty. For each rating every parameter :math:`\theta` of its prediction moves
by :math:`\gamma\,(e_{ui}\,\partial \hat r_{ui} / \partial \theta - \lambda \theta)`: half the gradient of
:math:`e_{ui}^2 + \lambda \sum \theta^2`.

**Linear time.** Written out, a rating moves every :math:`y_j` of the user's films. But they all move alike,
:math:`y_j \leftarrow (1 - \gamma\lambda)\,y_j + \gamma\,|N(u)|^{-1/2} e_{ui} q_i`, and while this user is visited
the prediction sees their sum only. So the kernel moves the sum, :math:`s \leftarrow s + \gamma (e_{ui} q_i - \lambda s)`,
keeps what all :math:`y_j` have moved by, and writes it back once when the user is done:
:math:`y_j \leftarrow (1 - \gamma\lambda)^{n_u} y_j + \Delta`. The result is that of the update rating by rating, in
O(factors) a rating instead of O(factors x ratings of the user). The same goes for :math:`x_j`, which move by a common
vector times :math:`e_{uj}`.
"""

import numpy as np
from numba import njit

from lib.models.sparse_kernels import REORDERED

LANES = 32  # factors that an unrolled loop takes at a time; what is left over takes as long as two of these


@njit(cache=True)
def shuffle(order, state):
    """Permute `order` in place by Fisher and Yates, with random bits from SplitMix64 (Steele et al. 2014)."""
    for m in range(len(order) - 1, 0, -1):
        state += np.uint64(0x9E3779B97F4A7C15)
        bits = state
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
        at = np.int64(((bits >> np.uint64(32)) * np.uint64(m + 1)) >> np.uint64(32))
        order[m], order[at] = order[at], order[m]


@njit(cache=True, fastmath=REORDERED)
def add(out, factor, row):
    """Add a multiple of `row` to `out`."""
    for f in range(len(out)):
        out[f] += factor * row[f]


@njit(cache=True, fastmath=REORDERED)
def step(row, rate, factor, slope, penalty):
    """Move `row` by a multiple of `slope`, and towards zero, at a learning rate."""
    for f in range(len(row)):
        row[f] += rate * (factor * slope[f] - penalty * row[f])


@njit(cache=True)
def match(i, starts, neighbours, films, known, n_items, places, partners):
    """Fill in where the weights of those neighbours of film i stand that the user knows, and which they are; count them.

    `starts` (empty for all films) and `neighbours` are as in `sgd_parameters.Ratings`; `films` are the user's, for whom
    `known`, shape (n_items,), is not zero; `places` and `partners` are filled.
    """
    found = 0
    if len(starts) == 0:
        for m in range(len(films)):
            places[found], partners[found] = np.int64(i) * n_items + films[m], films[m]
            found += films[m] != i
        return found
    for e in range(starts[i], starts[i + 1]):  # without a branch, which nobody could predict
        j = neighbours[e]
        places[found], partners[found] = e, j
        found += known[j] != 0
    return found


@njit(cache=True)
def longest(starts):
    """Return the length of the longest compressed row; 0 without rows."""
    found = 0
    for r in range(len(starts) - 1):
        found = max(found, starts[r + 1] - starts[r])
    return found


@njit(cache=True)
def inverse_root(count):
    """Return one over the root of a count, or 0 for none, in the count's type."""
    return count if count == 0 else 1 / np.sqrt(count)


@njit(cache=True, fastmath=REORDERED, nogil=True, error_model="numpy")
def visit_users_plain(users, seed, shuffled, mean, ratings, parameters, rates, penalties):
    """Do the same for biases and a user's and a film's factors alone, in half the time: each row is read and written once."""
    p, k, total = parameters, parameters.item_factors.shape[1], 0.0
    real, kind = p.item_bias.dtype.type, p.item_bias.dtype
    centre, mine = real(mean), np.empty(k, kind)
    order = np.empty(longest(ratings.start), np.int64)
    for u in users:
        low, n = ratings.start[u], ratings.start[u + 1] - ratings.start[u]
        for m in range(n):
            order[m] = low + m
        if shuffled:
            shuffle(order[:n], seed + np.uint64(u) * np.uint64(0xD1342543DE82EF95))
        for f in range(k):  # a loop: copied as a slice, it takes three times as long to compile
            mine[f] = p.user_factors[u, f]
        for at in order[:n]:
            i = ratings.items[at]
            film, error = p.item_factors[i], ratings.ratings[at] - centre - p.user_bias[u] - p.item_bias[i]
            for f in range(k):
                error -= film[f] * mine[f]
            total += error * error
            p.user_bias[u] += rates.bias * (error - penalties.bias * p.user_bias[u])
            p.item_bias[i] += rates.bias * (error - penalties.bias * p.item_bias[i])
            for f in range(k):
                own, other = mine[f], film[f]
                mine[f] = own + rates.factor * (error * other - penalties.factor * own)
                film[f] = other + rates.factor * (error * own - penalties.factor * other)
        for f in range(k):
            p.user_factors[u, f] = mine[f]
    return total


def visit_users_wide(users, seed, shuffled, mean, ratings, parameters, rates, penalties):
    """Do the same with factors padded by zeros, which stay zeros, to what the processor takes in one go."""
    k = parameters.item_factors.shape[1]
    tables = {"user_factors": parameters.user_factors, "item_factors": parameters.item_factors}
    padded = {name: np.pad(table, ((0, 0), (0, -k % LANES))) for name, table in tables.items()}
    wide = parameters._replace(**padded)
    total = visit_users_plain(users, seed, shuffled, mean, ratings, wide, rates, penalties)
    for name, table in tables.items():
        table[...] = padded[name][:, :k]
    return total


@njit(cache=True, fastmath=REORDERED, nogil=True, error_model="numpy")
def visit_users(users, seed, shuffled, mean, ratings, parameters, rates, penalties):
    """Descend along the ratings of one user after the other; return the sum of squared errors, each before its step.

    `users` are in the order of the visits, those without ratings passed over; unless `shuffled`, a user's ratings are
    visited as they stand, else in an order that depends on `seed`, not on the other users. `parameters` are updated in
    place; `rates` and `penalties` are of their float type. See the module's beginning.
    """
    p = parameters
    n_items, k = p.item_factors.shape
    real, kind = p.item_bias.dtype.type, p.item_bias.dtype
    zero, one, centre = real(0), real(1), real(mean)
    personal, implicit = len(p.user_factors) > 0, len(p.implicit_factors) > 0
    explicit = len(p.explicit_factors) > 0
    neighbourly, choosing = len(p.explicit_weights) > 0, len(p.implicit_weights) > 0
    timed = len(p.user_slope) > 0
    scaled, daily, drifting = len(p.user_scale) > 0, len(p.day_bias) > 0, len(p.drift_factors) > 0
    n_longest, n_widest = longest(ratings.start), longest(ratings.known_start)
    n_widest = max(n_widest, longest(ratings.neighbour_start)) + 1
    order = np.empty(n_longest, np.int64)
    vector, slope = np.empty(k, kind), np.empty(k, kind)
    implied, moved = np.zeros(k, kind), np.zeros(k, kind)
    revealed, shoved = np.zeros(k, kind), np.zeros(k, kind)
    known, residual_of = np.zeros(n_items, np.int8), np.zeros(n_items, kind)
    places, partners = np.empty(n_widest, np.int64), np.empty(n_widest, np.int64)
    total = 0.0
    for u in users:
        low, n = ratings.start[u], ratings.start[u + 1] - ratings.start[u]
        if n == 0:
            continue
        own_films, own_residuals = ratings.items[low : low + n], ratings.residuals[low : low + n]
        films = ratings.known_items[ratings.known_start[u] : ratings.known_start[u + 1]]
        known_share, rated_share = one / np.sqrt(real(len(films))), one / np.sqrt(real(n))
        energy = zero
        if implicit:
            implied[:] = zero
            moved[:] = zero
            for j in films:
                add(implied, known_share, p.implicit_factors[j])
        if explicit:
            revealed[:] = zero
            shoved[:] = zero
            for m in range(n):
                add(revealed, rated_share * own_residuals[m], p.explicit_factors[own_films[m]])
                energy += own_residuals[m] * own_residuals[m]
            energy /= real(n)
        if neighbourly:
            for j in films:
                known[j] = 1
            for m in range(n):
                known[own_films[m]] = 2
                residual_of[own_films[m]] = own_residuals[m]
        for m in range(n):
            order[m] = low + m
        if shuffled:
            shuffle(order[:n], seed + np.uint64(u) * np.uint64(0xD1342543DE82EF95))

        for at in order[:n]:
            i = ratings.items[at]
            film = p.item_factors[i]
            # The prediction.
            for f in range(k):
                vector[f] = implied[f] + revealed[f]
            if personal:
                add(vector, one, p.user_factors[u])
            if drifting:
                add(vector, ratings.deviations[at], p.drift_factors[u])
            estimate, effect, scale = centre + p.user_bias[u], p.item_bias[i], one
            for f in range(k):
                estimate += film[f] * vector[f]
            if timed:
                effect += p.bin_bias[i, ratings.bins[at]]
                estimate += p.user_slope[u] * ratings.deviations[at]
            if scaled:
                scale = p.user_scale[u]
            if daily:
                estimate += p.day_bias[ratings.days[at]]
            estimate += effect * scale
            n_matched, share, rated_near = 0, zero, zero
            if neighbourly:
                starts, near = ratings.neighbour_start, ratings.neighbours
                n_matched = match(i, starts, near, films, known, n_items, places, partners)
                by_rating, by_choice, n_rated = zero, zero, 0
                for t in range(n_matched):
                    by_rating += p.explicit_weights[places[t]] * residual_of[partners[t]]
                    if choosing:
                        by_choice += p.implicit_weights[places[t]]
                    n_rated += known[partners[t]] == 2
                share, rated_near = inverse_root(real(n_matched)), inverse_root(real(n_rated))
                estimate += share * by_choice + rated_near * by_rating
            error = ratings.ratings[at] - estimate
            total += error * error

            # Every parameter's step.
            p.user_bias[u] += rates.bias * (error - penalties.bias * p.user_bias[u])
            p.item_bias[i] += rates.bias * (error * scale - penalties.bias * p.item_bias[i])
            for f in range(k):
                slope[f] = error * film[f]
                film[f] += rates.factor * (error * vector[f] - penalties.factor * film[f])
            if personal:
                step(p.user_factors[u], rates.factor, one, slope, penalties.factor)
            if implicit:
                step(implied, rates.implicit, one, slope, penalties.implicit)
                step(moved, rates.implicit, known_share, slope, penalties.implicit)
            if explicit:
                step(revealed, rates.implicit, energy, slope, penalties.implicit)
                step(shoved, rates.implicit, rated_share, slope, penalties.implicit)
            if drifting:
                deviation = ratings.deviations[at]
                step(p.drift_factors[u], rates.time_factor, deviation, slope, penalties.time_factor)
            w, c = p.explicit_weights, p.implicit_weights
            for t in range(n_matched):
                e, j = places[t], partners[t]
                if choosing:
                    c[e] += rates.weight * (error * share - penalties.weight * c[e])
                if known[j] == 2:
                    w[e] += rates.weight * (error * rated_near * residual_of[j] - penalties.weight * w[e])
            if timed:
                b, slopes, deviation = ratings.bins[at], p.user_slope, ratings.deviations[at]
                p.bin_bias[i, b] += rates.time_bias * (error * scale - penalties.time_bias * p.bin_bias[i, b])
                slopes[u] += rates.time_bias * (error * deviation - penalties.time_bias * slopes[u])
            if scaled:
                p.user_scale[u] += rates.time_bias * (error * effect - penalties.time_bias * (scale - one))
            if daily:
                day = ratings.days[at]
                p.day_bias[day] += rates.time_bias * (error - penalties.time_bias * p.day_bias[day])

        # In double precision: a power of many factors near one.
        kept = real((1.0 - np.float64(rates.implicit) * np.float64(penalties.implicit)) ** n)
        if implicit:
            for j in films:
                row = p.implicit_factors[j]
                for f in range(k):
                    row[f] = kept * row[f] + moved[f]
        if explicit:
            for m in range(n):
                row, residual = p.explicit_factors[own_films[m]], own_residuals[m]
                for f in range(k):
                    row[f] = kept * row[f] + residual * shoved[f]
        if neighbourly:
            for j in films:
                known[j] = 0
                residual_of[j] = zero
    return total
