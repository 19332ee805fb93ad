"""Which model wins where: the ratings parted by context, and in each context the winner, its equals and the simplest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.data.splits import Split
from lib.metrics import PerUser, Ranking, user_errors
from lib.metrics.segments import count_bins
from lib.statistics.significance import compare_models

AGE_EDGES = (0, 2, 5, 10, 20)
"""Lower ends of the default bins of a film's age in years; the last is open."""


def film_ages(split: Split) -> np.ndarray:
    """Age of each test rating's film when it was rated, shape (len(split.test),): the year of the rating minus the film's.

    In calendar years, at least 0 (a preview counts as new); NaN where the film's year is unknown.

    Raises
    ------
    ValueError
        The data have no years of release.
    """
    table = split.test.item_table
    if table is None or "year" not in table:
        raise ValueError("these data tell no film's year of release; leave out the segments by film age")
    released = pd.to_numeric(table["year"], errors="coerce").to_numpy(dtype=np.float64)[split.test.items]
    rated = pd.to_datetime(split.test.timestamps, unit="s").year.to_numpy(dtype=np.float64)
    return np.maximum(rated - released, 0.0)


def age_bins(ages: np.ndarray, edges: Sequence[int] = AGE_EDGES) -> pd.Categorical:
    """Label ages by bin as `lib.metrics.segments.count_bins` does; an unknown age (NaN) gets no label."""
    ages = np.asarray(ages, dtype=np.float64)
    known = ~np.isnan(ages)
    bins = count_bins(np.where(known, ages, 0).astype(np.int64), edges)
    return pd.Categorical.from_codes(
        np.where(known, bins.codes, -1), categories=bins.categories, ordered=True
    )


def errors_within(table: pd.DataFrame, models: Sequence[str], inside: np.ndarray) -> dict[str, PerUser]:
    """RMSE of each model over the rows of `table` that are `inside`, by user; empty where no row is."""
    part = table[inside]
    if part.empty:
        return {}
    users, ratings = part["user"].to_numpy(), part["rating"]
    return {name: user_errors(users, ratings, part[name]).per_user("rmse") for name in models}


def lists_within(rankings: Mapping[str, Ranking], users: np.ndarray, metric: str) -> dict[str, PerUser]:
    """Mean of a ranking metric of each model over some users (codes); empty where none of them is measured."""
    found = {}
    for name, ranking in rankings.items():
        whole = ranking.per_user(metric)
        kept = np.isin(whole.users, users)
        if not kept.any():
            return {}
        found[name] = PerUser.mean(whole.metric, whole.users[kept], whole.values[kept])
    return found


@dataclass(frozen=True)
class Decision:
    """What to take in one context, and why.

    Parameters
    ----------
    values : dict of str to float
        Every model's metric, best first.
    lead, lead_low, lead_high : float
        By how much the winner is better than the runner-up, with its bootstrap interval, in the metric's units;
        positive is in the winner's favour, whichever way the metric runs. The winner was picked on the same ratings,
        so the lead is flattered.
    equals : list of str
        The winner and every model not significantly worse, best first.
    choice : str
        The simplest of `equals`.
    cost, cost_low, cost_high : float
        By how much the winner is better than the choice, as the lead; 0 where the choice is the winner.
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

    Every model is compared with the winner, paired by user (`lib.statistics.significance.compare_models`), the p-values corrected
    by Holm for the number of models within the context.

    Parameters
    ----------
    models : mapping of str to PerUser
        At least two, measured alike, of at least two users.
    simplicity : sequence of str
        All models, the simplest first (`by_simplicity`). Of equal values the simpler one wins.
    lower_is_better : bool
    level : float
        Family-wise error rate within the context.
    n_resamples, seed
        Of tests and intervals.

    Raises
    ------
    ValueError
        Fewer than two models, a model without a place in `simplicity`, too few resamples for any model to reach the
        level, or models measured differently.
    """
    if len(models) < 2:
        raise ValueError(f"a decision needs at least two models, got {list(models)}")
    places = {name: place for place, name in enumerate(simplicity)}
    missing = [name for name in models if name not in places]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} stand nowhere in the order of simplicity; give every model a place"
        )
    if (len(models) - 1) / (1 + n_resamples) > level:
        raise ValueError(
            f"n_resamples={n_resamples} is too few for {len(models) - 1} comparisons: no corrected p-value could be "
            f"below {level:g}; take at least {int(np.ceil((len(models) - 1) / level))}"
        )
    sign = 1 if lower_is_better else -1
    order = sorted(models, key=lambda name: (sign * models[name].value, places[name]))
    winner, runner_up = order[:2]
    table = compare_models(
        {name: models[name] for name in order}, reference=winner, n_resamples=n_resamples, seed=seed
    ).set_index("model_a")
    equals = [name for name in order if name == winner or table.loc[name, "p_adjusted"] > level]
    choice = min(equals, key=places.__getitem__)
    leads = {winner: (0.0, 0.0, 0.0)}
    for name in {runner_up, choice} - {winner}:
        row = table.loc[name]
        low, high = sorted((sign * row["low"], sign * row["high"]))
        # Adding 0 turns the -0.0 of equal models into 0.
        leads[name] = tuple(float(value) + 0.0 for value in (sign * row["difference"], low, high))
    return Decision(
        len(models[winner]), {name: models[name].value for name in order}, winner, runner_up, *leads[runner_up],
        equals, choice, *leads[choice],
    )  # fmt: skip


def by_simplicity(
    models: Sequence[str],
    families: Mapping[str, str],
    order: Sequence[str],
    n_parameters: Mapping[str, float],
) -> list[str]:
    """Order models from the simplest: by family, within a family by the number of learned parameters, then by name.

    `order` has the families, the simplest first; a family that is not named comes after all that are, in alphabetical
    order. A model without a number of parameters comes last in its family.
    """
    missing = [name for name in models if name not in families]
    if missing:
        raise ValueError(f"no family is known for {', '.join(missing)}; name one for each model")
    ranks = {family: place for place, family in enumerate(order)}

    def key(name: str):
        family = families[name]
        count = n_parameters.get(name, np.nan)
        return ranks.get(family, len(ranks)), family, np.inf if np.isnan(count) else count, name

    return sorted(models, key=key)


def because(decision: Decision, metric: str, labels: Mapping[str, str], *, digits: int = 3) -> str:
    """Say in a sentence why the choice is the choice, with the measured difference.

    The interval is not corrected for the number of models while the test is; where only the interval leaves zero out,
    the sentence says so.
    """
    others = len(decision.equals) - 1
    n_models = len(decision.values)
    if decision.choice == decision.winner:
        if others == 0:
            return f"best {metric}, and every other model is significantly worse"
        return f"best {metric}, and the simplest of {others + 1} of {n_models} models that cannot be told apart here"
    text = (
        f"the simplest of {others + 1} of {n_models} models that cannot be told apart here; "
        f"{labels.get(decision.winner, decision.winner)} is {decision.cost:.{digits}f} better "
        f"({decision.cost_low:.{digits}f} to {decision.cost_high:.{digits}f})"
    )
    if decision.cost_low > 0:
        text += ", which the correction for so many models calls chance; more users may not"
    return text
