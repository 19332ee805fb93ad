"""Lists for a reader who rates a few films: the parts of fitted models that the page's script computes them from."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import cholesky, solve_triangular

from lib.experiment.fit import Fitted
from lib.metrics.lists import best_columns
from lib.models.baselines.bias import Bias
from lib.models.latent.biased_svd import BiasedSVD
from lib.models.latent.correlation_neighbours import CorrelationNeighbours
from lib.models.lists.implicit_als import ImplicitALS
from lib.models.lists.item_weights import ItemWeights
from lib.models.networks.softmax import Softmax


def parts(fitted: Fitted, *, films: Sequence[int]) -> dict[str, Any]:
    r"""Return what a model's scores of some films (codes) are made of for somebody who was not there when it was fitted.

    R are the n rated films, of at least ``least`` stars where it is a number, r the stars, o the ``offsets``, K the
    ``pairs`` or the products of the ``vectors``. Scores are :math:`o_i + \sum_{j \in R} a_j K_{ji}`, by the ``way``:

    - ``sum``: :math:`a_j = 1`.
    - ``ridge``: :math:`(K_{RR} + (p_0 + p_1 n) I) a = t`, :math:`t_j = t_0 + t_1 (r_j - o_j)`, with the ``penalty`` p and
      the ``target`` t. The user's part is then where the model's objective is least, all else held.
    - ``mean``: :math:`a_j = (r_j - o_j - b) / \sum_j K_{ji}`, of the ``neighbours`` films with the largest
      :math:`K_{ji} > 0`; :math:`b = \sum_j (r_j - o_j) / (n + p)` is added.
    """
    model: Any = fitted.model
    settings: dict[str, Any] = {"way": "sum", "least": getattr(model, "threshold", None)}
    found = {"settings": settings}
    if isinstance(model, ItemWeights):
        return found | {"pairs": sparse.csr_array(model.weights_[films][:, films]).toarray()}
    if isinstance(model, Softmax) and model.shared and not (model.hidden_sizes or model.groups):
        return found | {"vectors": model.item_embeddings_[films]}
    if isinstance(
        model, ImplicitALS
    ):  # in axes in which all films' squared scores and the penalty make the unit matrix
        vectors = model.item_embeddings_.astype(np.float64)
        root = cholesky(vectors.T @ vectors + model.l2 * np.eye(model.n_factors), lower=True)
        settings |= {"way": "ridge", "penalty": [1 / model.alpha, 0.0], "target": [1 + 1 / model.alpha, 0.0]}
        return found | {"vectors": solve_triangular(root, vectors[films].T, lower=True).T}
    if not isinstance(model, BiasedSVD | CorrelationNeighbours):
        raise ValueError(f"{fitted.fit.model}: no closed form is known here for the list of a new user; leave it out")
    found["offsets"] = model.mean_ + model.item_bias_[films]
    if isinstance(model, CorrelationNeighbours):
        settings |= {"way": "mean", "penalty": Bias().user_regularisation, "neighbours": model.n_neighbours}
        return found | {"pairs": np.maximum(model.similarities_[np.ix_(films, films)], 0)}
    settings |= {"way": "ridge", "penalty": [0.0, 1.0], "target": [0.0, 1.0]}
    bias = np.full((len(films), 1), model.bias_regularisation**-0.5)  # the user's bias is one more factor
    return found | {"vectors": np.hstack([model.item_factors_[films] * model.factor_regularisation**-0.5, bias])}


def scores(parts: Mapping[str, Any], rated: Mapping[int, float]) -> np.ndarray:
    """Score the films of `parts` for somebody who gave some of them, by place, so many stars; as the page's script does."""
    settings, given = parts["settings"], np.array(list(rated.items()), dtype=np.float64).reshape(-1, 2)
    given = given[given[:, 1] >= (settings["least"] or -np.inf)]
    own, vectors = given[:, 0].astype(int), parts.get("vectors")
    rows = parts["pairs"][own] if vectors is None else vectors[own] @ vectors.T
    offsets = parts.get("offsets", np.zeros(rows.shape[1]))
    left, n = given[:, 1] - offsets[own], len(given)
    if settings["way"] == "sum":
        return offsets + rows.sum(axis=0)
    if settings["way"] == "ridge":
        (p, p_each), (t, t_each) = settings["penalty"], settings["target"]
        return offsets + np.linalg.solve(rows[:, own] + (p + p_each * n) * np.eye(n), t + t_each * left) @ rows
    bias = left.sum() / (n + settings["penalty"])
    near = np.where(rows >= -np.sort(-rows, axis=0)[: settings["neighbours"]][-1:], rows, 0)
    return offsets + bias + (left - bias) @ near / np.maximum(near.sum(axis=0), 1e-12)


def listed(parts: Mapping[str, Any], rated: Mapping[int, float], k: int) -> np.ndarray:
    """Return the places of the k films with the best `scores` that are not `rated`; of equal ones those that stand first."""
    found = scores(parts, rated)
    found[list(rated)] = -np.inf
    places, _ = best_columns(found[None], k)
    return places[places >= 0]


def packed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return `parts` as the script reads them: numbers of 16 bits, mirrored halves once, with places where most are zero."""
    packs = dict(found["settings"])
    for name in {"pairs", "vectors", "offsets"} & set(found):
        mirrored = name == "pairs" and np.array_equal(found[name], found[name].T)
        flat = np.ravel(np.triu(found[name]) if mirrored else found[name])
        kept = np.flatnonzero(flat) if np.count_nonzero(flat) < len(flat) / 2 else slice(None)
        scale = float(np.abs(flat).max() / 32767)
        arrays = {"numbers": np.round(flat[kept] / scale).astype("<i2")}
        arrays |= {} if isinstance(kept, slice) else {"places": kept.astype("<u2")}
        texts = {key: b64encode(array.tobytes()).decode() for key, array in arrays.items()}
        packs[name] = {"scale": scale, "size": len(flat), "mirrored": mirrored, **texts}
    return packs
