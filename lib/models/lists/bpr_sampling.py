"""Triplets for pairwise ranking: a user, a film among the user's positives, and one that is not among them."""

import numpy as np
from numba import njit
from scipy import sparse

BITS_A_POSITIVE = 4
"""Least size of a user's filter. Four bits a positive answer four of five questions at once and fit a core's cache."""

STEP = np.uint64(0x9E3779B97F4A7C15)


class TripletSampler:
    """Draws triplets (user, positive, negative); see `lib.models.lists.bpr.BPR`.

    `by_user` is its `sampling` "user". A negative is drawn again while it is among the user's positives: given the user,
    negatives follow the law of `negative_power` over the films that are none of the user's.

    Whether a film is among the user's is looked up in a filter of bits first (a Bloom filter of one hash): a bit that
    is not set settles it with one look at memory. Where it is set, a binary search in the user's sorted films does.
    Triplets are drawn many at a time, each stage for all of them, so that memory is waited for side by side.

    `positives`, shape (n_users, n_items), stores at least one entry, each row's sorted by film. Raises ValueError: no
    user has a film that could be a negative.
    """

    def __init__(self, positives: sparse.csr_array, *, by_user: bool, negative_power: float, n_tries: int):
        counts = np.diff(positives.indptr)
        item_counts = np.bincount(positives.indices, minlength=positives.shape[1])
        n_candidates = np.count_nonzero(item_counts) if negative_power else positives.shape[1]
        if counts[counts > 0].min() >= n_candidates:
            hint = "raise threshold" + (", or set negative_power to 0" if negative_power else "")
            raise ValueError(f"BPR: every user has all films that can be negatives among the positives; {hint}")
        self.by_user, self.n_tries = by_user, n_tries
        start = positives.indptr.astype(np.int64)
        films = positives.indices.astype(np.int32)
        pairs = np.column_stack([np.repeat(np.arange(len(counts)), counts), films]).astype(np.int32)
        self.positives = np.flatnonzero(counts).astype(np.int32), pairs, start, films
        n_items = positives.shape[1]
        table = np.empty(0), np.empty(0, np.int32)
        if negative_power:
            table = alias_table(item_counts.astype(np.float64) ** negative_power)
        self.law = n_items, *table
        most = _power_of_two(np.array([n_items]))
        sizes = np.minimum(_power_of_two(BITS_A_POSITIVE * counts), most)
        filter_start = np.concatenate([[0], np.cumsum(sizes // 64)]).astype(np.int64)
        self.sieve = filter_start, fill_filter(start, films, filter_start)

    def draw(self, state: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw n triplets, int32 users, positives, negatives, fewer where some are skipped; `state` moves on."""
        users, liked, others = triplets = tuple(np.empty(n, np.int32) for _ in range(3))
        given = self.positives, self.sieve, self.law
        kept = draw_triplets(state, self.by_user, self.n_tries, *given, triplets)
        return users[:kept], liked[:kept], others[:kept]


def stream(seed: int, *place: int) -> np.ndarray:
    """Return the state of a stream of random numbers: one of its own for each `place`, such as an epoch and a thread."""
    return np.random.SeedSequence(seed, spawn_key=place).generate_state(1, np.uint64)


def _power_of_two(least: np.ndarray) -> np.ndarray:
    """Round up to powers of two, at least 64."""
    return 1 << np.ceil(np.log2(np.maximum(least, 64))).astype(np.int64)


@njit(inline="always")
def unit(state):
    """Turn a state into a number in [0, 1): SplitMix64's output (Steele, Lea and Flood 2014), its 53 highest bits."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def alias_table(weights):
    """Make Walker's alias table, by Vose's method: draws from any law at the cost of one random number.

    To draw: take x evenly from [0, n), j its whole part; the outcome is j if the rest is below ``shares[j]``, else
    ``aliases[j]``. Weights are float64, not negative, with a positive sum.
    """
    n = len(weights)
    shares = weights * (n / weights.sum())
    aliases = np.full(n, np.argmax(weights), np.int32)
    small, large = np.empty(n, np.int64), np.empty(n, np.int64)
    n_small = n_large = 0
    for j in range(n):
        if shares[j] < 1.0:
            small[n_small] = j
            n_small += 1
        else:
            large[n_large] = j
            n_large += 1
    while n_small and n_large:
        n_small -= 1
        low, high = small[n_small], large[n_large - 1]
        aliases[low] = high
        shares[high] -= 1.0 - shares[low]
        if shares[high] < 1.0:
            n_large -= 1
            small[n_small] = high
            n_small += 1
    for t in range(n_large):
        shares[large[t]] = 1.0
    # Left by rounding: one, but for an outcome without weight, which must never be drawn.
    for t in range(n_small):
        shares[small[t]] = 1.0 if weights[small[t]] > 0.0 else 0.0
    return shares, aliases


@njit(cache=True)
def fill_filter(start, films, filter_start):
    """Set the bit of each positive; a user's words are ``filter_start[u]`` to ``filter_start[u + 1]``, powers of two."""
    words = np.zeros(filter_start[-1], np.uint64)
    for u in range(len(start) - 1):
        mask = np.uint64((filter_start[u + 1] - filter_start[u]) * 64 - 1)
        for t in range(start[u], start[u + 1]):
            bit = np.uint64(films[t]) & mask
            words[filter_start[u] + np.int64(bit >> np.uint64(6))] |= np.uint64(1) << (bit & np.uint64(63))
    return words


@njit(inline="always")
def contains(films, low, high, film):
    """Search the sorted ``films[low:high]``, not empty, without a branch to mispredict."""
    n = high - low
    while n > 1:
        half = n >> 1
        low += half * np.int64(films[low + half] <= film)
        n -= half
    return films[low] == film


@njit(cache=True)
def draw_triplets(state, by_user, n_tries, positives, sieve, law, triplets):
    """Fill `triplets` (users, liked, others), and return how many there are; see `TripletSampler`."""
    active, pairs, start, films = positives
    filter_start, filter_words = sieve
    n_items, shares, aliases = law
    users, liked, others = triplets
    now, n = state[0], len(users)
    for t in range(n):
        now += STEP
        if by_user:
            u = active[np.int64(unit(now) * len(active))]
            now += STEP
            row = start[u] + np.int64(unit(now) * (start[u + 1] - start[u]))
        else:
            row = np.int64(unit(now) * len(pairs))
        users[t], liked[t] = pairs[row, 0], pairs[row, 1]
    open_ones = np.arange(n)
    n_open = n
    for _ in range(n_tries):
        for s in range(n_open):
            now += STEP
            place = unit(now) * n_items
            film = np.int64(place)
            if len(aliases):
                film = film if place - film < shares[film] else np.int64(aliases[film])
            others[open_ones[s]] = film
        n_maybe = 0
        for s in range(n_open):
            t = open_ones[s]
            first = filter_start[users[t]]
            bit = np.uint64(others[t]) & np.uint64((filter_start[users[t] + 1] - first) * 64 - 1)
            word = filter_words[first + np.int64(bit >> np.uint64(6))]
            open_ones[n_maybe] = t
            n_maybe += np.int64((word >> (bit & np.uint64(63))) & np.uint64(1))
        n_open = 0
        for s in range(n_maybe):
            t = open_ones[s]
            open_ones[n_open] = t
            n_open += np.int64(contains(films, start[users[t]], start[users[t] + 1], others[t]))
        if n_open == 0:
            break
    state[0] = now
    if n_open == 0:
        return n
    for s in range(n_open):
        others[open_ones[s]] = -1
    kept = 0
    for t in range(n):
        if others[t] >= 0:
            users[kept], liked[kept], others[kept] = users[t], liked[t], others[t]
            kept += 1
    return kept
