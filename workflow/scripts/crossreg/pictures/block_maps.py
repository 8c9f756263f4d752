"""Maps of numbers, one a block, side by side."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D

from crossreg.pictures.canvas import (
    FONT_SIZE,
    MISSING_COLOUR,
    arranged,
    new_figure,
    panel,
    whole_ticks,
)
from crossreg.pictures.cycle import Cycle
from crossreg.pictures.numbers import texts_patch, width_of
from crossreg.pictures.previews import Preview

MARGIN = (1.2, 0.75)
"""Inches of labels, colour bar and title around a map."""
LEFT, ABOVE = 0.5, 0.32
"""Inches of it to the left of a map and above it."""
HEADER = 0.7
SMALLEST_FONT = 5.0
"""Points below which numbers in blocks cannot be read and are left out."""
FILLED = 0.85
"""Part of a block's width or height that a number fills at most."""
BRIGHTNESS = np.array((0.299, 0.587, 0.114))
"""Weights of red, green and blue in how bright a colour looks (ITU-R BT.601)."""
LEAST_CELL, LONGEST_MAP = 0.37, 14.0
"""Inches of a block in which its number can be read, if the map does not become too long."""
POINTS_PER_INCH = 72


@dataclass(frozen=True)
class Layout:
    """Where panels of one size lie in a figure, in inches, row by row."""

    columns: int
    width: float
    height: float

    def panel(self, figure: Figure, index: int) -> Axes:
        """Return new axes at a place."""
        row, column = divmod(index, self.columns)
        left = LEFT + 0.1 + column * (self.width + MARGIN[0])
        top = HEADER + ABOVE + row * (self.height + MARGIN[1])
        return panel(figure, left, top, self.width, self.height)


def maps_figure(
    title: str, note: str, count: int, cycle: Cycle, image: Preview
) -> tuple[Figure, Layout]:
    """Return an empty figure for `count` maps with the shape of the image, and their places."""
    rows_px, columns_px = (int(size) for size in image.shape_zyx[1:])
    columns, scale = arranged(count, (columns_px, rows_px), MARGIN)
    blocks = cycle.blocks.status.shape[1]
    scale = max(scale, min(LEAST_CELL * blocks, LONGEST_MAP) / columns_px)
    layout = Layout(columns, columns_px * scale, rows_px * scale)
    rows = -(-count // columns)
    figure = new_figure(
        max(0.2 + columns * (layout.width + MARGIN[0]), 10.0),
        HEADER + rows * (layout.height + MARGIN[1]),
        title,
    )
    width, height = figure.get_size_inches()
    figure.text(0.15 / width, 1 - 0.4 / height, note, va="top")
    return figure, layout


def draw_map(
    axes: Axes,
    layout: Layout,
    values: np.ndarray,
    title: str,
    colours: str,
    limits: tuple[float, float],
    number: str,
) -> None:
    """Draw values (n_i, n_j) as colours and, where they are readable, as numbers."""
    palette = mpl.colormaps[colours].with_extremes(bad=MISSING_COLOUR)
    drawn = axes.imshow(values, cmap=palette, vmin=limits[0], vmax=limits[1], aspect="auto")
    axes.set_title(title, loc="left", pad=4)
    axes.set_xlabel("block_j", labelpad=1)
    axes.set_ylabel("block_i", labelpad=2)
    whole_ticks(axes, values.shape)
    write_numbers(axes, layout, values, palette, Normalize(*limits), number)
    bar = axes.inset_axes((1 + 0.08 / layout.width, 0, 0.12 / layout.width, 1))
    axes.figure.colorbar(drawn, cax=bar)
    bar.tick_params(length=2)


def write_numbers(
    axes: Axes,
    layout: Layout,
    values: np.ndarray,
    palette: mpl.colors.Colormap,
    norm: Normalize,
    number: str,
) -> None:
    """Write each value into its block, dark on light colours, as large as fits."""
    texts = {
        # Zero is added because a rounded -0.001 would be written as -0.00.
        at: number.format(round(float(values[at]), 2) + 0.0) if np.isfinite(values[at]) else "-"
        for at in np.ndindex(values.shape)
    }
    widest = max(map(width_of, texts.values()))
    cell = (layout.width / values.shape[1], layout.height / values.shape[0])
    size = min(cell[0] * FILLED / widest, cell[1] * FILLED, FONT_SIZE / POINTS_PER_INCH)
    if size * POINTS_PER_INCH < SMALLEST_FONT:
        return
    colours = palette(norm(np.nan_to_num(values)))[..., :3]
    dark = (colours @ BRIGHTNESS < 0.5) & np.isfinite(values)
    in_inches = Affine2D().scale(1 / layout.width, 1 / layout.height) + axes.transAxes
    for chosen, colour in ((dark, "white"), (~dark, "black")):
        places = np.argwhere(chosen)
        centres = np.column_stack([places[:, 1] + 0.5, values.shape[0] - places[:, 0] - 0.5]) * cell
        written = [texts[tuple(at)] for at in places]
        axes.add_artist(texts_patch(written, centres, size, in_inches, colour))
