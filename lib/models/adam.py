"""Adam: gradient descent whose steps are scaled, weight by weight, by moving means of gradients."""

from collections.abc import Mapping

import numpy as np
from numba import njit, prange

from lib.models.sparse_kernels import REORDERED


class Adam:
    r"""Adam (Kingma and Ba 2015), as in Keras, with an L2 penalty as part of the objective.

    With the gradient :math:`g_t`, to which the penalty's, :math:`\lambda w`, is added,

    .. math:: m_t = 0.9\,m_{t-1} + 0.1\,g_t, \quad v_t = 0.999\,v_{t-1} + 0.001\,g_t^2, \quad
        w_t = w_{t-1} - \eta \frac{\sqrt{1 - 0.999^t}}{1 - 0.9^t} \frac{m_t}{\sqrt{v_t} + 10^{-7}} .

    The `weights`, float arrays by name, are changed in place. :math:`\eta`, the `learning_rate`, may be changed between
    steps; `l2` has :math:`\lambda` of the penalty :math:`\frac{\lambda}{2} |w|^2` by name, 0 for names that are
    missing.
    """

    MOMENTA = 0.9, 0.999
    EPSILON = 1e-7

    def __init__(self, weights: dict[str, np.ndarray], learning_rate: float, l2: Mapping[str, float] | None = None):
        self.weights, self.learning_rate, self.l2 = weights, learning_rate, dict(l2 or {})
        self.first = {name: np.zeros_like(value) for name, value in weights.items()}
        self.second = {name: np.zeros_like(value) for name, value in weights.items()}
        self.n_steps = 0

    def step(self, gradients: dict[str, np.ndarray]) -> None:
        """Take one step against the gradients; weights without a gradient stay."""
        self.n_steps += 1
        first, second = self.MOMENTA
        rate = self.learning_rate * np.sqrt(1 - second**self.n_steps) / (1 - first**self.n_steps)
        for name, gradient in gradients.items():
            scalars = (rate, self.l2.get(name, 0.0), first, second, self.EPSILON)
            adam_step(
                self.weights[name].reshape(-1),
                gradient.reshape(-1),
                self.first[name].reshape(-1),
                self.second[name].reshape(-1),
                *map(gradient.dtype.type, scalars),
            )


@njit(parallel=True, cache=True, fastmath=REORDERED, error_model="numpy")
def adam_step(weights, gradient, first, second, rate, decay, keep_first, keep_second, epsilon):
    """Take `Adam`'s step in one pass over the weights and the two moving means; scalars are of the arrays' type."""
    one = weights.dtype.type(1)
    for n in prange(len(weights)):
        slope = gradient[n] + decay * weights[n]
        mean = keep_first * first[n] + (one - keep_first) * slope
        square = keep_second * second[n] + (one - keep_second) * slope * slope
        first[n], second[n] = mean, square
        weights[n] -= rate * mean / (np.sqrt(square) + epsilon)
