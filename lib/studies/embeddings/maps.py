"""Maps of films: dots by genre, a few of them named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

OTHERS = "#BBBBBB"
"""Colour of films of a genre without one of its own."""


def draw_map(
    axis,
    places: np.ndarray,
    genres: np.ndarray,
    shades: Mapping[str, object],
    names: Mapping[int, str] | None = None,
) -> None:
    """Draw films on a plane without ticks, as an image: a thousand dots are far smaller so.

    `places` has shape (n, 2), `genres` each film's main genre, `shades` the colours of genres that have one, in the order
    of the legend, all others being drawn as "other"; `names`, by row, are written beside their dots.
    """
    for genre in [*shades, None]:
        inside = genres == genre if genre is not None else ~np.isin(genres, list(shades))
        look = {"markersize": 3.5, "color": shades.get(genre, OTHERS), "label": genre or "other"}
        axis.plot(*places[inside].T, ".", rasterized=True, **look)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.65, "pad": 0.5}
    for row, text in (names or {}).items():
        axis.annotate(text, places[row], fontsize=6.5, xytext=(3, 3), textcoords="offset points", bbox=box)
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)


def short_title(title: str, length: int = 24) -> str:
    """Return a title without its year, cut with an ellipsis where it is longer than `length`."""
    name = title.partition(" (")[0]
    return name if len(name) <= length else name[: length - 1] + "…"
