"""One model against every other: paired tests by user."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.data.split_names import split_name
from lib.experiment.stored_runs import StoredRun
from lib.metrics.per_user import PerUser
from lib.report.prose import enumerated
from lib.report.stored_tables import list_table, pooled_errors, rankings_of
from lib.statistics.indistinguishable import Standing
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
        words = f"{', '.join(folds)} pooled" if len(folds) > 1 else split_name(folds[0])
        errors[f"RMSE, {words}"] = pooled_errors(runs, [protocol.splits[key] for key in folds])
        for key in [key for key in keys if key in protocol.listed][:1]:
            split = protocol.splits[key]
            rankings = rankings_of(list_table(runs, split, k), split, k, threshold=protocol.threshold)
            ranked[f"nDCG@{k}, {split_name(key)}"] = {m: r.per_user("ndcg") for m, r in rankings.items()}
    return {title: users for title, users in (errors | ranked).items() if own in users and len(users) > 1}


def against_each(found: Standing, own: str) -> pd.DataFrame:
    """Return a row each other model, best first, of a `standing` that has the own one.

    ``difference`` is own minus other, in the metric's units; ``verdict`` whether the own is `BETTER`, `WORSE` or
    `SAME`.
    """
    pairs = found.pairs[(found.pairs["model_a"] == own) | (found.pairs["model_b"] == own)]
    ahead = pairs["model_a"] == own  # the first of a pair is the better one
    table = pairs[["p_value", "p_adjusted"]].set_axis(pairs["model_b"].where(ahead, pairs["model_a"]))
    signs, verdicts = np.where(ahead, 1, -1), np.where(ahead, BETTER, WORSE)
    table["difference"] = signs * pairs["difference"].to_numpy()
    table["verdict"] = np.where(pairs["differs"], verdicts, SAME)
    values = found.table.set_index("model")["value"].drop(own)
    return table.reindex(values.index).assign(value=values).reset_index()


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
