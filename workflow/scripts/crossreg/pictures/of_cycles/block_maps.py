"""Maps of numbers, one per block, side by side."""

import math
from dataclasses import dataclass

import numpy as np

from crossreg.pictures.drawing.layout import DPI, FONT_SIZE, arranged, round_steps
from crossreg.pictures.drawing.palettes import coloured
from crossreg.pictures.drawing.paper import (
    BLACK,
    GREY,
    HATCHES,
    POINTS_PER_INCH,
    WHITE,
    Box,
    Paper,
    text_width,
)
from crossreg.pictures.of_cycles.previews import Preview
from crossreg.pictures.of_cycles.shown_cycle import Cycle, in_detail

MARGIN = (1.2, 0.75)
"""Inches of labels, colour bar and title around a map."""
LEFT, ABOVE = 0.5, 0.32
"""Inches of it to the left of a map and above it."""
HEADER = 0.8
NARROWEST = 10.0
"""Inches of a picture at least, for what is written above the maps."""
SMALLEST_FONT = 5.0
"""Points below which numbers in blocks cannot be read and are left out."""
FILLED = 0.85
"""Part of a block's width or height that a number fills at most."""
BRIGHTNESS = np.array((0.299, 0.587, 0.114)) / 255
"""Weights of red, green and blue in how bright a colour looks (ITU-R BT.601)."""
LEAST_CELL, LONGEST_MAP = 0.37, 14.0
"""Inches of a block in which its number can be read, if the map does not become too long."""
MOST_TICKS = 20
BAR_STEPS = 256
"""Colours of a colour bar."""


@dataclass(frozen=True)
class Maps:
    """A sheet of paper and where its maps lie on it, row by row.

    `edges_i` and `edges_j` are where blocks begin and end, as parts of a map's height and width.
    """

    paper: Paper
    edges_i: np.ndarray
    edges_j: np.ndarray
    columns: int
    width: float
    height: float

    def box(self, index: int) -> Box:
        """Return the box of a map."""
        row, column = divmod(index, self.columns)
        left = LEFT + 0.1 + column * (self.width + MARGIN[0])
        top = HEADER + ABOVE + row * (self.height + MARGIN[1])
        return Box(left, top, self.width, self.height)

    def block_box(self, index: int, i: int, j: int) -> Box:
        """Return the box of block (i, j) of a map: those at the edges may be smaller."""
        (top, bottom), (left, right) = self.edges_i[i : i + 2], self.edges_j[j : j + 2]
        return self.box(index).part(left, top, right, bottom)

    def title(self, index: int, text: str, colour: str = BLACK) -> None:
        """Write the title of a map."""
        box = self.box(index)
        paper = self.paper
        paper.text((box.left, box.top - 0.06), text, size=FONT_SIZE + 1, anchor="ld", colour=colour)

    def key_to_hatches(self, status: np.ndarray) -> None:
        """Say above the maps what hatches mean that some block has."""
        right = self.paper.width - 0.3
        for name in (name for name in reversed(HATCHES) if (status == name).any()):
            self.paper.text((right, 0.2), name, anchor="rm")
            sample = Box(right - text_width(name) - 0.35, 0.13, 0.28, 0.15)
            self.paper.hatched(sample, name)
            self.paper.frame(sample, GREY)
            right = sample.left - 0.2


def block_maps(title: str, note: str, count: int, cycle: Cycle, image: Preview) -> Maps:
    """Return an empty sheet for `count` maps with the shape of the image, and where they lie."""
    rows_px, columns_px = (int(size) for size in image.shape_zyx[1:])
    columns, scale = arranged(count, (columns_px, rows_px), MARGIN)
    blocks = in_detail(cycle).status.shape[1]
    scale = max(scale, min(LEAST_CELL * blocks, LONGEST_MAP) / columns_px)
    width, height = columns_px * scale, rows_px * scale
    rows = -(-count // columns)
    noted = max(map(text_width, note.split("\n"))) + 0.3
    needed = max(0.2 + columns * (width + MARGIN[0]), NARROWEST, noted)
    paper = Paper(needed, HEADER + rows * (height + MARGIN[1]), title)
    paper.note(note)
    size = in_detail(cycle).size_px
    edges_i, edges_j = (
        np.append(np.arange(0, length, size), length) / length for length in (rows_px, columns_px)
    )
    return Maps(paper, edges_i, edges_j, columns, width, height)


def draw_map(
    maps: Maps,
    index: int,
    values: np.ndarray,
    title: str,
    palette: str,
    limits: tuple[float, float],
    number: str,
    status: np.ndarray | None = None,
) -> None:
    """Draw values (n_i, n_j) as colours and, where they are readable, as numbers.

    Blocks whose `status` (n_i, n_j) is not measured are hatched.
    """
    box, paper = maps.box(index), maps.paper
    colours = coloured(values, palette, limits)
    for i, j in np.ndindex(values.shape):
        paper.filled(maps.block_box(index, i, j), "#" + bytes(colours[i, j]).hex())
    if status is not None:
        for i, j in np.argwhere(np.isin(status, list(HATCHES))):
            paper.hatched(maps.block_box(index, i, j), str(status[i, j]))
    maps.title(index, title)
    write_numbers(maps, index, values, colours, number)
    paper.frame(box)
    _name_blocks(maps, box)
    _colour_bar(paper, box, palette, limits)


def write_numbers(
    maps: Maps, index: int, values: np.ndarray, colours: np.ndarray, number: str
) -> None:
    """Write each value into its block, dark on light colours, as large as fits a full one.

    Smaller blocks at the edges have no number where it does not fit.
    """
    texts = {
        # Zero is added because a rounded -0.001 would be written as -0.00.
        at: number.format(round(float(values[at]), 2) + 0.0) if np.isfinite(values[at]) else "-"
        for at in np.ndindex(values.shape)
    }
    widest = max(map(text_width, texts.values())) / FONT_SIZE
    full = maps.block_box(index, 0, 0)
    size = min(full.width * FILLED / widest, full.height * FILLED * POINTS_PER_INCH, FONT_SIZE)
    if size < SMALLEST_FONT:
        return
    dark = (colours @ BRIGHTNESS < 0.5) & np.isfinite(values)
    for at, text in texts.items():
        box = maps.block_box(index, *at)
        if box.width < widest * size or box.height * POINTS_PER_INCH < size:
            continue
        middle = (box.left + box.width / 2, box.top + box.height / 2)
        colour, rim = (WHITE, GREY) if dark[at] else (BLACK, "#e8e8e8")
        maps.paper.text(middle, text, size=size, colour=colour, anchor="mm", rim=rim)


def _name_blocks(maps: Maps, box: Box) -> None:
    """Number the rows and columns of a map, at most about MOST_TICKS an axis."""
    small, paper = FONT_SIZE - 1, maps.paper
    rows, columns = ((edges[:-1] + edges[1:]) / 2 for edges in (maps.edges_i, maps.edges_j))
    for i in range(0, len(rows), max(1, math.ceil(len(rows) / MOST_TICKS))):
        at = (box.left - 0.05, box.top + rows[i] * box.height)
        paper.text(at, str(i), size=small, anchor="rm")
    for j in range(0, len(columns), max(1, math.ceil(len(columns) / MOST_TICKS))):
        at = (box.left + columns[j] * box.width, box.top + box.height + 0.04)
        paper.text(at, str(j), size=small, anchor="ma")
    paper.text((box.left + box.width / 2, box.top + box.height + 0.18), "block_j", anchor="ma")
    paper.upright_text((box.left - 0.32, box.top + box.height / 2), "block_i")


def _colour_bar(paper: Paper, box: Box, palette: str, limits: tuple[float, float]) -> None:
    """Draw which colours stand for which numbers, to the right of a map."""
    bar = Box(box.left + box.width + 0.08, box.top, 0.12, box.height)
    low, high = limits
    values = np.linspace(high, low, min(BAR_STEPS, round(bar.height * DPI)))
    paper.squares(bar, coloured(values[:, None], palette, limits))
    paper.frame(bar)
    ticks = round_steps(low, high)
    digits = max(0, *(len(f"{abs(tick):.3f}".rstrip("0").partition(".")[2]) for tick in ticks))
    right = bar.left + bar.width
    for tick in ticks:
        at = bar.top + (high - tick) / (high - low) * bar.height
        paper.line((right, at), (right + 0.03, at), BLACK)
        paper.text((right + 0.06, at), f"{tick + 0.0:.{digits}f}", size=FONT_SIZE - 1, anchor="lm")
