"""The network of the softmax model: a bag of films, hidden layers, and scores of all films, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Pass:
    """What a forward pass leaves for the backward one.

    Parameters
    ----------
    bags : csr_array, shape (batch, n_inputs)
    layers : list of ndarray
        The bag's embedding, then the output of each layer; the last is the user embedding.
    """

    bags: sparse.csr_array
    layers: list[np.ndarray]

    @property
    def users(self) -> np.ndarray:
        r"""User embeddings :math:`\psi(x)`, shape (batch, k)."""
        return self.layers[-1]


class Network:
    r"""User embeddings :math:`\psi(x)` from bags of inputs, and film embeddings that they are multiplied with.

    .. math:: h_0 = x E, \quad h_l = \operatorname{relu}(h_{l-1} W_l + c_l), \quad \psi = h_{L-1} W_L + c_L

    without hidden layers :math:`\psi = h_0`. The first `n_items` inputs are films, further ones features. With `shared`
    weights the films' rows of E are the film embeddings V themselves.

    Parameters
    ----------
    n_items, n_inputs : int
    n_factors : int
        Length k of user and film embeddings, and of input embeddings.
    hidden_sizes : sequence of int
    shared : bool
    initial_scale : float
        Standard deviation of the embeddings at the start; layers start by He's rule.
    rng : numpy Generator
    """

    def __init__(
        self, n_items: int, n_inputs: int, *, n_factors: int, hidden_sizes: Sequence[int] = (), shared: bool = True,
        initial_scale: float = 0.1, rng: np.random.Generator,
    ):  # fmt: skip
        self.n_items, self.shared = n_items, shared
        self.weights: dict[str, np.ndarray] = {
            "items": rng.normal(0.0, initial_scale, (n_items, n_factors)),
            "inputs": rng.normal(0.0, initial_scale, (n_inputs - n_items if shared else n_inputs, n_factors)),
        }
        sizes = [n_factors, *hidden_sizes, n_factors] if hidden_sizes else []
        self.n_layers = max(len(sizes) - 1, 0)
        for n, (before, after) in enumerate(pairwise(sizes)):
            self.weights[f"layer_{n}"] = rng.normal(0.0, np.sqrt(2.0 / before), (before, after))
            self.weights[f"offset_{n}"] = np.zeros(after)

    def forward(self, bags: sparse.csr_array) -> Pass:
        """Compute the user embeddings of some bags, shape (batch, n_inputs)."""
        if self.shared:
            first = bags[:, : self.n_items] @ self.weights["items"]
            if bags.shape[1] > self.n_items:
                first += bags[:, self.n_items :] @ self.weights["inputs"]
        else:
            first = bags @ self.weights["inputs"]
        layers = [first]
        for n in range(self.n_layers):
            out = layers[-1] @ self.weights[f"layer_{n}"] + self.weights[f"offset_{n}"]
            layers.append(np.maximum(out, 0.0) if n < self.n_layers - 1 else out)
        return Pass(bags, layers)

    def backward(self, done: Pass, slope: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradient of a loss by each weight, given that by the user embeddings, shape (batch, k).

        What the loss owes to the film embeddings as outputs is not in it; with `shared` weights the part they have as
        inputs is, under ``items``.
        """
        gradients: dict[str, np.ndarray] = {}
        for n in reversed(range(self.n_layers)):
            if n < self.n_layers - 1:
                slope = slope * (done.layers[n + 1] > 0)
            gradients[f"layer_{n}"] = done.layers[n].T @ slope
            gradients[f"offset_{n}"] = slope.sum(axis=0)
            slope = slope @ self.weights[f"layer_{n}"].T
        by_input = sparse.csr_array(done.bags.T) @ slope
        if self.shared:
            gradients["items"], gradients["inputs"] = by_input[: self.n_items], by_input[self.n_items :]
        else:
            gradients["inputs"] = by_input
        return gradients


class Adagrad:
    """Steps that shrink, weight by weight, with the squared gradients seen so far (Duchi, Hazan and Singer 2011).

    Parameters
    ----------
    weights : dict of ndarray
        Changed in place.
    learning_rate : float
    start : float
        What the sums of squares begin at: keeps first steps from being huge.
    """

    def __init__(self, weights: dict[str, np.ndarray], learning_rate: float, start: float = 1e-8):
        self.weights, self.learning_rate = weights, learning_rate
        self.sums = {name: np.full_like(value, start) for name, value in weights.items()}

    def step(self, gradients: dict[str, np.ndarray]) -> None:
        """Take one step against the gradients."""
        for name, gradient in gradients.items():
            self.sums[name] += gradient * gradient
            self.weights[name] -= self.learning_rate * gradient / np.sqrt(self.sums[name])
