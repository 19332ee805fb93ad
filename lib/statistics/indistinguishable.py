"""Which models cannot be told apart: paired tests of all pairs, and the groups in which no pair differs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Self

import numpy as np
import pandas as pd

from lib.metrics.per_user import PerUser, check_paired
from lib.statistics.significance import LEAST_USERS, adjust, bootstrap_interval, sign_flip_test


@dataclass(frozen=True, eq=False)
class Standing:
    """Models in order of a metric, with what tells them apart.

    `table` has a row a model, best first: ``model``, ``value``, ``low``, ``high`` (bootstrap interval over users); `pairs` a
    row a pair: ``model_a`` (the better one), ``model_b``, ``difference`` (a minus b, in the metric's units), ``p_value``,
    ``p_adjusted`` (Holm over all pairs), and ``differs``, whose family-wise error rate is `level`. `groups` are of
    `maximal_groups`: best group first, models best first.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    groups: list[list[str]]
    level: float

    @property
    def n_apart(self) -> int:
        """Number of pairs that differ."""
        return int(self.pairs["differs"].sum())

    @property
    def n_unmarked(self) -> int:
        """Number of pairs that do not differ and yet share no group, because a pair between them does.

        Paired tests need not be monotone: differences of a pair far apart may vary more from user to user.
        """
        together = {frozenset(pair) for group in self.groups for pair in combinations(group, 2)}
        same = self.pairs.loc[~self.pairs["differs"], ["model_a", "model_b"]].itertuples(index=False)
        return sum(frozenset(pair) not in together for pair in same)

    @property
    def best_equals(self) -> list[str]:
        """Models that do not differ from the best one, in their order."""
        best = self.pairs[self.pairs["model_a"] == self.table["model"].iloc[0]]
        return best.loc[~best["differs"], "model_b"].tolist()

    def first(self, n: int) -> Self:
        """Return the n best, groups cut to them; tests and their correction stay those of all pairs."""
        names = list(self.table["model"][:n])
        cut = [[name for name in group if name in names] for group in self.groups]
        inside = self.pairs["model_a"].isin(names) & self.pairs["model_b"].isin(names)
        groups = [group for group in cut if len(group) > 1]
        # A group that reached past the cut may now lie within another.
        groups = [g for g in groups if not any(set(g) < set(other) for other in groups)]
        table, pairs = (one.reset_index(drop=True) for one in (self.table[:n], self.pairs[inside]))
        return replace(self, table=table, pairs=pairs, groups=groups)


def standing(
    models: Mapping[str, PerUser],
    *,
    lower_is_better: bool,
    level: float = 0.05,
    n_flips: int = 20_000,
    n_resamples: int = 1000,
    seed: int = 42,
) -> Standing:
    """Order models by a metric and tell which pairs differ, by the test and correction of `compare_models`.

    Pairs get p-values only, no intervals, so that the many flips that Holm's correction asks for stay cheap: for m
    pairs no p-value is below m / (1 + n_flips). `n_resamples` are those of each model's own interval. Raises
    ValueError: fewer than two models, models measured differently, a level out of range, or too few flips to reach it.
    """
    if len(models) < 2:
        raise ValueError(f"telling models apart needs at least two of them, got {list(models)}")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1, such as 0.05")
    n_pairs = len(models) * (len(models) - 1) // 2
    if n_pairs / (1 + n_flips) > level:
        raise ValueError(
            f"n_flips={n_flips} is too few for {n_pairs} pairs: no corrected p-value could be below {level:g}; "
            f"take at least {int(np.ceil(n_pairs / level))}"
        )
    sign = 1 if lower_is_better else -1
    names = sorted(models, key=lambda name: sign * models[name].value)
    for name in names[1:]:
        check_paired(models[names[0]], models[name])
    table = pd.DataFrame({"model": names, "value": [models[n].value for n in names], "low": np.nan, "high": np.nan})
    if len(models[names[0]]) >= LEAST_USERS:
        found = [bootstrap_interval(models[n], n_resamples=n_resamples, seed=seed) for n in names]
        table[["low", "high"]] = [(one.low, one.high) for one in found]
    first, second = np.triu_indices(len(names), 1)
    sums = np.stack([models[name].numerators for name in names], axis=1)
    p_values = sign_flip_test(sums[:, first] - sums[:, second], n_resamples=n_flips, seed=seed)
    values = table["value"].to_numpy()
    pairs = pd.DataFrame({"model_a": np.array(names)[first], "model_b": np.array(names)[second]})
    pairs["difference"] = values[first] - values[second]
    pairs["p_value"], pairs["p_adjusted"] = p_values, adjust(p_values, "holm")
    pairs["differs"] = pairs["p_adjusted"] <= level
    differs = np.zeros((len(names), len(names)), dtype=bool)
    differs[first, second] = differs[second, first] = pairs["differs"]
    return Standing(table, pairs, maximal_groups(names, differs), level)


def maximal_groups(names: list[str], differs: np.ndarray) -> list[list[str]]:
    """Find the maximal runs of neighbouring models in which no pair differs.

    These are the bars of a critical-difference diagram (Demšar 2006, JMLR 7). Groups overlap where the first and the
    last of three differ but neither differs from the middle one: "not told apart" is not transitive. `names` are best
    first, `differs` is a symmetric bool array in their order. The groups have at least two models, stand in the order of
    their best one, and none lies within another.
    """
    upper = np.triu(differs, 1)
    groups, end = [], 0
    for start in range(len(names)):
        stop = max(start + 1, end)
        while stop < len(names) and not upper[start : stop + 1, stop].any():
            stop += 1
        # A run that ends where the one before ended lies within it.
        if stop > end and stop - start > 1:
            groups.append(names[start:stop])
        end = max(end, stop)
    return groups
