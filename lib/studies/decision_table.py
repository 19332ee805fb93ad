"""Which model wins where: the ratings parted by context, and in each context the winner, its equals and the simplest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.data.splits import Split
from lib.metrics import PerUser, Ranking, user_errors
from lib.metrics.segments import count_bins, item_bins, user_bins
from lib.statistics.significance import compare_models


class Context(NamedTuple):
    """What is known when a prediction is asked for: the rows of a split's test ratings of which it holds.

    ``users`` are codes of whom it holds; None where it speaks of films: lists have no part.
    """

    name: str
    split: Split
    inside: np.ndarray
    users: np.ndarray | None = None


def counted_contexts(split: Split, user_edges: Sequence[int], item_edges: Sequence[int], words="") -> list[Context]:
    """Part test ratings by how many training ratings the user has, and by how many the film; `words` end each name."""
    contexts = []
    by_user, by_item = user_bins(split.train, user_edges), item_bins(split.train, item_edges)
    for text in by_user.categories:
        users, rows = np.flatnonzero(by_user == text), (by_user == text)[split.test.users]
        contexts.append(Context(f"user with {text} ratings{words}", split, rows, users))
    for text in by_item.categories:
        contexts.append(Context(f"film with {text} ratings{words}", split, (by_item == text)[split.test.items]))
    return contexts


def age_contexts(split: Split, edges: Sequence[int]) -> list[Context]:
    """Part test ratings by the film's age in years when rated, at least 0; a film without a year is in no context."""
    table = split.test.item_table
    if table is None or "year" not in table:
        return []
    years = pd.to_numeric(table["year"], errors="coerce").to_numpy(dtype=np.float64)[split.test.items]
    rated = pd.to_datetime(split.test.timestamps, unit="s").year.to_numpy(dtype=np.float64)
    ages = np.maximum(rated - years, 0.0)
    known = ~np.isnan(ages)
    bins = count_bins(np.where(known, ages, 0).astype(np.int64), edges)
    return [Context(f"film {text} years old", split, known & (bins == text)) for text in bins.categories]


def errors_within(table: pd.DataFrame, models: Sequence[str], inside: np.ndarray) -> dict[str, PerUser]:
    """RMSE of each model over the rows of `table` that are `inside`, by user; empty where no row is."""
    part = table[inside]
    if part.empty:
        return {}
    truth = part["user"].to_numpy(), part["rating"].to_numpy()
    return {name: user_errors(*truth, part[name].to_numpy()).per_user("rmse") for name in models}


def of_users(models: Mapping[str, PerUser], users: np.ndarray) -> dict[str, PerUser]:
    """Each model's metric over some users alone; empty where none of them is measured."""
    found = {}
    for name, whole in models.items():
        if not (kept := np.isin(whole.users, users)).any():
            return {}
        parts = {part: getattr(whole, part)[kept] for part in ("users", "numerators", "denominators")}
        found[name] = replace(whole, **parts)
    return found


@dataclass(frozen=True)
class Decision:
    """What to take in one context, and why.

    `values` has every model's metric, best first; `equals` the winner and every model not significantly worse, best
    first, and `choice` is the simplest of them. The lead says by how much the winner is better than the runner-up, the
    cost than the choice (0 where that is the winner), each with its bootstrap interval, in the metric's units and
    positive in the winner's favour, whichever way the metric runs. Picked on the same ratings, the winner is flattered.
    """

    n_users: int
    values: dict[str, float]
    winner: str
    runner_up: str
    lead: float
    lead_low: float
    lead_high: float
    equals: list[str]
    choice: str
    cost: float
    cost_low: float
    cost_high: float


def decide(
    models: Mapping[str, PerUser],
    simplicity: Sequence[str],
    *,
    lower_is_better: bool,
    level: float = 0.05,
    n_resamples: int = 2000,
    seed: int = 42,
) -> Decision:
    """Find the winner, the models that cannot be told from it, and the simplest of these.

    Every model is compared with the winner, paired by user (`lib.statistics.significance.compare_models`), the p-values
    corrected by Holm for the number of models within the context; `level` is the family-wise error rate. `simplicity`
    has all models, the simplest first (`by_simplicity`); of equal values the simpler one wins. ValueError: fewer than
    two models, one without a place in `simplicity`, too few resamples to reach the level, or other users.
    """
    if len(models) < 2:
        raise ValueError(f"a decision needs at least two models, got {list(models)}")
    places = {name: place for place, name in enumerate(simplicity)}
    if missing := [name for name in models if name not in places]:
        raise ValueError(f"{', '.join(missing)} stand nowhere in the order of simplicity; give all a place")
    if (len(models) - 1) / (1 + n_resamples) > level:
        raise ValueError(
            f"n_resamples={n_resamples} is too few for {len(models) - 1} comparisons: no corrected p-value could be "
            f"below {level:g}; take at least {int(np.ceil((len(models) - 1) / level))}"
        )
    sign = 1 if lower_is_better else -1
    order = sorted(models, key=lambda name: (sign * models[name].value, places[name]))
    winner, runner_up = order[:2]
    ordered = {name: models[name] for name in order}
    table = compare_models(ordered, reference=winner, n_resamples=n_resamples, seed=seed).set_index("model_a")
    equals = [name for name in order if name == winner or table["p_adjusted"][name] > level]
    choice = min(equals, key=places.__getitem__)
    leads = {winner: (0.0, 0.0, 0.0)}
    for name in {runner_up, choice} - {winner}:
        # Adding 0 turns the -0.0 of equal models into 0.
        gap, *ends = (float(sign * table[of][name]) + 0.0 for of in ("difference", "low", "high"))
        leads[name] = (gap, min(ends), max(ends))
    values = {name: one.value for name, one in ordered.items()}
    lead, cost = leads[runner_up], leads[choice]
    return Decision(len(models[winner]), values, winner, runner_up, *lead, equals, choice, *cost)


def decide_all(
    contexts: Sequence[Context],
    measured: Mapping[str, tuple[pd.DataFrame | Mapping[str, PerUser], Mapping[str, Ranking]]],
    simplicity: Sequence[str],
    *,
    reference: str,
    min_users: int = 2,
    **settings: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decide in every context: by RMSE, and in a context of users by nDCG too.

    `measured` has, by split's name, the test ratings in their order with a column of predictions a model, or where none
    are kept each model's errors by user (raw ids), and each model's ranking. Errors are also given as differences from
    `reference`'s; a context with fewer than `min_users` test users gets no decision; `simplicity` and `settings` are
    those of `decide`.

    Returns a table with a row a context and metric: ``n_users``, ``n_ratings``, ``too_few``; where it is decided also
    the fields of `Decision` but ``values`` and ``equals``, and ``value`` (the winner's), ``choice_value``,
    ``n_equals``. A table with a row a decided context, metric and model: ``value``; ``shown``, of an error
    the difference from the reference's; ``not_told_apart`` from the winner.
    """
    rows, cells = [], []
    for context in contexts:
        for metric, values in _measured_in(context, *measured[context.split.name], simplicity).items():
            n_users, n_ratings = len(next(iter(values.values()))), int(context.inside.sum())
            where = {"context": context.name, "split": context.split.name, "metric": metric}
            row = {**where, "n_users": n_users, "n_ratings": n_ratings, "too_few": n_users < min_users}
            rows.append(row)
            if row["too_few"]:
                continue
            lower = metric == "RMSE"
            found = decide(values, simplicity, lower_is_better=lower, **settings)
            base = found.values.get(reference, np.nan) if lower else 0.0
            for name, value in found.values.items():
                cell = {"model": name, "value": value, "shown": value - base}
                cells.append({**where, **cell, "not_told_apart": name in found.equals})
            row |= {name: value for name, value in asdict(found).items() if name not in ("values", "equals")}
            row |= {"value": found.values[found.winner], "choice_value": found.values[found.choice]}
            row["n_equals"] = len(found.equals)
    return pd.DataFrame(rows), pd.DataFrame(cells)


def _measured_in(
    context: Context, errors: pd.DataFrame | Mapping[str, PerUser], rankings: Mapping[str, Ranking], simplicity
) -> dict[str, dict[str, PerUser]]:
    """Return the models' values in a context by metric, as far as there are several to decide between."""
    names, users = [name for name in simplicity if name in errors], context.users
    if isinstance(errors, pd.DataFrame):
        found = {"RMSE": errors_within(errors, names, context.inside)}
    else:  # sums by user say nothing of single films
        ids = context.split.test.user_ids[[] if users is None else users]
        found = {"RMSE": of_users({name: errors[name] for name in names}, ids)}
    if users is not None and rankings:
        k = next(iter(rankings.values())).k
        found[f"nDCG@{k}"] = of_users({name: one.per_user("ndcg") for name, one in rankings.items()}, users)
    return {metric: values for metric, values in found.items() if len(values) > 1}


def tally(decided: pd.DataFrame, labels: Mapping[str, str]) -> dict[str, Any]:
    """Count over the decided contexts of one metric who wins, and what is to be taken.

    ``winners`` is how many different ones win, ``clear`` in how many contexts the winner has no equal, ``lead`` the
    median one, ``unsure`` how many intervals of it hold zero.
    """
    wins, takes = decided["winner"].value_counts(), decided["choice"].value_counts()
    best, simplest = (labels.get(str(counts.first_valid_index())) for counts in (wins, takes))
    found: dict[str, Any] = {"contexts": len(decided), "best": best, "wins": wins.max()}
    found |= {"winners": len(wins), "clear": int((decided["n_equals"] == 1).sum())}
    found |= {"lead": decided["lead"].median(), "unsure": int((decided["lead_low"] <= 0).sum())}
    return found | {"simplest": simplest, "takes": takes.max()}


def by_simplicity(models: Sequence[str], families: Mapping, order: Sequence[str], n_parameters: Mapping) -> list[str]:
    """Order models from the simplest: by family, then learned parameters, then name; what is unknown comes last."""
    if missing := [name for name in models if name not in families]:
        raise ValueError(f"no family is known for {', '.join(missing)}; name one for each model")
    ranks = {family: place for place, family in enumerate(order)}

    def key(name: str):
        family, count = families[name], n_parameters.get(name, np.nan)
        return ranks.get(family, len(ranks)), family, np.inf if np.isnan(count) else count, name

    return sorted(models, key=key)
