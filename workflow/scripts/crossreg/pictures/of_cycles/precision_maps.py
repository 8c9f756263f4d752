"""The picture of a cycle's precision: standard errors of the blocks in nm, and the tolerance."""

import numpy as np

from crossreg.pictures.drawing.layout import OUTLIER_COLOUR
from crossreg.pictures.drawing.palettes import VALUE_COLOURS
from crossreg.pictures.drawing.paper import Paper
from crossreg.pictures.of_cycles.block_maps import block_maps, draw_map
from crossreg.pictures.of_cycles.previews import Preview
from crossreg.pictures.of_cycles.shown_cycle import Cycle, in_detail

TITLES = ("z [nm]", "x (row) [nm]", "y (column) [nm]")
LEAST_SCALE_NM = 10.0
"""Standard error at the end of the colour scale at least: smaller ones look small."""


def precision_maps_picture(cycle: Cycle, image: Preview) -> Paper:
    """Return the picture: standard errors (1 sigma) along z, rows and columns.

    Blocks beyond the tolerance are outlined; of a cycle that failed there is no error.
    """
    blocks = in_detail(cycle)
    title = f"{cycle.title}: precision"
    if not blocks.matched:
        paper = Paper(7.0, 1.0, title)
        paper.note("The cycle failed: no shift is given for any block, and so no error.")
        return paper
    note = "standard error (1 sigma) of the shift at the block's centre"
    limits = (np.inf, np.inf, np.inf)
    if cycle.tolerance_nm:
        xy, z = cycle.tolerance_nm
        limits = (z, xy, xy)
        note += f"    outlined in orange: beyond the tolerance ({xy:g} nm in xy, {z:g} nm in z)"
    maps = block_maps(title, note, 3, cycle, image)
    sigma = blocks.sigma_zyx * cycle.nm_zyx
    for axis, (name, limit) in enumerate(zip(TITLES, limits, strict=True)):
        values = sigma[..., axis]
        end = max(LEAST_SCALE_NM, float(values[np.isfinite(values)].max(initial=0)))
        draw_map(maps, axis, values, name, VALUE_COLOURS, (0.0, end), "{:.0f}", blocks.status)
        for i, j in np.argwhere(values > limit):
            inner = maps.block_box(axis, i, j).part(0.04, 0.04, 0.96, 0.96)
            maps.paper.inner_frame(inner, OUTLIER_COLOUR, 2)
    maps.key_to_hatches(blocks.status)
    return maps.paper
