"""One visual style for every figure, and SVG that is small, accessible and the same at every run."""

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lib.models import card_of

# Okabe and Ito's colours, told apart by colour-blind readers, darkened where they would be faint as lines on white.
PALETTE = {"blue": "#0072B2", "vermilion": "#D55E00", "green": "#00795A", "purple": "#B0508A", "amber": "#B97D00"}
PALETTE |= {"sky": "#3D94C4", "grey": "#6B6B6B", "black": "#222222"}
SIZES = {"small": (4.6, 3.2), "square": (4.6, 4.2), "stack": (4.6, 5.2)}  # a stack: two panels, one over the other
"""Inches. Text is set at print size for these; a phone, which shows a figure as wide as itself, still shows it readably."""

SEQUENTIAL = "viridis"


def use_style() -> None:
    """Set the report's style for all figures that follow."""
    plt.switch_backend("agg")
    mpl.rcParams.update(mpl.rcParamsDefault)
    mpl.use("agg")
    mpl.rc("figure", figsize=SIZES["small"], dpi=110)
    mpl.rc("figure.constrained_layout", use=True)
    # Outlines look alike on every machine, and in the PDF; with a salt the same figure gives the same bytes.
    mpl.rc("svg", fonttype="path", hashsalt="filling-the-matrix")
    mpl.rc("font", family="DejaVu Sans", size=9)
    mpl.rc("axes", titlesize=10, titleweight="bold", titlelocation="left", labelsize=9)
    mpl.rc("axes", edgecolor="#555555", linewidth=0.8, grid=True, axisbelow=True)
    mpl.rc("axes", prop_cycle=mpl.cycler(color=list(PALETTE.values())))  # type: ignore[attr-defined]  # it is there
    mpl.rc("axes.spines", top=False, right=False)
    mpl.rc("grid", color="#E4E4E4", linewidth=0.7)
    mpl.rc(("xtick", "ytick"), labelsize=8, color="#444444")  # type: ignore[arg-type]  # takes several
    mpl.rc("legend", fontsize=8, frameon=False)
    mpl.rc("lines", linewidth=1.7, markersize=4.5)
    mpl.rc("patch", linewidth=0.5)


def colour(model: str) -> str:
    """Return a model's colour, the same in every figure; a variant such as ``svd_tuned`` has its model's."""
    card = card_of(model)
    if card is not None and card.colour:
        return PALETTE.get(card.colour, card.colour)
    # A model that nobody has given a colour still gets a fixed one.
    return list(PALETTE.values())[sum(map(ord, model)) % len(PALETTE)]


def colours(models: Iterable[str]) -> dict[str, str]:
    """Return the colours of one figure's models: `colour`'s, but where another of them has that, the next one of the palette."""
    found = dict.fromkeys(models, "")
    # Those with one on their card first.
    for model in sorted(found, key=lambda name: not getattr(card_of(name), "colour", "")):
        mine = colour(model)
        found[model] = next((shade for shade in (mine, *PALETTE.values()) if shade not in found.values()), mine)
    return found


def family_colours(families: Mapping[str, str]) -> dict[str, str]:
    """Give each family of models a colour of the palette, in the order in which they first appear; eight, then again."""
    shades = list(PALETTE.values())
    return {name: shades[n % len(shades)] for n, name in enumerate(dict.fromkeys(families.values()))}


def family_legend(figure: Figure, families: Mapping[str, str], models: Iterable[str], loc: Any) -> None:
    """Add a legend of the families that these models belong to."""
    models, shades = set(models), family_colours(families)
    present = dict.fromkeys(family for name, family in families.items() if name in models)
    handles = [Patch(color=shades[name], label=name) for name in present]
    figure.legend(handles=handles, loc=loc, ncols=3, handlelength=1.0)


def label_column(axis, x, y, labels, *, colours) -> None:
    """Label points in a column at the axis' right, each label tied to its point by a line and none over another."""
    size, (low, high) = 6.5, axis.get_ylim()
    inches = axis.get_position().height * axis.figure.get_figheight()
    steps = 1.35 * size / 72 / inches * (high - low) * np.arange(len(y))
    order = np.argsort(y, kind="stable")
    free = np.asarray(y)[order] - steps
    # Pushed apart upwards and downwards, and half way between.
    places = (np.maximum.accumulate(free) + np.minimum.accumulate(free[::-1])[::-1]) / 2 + steps
    places = np.minimum(np.maximum(places, low + steps), high - steps[::-1])
    for n, place in zip(order, places, strict=True):
        shade = list(colours)[n]
        line = {"arrowstyle": "-", "color": shade, "linewidth": 0.5, "alpha": 0.5, "relpos": (0, 0.5)}
        look = {"fontsize": size, "color": shade, "va": "center", "arrowprops": line}
        ends = (np.asarray(x)[n], np.asarray(y)[n]), (1.03, place)
        axis.annotate(list(labels)[n], *ends, textcoords=axis.get_yaxis_transform(), **look)


def label_points(axis, points, labels) -> None:
    """Name points, the first ones first, each beside its dot; what would lie on another name is left out."""
    axis.figure.draw_without_rendering()  # settles the layout
    taken: list = []
    for point, text in zip(points, labels, strict=True):
        for side, across in (("left", 3), ("right", -3)):
            look = {"fontsize": 6.5, "ha": side, "va": "center", "xytext": (across, 0), "textcoords": "offset points"}
            note = axis.annotate(text, point, **look)
            box = note.get_window_extent().padded(6, 2)  # names closer than a letter read as one
            inside = axis.bbox.containsx(box.x0) and axis.bbox.containsx(box.x1)
            if inside and not box.count_overlaps(taken):
                note.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.65, "pad": 0.5})
                taken.append(box)
                break
            note.remove()


def svg_text(figure: Figure) -> str:
    """Draw a figure as SVG without a date, with coordinates rounded, and close it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Two decimals of a point are plenty for places; scales, such as those of glyphs, keep all theirs.
    long = re.compile(r"scale\([^)]*\)|(?<=\d\.\d\d)\d+")
    return long.sub(lambda found: found.group() if found.group()[0] == "s" else "", text)


def hover_points(figure: Figure, axis, x, y, texts) -> list[list]:
    """Tie texts to places, in data coordinates, of a figure that is otherwise done, for `RunWriter.figure`.

    Returned are [float, float, str] each: shares of the figure's width and height, from the upper left, and the text.
    """
    figure.draw_without_rendering()  # settles the layout
    pixels = axis.transData.transform(np.column_stack([x, y]))
    shares = pixels / [figure.bbox.width, figure.bbox.height]
    return [[round(float(a), 4), round(1 - float(b), 4), str(text)] for (a, b), text in zip(shares, texts, strict=True)]


def interval_plot(axis, labels, values, lows, highs, *, colours=None) -> None:
    """Draw one point with its interval a row, the first row on top; for metrics compared across models."""
    places = range(len(labels))
    bar = {"linewidth": 2.2, "solid_capstyle": "round", "alpha": 0.55}
    for place, value, low, high in zip(places, values, lows, highs, strict=True):
        shade = colours[place] if colours is not None else PALETTE["blue"]
        if low == low and high == high:  # NaN: no interval
            axis.plot([low, high], [place, place], color=shade, **bar)
        axis.plot(value, place, "o", color=shade, markersize=5.5)
    axis.set_yticks(list(places), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
