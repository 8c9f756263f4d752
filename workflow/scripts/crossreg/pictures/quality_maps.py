"""The picture of a cycle's quality: NRMSE in three projections, and confidence."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crossreg.pictures.block_maps import draw_map, maps_figure
from crossreg.pictures.canvas import OUTLIER_COLOUR, VALUE_COLOURS, hatch_blocks
from crossreg.pictures.cycle import Cycle
from crossreg.pictures.previews import Preview

PROJECTIONS = ("XY", "ZY", "ZX")
CONFIDENCE_COLOURS = "cividis"


def quality_maps_figure(cycle: Cycle, image: Preview) -> Figure:
    """Return the picture; the three maps of NRMSE share one scale."""
    blocks = cycle.blocks
    figure, layout = maps_figure(
        f"{cycle.title}: quality",
        "NRMSE: 0 is equal, lower is better    confidence: measured above"
        f" {blocks.threshold:.2f}, blocks outlined in orange are not",
        4,
        cycle,
        image,
    )
    worst = max(1.0, float(blocks.quality[np.isfinite(blocks.quality)].max(initial=0)))
    for axis, name in enumerate(PROJECTIONS):
        axes = layout.panel(figure, axis)
        values = blocks.quality[..., axis]
        draw_map(axes, layout, values, f"NRMSE in {name}", VALUE_COLOURS, (0, worst), "{:.2f}")
        handles = hatch_blocks(axes, blocks.status)
    if handles:
        figure.legend(handles=handles, loc="upper right", ncols=2, frameon=False)
    axes = layout.panel(figure, 3)
    best = float(np.nanmax([blocks.threshold, *blocks.confidence.ravel()]))
    draw_map(axes, layout, blocks.confidence, "Confidence", CONFIDENCE_COLOURS, (0, best), "{:.2f}")
    for i, j in np.argwhere(~(blocks.confidence > blocks.threshold)):
        frame = {"fill": False, "edgecolor": OUTLIER_COLOUR, "linewidth": 1.8}
        axes.add_artist(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, **frame))
    return figure
