"""What the kernel of Koren's family learns from and what it learns: plain arrays under names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lib.data.interactions import Interactions
from lib.models.latent.sgd_time import Calendar


class Ratings(NamedTuple):
    """Ratings in compressed rows, and what is known about each; floats are of one type, unused arrays are empty.

    Parameters
    ----------
    start : ndarray of int64, shape (n_users + 1,)
        User u's ratings are ``start[u]`` to ``start[u + 1]``.
    items : ndarray of int32, shape (n,)
    ratings : ndarray of float, shape (n,)
    residuals : ndarray of float, shape (n,)
        :math:`e_{uj}`: the rating less a fixed baseline.
    known_start, known_items : ndarrays like `start` and `items`
        N(u), the films that a user is known to have rated.
    neighbour_start, neighbours : ndarrays of int64, shape (n_items + 1,), and of int32
        Films near each film, in compressed rows. Empty for all films, if there are weights.
    deviations : ndarray of float, shape (n,)
        :math:`d_u(t)`, how far the rating's time lies from the user's mean time.
    bins, days : ndarrays of int32, shape (n,)
        Bin of time, and number of the (user, day) pair.
    """

    start: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    residuals: np.ndarray
    known_start: np.ndarray
    known_items: np.ndarray
    neighbour_start: np.ndarray
    neighbours: np.ndarray
    deviations: np.ndarray
    bins: np.ndarray
    days: np.ndarray


class Parameters(NamedTuple):
    r"""What is learned, all of one float type; an empty array leaves the term out.

    Parameters
    ----------
    user_bias, item_bias : shapes (n_users,), (n_items,)
    user_factors, item_factors : shapes (n_users, k), (n_items, k)
        :math:`p_u, q_i`; k may be 0.
    implicit_factors, explicit_factors : shape (n_items, k)
        :math:`y_j, x_j`.
    explicit_weights, implicit_weights : shape (n_entries,)
        :math:`w_{ij}, c_{ij}`, aligned with `Ratings.neighbours`, or all n_items x n_items; the second only beside the
        first.
    bin_bias : shape (n_items, n_bins)
        :math:`b_{i,\mathrm{Bin}(t)}`, added to :math:`b_i`.
    user_slope : shape (n_users,)
        :math:`\alpha_u`.
    user_scale : shape (n_users,)
        :math:`c_u`, which multiplies the film's whole bias; held near 1.
    day_bias : shape (n_days,)
        :math:`b_{u,t}`.
    drift_factors : shape (n_users, k)
        :math:`a_u`.
    day_factors : shape (n_days, k)
        :math:`p_{u,t}`.
    """

    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    implicit_factors: np.ndarray
    explicit_factors: np.ndarray
    explicit_weights: np.ndarray
    implicit_weights: np.ndarray
    bin_bias: np.ndarray
    user_slope: np.ndarray
    user_scale: np.ndarray
    day_bias: np.ndarray
    drift_factors: np.ndarray
    day_factors: np.ndarray


class Groups(NamedTuple):
    r"""A number for each group of parameters: its learning rates :math:`\gamma`, or its regularisations :math:`\lambda`."""

    bias: float
    factors: float
    implicit: float
    weights: float
    time_bias: float
    time_factors: float


TABLES = {
    "user_factors",
    "item_factors",
    "implicit_factors",
    "explicit_factors",
    "bin_bias",
    "drift_factors",
    "day_factors",
}
"""Parameters of two dimensions."""


def no_parameters(dtype="float32") -> Parameters:
    """Return `Parameters` without any, for ``_replace``."""
    line, table = np.empty(0, dtype), np.empty((0, 0), dtype)
    return Parameters(*(table if name in TABLES else line for name in Parameters._fields))


def no_ratings(dtype="float32") -> Ratings:
    """Return `Ratings` without any, for ``_replace``."""
    starts, codes, values = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, dtype)
    kinds = {name: starts for name in Ratings._fields if name.endswith("start")}
    kinds |= dict.fromkeys(("ratings", "residuals", "deviations"), values)
    return Ratings(*(kinds.get(name, codes) for name in Ratings._fields))


def compressed(
    train: Interactions,
    *,
    residuals: np.ndarray | None = None,
    extra: tuple[np.ndarray, np.ndarray] | None = None,
    neighbours: tuple[np.ndarray, np.ndarray] | None = None,
    calendar: Calendar | None = None,
    dtype="float32",
) -> Ratings:
    """Put ratings into compressed rows, each user's in the order of `train`.

    Parameters
    ----------
    train : Interactions
    residuals : ndarray, shape (n,), optional
        Ratings less a fixed baseline, for the models that look at them.
    extra : (users, items), optional
        Pairs that are known to be rated, with what rating or not; those of `train` may be among them.
    neighbours : (start, films), optional
        Films near each film.
    calendar : Calendar, optional
        For the models that look at times.
    dtype : {"float32", "float64"}

    Raises
    ------
    ValueError
        A code of `extra` lies outside the id maps.
    """
    place = np.argsort(train.users, kind="stable")
    start = np.concatenate(([0], np.cumsum(train.user_counts)))
    items = train.items[place]
    known_start, known_items = start, items
    if extra is not None:
        users, films = (np.asarray(codes, dtype=np.int64) for codes in extra)
        outside = (users < 0) | (users >= train.n_users) | (films < 0) | (films >= train.n_items)
        if outside.any():
            raise ValueError(
                f"{outside.sum():,} of the pairs lie outside the id maps of {train.n_users:,} users and "
                f"{train.n_items:,} films; use Interactions over the same maps"
            )
        users, films = np.concatenate([users, train.users]), np.concatenate([films, train.items])
        pairs = np.unique(users * train.n_items + films)
        counts = np.bincount(pairs // train.n_items, minlength=train.n_users)
        known_start = np.concatenate(([0], np.cumsum(counts)))
        known_items = (pairs % train.n_items).astype(np.int32)
    ratings = no_ratings(dtype)._replace(
        start=start,
        items=items,
        ratings=train.ratings[place].astype(dtype),
        known_start=known_start,
        known_items=known_items,
    )
    if residuals is not None:
        ratings = ratings._replace(residuals=residuals[place].astype(dtype))
    if neighbours is not None:
        ratings = ratings._replace(neighbour_start=neighbours[0], neighbours=neighbours[1])
    if calendar is not None:
        users, times = train.users[place], train.timestamps[place]
        ratings = ratings._replace(
            deviations=calendar.deviations(users, times).astype(dtype),
            bins=calendar.bins(times),
            days=calendar.days(users, times),
        )
    return ratings


def by_appearance(codes: np.ndarray) -> np.ndarray:
    """Return the distinct codes in the order in which they first appear."""
    found, first = np.unique(codes, return_index=True)
    return found[np.argsort(first)]


def starting_parameters(
    train: Interactions,
    tables: Sequence[str],
    n_factors: int,
    scale: float,
    *,
    n_weights: int = 0,
    seed: int = 0,
    dtype="float32",
) -> Parameters:
    """Draw factors from a normal distribution; biases and weights start at 0, as do factors without ratings.

    Rows are drawn for users and films in the order in which they first appear in `train`, by numpy's ``RandomState``,
    one table after the other. So does scikit-surprise: the same seed gives the same start.

    Parameters
    ----------
    train : Interactions
    tables : sequence of str
        Names of the tables of factors, in the order in which they are drawn.
    n_factors : int
    scale : float
        Standard deviation.
    n_weights : int
        Entries of each array of weights.
    seed : int
    dtype : {"float32", "float64"}
    """
    random = np.random.RandomState(seed)
    sides = {
        "user": (train.n_users, by_appearance(train.users)),
        "item": (train.n_items, by_appearance(train.items)),
    }
    values = {f"{side}_bias": np.zeros(n, dtype) for side, (n, _) in sides.items()}
    values["item_factors"] = np.empty((train.n_items, 0), dtype)
    for name in tables:
        n, rows = sides["user" if name == "user_factors" else "item"]
        values[name] = np.zeros((n, n_factors), dtype)
        values[name][rows] = random.normal(0.0, scale, (len(rows), n_factors))
    if n_weights:
        values |= {f"{kind}_weights": np.zeros(n_weights, dtype) for kind in ("explicit", "implicit")}
    return no_parameters(dtype)._replace(**values)
