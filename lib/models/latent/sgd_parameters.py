"""What the kernel of Koren's family learns from and what it learns: plain arrays under names."""

from typing import NamedTuple

import numpy as np

from lib.data.interactions import Interactions
from lib.models.latent.sgd_time import Calendar


class Ratings(NamedTuple):
    """Ratings in compressed rows, and what is known about each; floats are of one type, unused arrays are empty."""

    start: np.ndarray  # int64, shape (n_users + 1,): user u's ratings are start[u] to start[u + 1]
    items: np.ndarray  # int32, shape (n,)
    ratings: np.ndarray  # float, shape (n,)
    residuals: np.ndarray  # float, shape (n,): e_uj, the rating less a fixed baseline
    known_start: np.ndarray  # like start and items: N(u), the films that a user is known to have rated
    known_items: np.ndarray
    neighbour_start: np.ndarray  # int64, shape (n_items + 1,): films near each film, in compressed rows;
    neighbours: np.ndarray  # int32; both empty for all films, if there are weights
    deviations: np.ndarray  # float, shape (n,): d_u(t), how far the rating's time lies from the user's mean time
    bins: np.ndarray  # int32, shape (n,): bin of time
    days: np.ndarray  # int32, shape (n,): number of the (user, day) pair


class Parameters(NamedTuple):
    """What is learned, all of one float type; an empty array leaves the term out."""

    user_bias: np.ndarray  # shape (n_users,)
    item_bias: np.ndarray  # shape (n_items,)
    user_factors: np.ndarray  # p_u, shape (n_users, k); k may be 0
    item_factors: np.ndarray  # q_i, shape (n_items, k)
    implicit_factors: np.ndarray  # y_j, shape (n_items, k)
    explicit_factors: np.ndarray  # x_j, shape (n_items, k)
    explicit_weights: np.ndarray  # w_ij, shape (n_entries,), aligned with Ratings.neighbours, or n_items x n_items
    implicit_weights: np.ndarray  # c_ij, the same, and only beside w_ij
    bin_bias: np.ndarray  # b_i,Bin(t), shape (n_items, n_bins), added to b_i
    user_slope: np.ndarray  # alpha_u, shape (n_users,)
    user_scale: np.ndarray  # c_u, shape (n_users,), which multiplies the film's whole bias; held near 1
    day_bias: np.ndarray  # b_u,t, shape (n_days,)
    drift_factors: np.ndarray  # a_u, shape (n_users, k)


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

    Optional are `residuals`, the ratings less a fixed baseline, for the models that look at them; `extra`, pairs that
    are known to be rated, with what rating or not, those of `train` perhaps among them; `neighbours`, (start, films) of
    the films near each film; and the `calendar`, for models that look at times.
    """
    place = np.argsort(train.users, kind="stable")
    start = np.concatenate(([0], np.cumsum(train.user_counts)))
    items = train.items[place]
    ratings = no_ratings(dtype)._replace(
        start=start, items=items, ratings=train.ratings[place].astype(dtype), known_start=start, known_items=items
    )
    if extra is not None:
        users = np.concatenate([extra.users, train.users]).astype(np.int64)
        pairs = np.unique(users * train.n_items + np.concatenate([extra.items, train.items]))
        counts = np.bincount(pairs // train.n_items, minlength=train.n_users)
        known_items = (pairs % train.n_items).astype(np.int32)
        ratings = ratings._replace(known_start=np.concatenate(([0], np.cumsum(counts))), known_items=known_items)
    if residuals is not None:
        ratings = ratings._replace(residuals=residuals[place].astype(dtype))
    if neighbours is not None:
        ratings = ratings._replace(neighbour_start=neighbours[0], neighbours=neighbours[1])
    if calendar is not None:
        users, times = train.users[place], train.timestamps[place]
        deviations = calendar.deviations(users, times).astype(dtype)
        ratings = ratings._replace(deviations=deviations, bins=calendar.bins(times), days=calendar.days(users, times))
    return ratings


def by_appearance(codes: np.ndarray) -> np.ndarray:
    """Return the distinct codes in the order in which they first appear."""
    first = np.full(codes.max(initial=-1) + 1, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # of several places the last one written stays: the first
    found = np.flatnonzero(first >= 0)
    return found[np.argsort(first[found])]
