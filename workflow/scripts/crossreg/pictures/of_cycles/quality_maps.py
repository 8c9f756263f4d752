"""The picture of a cycle's quality: NRMSE in three projections, and confidence."""

import numpy as np

from crossreg.pictures.drawing.layout import OUTLIER_COLOUR
from crossreg.pictures.drawing.palettes import CONFIDENCE_COLOURS, VALUE_COLOURS
from crossreg.pictures.drawing.paper import Paper
from crossreg.pictures.of_cycles.block_maps import Maps, block_maps, draw_map
from crossreg.pictures.of_cycles.previews import Preview
from crossreg.pictures.of_cycles.shown_cycle import Blocks, Cycle, in_detail

PROJECTIONS = ("XY", "ZY", "ZX")
MANY = 20.0
"""Confidence from which on decimals tell nothing."""


def quality_maps_picture(cycle: Cycle, image: Preview) -> Paper:
    """Return the picture; the three maps of NRMSE share one scale.

    Of a cycle that failed, the confidence alone: it shows what was tried.
    """
    blocks = in_detail(cycle)
    confidence = (
        f"confidence: measured above {blocks.threshold:.2f}, blocks outlined in orange are not"
    )
    title = f"{cycle.title}: quality"
    if not blocks.matched:
        maps = block_maps(title, confidence, 1, cycle, image)
        draw_confidence(maps, 0, blocks)
        return maps.paper
    note = f"NRMSE: 0 is equal, lower is better    {confidence}"
    maps = block_maps(title, note, 4, cycle, image)
    worst = max(1.0, float(blocks.quality[np.isfinite(blocks.quality)].max(initial=0)))
    for axis, name in enumerate(PROJECTIONS):
        values = blocks.quality[..., axis]
        limits = (0.0, worst)
        draw_map(
            maps, axis, values, f"NRMSE in {name}", VALUE_COLOURS, limits, "{:.2f}", blocks.status
        )
    maps.key_to_hatches(blocks.status)
    draw_confidence(maps, 3, blocks)
    return maps.paper


def draw_confidence(maps: Maps, index: int, blocks: Blocks) -> None:
    """Draw the confidence of each block; those that are not measured are outlined."""
    known = blocks.confidence[np.isfinite(blocks.confidence)]
    best = max(float(known.max(initial=0)), float(np.nan_to_num(blocks.threshold)), 1e-3)
    values = blocks.confidence
    number = "{:.2f}" if best < MANY else "{:.0f}"
    draw_map(maps, index, values, "Confidence", CONFIDENCE_COLOURS, (0.0, best), number)
    for i, j in np.argwhere(~(values > blocks.threshold)):
        inner = maps.block_box(index, i, j).part(0.04, 0.04, 0.96, 0.96)
        maps.paper.inner_frame(inner, OUTLIER_COLOUR, 2)
