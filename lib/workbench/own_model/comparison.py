"""One model against every other: paired tests by user."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.experiment.stored_runs import StoredRun
from lib.metrics.per_user import PerUser
from lib.report.prose import enumerated
from lib.report.stored_tables import list_table, pooled_errors, rankings_of
from lib.statistics.indistinguishable import Standing
from lib.statistics.significance import compare_models
from lib.studies.one_table import FOLDS, protocol_of
from lib.workbench.own_model.protocol import Protocol

BETTER, WORSE, SAME = "better", "worse", "not told apart"


def measured(own: str, mine: StoredRun, protocol: Protocol) -> dict[str, dict[str, PerUser]]:
    """Return every model's metric user by user, by metric and protocol: where the own one, of `mine`, has a rival.

    First the errors of each protocol's first split, published folds pooled (none where the own model predicts no
    ratings), then the lists of each protocol's first split that has them.
    """
    runs, k, errors, ranked = [protocol.stored, mine], protocol.k, {}, {}
    groups: dict[str, list[str]] = {}
    for key, split in protocol.splits.items():
        groups.setdefault(protocol_of(split.name), []).append(key)
    for keys in groups.values():
        folds = [key for key in keys if key in FOLDS] or keys[:1]
        words = f"{', '.join(folds)} pooled" if len(folds) > 1 else folds[0]
        errors[f"RMSE, {words}"] = pooled_errors(runs, [protocol.splits[key] for key in folds])
        for key in [key for key in keys if key in protocol.listed][:1]:
            split = protocol.splits[key]
            rankings = rankings_of(list_table(runs, split, k), split, k, threshold=protocol.threshold)
            ranked[f"nDCG@{k}, {key}"] = {m: r.per_user("ndcg") for m, r in rankings.items()}
    found = errors | ranked
    return {title: users for title, users in found.items() if own in users and len(users) > 1}


def against_each(
    users: Mapping[str, PerUser], own: str, *, level: float, n_resamples: int, seed: int
) -> pd.DataFrame:
    r"""Test one model against each other one: sign flips by user, Holm over the comparisons.

    `users` has one metric by model, `level` is the family-wise error rate, `n_resamples` the number of resampled users
    for intervals and of sign flips. A row another model, best first: ``model``, ``value``, ``difference`` (own minus
    other, in the metric's units), ``low``, ``high`` (95% interval over users, not corrected), ``effect_size``
    (:math:`d_z`), ``p_value``, ``p_adjusted``, and ``verdict``: whether the own model is `BETTER`, `WORSE` or `SAME`.

    ValueError: too few resamples for any comparison to reach the level, or `own` is not among the models.
    """
    n_pairs = len(users) - 1
    if n_pairs / (1 + n_resamples) > level:
        raise ValueError(
            f"n_resamples={n_resamples} is too few for {n_pairs} comparisons: no corrected p-value could be below "
            f"{level:g}; take at least {int(np.ceil(n_pairs / level))}"
        )
    table = compare_models(users, reference=own, n_resamples=n_resamples, seed=seed)
    found = table.rename(columns={"model_a": "model", "first": "value"})[["model", "value"]]
    turned = {"difference": "difference", "low": "high", "high": "low", "effect_size": "effect_size"}
    found = found.assign(**{name: -table[of] for name, of in turned.items()})
    found[["p_value", "p_adjusted"]] = table[["p_value", "p_adjusted"]]
    lower = users[own].metric == "rmse"
    gain = -found["difference"] if lower else found["difference"]
    found["verdict"] = np.where(found["p_adjusted"] > level, SAME, np.where(gain > 0, BETTER, WORSE))
    return found.sort_values("value", ascending=lower, ignore_index=True, kind="stable")


def verdict_words(tests: Mapping[str, pd.DataFrame]) -> str:
    """Write what the tests of `against_each` found as a Markdown list; a ``label`` stands beside each model."""
    if not tests:
        return "No other model was measured on the same ratings or lists, so there is nothing to test."
    lines = []
    for title, found in tests.items():
        same, counts = found.loc[found["verdict"] == SAME, "label"].tolist(), found["verdict"].value_counts()
        apart = f"not told apart from {enumerated(same)}" if same else "told apart from every other"
        said = ", ".join(f"{one} than {counts.get(one, 0)}" for one in (BETTER, WORSE))
        lines.append(f"- {title}: {said} of {len(found)}; {apart}.")
    return "\n".join(lines)


def sharing(found: Standing, own: str) -> list[str]:
    """Return the models that stand in a group with one, best first."""
    together = {name for group in found.groups if own in group for name in group} - {own}
    return [name for name in found.table["model"] if name in together]
