"""A projection along z with the side views ZX (below) and ZY (to the right)."""

from dataclasses import dataclass

import numpy as np

from crossreg.pictures.drawing.layout import DPI, FONT_SIZE, round_length
from crossreg.pictures.drawing.paper import BLACK, WHITE, Box, Paper
from crossreg.pictures.of_cycles.shown_cycle import Cycle

THINNEST_SIDE, THICKEST_SIDE = 0.22, 0.6
"""Depth of a side view as a part of the projection's shorter side; z is stretched to it."""
GAP = 0.06
"""Inches between the projection and its side views."""
GRID_COLOUR, SLAB_COLOUR = "#5ab4ff", "#ffd23f"
GRID_ALPHA = 0.4
BAR_MARGIN = 0.1
"""Inches between a scale bar and the border of its image."""
BAR_WIDTH = 0.04


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


def geometry(shape_zyx: tuple[int, int, int] | np.ndarray, cycle: Cycle) -> Geometry:
    """Return how the views of a stack are drawn; a single plane has no side views."""
    planes, rows, columns = (int(size) for size in shape_zyx)
    if planes < 2:
        return Geometry((planes, rows, columns), 0.0)
    true_depth = planes * cycle.plane_um / cycle.pixel_um
    shortest, longest = min(rows, columns), max(rows, columns)
    least = max(THINNEST_SIDE * shortest, 0.05 * longest)
    depth = float(np.clip(true_depth, least, THICKEST_SIDE * longest))
    return Geometry((planes, rows, columns), depth)


def draw_views(
    paper: Paper,
    corner: tuple[float, float],
    scale: float,
    views: Views,
    shape: Geometry,
    cycle: Cycle,
    slab: np.ndarray,
) -> None:
    """Draw the views at a corner (left, top in inches), `scale` inches a px."""
    planes, rows, columns = shape.shape_zyx
    left, top = corner
    width, height, depth = columns * scale, rows * scale, shape.depth * scale
    box = Box(left, top, width, height)
    paper.pixels(box, views.xy)
    if cycle.blocks is not None:
        draw_grid(paper, box, cycle.blocks.size_px, (rows, columns))
    if shape.depth:
        side = Box(left, top + height + GAP, width, depth - GAP)
        other = Box(left + width + GAP, top, depth - GAP, height)
        first, last, left_end, right_end = (float(end) for end in slab)
        paper.pixels(side, views.zx)
        paper.pixels(other, np.swapaxes(views.zy, 0, 1))
        paper.dashed_frame(box.part(0, first / rows, 1, last / rows), SLAB_COLOUR)
        paper.dashed_frame(box.part(left_end / columns, 0, right_end / columns, 1), SLAB_COLOUR)
        for label, view in (("ZX", side), ("ZY", other)):
            label_at = (view.left + 0.05, view.top + 0.04)
            paper.text(label_at, label, size=FONT_SIZE - 1, colour=WHITE, ground=BLACK)
        scale_bar(paper, side, planes * cycle.plane_um, vertical=True)
    scale_bar(paper, box, columns * cycle.pixel_um)


def draw_grid(paper: Paper, box: Box, block_size: int, shape_yx: tuple[int, int]) -> None:
    """Draw the borders of blocks over an image in px."""
    thin = 1 / DPI
    for start in range(block_size, shape_yx[0], block_size):
        line = Box(box.left, box.top + box.height * start / shape_yx[0], box.width, thin)
        paper.veiled_line(line, GRID_COLOUR, GRID_ALPHA)
    for start in range(block_size, shape_yx[1], block_size):
        line = Box(box.left + box.width * start / shape_yx[1], box.top, thin, box.height)
        paper.veiled_line(line, GRID_COLOUR, GRID_ALPHA)


def scale_bar(paper: Paper, box: Box, span_um: float, vertical: bool = False) -> None:
    """Draw a bar of a round length at the lower right of an image that is `span_um` long."""
    length = round_length(span_um * (0.5 if vertical else 0.25))
    part = length / span_um
    right, bottom = box.left + box.width - BAR_MARGIN, box.top + box.height - BAR_MARGIN
    if vertical:
        bar = Box(right - BAR_WIDTH, bottom - part * box.height, BAR_WIDTH, part * box.height)
        at, anchor = (bar.left - 0.05, bar.top + bar.height / 2), "rm"
    else:
        bar = Box(right - part * box.width, bottom - BAR_WIDTH, part * box.width, BAR_WIDTH)
        at, anchor = (right, bar.top - 0.05), "rd"
    paper.text(at, f"{length:g} µm", size=FONT_SIZE - 1, colour=WHITE, anchor=anchor, ground=BLACK)
    paper.filled(bar, WHITE)
    paper.frame(bar, BLACK)
