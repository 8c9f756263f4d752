"""A projection along z with the side views ZX (below) and ZY (to the right)."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossreg.pictures.canvas import FONT_SIZE, bare, panel, scale_bar
from crossreg.pictures.cycle import Cycle

THINNEST_SIDE, THICKEST_SIDE = 0.22, 0.6
"""Depth of a side view as a part of the projection's shorter side; z is stretched to it."""
GAP = 0.06
"""Inches between the projection and its side views."""
GRID_COLOUR = "#5ab4ff"


@dataclass(frozen=True)
class Views:
    """Images of one state as colours or grey values: (Y, X), (Z, X), (Z, Y), each maybe RGB."""

    xy: np.ndarray
    zx: np.ndarray
    zy: np.ndarray


@dataclass(frozen=True)
class Geometry:
    """Sizes of a stack (Z, Y, X) in kept planes and px, and of its views in units of the panel.

    `depth` is how long z is drawn, in px; 0 if there are no side views.
    """

    shape_zyx: tuple[int, int, int]
    depth: float

    @property
    def cell(self) -> tuple[float, float]:
        """Return width and height of the three views together, px."""
        return self.shape_zyx[2] + self.depth, self.shape_zyx[1] + self.depth


def geometry(shape_zyx: tuple[int, int, int], cycle: Cycle) -> Geometry:
    """Return how the views of a stack are drawn; a single plane has no side views."""
    planes, *shape_yx = (int(size) for size in shape_zyx)
    if planes < 2:
        return Geometry((planes, *shape_yx), 0.0)
    true_depth = planes * cycle.plane_um / cycle.pixel_um
    shortest, longest = min(shape_yx), max(shape_yx)
    least = max(THINNEST_SIDE * shortest, 0.05 * longest)
    return Geometry((planes, *shape_yx), float(np.clip(true_depth, least, THICKEST_SIDE * longest)))


def draw_views(
    figure: Figure,
    place: tuple[float, float],
    scale: float,
    views: Views,
    shape: Geometry,
    cycle: Cycle,
    slab: np.ndarray,
) -> Axes:
    """Draw the views at a place (left, top in inches), `scale` inches a px; return the XY axes."""
    planes, rows, columns = shape.shape_zyx
    left, top = place
    width, height, depth = columns * scale, rows * scale, shape.depth * scale
    grey = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "antialiased"}
    axes = panel(figure, left, top, width, height)
    axes.imshow(views.xy, extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), aspect="auto", **grey)
    bare(axes)
    if cycle.blocks is not None:
        draw_grid(axes, cycle.blocks.size_px, (rows, columns))
    scale_bar(axes, cycle.pixel_um)
    if not shape.depth:
        return axes
    side = panel(figure, left, top + height + GAP, width, depth - GAP)
    side.imshow(views.zx, extent=(-0.5, columns - 0.5, planes - 0.5, -0.5), aspect="auto", **grey)
    scale_bar(side, cycle.plane_um, vertical=True)
    other = panel(figure, left + width + GAP, top, depth - GAP, height)
    turned = np.swapaxes(views.zy, 0, 1)
    other.imshow(turned, extent=(-0.5, planes - 0.5, rows - 0.5, -0.5), aspect="auto", **grey)
    for axis, label, along in ((side, "ZX", slab[:2]), (other, "ZY", slab[2:])):
        bare(axis)
        axis.text(
            0.015 if label == "ZX" else 0.06,
            0.95 if label == "ZX" else 0.99,
            label,
            color="white",
            transform=axis.transAxes,
            va="top",
            fontsize=FONT_SIZE - 1,
            bbox={"facecolor": "black", "alpha": 0.55, "pad": 1.2, "linewidth": 0},
        )
        mark = axes.axhspan if label == "ZX" else axes.axvspan
        mark(along[0] - 0.5, along[1] - 0.5, fill=False, color="#ffd23f", linewidth=1.2, ls="--")
    return axes


def draw_grid(axes: Axes, block_size: int, shape_yx: tuple[int, int]) -> None:
    """Draw the borders of blocks over an image in px."""
    style = {"color": GRID_COLOUR, "linewidth": 0.5, "alpha": 0.6}
    for start in range(block_size, shape_yx[0], block_size):
        axes.axhline(start - 0.5, **style)
    for start in range(block_size, shape_yx[1], block_size):
        axes.axvline(start - 0.5, **style)
    axes.set_xlim(-0.5, shape_yx[1] - 0.5)
    axes.set_ylim(shape_yx[0] - 0.5, -0.5)
