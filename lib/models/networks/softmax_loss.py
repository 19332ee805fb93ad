"""Cross-entropy of films under a softmax: over the whole catalogue, or over a sample of it."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import logsumexp


class Slopes(NamedTuple):
    """A loss, mean over the batch, and its gradients by the user embeddings and by the film embeddings as outputs."""

    loss: float
    users: np.ndarray
    items: np.ndarray


def full_softmax(users: np.ndarray, items: np.ndarray, labels: sparse.csr_array) -> Slopes:
    r"""Cross-entropy over all films.

    .. math:: -\frac1B \sum_b \sum_i y_{bi} \log p_{bi}, \qquad p_b = \operatorname{softmax}(\psi_b V^\top)

    Work and memory are O(batch x films).

    `users` :math:`\psi` have shape (batch, k), `items` V (n_items, k); the rows of `labels` y, a csr_array of shape
    (batch, n_items), sum to one, or to zero for a user who does not count.
    """
    logits = users @ items.T
    norms = logsumexp(logits, axis=1)
    whole = np.asarray(labels.sum(axis=1)).ravel()
    loss = float((whole @ norms - labels.multiply(logits).sum()) / len(users))
    np.subtract(logits, norms[:, None], out=logits)
    np.exp(logits, out=logits)
    logits *= whole[:, None]
    rows = np.repeat(np.arange(len(users)), np.diff(labels.indptr))
    logits[rows, labels.indices] -= labels.data
    logits /= len(users)
    return Slopes(loss, logits @ items, logits.T @ users)


def sampled_softmax(
    users: np.ndarray,
    items: np.ndarray,
    labels: sparse.csr_array,
    *,
    n_samples: int,
    chances: np.ndarray,
    rng: np.random.Generator,
) -> Slopes:
    r"""Cross-entropy over each user's own films and a sample of the catalogue, for catalogues too large to score whole.

    Films :math:`s_1, \dots, s_S` are drawn with replacement with chances q, the same for the whole batch. The sum over
    the catalogue in the softmax is replaced by an estimate: a user's own films as they are, and for all others

    .. math:: \sum_{i \notin y} e^{z_i} \approx \frac1S \sum_{t:\, s_t \notin y} \frac{e^{z_{s_t}}}{q_{s_t}}

    (importance sampling; Bengio and Senecal 2008, Jean et al. 2015). The loss tends to `full_softmax`'s as S grows.
    Work is O(batch x (S + a user's films)). S is `n_samples`; the `chances` q, shape (n_items,), are positive and sum
    to one; the rest is as in `full_softmax`.
    """
    drawn, times = np.unique(rng.choice(len(items), size=n_samples, p=chances), return_counts=True)
    logits = users @ items[drawn].T
    logits += np.log(times / (n_samples * chances[drawn]))
    # A user's own films count exactly, so they must not be counted as samples too.
    rows = np.repeat(np.arange(len(users)), np.diff(labels.indptr))
    place = np.searchsorted(drawn, labels.indices)
    hit = (place < len(drawn)) & (drawn[np.minimum(place, len(drawn) - 1)] == labels.indices)
    logits[rows[hit], place[hit]] = -np.inf
    own = np.einsum("nk,nk->n", users[rows], items[labels.indices])

    highest = np.max(logits, axis=1, initial=-np.inf)
    np.maximum.at(highest, rows, own)
    np.exp(logits - highest[:, None], out=logits)
    own_share = np.exp(own - highest[rows])
    totals = logits.sum(axis=1)
    np.add.at(totals, rows, own_share)
    whole = np.asarray(labels.sum(axis=1)).ravel()
    loss = float((whole @ (np.log(totals) + highest) - labels.data @ own) / len(users))

    logits *= (whole / totals / len(users))[:, None]
    own_slope = (own_share * (whole / totals)[rows] - labels.data) / len(users)
    of_own = sparse.csr_array((own_slope, labels.indices, labels.indptr), shape=labels.shape)
    by_item = sparse.csr_array(of_own.T) @ users
    by_item[drawn] += logits.T @ users
    return Slopes(loss, logits @ items[drawn] + of_own @ items, by_item)
