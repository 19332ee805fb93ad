"""What a factorisation machine's Gibbs sampler leaves, summed up by user, film and moment, and predictions from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from scipy import sparse
from scipy.special import ndtr


class Draws(NamedTuple):
    r"""One side's part of a factorisation machine's score, in every sample.

    With x the side's features, :math:`f = w_0 + \sum_s a_s + \sum_{s < t} p_s^\top p_t` over sides s, where

    .. math:: a = \sum_j w_j x_j + \sum_{j < l} v_j^\top v_l\, x_j x_l, \qquad p = \sum_j v_j x_j.

    Parameters
    ----------
    effects : ndarray of float32, shape (n, n_samples)
        a.
    latent : ndarray of float32, shape (n, n_samples, n_factors)
        p.
    """

    effects: np.ndarray
    latent: np.ndarray

    @classmethod
    def gathered(cls, machine, part: slice, features: sparse.csr_matrix | None) -> Draws:
        """Sum up the features at `part` by the rows of `features`; None takes each feature as a row of its own."""
        weights, factors = machine.w_samples, machine.V_samples
        n = (part.stop - part.start) if features is None else features.shape[0]
        effects = np.empty((n, len(weights)), dtype=np.float32)
        latent = np.empty((n, len(weights), factors[0].shape[1]), dtype=np.float32)
        squared = None if features is None else features.multiply(features).tocsr()
        for sample, (w, v) in enumerate(zip(weights, factors, strict=True)):
            if features is None:
                effects[:, sample], latent[:, sample] = w[part], v[part]
                continue
            mixed = features @ v[part]
            among = 0.5 * ((mixed**2).sum(axis=1) - (squared @ v[part] ** 2).sum(axis=1))
            effects[:, sample], latent[:, sample] = features @ w[part] + among, mixed
        return cls(effects, latent)


@njit(parallel=True, cache=True)
def pair_scores(
    users,
    items,
    moments,
    means,
    user_effects,
    item_effects,
    moment_effects,
    user_latent,
    item_latent,
    moment_latent,
):
    """Score pairs in every sample.

    Parameters
    ----------
    users, items : int arrays, shape (n,)
        Codes; what is outside the arrays of draws adds nothing.
    moments : int array, shape (n, n_groups)
        Places of each pair's moments; -1 for none.
    means : float array, shape (n_samples,)
    user_effects, item_effects, moment_effects, user_latent, item_latent, moment_latent : arrays
        Of `Draws`.

    Returns
    -------
    ndarray of float64, shape (n, n_samples)
    """
    n, n_samples, n_factors = len(users), len(means), user_latent.shape[2]
    n_moments = moments.shape[1]
    scores = np.empty((n, n_samples))
    for row in prange(n):
        user, item = users[row], items[row]
        has_user = 0 <= user < len(user_effects)
        has_item = 0 <= item < len(item_effects)
        for sample in range(n_samples):
            score = means[sample]
            if has_user:
                score += user_effects[user, sample]
            if has_item:
                score += item_effects[item, sample]
            for group in range(n_moments):
                if moments[row, group] >= 0:
                    score += moment_effects[moments[row, group], sample]
            for factor in range(n_factors):
                # All pairs of sides: each side meets the sum of those before it.
                total = 0.0
                if has_user:
                    total = float(user_latent[user, sample, factor])
                if has_item:
                    own = float(item_latent[item, sample, factor])
                    score += total * own
                    total += own
                for group in range(n_moments):
                    if moments[row, group] >= 0:
                        own = float(moment_latent[moments[row, group], sample, factor])
                        score += total * own
                        total += own
            scores[row, sample] = score
    return scores


def mean_rating(scores: np.ndarray, cuts: np.ndarray, values: np.ndarray) -> np.ndarray:
    r"""Return the expected rating under an ordered probit, averaged over samples.

    .. math:: E[r] = r_1 + \sum_{k=1}^{K-1} (r_{k+1} - r_k)\,\Phi(f - c_k)

    Parameters
    ----------
    scores : ndarray, shape (n, n_samples)
    cuts : ndarray, shape (n_samples, K - 1)
    values : ndarray, shape (K,)
        The ratings that there are, ascending.
    """
    expected = np.full(len(scores), values[0])
    for k, step in enumerate(np.diff(values)):
        expected += step * ndtr(scores - cuts[:, k]).mean(axis=1)
    return expected
