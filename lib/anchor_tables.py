"""What a reader sees of published results beside ours: the lowest figure of a protocol, and its table."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from lib.anchors import Source


def best_published(table: pd.DataFrame, *, comparable: bool = True) -> pd.Series | None:
    """Return the row with the lowest published error of those that are comparable, or of those that are not.

    Returns None where there is no such row.
    """
    rows = table[table["comparable"] == comparable]
    return None if rows.empty else rows.loc[rows["published"].idxmin()]


def readers_table(
    table: pd.DataFrame, sources: Mapping[str, Source], names: Mapping[str, str]
) -> pd.DataFrame:
    """Turn rows of `anchor_table` into what a reader sees: squared errors before absolute ones, lowest first.

    Parameters
    ----------
    table : DataFrame
    sources : mapping of str to Source
        Those that the rows cite.
    names : mapping of str to str
        What a reader sees for our models; one without an entry is shown by its name.

    Returns
    -------
    DataFrame
        ``model``, ``source`` (author and year), ``metric``, ``published``, ``counterpart`` and ``interval`` (missing where
        there is none), ``ours``, ``difference``, ``note`` and ``url``.
    """
    rows = table.sort_values(["metric", "published"], ascending=[False, True], kind="stable")
    bounds = zip(rows["low"], rows["high"], strict=True)
    return pd.DataFrame(
        {
            "model": rows["model"],
            "source": [sources[one].cite for one in rows["source"]],
            "metric": rows["metric"].str.upper(),
            "published": rows["published"],
            "counterpart": [names.get(one, one) or None for one in rows["ours_model"]],
            "ours": rows["ours"],
            "interval": [f"{low:.3f} to {high:.3f}" if math.isfinite(low) else None for low, high in bounds],
            "difference": rows["difference"],
            "note": rows["note"],
            "url": [sources[one].url for one in rows["source"]],
        }
    ).reset_index(drop=True)
