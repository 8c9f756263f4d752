"""The picture of the local shifts of a cycle: maps in z, x, y and arrows over the projection."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from crossreg.pictures.block_maps import draw_map, maps_figure
from crossreg.pictures.canvas import OUTLIER_COLOUR, SHIFT_COLOURS, bare, hatch_blocks
from crossreg.pictures.cycle import Cycle
from crossreg.pictures.previews import Preview

SMALLEST_SCALE = 0.5
"""Shift (planes, px) at the end of the colour scale at least: smaller ones look small."""
ARROW_COLOURS = {"measured": "#ffd23f", "borrowed": "#5ab4ff"}
DIMMED = 400
"""Value (of 255) that would be white, so that arrows stand out from the image."""
LONGEST_ARROW = 0.9
"""Length of the longest arrow in blocks."""


def shift_maps_figure(cycle: Cycle, image: Preview) -> Figure:
    """Return the picture of a cycle's residual shifts after the global one."""
    blocks = cycle.blocks
    note = (
        "global shift: x {:+.2f} px, y {:+.2f} px".format(*cycle.shift_yx)
        + f"    x: along rows, y: along columns of the image, 1 px = {cycle.pixel_um:g} µm"
        f"    z: 1 kept plane = {cycle.plane_um:g} µm"
    )
    figure, layout = maps_figure(f"{cycle.title}: local shifts", note, 4, cycle, image)
    titles = ("z [kept planes]", "x [px]", "y [px]")
    for axis, title in enumerate(titles):
        values = blocks.shift_zyx[..., axis]
        end = max(SMALLEST_SCALE, float(np.abs(values[np.isfinite(values)]).max(initial=0)))
        axes = layout.panel(figure, axis)
        draw_map(axes, layout, values, title, SHIFT_COLOURS, (-end, end), "{:+.2f}")
        handles = hatch_blocks(axes, blocks.status)
    if (blocks.status == "borrowed").any():
        handles.append(Patch(color=ARROW_COLOURS["borrowed"], label="borrowed (arrows)"))
    if handles:
        figure.legend(handles=handles, loc="upper right", ncols=3, frameon=False)
    draw_arrows(layout.panel(figure, 3), cycle, image)
    return figure


def draw_arrows(axes: Axes, cycle: Cycle, image: Preview) -> None:
    """Draw the XY shifts of the blocks, enlarged, over the projection of the cycle."""
    shape = tuple(int(size) for size in image.shape_zyx[1:])
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    axes.imshow(image.xy, cmap="gray", extent=extent, aspect="auto", vmin=0, vmax=DIMMED)
    bare(axes)
    if not cycle.blocks.matched:
        axes.set_title("The cycle failed", loc="left", color=OUTLIER_COLOUR)
        return
    y, x = np.meshgrid(*cycle.blocks.centres(shape), indexing="ij")
    step = cycle.blocks.shift_zyx[..., 1:]
    longest = max(float(np.nanmax(np.hypot(step[..., 0], step[..., 1]))), 1e-3)
    enlarged = LONGEST_ARROW * cycle.blocks.size_px / longest
    for name, colour in ARROW_COLOURS.items():
        chosen = cycle.blocks.status == name
        axes.quiver(
            x[chosen],
            y[chosen],
            *(step[chosen][:, axis] * enlarged for axis in (1, 0)),
            angles="xy",
            scale_units="xy",
            scale=1,
            color=colour,
            edgecolor="black",
            linewidth=0.4,
            units="inches",
            width=0.025,
            headwidth=3.5,
            headlength=4,
            headaxislength=3.5,
            pivot="mid",
        )
    axes.set_title(f"x, y; longest {longest:.2f} px", loc="left", pad=4)
