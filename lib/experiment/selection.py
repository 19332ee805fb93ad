"""What was chosen on what: a row for each published model and split, so that a test can hold it against the test ratings."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from lib.data.catalogue import entries
from lib.data.interactions import Interactions
from lib.data.split_names import split_name
from lib.data.splits import Split
from lib.experiment.key import fingerprint
from lib.experiment.search_result import Search

SELECTION = (
    "run", "dataset", "split", "fold", "seed", "model", "on_dataset", "on_split", "on_fold", "on_seed",
    "users", "trials", "seconds", "share", "rows",
)  # fmt: skip
"""Columns of selection.csv: what is measured, where and on which share of the users it was chosen, and ``rows`` (`rows_digest`)."""


class Place(NamedTuple):
    """A split of a data set, in whose training ratings something was chosen."""

    dataset: str
    split: str
    fold: str = ""
    seed: int | None = None

    @classmethod
    def of(cls, dataset: str, split: Split) -> Self:
        """Return the place that a split is."""
        return cls(dataset, split.name, split.fold, split.seed)

    def __str__(self) -> str:
        which = self.fold or ("" if self.seed is None else self.seed)
        title = entries()[self.dataset].title if self.dataset in entries() else self.dataset
        return f"{title}, {split_name(f'{self.split}/{which}'.removesuffix('/'))}"


def selection_row(
    model: str, used: Place, on: Place, found: Search | None = None, space: Mapping[str, Any] | None = None, **told: Any
) -> dict[str, Any]:
    """Tell for which split a model was chosen, and `on` which, by a search in a space or by what is `told` of it."""
    row: dict[str, Any] = {**dict(zip(SELECTION[1:5], used, strict=True)), "model": model}
    row |= dict(zip(SELECTION[6:10], on, strict=True))
    row |= {"users": 1.0, "trials": None, "seconds": None, "share": None, "rows": ""}
    if found is not None:
        row |= {"trials": len(found.trials), "seconds": float(found.trials["seconds"].sum())}
        row |= {"share": found.share(space) if space else None}
    return {**row, **told}


def rows_digest(*parts: Interactions) -> str:
    """Return 24 hexadecimal digits of which user rated which film, by raw id, in any order and however they are parted."""
    ids = [(p.user_ids.astype(str)[p.users], p.item_ids.astype(str)[p.items]) for p in parts]
    users, items = (np.concatenate(side) for side in zip(*ids, strict=True))
    order = np.lexsort((items, users))
    pairs = list(dict.fromkeys(zip(users[order].tolist(), items[order].tolist(), strict=True)))
    return fingerprint([list(side) for side in zip(*pairs, strict=True)])
