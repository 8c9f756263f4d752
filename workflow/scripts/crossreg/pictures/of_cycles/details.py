"""The picture of some blocks at full resolution, before and after."""

import numpy as np

from crossreg.fiducial.block_grid import Block, block_grid
from crossreg.fiducial.quantiles import quantiles
from crossreg.pictures.drawing.layout import overlay
from crossreg.pictures.drawing.paper import Box, Paper
from crossreg.pictures.drawing.warp import moved
from crossreg.pictures.of_cycles.before_after import correlation
from crossreg.pictures.of_cycles.orthogonal_views import scale_bar
from crossreg.pictures.of_cycles.previews import DETAIL_MARGIN, Preview, cut_details
from crossreg.pictures.of_cycles.shown_cycle import Cycle, in_detail

LONGEST = 2.4
"""Inches of the longer side of a detail."""
GAP = 0.15
LEFT, TOP = 1.45, 1.05
DARKEST, BRIGHTEST = 0.3, 0.998
"""Quantiles of a block that become black and white in its details."""
LEAST_RANGE = 12
"""Grey values (of 255) between black and white at least: pure noise stays dim."""


def details_picture(cycle: Cycle, reference: Preview, image: Preview) -> Paper:
    """Return the picture: a row per block, a column per state, magenta and green."""
    blocks = in_detail(cycle)
    states = ["Raw"]
    states += ["After the global shift", "After the local shift"] if cycle.matched else []
    rows = detail_rows(cycle, reference, image)
    height, width = (size - 2 * DETAIL_MARGIN for size in image.details.shape[1:])
    scale = LONGEST / max(height, width)
    step = (width * scale + GAP, height * scale + 0.25)
    paper = Paper(
        max(LEFT + len(states) * step[0], 7.5),
        TOP + len(rows) * step[1] + 0.1,
        f"{cycle.title}: blocks in detail",
    )
    paper.note(
        f"magenta: reference {cycle.reference}    green: {cycle.name}    white: both"
        f"    each block from its own black to white\n"
        f"confidence: measured above {blocks.threshold:.2f}"
    )
    for row, (label, pairs) in enumerate(rows):
        for column, (one, two) in enumerate(pairs):
            corner = (LEFT + column * step[0], TOP + row * step[1] + 0.2)
            box = Box(*corner, width * scale, height * scale)
            paper.pixels(box, overlay(_stretched(one), _stretched(two)))
            title = f"{states[column]}   " if row == 0 else ""
            above = (corner[0], corner[1] - 0.18)
            paper.text(above, f"{title}r = {correlation(one, two):.2f}")
            if column == 0:
                middle = (LEFT - 0.08, corner[1] + box.height / 2)
                paper.text(middle, label, anchor="rm")
                scale_bar(paper, box, width * cycle.pixel_um)
    return paper


def _stretched(detail: np.ndarray) -> np.ndarray:
    """Return a detail (y, x) with its brightest spots white: a dim block shows what it has."""
    low, high = quantiles(detail, (DARKEST, BRIGHTEST))
    high = max(high, low + LEAST_RANGE)
    stretched = (detail.astype(np.float32) - low) * (255 / (high - low))
    result: np.ndarray = np.clip(stretched, 0, 255).astype(np.uint8)
    return result


def detail_rows(
    cycle: Cycle, reference: Preview, image: Preview
) -> list[tuple[str, list[tuple[np.ndarray, np.ndarray]]]]:
    """Return (label, pairs of reference and cycle in each state) of each block in detail."""
    blocks = in_detail(cycle)
    _, height, width = (int(size) for size in image.shape_zyx)
    by_place = {(block.i, block.j): block for block in block_grid((height, width), blocks.size_px)}
    shown = [by_place[int(i), int(j)] for i, j in image.detail_blocks]
    fixed = cut_details(reference.full_xy, shown)
    rest = np.array(cycle.shift_yx) - np.rint(cycle.shift_yx)
    rows = []
    for block, still, raw, shifted in zip(
        shown, fixed, image.details, image.moved_details, strict=True
    ):
        at = (block.i, block.j)
        states = [raw]
        if cycle.matched:
            states += [moved(shifted, rest), moved(shifted, rest + blocks.shift_zyx[at][1:])]
        pairs = [(_without_margin(still, block), _without_margin(s, block)) for s in states]
        label = (
            f"block ({block.i}, {block.j})\n{blocks.status[at]}\n"
            f"confidence {blocks.confidence[at]:.2f}"
        )
        rows.append((label, pairs))
    return rows


def _without_margin(detail: np.ndarray, block: Block) -> np.ndarray:
    """Return the block itself; what lies beyond a smaller block at the border becomes black."""
    inner = detail[DETAIL_MARGIN:-DETAIL_MARGIN, DETAIL_MARGIN:-DETAIL_MARGIN].copy()
    inner[block.rows.stop - block.rows.start :] = 0
    inner[:, block.columns.stop - block.columns.start :] = 0
    return inner
