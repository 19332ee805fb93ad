"""What the kernel of Koren's family learns from and what it learns: plain arrays under names."""

from __future__ import annotations

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


class Groups(NamedTuple):
    r"""A number for each group of parameters: its learning rates :math:`\gamma`, or its regularisations :math:`\lambda`."""

    bias: float
    factor: float
    implicit: float
    weight: float
    time_bias: float
    time_factor: float


def no_parameters(dtype="float32") -> Parameters:
    """Return `Parameters` without any, for ``_replace``."""
    tables = ("bin_bias", *(name for name in Parameters._fields if name.endswith("factors")))
    return Parameters(*(np.empty((0, 0) if name in tables else 0, dtype) for name in Parameters._fields))


def no_ratings(dtype="float32") -> Ratings:
    """Return `Ratings` without any, for ``_replace``."""
    kinds = {name: "int64" for name in Ratings._fields if name.endswith("start")}
    kinds |= dict.fromkeys(("ratings", "residuals", "deviations"), dtype)
    return Ratings(*(np.empty(0, kinds.get(name, "int32")) for name in Ratings._fields))


def compressed(
    train: Interactions,
    *,
    residuals: np.ndarray | None = None,
    extra: Interactions | None = None,
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
    extra : Interactions, optional
        Pairs that are known to be rated, with what rating or not; those of `train` may be among them.
    neighbours : (start, films), optional
        Films near each film.
    calendar : Calendar, optional
        For the models that look at times.
    dtype : {"float32", "float64"}
    """
    place = np.argsort(train.users, kind="stable")
    start = np.concatenate(([0], np.cumsum(train.user_counts)))
    items = train.items[place]
    ratings = no_ratings(dtype)._replace(
        start=start,
        items=items,
        ratings=train.ratings[place].astype(dtype),
        known_start=start,
        known_items=items,
    )
    if extra is not None:
        users = np.concatenate([extra.users, train.users]).astype(np.int64)
        pairs = np.unique(users * train.n_items + np.concatenate([extra.items, train.items]))
        counts = np.bincount(pairs // train.n_items, minlength=train.n_users)
        known_items = (pairs % train.n_items).astype(np.int32)
        ratings = ratings._replace(
            known_start=np.concatenate(([0], np.cumsum(counts))), known_items=known_items
        )
    if residuals is not None:
        ratings = ratings._replace(residuals=residuals[place].astype(dtype))
    if neighbours is not None:
        ratings = ratings._replace(neighbour_start=neighbours[0], neighbours=neighbours[1])
    if calendar is not None:
        users, times = train.users[place], train.timestamps[place]
        deviations = calendar.deviations(users, times).astype(dtype)
        ratings = ratings._replace(
            deviations=deviations, bins=calendar.bins(times), days=calendar.days(users, times)
        )
    return ratings


def by_appearance(codes: np.ndarray) -> np.ndarray:
    """Return the distinct codes in the order in which they first appear."""
    found, first = np.unique(codes, return_index=True)
    return found[np.argsort(first)]
