"""The picture of the local shifts of a cycle: maps in z, x, y and arrows over the projection."""

import numpy as np

from crossreg.pictures.drawing.layout import OUTLIER_COLOUR
from crossreg.pictures.drawing.palettes import SHIFT_COLOURS
from crossreg.pictures.drawing.paper import BLACK, Paper
from crossreg.pictures.of_cycles.block_maps import Maps, block_maps, draw_map
from crossreg.pictures.of_cycles.previews import Preview
from crossreg.pictures.of_cycles.shown_cycle import Cycle, in_detail

SMALLEST_SCALE = 0.5
"""Shift (planes, px) at the end of the colour scale at least: smaller ones look small."""
ARROW_COLOURS = {"measured": "#ffd23f", "borrowed": "#5ab4ff"}
DIMMED = 400
"""Value (of 255) that would be white, so that arrows stand out from the image."""
LONGEST_ARROW = 0.9
"""Length of the longest arrow in blocks."""
SHAFT, HEAD_WIDTH, HEAD_LENGTH = 0.025, 0.09, 0.1
"""Inches of an arrow."""
TITLES = ("z [kept planes]", "x (row) [px]", "y (column) [px]")


def shift_maps_picture(cycle: Cycle, image: Preview) -> Paper:
    """Return the picture of a cycle's residual shifts after the global one.

    Of a cycle that failed, the projection alone, which says so.
    """
    blocks = in_detail(cycle)
    title = f"{cycle.title}: local shifts"
    if not blocks.matched:
        maps = block_maps(title, "no shift is given", 1, cycle, image)
        draw_arrows(maps, 0, cycle, image)
        return maps.paper
    row, column = cycle.shift_yx
    note = (
        f"global shift: x (row) {row:+.2f} px = {1000 * row * cycle.pixel_um:+.0f} nm,"
        f" y (column) {column:+.2f} px = {1000 * column * cycle.pixel_um:+.0f} nm"
        f"    1 px = {1000 * cycle.pixel_um:g} nm, 1 kept plane = {1000 * cycle.plane_um:g} nm"
        "\nx belongs to the image row (numpy y), y to the image column (numpy x)"
        "    arrows: yellow measured, blue borrowed"
    )
    maps = block_maps(title, note, 4, cycle, image)
    for axis, name in enumerate(TITLES):
        values = blocks.shift_zyx[..., axis]
        end = max(SMALLEST_SCALE, float(np.abs(values[np.isfinite(values)]).max(initial=0)))
        draw_map(maps, axis, values, name, SHIFT_COLOURS, (-end, end), "{:+.2f}", blocks.status)
    maps.key_to_hatches(blocks.status)
    draw_arrows(maps, 3, cycle, image)
    return maps.paper


def draw_arrows(maps: Maps, index: int, cycle: Cycle, image: Preview) -> None:
    """Draw the XY shifts of the blocks, enlarged, over the projection of the cycle."""
    blocks, box = in_detail(cycle), maps.box(index)
    _, height, width = (int(size) for size in image.shape_zyx)
    maps.paper.pixels(box, (image.xy * (255 / DIMMED)).astype(np.uint8))
    if not blocks.matched:
        maps.title(index, "The cycle failed: no shift is given for any block", OUTLIER_COLOUR)
        return
    rows, columns = blocks.centres((height, width))
    middles = np.stack(np.meshgrid(rows + 0.5, columns + 0.5, indexing="ij"), axis=-1)
    step = blocks.shift_zyx[..., 1:]
    longest = max(float(np.nanmax(np.hypot(step[..., 0], step[..., 1]))), 1e-3)
    scale = box.width / width
    enlarged = step * (LONGEST_ARROW * blocks.size_px / longest * scale)
    # In a narrow block at the edge an arrow is moved inwards: it may not leave the image.
    room = np.minimum(np.abs(enlarged) / 2 + HEAD_WIDTH / 2, (box.height / 2, box.width / 2))
    corner = np.array((box.top, box.left))
    inside = np.clip(middles * scale, room, (box.height, box.width) - room)
    positions, enlarged = (inside + corner)[..., ::-1], enlarged[..., ::-1]
    for name, colour in ARROW_COLOURS.items():
        chosen = blocks.status == name
        pairs = zip(positions[chosen], enlarged[chosen], strict=True)
        maps.paper.polygons([arrow(*pair) for pair in pairs], colour, rim=BLACK)
    nm = 1000 * longest * cycle.pixel_um
    maps.title(index, f"x, y: longest {nm:.0f} nm")


def arrow(middle: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return the corners (7, 2) of an arrow around its middle; short ones are all head."""
    length = max(float(np.hypot(*step)), 1e-6)
    along = step / length
    across = np.array((-along[1], along[0]))
    head = min(HEAD_LENGTH, length)
    outline = [
        (-length / 2, SHAFT / 2),
        (length / 2 - head, SHAFT / 2),
        (length / 2 - head, HEAD_WIDTH / 2),
        (length / 2, 0.0),
        (length / 2 - head, -HEAD_WIDTH / 2),
        (length / 2 - head, -SHAFT / 2),
        (-length / 2, -SHAFT / 2),
    ]
    return np.array([middle + at * along + off * across for at, off in outline])
