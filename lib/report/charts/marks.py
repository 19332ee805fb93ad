"""Marks that figures of several studies share: a ring around a choice, and errors of train, validation and test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from lib.report.figures import PALETTE

PARTS = {"train": PALETTE["grey"], "validation": PALETTE["blue"], "test": PALETTE["vermilion"]}
"""Colours of the ratings that an error is measured on."""


def ring(axis, x: float, y: float, *, colour: str = PALETTE["black"], size: float = 12) -> None:
    """Pick a point out by a ring around it."""
    axis.plot(x, y, "o", markersize=size, markerfacecolor="none", color=colour)


def error_curves(
    axis, frame: pd.DataFrame, setting: str, best: Mapping[str, pd.Series], parts: Iterable[str] = PARTS
) -> None:
    """Draw the RMSE on each part over a setting.

    Parameters
    ----------
    axis
    frame : DataFrame
        ``setting``, and a column such as ``train_rmse`` a part.
    setting : str
    best : mapping of str to Series
        By part, the row to pick out by a ring.
    parts : iterable of str
        Those of `PARTS` that are drawn.
    """
    for part in parts:
        axis.plot(frame[setting], frame[f"{part}_rmse"], "o-", color=PARTS[part], label=part, markersize=3.5)
    for part, row in best.items():
        ring(axis, row[setting], row[f"{part}_rmse"], colour=PARTS[part])
