"""What both factorisation machines share: their features, the draws of the Gibbs sampler, and scores from these."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from scipy import sparse
from scipy.special import ndtr

from lib.data.feature_groups import feature_groups
from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.bayesian.gibbs_parts import Features, OneHot
from lib.models.bayesian.gibbs_sampler import Posterior, sample


class SampledMachine(Recommender):
    """A factorisation machine whose weights and factors are sampled."""

    def _sample(self, train: Interactions, moments: Sequence[OneHot] = ()) -> Posterior:
        """Draw from the posterior given the ratings, or, where these are `ordinal`, their places among all there are."""
        self.values_ = np.unique(train.ratings).astype(np.float64)
        ordinal = self.ordinal and len(self.values_) > 1  # a scale of one value leaves nothing to cut
        ratings = np.searchsorted(self.values_, train.ratings) if ordinal else train.ratings
        sides, n_classes = self._sides(train), len(self.values_) if ordinal else 0
        sizes = sum(group.size for group in moments) + sum(side.matrix.shape[1] for side in sides)
        self.n_drawn_ = np.int64(sizes * (1 + self.n_factors) * self.n_samples)
        options = {name: getattr(self, name) for name in ("n_factors", "n_iterations", "n_samples", "seed")}
        freedom = [of for of in (self.user_freedom, self.film_freedom) if of is not None]
        if len(freedom) == 1:
            raise ValueError("user_freedom and film_freedom belong together; one of them is None")
        found = sample(ratings, sides, moments, n_classes=n_classes, freedom=freedom, **options)
        self.mean_samples_, self.cuts_ = found.constants, found.cuts
        return found

    def _keep(self, posterior: Posterior) -> None:
        """Keep all draws, for `_by_samples`."""
        parts = (*posterior.sides, posterior.moments)
        for name, draws in zip(("user", "item", "moment"), parts, strict=True):
            setattr(self, f"{name}_effects_", draws.effects)
            setattr(self, f"{name}_latent_", draws.latent)
        for name, trust in zip(("user", "item"), posterior.trusts, strict=False):
            setattr(self, f"{name}_trust_", trust)

    def _by_samples(self, users: np.ndarray, items: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """Predict pairs by the mean over samples; `moments` as of `pair_scores`."""
        users, items = users.astype(np.int64), items.astype(np.int64)  # one type to compile
        effects = self.user_effects_, self.item_effects_, self.moment_effects_
        latent = self.user_latent_, self.item_latent_, self.moment_latent_
        found = np.empty(len(users))
        step = max(1, 4_000_000 // self.n_samples)
        for low in range(0, len(users), step):  # a score a sample
            part = slice(low, low + step)
            scores = pair_scores(users[part], items[part], moments[part], self.mean_samples_, effects, latent)
            sharpness = 1.0
            if not self.cuts_.size:
                found[part] = scores.mean(axis=1)
                continue
            if self.user_freedom is not None:
                trusts = (lookup(self.user_trust_, users[part], 1.0), lookup(self.item_trust_, items[part], 1.0))
                sharpness = np.sqrt(trusts[0] * trusts[1])
            found[part] = mean_rating(scores, self.cuts_, self.values_, sharpness)
        return found

    def _sides(self, train: Interactions) -> list[Features]:
        """Return the features of users and of films; who has no rating has no indicator."""
        groups, found = feature_groups(train, list(self.groups)), []
        sides = ("user", train.users, train.user_counts), ("item", train.items, train.item_counts)
        for side, codes, counts in sides:
            own = sparse.csr_array(sparse.diags_array((counts > 0).astype(float)))
            parts = [own, *(group.matrix for group in groups if group.side == side)]
            matrix = sparse.csr_matrix(sparse.hstack(parts, format="csr"))
            found.append(Features(codes, matrix, [part.shape[1] for part in parts]))
        return found

    @property
    def n_parameters_(self) -> int:
        """Numbers drawn and kept: weights and factors of every feature in every sample."""
        self._check_fitted()
        return int(self.n_drawn_)


@njit(cache=True)
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
    for row in range(n):
        user, item = users[row], items[row]
        has_user = 0 <= user < len(user_effects)
        has_item = 0 <= item < len(item_effects)
        for draw in range(n_samples):
            score = means[draw]
            if has_user:
                score += user_effects[user, draw]
            if has_item:
                score += item_effects[item, draw]
            for group in range(n_moments):
                if moments[row, group] >= 0:
                    score += moment_effects[moments[row, group], draw]
            for factor in range(n_factors):
                # All pairs of sides: each side meets the sum of those before it.
                total = 0.0
                if has_user:
                    total = float(user_latent[user, draw, factor])
                if has_item:
                    own = float(item_latent[item, draw, factor])
                    score += total * own
                    total += own
                for group in range(n_moments):
                    if moments[row, group] >= 0:
                        own = float(moment_latent[moments[row, group], draw, factor])
                        score += total * own
                        total += own
            scores[row, draw] = score
    return scores


def mean_rating(scores: np.ndarray, cuts: np.ndarray, values: np.ndarray, sharpness=1.0) -> np.ndarray:
    r"""Return the expected rating under an ordered probit, averaged over samples.

    .. math:: E[r] = r_1 + \sum_{k=1}^{K-1} (r_{k+1} - r_k)\,\Phi(s\,(f - c_k))

    `scores` f and their `sharpness` s, one over the noise's standard deviation, have shape (n, n_samples), `cuts` c
    (n_samples, K - 1); `values` are the K ratings that there are, ascending.
    """
    expected = np.full(len(scores), values[0])
    for k, step in enumerate(np.diff(values)):
        expected += step * ndtr((scores - cuts[:, k]) * sharpness).mean(axis=1)
    return expected
