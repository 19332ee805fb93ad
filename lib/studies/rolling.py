"""Rolling cuts in time: models that know what came before a cut, asked for what comes after, left alone or kept up to date."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from lib.data.interactions import Interactions
from lib.data.splits import cut_at
from lib.experiment.fit import Fit, Fitted
from lib.metrics import evaluate_ranking, recommend
from lib.metrics.per_user import PerUser
from lib.metrics.rating import UserErrors, rmse, user_errors
from lib.models.base import Recommender
from lib.models.fitting import answers, fit_model
from lib.statistics.significance import adjust, compare_models
from lib.studies.rolling_kernels import online

GROUPS = ("all", "new users", "known users", "users with 50 ratings", "new films")  # by what train has of user and film

ONLINE = {  # ways of keeping up: a user's past grows with each rating; what is known of films is that of the cut
    "bias_updated": "Bias, updated with each rating",
    "folded_in": "SVD, users folded in",
    "sitting": "SVD, users folded in, and the sitting",
}

PENALTIES = (1.0, 3.0, 10.0, 30.0)  # of the users' weights; the best one on the window before the cut is taken
SHRINKAGES = (0.0, 0.001, 0.01, 0.1, np.inf)  # of weights towards equal ones (infinite), as a share of members' squares
GAP = 3600  # seconds without a rating after which a sitting has ended


def edges_of(data: Interactions, n_cuts: int, *, start: float = 0.5) -> list[int]:
    """Return the moments that part the ratings after a share `start` into windows with about equally many, and the end.

    The first is before the first cut: its window is what is chosen on. n_cuts + 2 moments, in seconds since 1970. ValueError:
    too many ratings share a second.
    """
    times = np.sort(data.timestamps)
    places = np.linspace(start * len(times), len(times) - 1, n_cuts + 2).astype(int)
    edges = [*times[places[:-1]].tolist(), int(times[-1]) + 1]
    if len(set(edges)) < len(edges):
        raise ValueError(f"too many ratings share a second for {n_cuts} cuts: take fewer")
    return edges


def rolling_parts(data: Interactions, edges: Sequence[int]) -> dict[str, Interactions]:
    """Return, for each cut, what came before it (``1/train``) and after it (``1/test``), and the same of the edge before all."""
    parts: dict[str, Interactions] = {}
    for number, edge in enumerate(edges[:-1]):
        split = cut_at(data, time=edge)
        parts |= {f"{number}/train": split.train, f"{number}/test": split.test}
    return parts


def rolling_fits(models: Mapping[str, Mapping[str, Any]], edges: Sequence[int], **options: Any) -> list[Fit]:
    """Return a fit for each cut that makes all `models` (``model``, ``parameters``); `options` are of `window`."""
    fits = []
    for number in range(1, len(edges) - 1):
        told = {"models": models, "edges": list(edges), "number": number, **options}
        data: dict[str, Any] = {"train": f"{number}/train", "test": f"{number}/test", "keep": "rolling"}
        fit = Fit("bias", {}, **data, further=(f"{number - 1}/train",), labels={"cut": number})
        fits.append(replace(fit, measure={f"{__name__}:window": told}))
    return fits


def window(
    fitted: Fitted,
    *,
    models: Mapping[str, Mapping[str, Any]],
    edges: Sequence[int],
    number: int,
    base: str = "biased_svd",
    k: int = 10,
    threshold: float = 4.0,
) -> dict[str, Any]:
    """Fit all models at a cut and measure them on the windows that come after it.

    Those that predict ratings, joined by weights that are learned on the window before the cut (``blend``, and ``equal_weights``),
    and the `ONLINE` ways on top of the film factors of `base`; lists of the next liked films (`threshold`) for all. Returns
    ``told`` by name: ``errors``, sums of squared errors and counts by window and `GROUPS`, ``ndcg`` on the cut's own window,
    ``seconds`` of the fit, and of an update with one rating; and ``squared/<name>``, by user, on that window.
    """
    train, after = fitted.train, fitted.test
    earlier = fitted.parts[f"{number - 1}/train"]
    before = train.take(train.timestamps >= edges[number - 1])
    places = np.searchsorted(edges, after.timestamps, side="right") - 1
    own = places == number
    asked = after.take(own)
    found: dict[str, dict[str, Any]] = {}
    predictions: dict[str, np.ndarray] = {}
    level_one: dict[str, np.ndarray] = {}
    for name, one in models.items():
        start = time.perf_counter()
        model = fit_model(one["model"], train, **one["parameters"])
        found[name] = {"seconds": time.perf_counter() - start, "ndcg": next_liked(model, train, asked, k, threshold)}
        if model.predicts_ratings:
            predictions[name] = answers(model, after)
            level_one[name] = answers(fit_model(one["model"], earlier, **one["parameters"]), before)
        if name == base:
            ways, seconds = kept_up(
                model, fit_model(one["model"], earlier, **one["parameters"]), earlier, train, before, asked
            )
            found |= {way: {"seconds_update": seconds[way]} for way in ways}
    members = list(predictions)
    weights = blended([level_one[name] for name in members], before)
    stacked = np.array([predictions[name] for name in members])
    found["equal_weights"], found["blend"] = {}, {"weights": dict(zip(members, weights.tolist(), strict=True))}
    predictions["equal_weights"] = stacked.mean(axis=0)
    predictions["blend"] = after.scale.clip(weights @ stacked)
    arrays = {}
    groups = groups_of(train, after)
    for name, of in predictions.items():
        found[name]["errors"] = sums_of(after, of, places, groups)
        arrays[f"squared/{name}"] = user_errors(asked.users, asked.ratings, of[own]).squared.astype(np.float32)
    for name, of in ways.items() if base in models else ():
        found[name]["errors"] = sums_of(asked, of, places[own], {n: mask[own] for n, mask in groups.items()})
        arrays[f"squared/{name}"] = user_errors(asked.users, asked.ratings, of).squared.astype(np.float32)
    return {**arrays, "told": found}


def next_liked(model: Recommender, train: Interactions, asked: Interactions, k: int, threshold: float) -> float | None:
    """Return the nDCG of lists for the users that are known, over the films that they liked in the window; None without any."""
    known = asked.take(train.user_counts[asked.users] > 0)
    if not (known.ratings >= threshold).any():
        return None
    top = recommend(model, train, k, users=np.unique(known.users))
    return evaluate_ranking(top, known, threshold=threshold).metrics()[f"ndcg@{k}"]


def kept_up(
    model: Recommender,
    before_model: Recommender,
    earlier: Interactions,
    train: Interactions,
    before: Interactions,
    asked: Interactions,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Predict a window rating by rating, in the `ONLINE` ways; penalties and the sitting's weight are those of the window before.

    Returns predictions of `asked` by way, and the seconds that a rating takes.
    """

    def run(of: Recommender, known: Interactions, new: Interactions, wide: bool, penalty: float):
        order = np.argsort(new.timestamps, kind="stable")
        users, items = (np.concatenate([getattr(known, n), getattr(new, n)[order]]) for n in ("users", "items"))
        values = np.concatenate([known.ratings, new.ratings[order]]).astype(np.float64)
        times = np.concatenate([known.timestamps, new.timestamps[order]])
        factors = of.item_factors_.astype(np.float64)
        factors = factors / max(np.sqrt((factors**2).sum(axis=1).mean()), 1e-12)
        ones = np.ones((len(factors), 1))
        features = np.hstack([ones, factors]) if wide else ones
        baseline = of.mean_ + np.asarray(of.item_bias_, np.float64)
        penalties = np.full(features.shape[1], penalty)
        told = online(users, items, values, times, len(known), baseline, features, penalties, GAP, True)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return [one[back] for one in told]

    found, seconds = {}, {}
    for way, wide in (("bias_updated", False), ("folded_in", True)):
        tried = {p: run(before_model, earlier, before, wide, p) for p in PENALTIES}
        penalty = min(tried, key=lambda p: rmse(before.ratings, before.scale.clip(tried[p][0])))
        start = time.perf_counter()
        predicted, sitting = run(model, train, asked, wide, penalty)
        seconds[way] = (time.perf_counter() - start) / (len(train) + len(asked))
        found[way] = asked.scale.clip(predicted)
    told, missed = tried[penalty]
    weight = missed @ (before.ratings - told) / max(missed @ missed, 1e-12)
    found["sitting"], seconds["sitting"] = asked.scale.clip(predicted + weight * sitting), seconds["folded_in"]
    return found, seconds


def blended(members: Sequence[np.ndarray], of: Interactions) -> np.ndarray:
    r"""Return weights of members' predictions, drawn towards equal ones: how strongly is found by cross-validation over users.

    .. math:: w = \tfrac1m + \operatorname{argmin}_d |r - \bar p - P d|^2 + \lambda\,|P|^2\,|d|^2
    """
    columns, equal = np.array(members).T, np.full(len(members), 1.0 / len(members))
    rest = of.ratings - columns @ equal

    def moved(rows: np.ndarray, shrinkage: float) -> np.ndarray:
        if np.isinf(shrinkage):
            return equal
        gram = columns[rows].T @ columns[rows]
        penalty = shrinkage * np.trace(gram) / len(gram) * np.eye(len(gram)) + 1e-9 * np.eye(len(gram))
        return equal + np.linalg.solve(gram + penalty, columns[rows].T @ rest[rows])

    if len(np.unique(of.users)) < 5:
        return equal
    errors = np.empty((len(SHRINKAGES), len(columns)))
    for inside, out in GroupKFold(5).split(columns, groups=of.users):
        for place, shrinkage in enumerate(SHRINKAGES):
            errors[place, out] = (of.ratings[out] - columns[out] @ moved(inside, shrinkage)) ** 2
    by_user = np.array([np.bincount(of.users, row) for row in errors])
    gaps = by_user - by_user[by_user.sum(axis=1).argmin()]
    # The next window is not this one: weights leave equal ones only as far as users tell for sure.
    good = gaps.sum(axis=1) <= gaps.std(axis=1) * np.sqrt(by_user.shape[1])
    return moved(np.arange(len(columns)), max(np.array(SHRINKAGES)[good]))


def groups_of(train: Interactions, asked: Interactions) -> dict[str, np.ndarray]:
    """Return the masks of `GROUPS` over some ratings."""
    users, films = train.user_counts[asked.users], train.item_counts[asked.items]
    return dict(zip(GROUPS, (np.ones(len(asked), bool), users == 0, users > 0, users >= 50, films == 0), strict=True))


def sums_of(
    asked: Interactions, predicted: np.ndarray, places: np.ndarray, groups: Mapping[str, np.ndarray]
) -> dict[str, dict[str, list[float]]]:
    """Return the sum of squared errors, and the count, by window and group."""
    squares, found = (predicted - asked.ratings) ** 2, {}
    for place in np.unique(places).tolist():
        masks = {name: mask & (places == place) for name, mask in groups.items()}
        found[str(place)] = {name: [float(squares[mask].sum()), int(mask.sum())] for name, mask in masks.items()}
    return found


def error_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a row a ``model``, ``cut`` (when it was fitted), ``window`` and ``group``: ``squared``, ``n``, ``rmse``."""
    rows = [
        [name, record["cut"], int(place), group, *of]
        for record in records
        for name, told in record["told"].items()
        for place, groups in told.get("errors", {}).items()
        for group, of in groups.items()
    ]
    found = pd.DataFrame(rows, columns=["model", "cut", "window", "group", "squared", "n"])
    return found.assign(rmse=np.sqrt(found["squared"] / found["n"].where(found["n"] > 0)))


def over_windows(table: pd.DataFrame, *, frozen: bool = False) -> pd.DataFrame:
    """Pool errors (``rmse``, ``n``) by model and group: windows by their own cut's models, or `frozen` at the first."""
    first = table["cut"].min()
    mine = table[table["cut"] == first] if frozen else table[table["cut"] == table["window"]]
    pooled = mine.groupby(["model", "group"], sort=False)[["squared", "n"]].sum().reset_index()
    return pooled.assign(rmse=np.sqrt(pooled["squared"] / pooled["n"].where(pooled["n"] > 0))).drop(columns="squared")


def blend_tests(
    records: Iterable[Mapping[str, Any]],
    data: Interactions,
    edges: Sequence[int],
    members: Iterable[str],
    *,
    n_resamples: int,
) -> pd.DataFrame:
    """Compare the blend with equal weights and with its best member, on each window by itself.

    A row a ``window`` and ``against``, with the fields of `lib.statistics.significance.compare_models`; ``p_adjusted`` is
    corrected over all rows.
    """
    rows, members = [], list(members)
    for record in records:
        number = record["cut"]
        inside = data.take((data.timestamps >= edges[number]) & (data.timestamps < edges[number + 1]))
        users = np.flatnonzero(inside.user_counts)
        counts, nothing = inside.user_counts[users], np.full(len(users), np.nan)

        def errors(name: str, of=record, told=(users, counts, nothing)) -> PerUser:
            squared = np.asarray(of[f"squared/{name}"], np.float64)
            return UserErrors(told[0], told[1], squared, told[2], told[2]).per_user("rmse")

        best = min(members, key=lambda name: record[f"squared/{name}"].sum())
        for against in ("equal_weights", best):
            pair = {name: errors(name) for name in ("blend", against)}
            one = compare_models(pair, pairs=[("blend", against)], n_resamples=n_resamples)
            rows.append(one.assign(window=number, against=against))
    found = pd.concat(rows, ignore_index=True)
    return found.assign(p_adjusted=adjust(found["p_value"].to_numpy(), "holm"))


def windows_of(edges: Sequence[int]) -> list[str]:
    """Name the windows after the cuts by their first and last day."""
    days = [pd.Timestamp(edge, unit="s").strftime("%Y-%m-%d") for edge in edges]
    return [f"{first} to {last}" for first, last in pairwise(days[1:])]
