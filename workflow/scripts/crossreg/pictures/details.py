"""The picture of some blocks at full resolution, before and after."""

import numpy as np
from matplotlib.figure import Figure

from crossreg.fiducial.blocks import Block, block_grid
from crossreg.pictures.before_after import correlation
from crossreg.pictures.canvas import bare, new_figure, overlay, panel, scale_bar
from crossreg.pictures.cycle import Cycle
from crossreg.pictures.previews import DETAIL_MARGIN, Preview, cut_details
from crossreg.pictures.warp import moved

LONGEST = 2.4
"""Inches of the longer side of a detail."""
GAP = 0.15
LEFT, TOP = 1.45, 1.05


def details_figure(cycle: Cycle, reference: Preview, image: Preview) -> Figure:
    """Return the picture: a row a block, a column a state, magenta and green."""
    states = ["Raw", "After the global shift"]
    states += ["After the local shift"] if cycle.blocks.matched else []
    rows = detail_rows(cycle, reference, image)
    height, width = (size - 2 * DETAIL_MARGIN for size in image.details.shape[1:])
    scale = LONGEST / max(height, width)
    step = (width * scale + GAP, height * scale + 0.25)
    full_width = LEFT + len(states) * step[0]
    figure = new_figure(
        max(full_width, 7.5),
        TOP + len(rows) * step[1] + 0.1,
        f"{cycle.title}: blocks in detail",
    )
    key = (
        f"magenta: reference {cycle.reference}    green: {cycle.name}    white: both\n"
        f"confidence: measured above {cycle.blocks.threshold:.2f}"
    )
    figure.text(0.15 / figure.get_figwidth(), 1 - 0.4 / figure.get_figheight(), key, va="top")
    for row, (label, pictures) in enumerate(rows):
        for column, (one, two) in enumerate(pictures):
            place = (LEFT + column * step[0], TOP + row * step[1] + 0.2)
            axes = panel(figure, *place, width * scale, height * scale)
            axes.imshow(overlay(one, two), aspect="auto", interpolation="nearest")
            bare(axes)
            title = f"{states[column]}   " if row == 0 else ""
            axes.set_title(f"{title}r = {correlation(one, two):.2f}", loc="left", pad=3)
            if column == 0:
                axes.set_ylabel(label, rotation=0, ha="right", va="center", multialignment="right")
                scale_bar(axes, cycle.pixel_um)
    return figure


def detail_rows(
    cycle: Cycle, reference: Preview, image: Preview
) -> list[tuple[str, list[tuple[np.ndarray, np.ndarray]]]]:
    """Return (label, pairs of reference and cycle in each state) of each block in detail."""
    grid = block_grid(tuple(image.shape_zyx[1:]), cycle.blocks.size_px)
    by_place = {(block.i, block.j): block for block in grid}
    blocks = [by_place[int(i), int(j)] for i, j in image.detail_blocks]
    fixed = cut_details(reference.full_xy, blocks)
    rest = np.array(cycle.shift_yx) - np.rint(cycle.shift_yx)
    rows = []
    for block, still, raw, shifted in zip(
        blocks, fixed, image.details, image.moved_details, strict=True
    ):
        at = (block.i, block.j)
        states = [raw, moved(shifted, rest)]
        if cycle.blocks.matched:
            states.append(moved(shifted, rest + cycle.blocks.shift_zyx[at][1:]))
        pairs = [(_without_margin(still, block), _without_margin(s, block)) for s in states]
        label = (
            f"block ({block.i}, {block.j})\n{cycle.blocks.status[at]}\n"
            f"confidence {cycle.blocks.confidence[at]:.2f}"
        )
        rows.append((label, pairs))
    return rows


def _without_margin(detail: np.ndarray, block: Block) -> np.ndarray:
    """Return the block itself; what lies beyond a smaller block at the border becomes black."""
    inner = detail[DETAIL_MARGIN:-DETAIL_MARGIN, DETAIL_MARGIN:-DETAIL_MARGIN].copy()
    inner[block.rows.stop - block.rows.start :] = 0
    inner[:, block.columns.stop - block.columns.start :] = 0
    return inner
