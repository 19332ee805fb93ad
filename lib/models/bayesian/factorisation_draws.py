"""What both factorisation machines share: myfm's Gibbs sampler, and sums over what it draws."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
from numba import njit, prange
from scipy import sparse
from scipy.special import ndtr

from lib.data.feature_groups import feature_groups
from lib.data.interactions import Interactions
from lib.models.base import Recommender


class SampledMachine(Recommender):
    """A factorisation machine whose weights and factors are sampled by myfm."""

    def _sample(self, train: Interactions, moments=None, moment_sizes=(), ratings=None, ordinal=False):
        """Return myfm's fitted machine, and the features of users and of films."""
        if not 1 <= self.n_samples <= self.n_iterations:
            raise ValueError(
                f"{type(self).__name__}: n_samples={self.n_samples} must lie between 1 and "
                f"n_iterations={self.n_iterations}"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # myfm asks pkg_resources for its version
            import myfm
        blocks, sizes = self._blocks(train)
        sizes = [*moment_sizes, *sizes]
        kind = myfm.MyFMOrderedProbit if ordinal else myfm.MyFMGibbsRegressor
        machine = kind(rank=self.n_factors, random_seed=self.seed)
        pairs = zip((train.users, train.items), blocks, strict=True)
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar can't be switched off
            machine.fit(
                moments,
                train.ratings.astype(np.float64) if ratings is None else ratings,
                X_rel=[myfm.RelationBlock(codes, block) for codes, block in pairs],
                n_iter=self.n_iterations,
                n_kept_samples=self.n_samples,
                group_shapes=sizes,
                callback=lambda *_: (False, ""),
            )
        self.n_drawn_ = np.int64(sum(sizes) * (1 + self.n_factors) * self.n_samples)
        return machine, blocks

    def _blocks(self, train: Interactions) -> tuple[list[sparse.csr_matrix], list[int]]:
        """Return the features of users and of films, and the sizes of their groups; who has no rating has no indicator."""
        groups = feature_groups(train, list(self.groups))
        blocks, sizes = [], []
        for side, counts in (("user", train.user_counts), ("item", train.item_counts)):
            own = sparse.csr_array(sparse.diags_array((counts > 0).astype(float)))
            parts = [own, *(group.matrix for group in groups if group.side == side)]
            sizes += [part.shape[1] for part in parts]
            blocks.append(sparse.csr_matrix(sparse.hstack(parts, format="csr")))
        return blocks, sizes

    @property
    def n_parameters_(self) -> int:
        """Numbers drawn and kept: weights and factors of every feature in every sample."""
        self._check_fitted()
        return int(self.n_drawn_)


def side_sums(machine, part: slice, features) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    r"""Yield a side's part of the score in every sample: effects a, shape (n,), and vectors p, shape (n, n_factors).

    With x the side's features, which stand at `part` among all, and one of the n rows of `features` each,
    :math:`f = w_0 + \sum_s a_s + \sum_{s < t} p_s^\top p_t` over sides s, where

    .. math:: a = \sum_j w_j x_j + \sum_{j < l} v_j^\top v_l\, x_j x_l, \qquad p = \sum_j v_j x_j.
    """
    squared = features.multiply(features).tocsr()
    for w, v in zip(machine.w_samples, machine.V_samples, strict=True):
        mixed = features @ v[part]
        among = 0.5 * ((mixed**2).sum(axis=1) - (squared @ v[part] ** 2).sum(axis=1))
        yield features @ w[part] + among, mixed


@njit(parallel=True, cache=True)
def pair_scores(users, items, moments, means, effects, latent):
    """Score pairs in every sample, shape (n, n_samples).

    Codes of `users` and `items` outside the arrays of draws add nothing, nor do `moments`, shape (n, n_groups), of -1.
    `means` has the samples' constants; `effects` and `latent` are the sums a, shape (n_rows, n_samples), and p, shape
    (n_rows, n_samples, n_factors), of users, items and moments.
    """
    user_effects, item_effects, moment_effects = effects
    user_latent, item_latent, moment_latent = latent
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

    `scores` f have shape (n, n_samples), `cuts` c (n_samples, K - 1); `values` are the K ratings that there are, ascending.
    """
    expected = np.full(len(scores), values[0])
    for k, step in enumerate(np.diff(values)):
        expected += step * ndtr(scores - cuts[:, k]).mean(axis=1)
    return expected
