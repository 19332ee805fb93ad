"""Data sets that `lib.workbench.own_ratings.prepare` left in a folder, as `Dataset`s like any other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lib.data.dataset import Dataset
from lib.data.errors import CorruptDataset, UnknownDataset
from lib.data.files import read_whole
from lib.data.interactions import Interactions

META = {"name": str, "title": str, "scale": [(int, float)], "checksums": {...: str}}
"""What ``dataset.json`` has at least, as `lib.data.files.has_form` tells it."""


@dataclass(frozen=True, eq=False, repr=False)
class PreparedDataset(Dataset):
    """A reader's own ratings; `meta` says what was read and how. Without timestamps those are all zero."""

    meta: dict[str, Any] = field(default_factory=dict)


def load_prepared(folder: Path) -> PreparedDataset:
    """Load the folder that `lib.workbench.own_ratings.prepare` wrote; UnknownDataset: none is there, CorruptDataset: damaged."""
    if not (folder / "dataset.json").is_file() or not (folder / "ratings.parquet").is_file():
        raise UnknownDataset(f"{folder} holds no prepared ratings. Make them: python run_notebooks.py --dataset FILE")
    try:
        meta = read_whole(folder / "dataset.json", META, "")
        frame = pd.read_parquet(folder / "ratings.parquet")
        tables = {
            f"{kind}_table": pd.read_parquet(path).set_index(kind)
            for kind in ("user", "item")
            if (path := folder / f"{kind}s.parquet").exists()
        }
        interactions = Interactions.from_frame(frame, scale=tuple(meta["scale"]), source=meta["title"], **tables)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        fix = "Delete the folder and prepare the file again."
        raise CorruptDataset(f"{folder} is damaged ({error}). {fix}") from error
    return PreparedDataset(meta["name"], meta["title"], interactions, meta["checksums"], "own file", meta=meta)
