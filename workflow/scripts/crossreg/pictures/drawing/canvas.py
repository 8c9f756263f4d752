"""What plots share, which matplotlib draws: panels placed in inches, hatches, files."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from crossreg.io.files import whole
from crossreg.pictures.drawing.layout import DPI, FONT_SIZE

MISSING_COLOUR = "0.85"
HATCHES = {"borrowed": "////", "failed": "xxxx", "missing": "...."}
STYLE: dict[Any, Any] = {
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
    """Return axes at a point in inches, counted from the left and from the top."""
    full_width, full_height = figure.get_size_inches()
    bounds = (
        left / full_width,
        1 - (top + height) / full_height,
        width / full_width,
        height / full_height,
    )
    return figure.add_axes(bounds)


def bare(axes: Axes) -> None:
    """Remove the ticks of axes."""
    axes.set_xticks([])
    axes.set_yticks([])


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
