"""Labels for crowded scatter plots: in columns at the sides, each tied to its point by a thin line, none over another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    r"""Move positions apart by as little as possible.

    .. math:: \min_y \sum_i (y_i - w_i)^2 \quad \text{s.t.} \quad y_{(i+1)} - y_{(i)} \ge gap

    in the order of the wanted positions w, solved exactly: with :math:`z_i = y_i - i \cdot gap` it is the nearest rising
    sequence, which pooling adjacent violators finds.

    Parameters
    ----------
    wanted : array, shape (n,)
        Any order; may be empty.
    gap : float
        Least distance, not below zero.

    Returns
    -------
    ndarray of float64, shape (n,)
        In the order of `wanted`.

    Raises
    ------
    ValueError
        A negative gap, or a position that is not finite.
    """
    wanted = np.asarray(wanted, dtype=np.float64)
    if gap < 0:
        raise ValueError(f"the least distance must not be negative; got {gap}")
    if not np.isfinite(wanted).all():
        raise ValueError("a label's place must be finite; leave out points without a value")
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    means, counts = [], []
    for value in wanted[order] - steps:
        means.append(float(value))
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            mean, count = means.pop(), counts.pop()
            means[-1] = (means[-1] * counts[-1] + mean * count) / (counts[-1] + count)
            counts[-1] += count
    found = np.empty(len(wanted))
    found[order] = np.repeat(means, counts) + steps
    return found


def label_sides(
    axis, x: Sequence[float], y: Sequence[float], labels: Sequence[str], *, sides: str = "both", size: float = 6.5,
    colours: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Label the points of a scatter plot in columns inside the axis, left and right of all points.

    Points left of the median go to the left column. The axis' limits are widened by what the texts measure, so the
    figure's layout must be settled (``figure.draw_without_rendering()``) and nothing drawn afterwards.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    x, y : sequence of float
        The points, finite, on linear scales.
    labels : sequence of str
    sides : {"both", "right"}
    size : float
        Of the text, in points.
    colours : sequence of str, optional
        Of text and line.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) == 0:
        return
    width = float(np.ptp(x)) or 1.0
    left = x < np.median(x) if sides == "both" else np.zeros(len(x), dtype=bool)
    shades = colours if colours is not None else ["#222222"] * len(x)
    texts = [
        axis.text(0, 0, f"{text} " if on_left else f" {text}", fontsize=size, color=shade, va="center",
                  ha="right" if on_left else "left")
        for text, on_left, shade in zip(labels, left, shades, strict=True)
    ]  # fmt: skip
    box = axis.get_window_extent()
    wide = np.array([text.get_window_extent().width for text in texts])
    columns = {side: float(wide[left == side].max(initial=0.0)) for side in (True, False)}
    # Points keep a quarter of the axis, however long the texts.
    scale = max(box.width - sum(columns.values()), 0.25 * box.width) / (1.3 * width)  # pixels a unit
    ends = {True: x.min() - 0.12 * width, False: x.max() + 0.12 * width}
    axis.set_xlim(ends[True] - columns[True] / scale, ends[False] + columns[False] / scale)
    axis.set_xticks([tick for tick in axis.get_xticks() if ends[True] <= tick <= ends[False]])
    low, high = axis.get_ylim()
    gap = 1.35 * size / (box.height / axis.figure.dpi * 72) * (high - low)
    places = np.empty(len(y))
    for side in (True, False):
        places[left == side] = spread(y[left == side], gap)
    axis.set_ylim(min(low, places.min() - gap), max(high, places.max() + gap))
    for n, text in enumerate(texts):
        end = ends[bool(left[n])]
        axis.plot([x[n], end], [y[n], places[n]], color=shades[n], linewidth=0.5, alpha=0.5, zorder=1)
        text.set_position((end, places[n]))
