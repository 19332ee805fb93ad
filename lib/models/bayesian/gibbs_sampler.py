"""Gibbs sampler of factorisation machines over users, films and one-hot groups of the moment."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from lib.models.bayesian import gibbs_kernels as kernels
from lib.models.bayesian.gibbs_parts import Features, Group, OneHot, Part, Side

PRIOR_COUNT = PRIOR_SQUARES = 1.0  # of every gamma prior of a precision: twice its shape, and twice its rate
PRIOR_RATINGS = 1.0  # how many draws' worth pulls the means of the priors, and the constant, to 0
HEAVY = 5  # degrees of freedom of the t distribution that cut points are proposed from
MOST_LEVERAGE = 0.9  # of a rating on its own score: with few samples its variance is not known well
CUT_PRECISION = 0.01  # of the normal prior of cut points: next to nothing beside thousands of ratings


class Draws(NamedTuple):
    r"""One part's share of a factorisation machine's score, in every sample.

    With x a part's features (those of a user, of a film, or one of a one-hot group),
    :math:`f = w_0 + \sum_s a_s + \sum_{s < t} p_s^\top p_t` over parts s, where

    .. math:: a = \sum_j w_j x_j + \sum_{j < l} v_j^\top v_l\, x_j x_l, \qquad p = \sum_j v_j x_j.

    `effects` are a, float32 of shape (n, n_samples), `latent` p, (n, n_samples, n_factors): side by side, so that the
    mean over samples is one longer product.
    """

    effects: np.ndarray
    latent: np.ndarray


class Posterior(NamedTuple):
    """What is kept of a chain.

    `constants` have shape (n_samples,); `moments` are of the features of all one-hot groups, one group behind the
    other; `cuts`, shape (n_samples, n_classes - 1), are the cut points of an ordered probit, no columns without one.
    `trusts`, float32 of shape (n_rows, n_samples) a side, multiply the precision of the noise, and are empty where it
    is the same everywhere. `left_out` and `noise`, shape (n_ratings,), are what is expected of each rating without
    itself, and the variance of its noise; not of an ordered probit.
    """

    constants: np.ndarray
    moments: Draws
    sides: list[Draws]
    cuts: np.ndarray
    trusts: list[np.ndarray]
    left_out: np.ndarray
    noise: np.ndarray


def sample(
    ratings: np.ndarray,
    sides: Sequence[Features],
    groups: Sequence[OneHot],
    *,
    n_factors: int,
    n_iterations: int,
    n_samples: int,
    seed: int,
    n_classes: int = 0,
    freedom: Sequence[float] = (),
) -> Posterior:
    r"""Draw from the posterior of a factorisation machine (Rendle 2012, "Factorization machines with libFM", section 3.3).

    Every weight and factor has a normal prior, with a mean and a precision a group and factor that are drawn along; so is
    the precision :math:`\alpha` of the noise. The bits do not depend on the order of the ratings, but for equal ones. Raises
    ValueError: more samples than sweeps, or none.

    A rating is left out as in a linear model: with f the mean and v the variance of its score over the samples, and
    :math:`h = \alpha v` its leverage, :math:`r - (r - f) / (1 - h)` is what the others say of it.

    Of `n_iterations` sweeps the last `n_samples` are kept. Two `sides` at least are of use: users and films. With
    `n_classes` the `ratings` are places among the ratings that there are, and what an ordered probit (Albert and Chib
    1993) makes of the score; 0 stands for the score and normal noise. `freedom` has :math:`\nu` of two sides: the
    precision of a rating's noise is :math:`\alpha g_u h_i`, with :math:`g_u, h_i \sim \Gamma(\nu / 2, \nu / 2)` drawn
    along, so that ratings of erratic users count less (Geweke 1993). It is empty for the same noise everywhere.
    """
    if not 1 <= n_samples <= n_iterations:
        raise ValueError(f"n_samples={n_samples} must lie between 1 and n_iterations={n_iterations}")
    # Ratings of a user, then of a moment, side by side: what belongs together lies together in memory.
    order = np.lexsort((ratings, *(s.codes for s in reversed(sides[1:])), *(g.codes for g in groups), sides[0].codes))
    chain = Chain(
        ratings[order],
        [OneHot(one.codes[order], one.size) for one in groups],
        [one._replace(codes=one.codes[order]) for one in sides],
        n_factors,
        np.random.Generator(np.random.SFC64(seed)),
        n_classes,
        freedom,
    )
    groups_only = [part for part in chain.parts if isinstance(part, Group)]
    ends = np.cumsum([0, *(len(part.counts) - 1 for part in groups_only)])
    rows = [int(ends[-1]), *(side.matrix.shape[0] for side in sides)]
    kept = [Draws(np.empty((n, n_samples), np.float32), np.empty((n, n_samples, n_factors), np.float32)) for n in rows]
    places = [(kept[0], slice(*both)) for both in pairwise(ends)] + [(one, slice(None)) for one in kept[1:]]
    constants, cuts = np.empty(n_samples), np.empty((n_samples, len(chain.cuts)))
    trusts: list[Any] = [np.empty((len(trust), n_samples), np.float32) for trust in chain.trusts]
    scores, squares, precision = np.zeros((3, len(ratings)))
    for iteration in range(n_samples - n_iterations, n_samples):
        chain.sweep()
        if iteration >= 0:
            constants[iteration], cuts[iteration] = chain.constant, chain.cuts
            for draws, trust in zip(trusts, chain.trusts, strict=True):
                draws[:, iteration] = trust
            scores += chain.errors
            squares += chain.errors**2
            precision += chain.alpha * chain.trust
            for part, (draws, place) in zip(chain.parts, places, strict=True):
                draws.effects[place, iteration] = part.effects[:-1]
                draws.latent[place, iteration] = part.own[:, :-1].T
    error, precision = scores / n_samples, precision / n_samples
    leverage = np.minimum(precision * np.maximum(squares / n_samples - error**2, 0.0), MOST_LEVERAGE)
    left_out, noise = np.empty((2, len(ratings)))
    left_out[order], noise[order] = ratings[order] + error / (1.0 - leverage), 1.0 / precision
    return Posterior(constants, kept[0], kept[1:], cuts, trusts, left_out, noise)


class Chain:
    """The state of a chain; `sweep` draws everything once, given all the rest.

    `parts` are the groups, then the sides. `errors`, shape (n_ratings,), are score less target: the rating, or, of an
    ordered probit with its `cuts`, shape (n_classes - 1,), the score that it stands for, drawn along. `constant` is the
    score's, `alpha` the precision of the noise. `trusts`, of each side with a `freedom`, shape (n_rows,), multiply it
    for a row's ratings; `trust` is their product by rating.
    """

    def __init__(
        self,
        ratings,
        groups: Sequence[OneHot],
        sides: Sequence[Features],
        n_factors: int,
        rng,
        n_classes: int = 0,
        freedom: Sequence[float] = (),
    ):
        self.rng, self.n_factors, n = rng, n_factors, len(ratings)
        self.freedom, self.trust = freedom, np.ones(n)
        self._of_rows = [one.codes for one in sides][: len(freedom)]
        self.trusts = [np.ones(one.matrix.shape[0]) for one in sides][: len(freedom)]
        self.parts: list[Group | Side] = []
        first = 0
        for one in (*groups, *sides):
            kind: Callable[..., Group | Side] = Group if isinstance(one, OneHot) else Side
            self.parts.append(kind(one, first, n_factors, rng))
            first += len(self.parts[-1].starts) - 1
        self.sizes = np.concatenate([np.diff(part.starts) for part in self.parts])
        self.means, self.precisions = np.zeros((n_factors + 1, first)), np.ones((n_factors + 1, first))
        offsets = np.cumsum([0, *(len(part.counts) for part in self.parts)])
        places = [part.codes + start for part, start in zip(self.parts, offsets, strict=False)]
        self._places = np.stack(places, axis=1).astype(np.uint32)
        self._nothing = Group(OneHot(np.full(n, -1), 1), first, n_factors, rng)
        self._total = np.zeros(n)
        self.alpha, self.constant = 1.0, 0.0
        self.cuts = np.empty(0)
        scores = self.scores()
        if n_classes:
            self._classes = ratings.astype(np.int32)
            shares = np.cumsum(np.bincount(self._classes, minlength=n_classes))[:-1] / n
            # As if the score explained half of what ratings differ by: cut points move slowly from a start that is far off.
            self.cuts = self._mode = ndtri(shares) * np.sqrt(2.0)
            self._target = self._drawn_target(scores)
        else:
            self._target = ratings.astype(np.float64)
        self.errors = scores - self._target

    def scores(self) -> np.ndarray:
        """Return the score of each rating."""
        found = np.full(len(self._total), self.constant)
        for part in self.parts:
            found += part.effects[part.codes]
        for factor in range(self.n_factors):
            rows = [part.own[factor][part.codes] for part in self.parts]
            found += 0.5 * (sum(rows) ** 2 - sum(row**2 for row in rows))
        return found

    def sweep(self) -> None:
        """Draw the noise, the constant, the priors, the weights, the factors, and what an ordered probit has besides."""
        n = len(self.errors)
        if not len(self.cuts):
            self.alpha = self._gamma(PRIOR_COUNT + n, PRIOR_SQUARES + self.trust * self.errors @ self.errors)
        if self.freedom:
            self._draw_trust()
        n = self.trust.sum()
        precision = self.alpha * n + PRIOR_RATINGS
        mean = self.alpha * (self.constant * n - self.trust @ self.errors) / precision
        new = mean + self.rng.standard_normal() / np.sqrt(precision)
        self.errors += new - self.constant
        self.constant = new
        self._draw_priors()
        for part in self.parts:
            prior = self.precisions[0], self.means[0], self._noise(part)
            part.draw_weights(*prior, self.alpha, self.errors, self.trust)
        self._draw_factors()
        if len(self.cuts):
            scores = self.errors + self._target
            self._draw_cuts(scores)
            self._target = self._drawn_target(scores)
            self.errors = scores - self._target

    def _draw_trust(self) -> None:
        """Draw how precise the ratings of each row are, a side after the other."""
        squares = self.alpha * self.errors**2
        for n, (codes, freedom) in enumerate(zip(self._of_rows, self.freedom, strict=True)):
            others = self.trust / self.trusts[n][codes]
            n_rows = len(self.trusts[n])
            counts = freedom + np.bincount(codes, minlength=n_rows)
            self.trusts[n] = self._gamma(counts, freedom + np.bincount(codes, others * squares, minlength=n_rows))
            self.trust = others * self.trusts[n][codes]
        for part in self.parts:
            part.counts[:] = np.bincount(part.codes, self.trust, minlength=len(part.counts))

    def _gamma(self, counts, squares):
        return self.rng.gamma(counts / 2) * 2 / squares

    def _noise(self, part: Part) -> np.ndarray:
        return self.rng.standard_normal(len(part.weights), dtype=np.float32)

    def _draw_priors(self) -> None:
        for row in range(self.n_factors + 1):
            squares, sums = np.zeros((2, len(self.sizes)))
            place = 0
            for part in self.parts:
                here = slice(place, place + len(part.starts) - 1)
                drawn = part.factors[row - 1] if row else part.weights
                kernels.sums_by_group(drawn, part.starts, self.means[row, here], squares[here], sums[here])
                place = here.stop
            self.precisions[row] = self._gamma(PRIOR_COUNT + self.sizes, PRIOR_SQUARES + squares)
            weight = PRIOR_RATINGS + self.sizes
            spread = 1 / np.sqrt(self.precisions[row] * weight)
            self.means[row] = sums / weight + spread * self.rng.standard_normal(len(weight))

    def _draw_factors(self) -> None:
        """Draw factor by factor and part by part; one pass over the ratings a part brings the last draw home and sums up for it."""
        first, last, state = self.parts[0], self.parts[-1], (self.errors, self._total, self.trust)
        starts = np.concatenate([part.own for part in self.parts], axis=1)
        for factor in range(self.n_factors):
            first.ready(factor)
            if factor:  # noqa: SIM108
                drawn = last.before, last.own[factor - 1], last.gained
            else:
                drawn = (np.zeros(len(last.counts)),) * 3  # nothing is still to be brought home
            codes = last.codes, first.codes
            begun = starts[factor], *codes, first.whole_sums, *state, *drawn, first.own[factor], first.sums
            kernels.begin_factor(self._places, *begun)
            for done, part in zip((None, *self.parts), self.parts, strict=False):
                if done is not None:
                    self._turn_over(done, part, factor)
                prior = self.precisions[factor + 1], self.means[factor + 1]
                part.draw_factor(factor, *prior, self._noise(part), self.alpha)
        self._turn_over(last, self._nothing, self.n_factors - 1)

    def _turn_over(self, done: Part, part: Group | Side, factor: int) -> None:
        part.ready(factor)
        drawn = done.before, done.own[factor], done.gained
        coming = part.own[factor], part.sums
        state = self.errors, self._total, self.trust
        kernels.turn_over(done.codes, part.codes, part.whole_sums, *state, *drawn, *coming)

    def _drawn_target(self, scores: np.ndarray) -> np.ndarray:
        """Draw the score that each rating stands for: normal around its own, between its cut points."""
        edges, sharpness = np.concatenate([[-np.inf], self.cuts, [np.inf]]), np.sqrt(self.trust)
        low, high = ((edges[self._classes + up] - scores) * sharpness for up in (0, 1))
        # In the lower tail small chances keep their digits.
        mirrored = low > 0
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        below = ndtr(low)
        drawn = np.clip(ndtri(below + self.rng.random(len(scores)) * (ndtr(high) - below)), low, high)
        return scores + np.where(mirrored, -drawn, drawn) / sharpness

    def _draw_cuts(self, scores: np.ndarray) -> None:
        """Propose cut points around the most likely ones, whatever the targets are, and take them or not (Metropolis)."""
        n, sharpness = len(self.cuts), np.sqrt(self.trust)
        gradient, curvature = np.empty(n), np.empty((n, n))
        # From the last sweep's most likely ones one step of Newton's leads to this one's.
        kernels.cut_likelihood(scores, self._classes, self._mode, gradient, curvature, sharpness)
        curvature += CUT_PRECISION * np.eye(n)
        step = np.linalg.solve(curvature, gradient - CUT_PRECISION * self._mode)
        while np.any(np.diff(self._mode + step) <= 0):
            step /= 2
        self._mode = self._mode + step
        root = np.linalg.cholesky(curvature)
        normal = np.linalg.solve(root.T, self.rng.standard_normal(n))
        proposed = self._mode + normal / np.sqrt(self._gamma(HEAVY, HEAVY))
        luck = np.log(self.rng.random())
        if np.any(np.diff(proposed) <= 0):
            return
        none = np.empty(0), np.empty((0, 0))

        def chance(cuts: np.ndarray) -> float:
            away = root.T @ (cuts - self._mode)
            proposal = -0.5 * (HEAVY + n) * np.log1p(away @ away / HEAVY)
            likelihood = kernels.cut_likelihood(scores, self._classes, cuts, *none, sharpness)
            return likelihood - 0.5 * CUT_PRECISION * cuts @ cuts - proposal

        if luck < chance(proposed) - chance(self.cuts):
            self.cuts = proposed
