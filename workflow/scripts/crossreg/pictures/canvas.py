"""What all pictures share: panels placed in inches, colours, scale bars, files."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from crossreg.io.files import whole

DPI = 100
FONT_SIZE = 9.0
LARGEST = (14.0, 9.0)
"""Width and height in inches that the panels of a picture fill at most: a screen."""
SHIFT_COLOURS = "RdBu_r"
VALUE_COLOURS = "viridis"
MISSING_COLOUR = "0.85"
HATCHES = {"borrowed": "////", "failed": "xxxx", "missing": "...."}
BAR_MARGIN = 0.1
"""Inches between a scale bar and the border of its image."""
BESIDE_BAR = 4.5
"""Points from the middle of a scale bar to its text, so that neither covers the other."""
OUTLIER_COLOUR = "#d55e00"
"""Vermillion of the palette of Okabe and Ito, which colour-blind people tell from blue."""
STYLE = {
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE + 1,
    "axes.labelsize": FONT_SIZE,
    "xtick.labelsize": FONT_SIZE - 1,
    "ytick.labelsize": FONT_SIZE - 1,
    "legend.fontsize": FONT_SIZE,
    "hatch.linewidth": 0.8,
}
mpl.rcParams.update(STYLE)


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return a white figure of a size in inches with its title in the upper left corner."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    figure.text(
        0.15 / width, 1 - 0.12 / height, title, fontsize=FONT_SIZE + 2, weight="bold", va="top"
    )
    return figure


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place in inches, counted from the left and from the top."""
    full_width, full_height = figure.get_size_inches()
    place = (
        left / full_width,
        1 - (top + height) / full_height,
        width / full_width,
        height / full_height,
    )
    return figure.add_axes(place)


def arranged(
    count: int,
    cell: tuple[float, float],
    margin: tuple[float, float],
    largest: tuple[float, float] = LARGEST,
) -> tuple[int, float]:
    """Return (columns, scale) that show `count` cells as large as possible.

    A cell takes scale x `cell` + `margin` inches (width, height); all fit into `largest`, and
    no place stays empty.
    """
    best = (1, 0.0)
    for columns in (number for number in range(1, count + 1) if count % number == 0):
        numbers = (columns, math.ceil(count / columns))
        scale = min(
            (full / number - extra) / size
            for full, number, extra, size in zip(largest, numbers, margin, cell, strict=True)
        )
        if scale > best[1] * 1.001:
            best = (columns, scale)
    return best


def overlay(reference: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """Return two uint8 images as colours: reference magenta, cycle green, both white."""
    return np.stack([reference, cycle, reference], axis=-1)


def bare(axes: Axes) -> None:
    """Remove the ticks of axes."""
    axes.set_xticks([])
    axes.set_yticks([])


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))


def scale_bar(axes: Axes, unit_um: float, vertical: bool = False) -> None:
    """Draw a bar of a round length in um at the lower right of an image.

    `unit_um` is the size in um of one unit of the axis along the bar.
    """
    limits = axes.get_ylim() if vertical else axes.get_xlim()
    span = abs(limits[1] - limits[0])
    length = round_length(span * unit_um * (0.5 if vertical else 0.25))
    part = length / unit_um / span
    box = axes.get_position()
    full_width, full_height = axes.figure.get_size_inches()
    right = 1 - BAR_MARGIN / (box.width * full_width)
    bottom = BAR_MARGIN / (box.height * full_height)
    ends = (
        ([right, right], [bottom, bottom + part])
        if vertical
        else ([right - part, right], [bottom, bottom])
    )
    style = {"transform": axes.transAxes, "clip_on": False, "solid_capstyle": "butt"}
    axes.plot(*ends, color="black", linewidth=5, **style)
    axes.plot(*ends, color="white", linewidth=3, **style)
    place, offset, align = (
        ((right, bottom + part / 2), (-BESIDE_BAR, 0), ("right", "center"))
        if vertical
        else ((right, bottom), (0, BESIDE_BAR), ("right", "bottom"))
    )
    axes.annotate(
        f"{length:g} µm",
        place,
        xycoords="axes fraction",
        xytext=offset,
        textcoords="offset points",
        color="white",
        ha=align[0],
        va=align[1],
        fontsize=FONT_SIZE - 1,
        bbox={"facecolor": "black", "alpha": 0.55, "pad": 1.2, "linewidth": 0},
    )


def hatch_blocks(axes: Axes, status: np.ndarray) -> list[Patch]:
    """Hatch borrowed and failed blocks of a map (n_i, n_j); return what a legend needs."""
    for name, hatch in HATCHES.items():
        for i, j in np.argwhere(status == name):
            axes.add_artist(
                Rectangle(
                    (j - 0.5, i - 0.5), 1, 1, fill=False, hatch=hatch, edgecolor="0.35", linewidth=0
                )
            )
    return [
        Patch(facecolor="white", edgecolor="0.35", hatch=hatch, label=name)
        for name, hatch in HATCHES.items()
        if (status == name).any()
    ]


def whole_ticks(axes: Axes, counts: Sequence[int], most: int = 20) -> None:
    """Number the rows and columns of a map, at most about `most` an axis."""
    for axis, count in zip((axes.yaxis, axes.xaxis), counts, strict=True):
        axis.set_ticks(range(0, count, max(1, math.ceil(count / most))))
    axes.tick_params(length=0)


def save_png(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG with a palette, which takes a third of the bytes.

    The palette covers all colours, rare ones too: an arrow keeps its colour beside an image.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with whole(path) as temporary:
        image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            temporary, format="PNG"
        )
