"""Data sets that `lib.workbench.own_ratings.prepare` left in a folder, as `Dataset`s like any other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lib.data.dataset import Dataset
from lib.data.errors import CorruptDataset, UnknownDataset
from lib.data.interactions import Interactions


@dataclass(frozen=True, eq=False, repr=False)
class PreparedDataset(Dataset):
    """A reader's own ratings.

    Parameters
    ----------
    meta : dict
        What was read and how: ``scale``, ``step``, ``single_valued``, ``has_ratings``, ``has_timestamps``, ``columns``,
        ``counts``, ``notes``, ``summary`` and more. Without timestamps those of the interactions are all zero.
    """

    meta: dict[str, Any] = field(default_factory=dict)


def load_prepared(folder: Path | str) -> PreparedDataset:
    """Load the folder that `lib.workbench.own_ratings.prepare` wrote.

    Raises
    ------
    UnknownDataset
        The folder is not there, or holds no prepared ratings.
    CorruptDataset
        A file of it is damaged.
    """
    folder = Path(folder)
    try:
        meta = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        frame = pd.read_parquet(folder / "ratings.parquet")
        tables = {kind: _table(folder, kind) for kind in ("user", "item")}
        interactions = Interactions.from_frame(
            frame, scale=tuple(meta["scale"]), user_table=tables["user"], item_table=tables["item"], source=meta["title"]
        )  # fmt: skip
    except FileNotFoundError:
        raise UnknownDataset(
            f"{folder} holds no prepared ratings. Make them with: python run_notebooks.py --dataset FILE"
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise CorruptDataset(f"{folder}: {error}. Delete the folder and prepare the file again.") from error
    return PreparedDataset(
        meta["name"], meta["title"], interactions, citation="", licence="", checksums=meta["checksums"], source="own file",
        origin=meta["summary"], meta=meta,
    )  # fmt: skip


def _table(folder: Path, kind: str) -> pd.DataFrame | None:
    path = folder / f"{kind}s.parquet"
    return pd.read_parquet(path).set_index(kind) if path.exists() else None


__all__ = ["PreparedDataset", "load_prepared"]
