"""The picture of a cycle over its reference: raw, after the global and after the local shift."""

import numpy as np

from crossreg.pictures.drawing.layout import FONT_SIZE, arranged, overlay
from crossreg.pictures.drawing.paper import Paper
from crossreg.pictures.drawing.warp import between_blocks, moved
from crossreg.pictures.of_cycles.orthogonal_views import Views, draw_views, geometry
from crossreg.pictures.of_cycles.previews import Preview
from crossreg.pictures.of_cycles.shown_cycle import Cycle, in_detail

MARGIN = (0.25, 0.5)
"""Inches beside and above each state."""
LEAST_WIDTH = 2.3
"""Inches that the title of a state takes."""
HEADER, ABOVE = 0.75, 0.37
"""Inches above all states: the title and the key to the colours."""


def before_after_picture(cycle: Cycle, reference: Preview, image: Preview) -> Paper:
    """Return the picture of the states of a cycle that there are, side by side."""
    shape = geometry((int(reference.shape_zyx[0]), *image.shape_zyx[1:]), cycle)
    states = overlaid_states(cycle, reference, image)
    columns, scale = arranged(len(states), shape.cell, MARGIN)
    rows = -(-len(states) // columns)
    cell = [scale * size + extra for size, extra in zip(shape.cell, MARGIN, strict=True)]
    cell[0] = max(cell[0], LEAST_WIDTH)
    width = max(columns * cell[0] + MARGIN[0], 7.0)
    paper = Paper(width, HEADER + rows * cell[1] + 0.1, f"{cycle.title}: before and after")
    paper.note(
        f"magenta: reference {cycle.reference}    green: {cycle.name}    white: both"
        "    r: correlation of the two XY projections"
    )
    for index, (title, views, similarity) in enumerate(states):
        row, column = divmod(index, columns)
        corner = (MARGIN[0] + column * cell[0], HEADER + row * cell[1] + 0.4)
        draw_views(paper, corner, scale, views, shape, cycle, image.slab)
        above = (corner[0], corner[1] - ABOVE)
        paper.text(above, f"{title}\nr = {similarity:.2f}", size=FONT_SIZE + 1)
    return paper


def overlaid_states(
    cycle: Cycle, reference: Preview, image: Preview
) -> list[tuple[str, Views, float]]:
    """Return (title, colours, correlation in XY) of each state of a cycle."""
    raw = Views(image.xy, image.zx, image.zy)
    if not cycle.matched:
        states = [("Raw: the cycle failed, no shift is given", raw)]
    else:
        states = [("Raw", raw), ("After the global shift", globally_moved(cycle, image))]
        if cycle.blocks is not None:
            states.append(("After the local shifts", locally_moved(cycle, image)))
    result = []
    for title, views in states:
        pairs = [
            _equally_deep(getattr(reference, name), getattr(views, name))
            for name in ("xy", "zx", "zy")
        ]
        colours = Views(*(overlay(one, two) for one, two in pairs))
        result.append((title, colours, correlation(*pairs[0])))
    return result


def globally_moved(cycle: Cycle, image: Preview) -> Views:
    """Return a cycle's images moved by its global shift."""
    y, x = np.array(cycle.shift_yx) / image.factor
    if not image.moved_zx.size:
        return Views(moved(image.xy, (y, x)), image.zx, image.zy)
    return Views(
        moved(image.xy, (y, x)), moved(image.moved_zx, (0, x)), moved(image.moved_zy, (0, y))
    )


def locally_moved(cycle: Cycle, image: Preview) -> Views:
    """Return a cycle's images moved by the smooth field between the shifts of its blocks.

    Side views show one row or column of blocks and take the field along its middle.
    """
    factor = int(image.factor)
    blocks = in_detail(cycle)
    centres = blocks.centres((int(image.shape_zyx[1]), int(image.shape_zyx[2])))
    total = blocks.shift_zyx + np.array((0, *cycle.shift_yx))
    positions = [np.arange(size) * factor + (factor - 1) / 2 for size in image.xy.shape]
    xy = moved(image.xy, between_blocks(total[..., 1:], centres, positions) / factor)
    middle_y, middle_x = image.slab.reshape(2, 2).mean(axis=1) - 0.5
    row, column = np.array([middle_y]), np.array([middle_x])
    scale = (1, factor, factor)
    along_x = between_blocks(total, centres, (row, positions[1]))[0] / scale
    along_y = between_blocks(total, centres, (positions[0], column))[:, 0] / scale
    return Views(
        xy, moved(image.moved_zx, along_x[:, [0, 2]]), moved(image.moved_zy, along_y[:, :2])
    )


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Return the correlation of two images where both have something; 0 if one is constant."""
    inside = (two > 0) | (one > 0)
    one, two = (image[inside].astype(np.float32) for image in (one, two))
    if one.size < 2 or not one.std() or not two.std():
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])


def _equally_deep(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two images with as many rows as the longer has: stacks may differ in planes."""
    rows = max(len(one), len(two))
    first, second = (np.pad(image, ((0, rows - len(image)), (0, 0))) for image in (one, two))
    return first, second
