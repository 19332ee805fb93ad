"""Features beside a network's ratings: those of its own side as they are, those of the other side averaged over what was rated."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from lib.data.feature_groups import feature_groups
from lib.data.interactions import Interactions


def shares(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the matrix with each row divided by its sum; an empty row stays empty."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    found = matrix.copy()
    found.data = found.data / np.repeat(sums, np.diff(matrix.indptr))
    return found


def side_features(
    train: Interactions, groups: Sequence[str], side: str, bags: sparse.csr_array | None = None
) -> sparse.csr_array:
    """Return the features of all users or of all items (`side`), shape (n, n_features), float64.

    Groups of the other side are averaged by `bags`, the `shares` of whom or what each has rated; without bags they are left
    out. ValueError as `lib.data.feature_groups.feature_groups`.
    """
    n_rows = train.n_users if side == "user" else train.n_items
    found = [sparse.csr_array((n_rows, 0))]
    for group in feature_groups(train, list(groups)):
        if group.side == side:
            found.append(group.matrix)
        elif bags is not None:
            found.append(bags @ group.matrix)
    return sparse.csr_array(sparse.hstack(found))


def joined(inputs: sparse.csr_array, features: sparse.csr_array | None) -> sparse.csr_array:
    """Put features beside inputs; None or none leave them as they are."""
    if features is None or not features.shape[1]:
        return inputs
    return sparse.csr_array(sparse.hstack([inputs, features]))
