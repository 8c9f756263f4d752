"""The picture of a whole experiment: ROI x cycle, one bad cycle among thousands stands out."""

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossreg.fiducial.summary.cycle_summary import CycleSummary, worst_first
from crossreg.pictures.drawing.canvas import MISSING_COLOUR, hatch_blocks, new_figure, panel
from crossreg.pictures.drawing.layout import FONT_SIZE

CELL = 0.24
"""Inches of a cell, in which the rank of a bad cycle can be read."""
NARROWEST, WIDEST, TALLEST = 5.0, 24.0, 14.0
LEFT, HEADER, ABOVE, RIGHT = 0.9, 0.75, 0.3, 0.8
LETTER, LEAST_BELOW, MOST_BELOW = 0.08, 0.3, 1.0
"""Inches of a letter of a cycle's name, and of the room for names below a map."""
MARKED = 10
"""Worst cycles that are numbered."""
DARK_COLOURS = "magma"
DRIFT, SHARE, QUALITY = "Drift in XY [µm]", "Share of borrowed blocks", "Median NRMSE in XY"
ERROR = "Standard error in XY, 95 % of the blocks [nm]"
BEYOND = "Share beyond the tolerance (1 if doubtful)"
SMALLEST_SCALE = {DRIFT: 0.1, ERROR: 10.0, BEYOND: 0.5, SHARE: 0.5, QUALITY: 1.5}
"""End of a map's colour scale at least: smaller values differ by chance only. Of shares and NRMSE
all is dark where all is well: blocks without fiducials are usual, and so is an NRMSE of 0.5."""
FAR = 4.0
"""Times the median up to which a colour scale follows the largest value: those far beyond, such as
a stage that slipped, would make all others look alike."""


def heat_maps_figure(
    summaries: Sequence[CycleSummary], cycles: Sequence[str], pixel_um: float
) -> Figure:
    """Return the maps of drift, precision, borrowed blocks and quality; `cycles` in their order."""
    rois = sorted({cycle.roi for cycle in summaries})
    maps = [(DRIFT, values_of(summaries, rois, cycles, lambda c: drift_um(c, pixel_um)))]
    if any(cycle.blocks for cycle in summaries):
        of_blocks: dict[str, Callable[[CycleSummary], float]] = {
            ERROR: lambda c: c.xy_95_nm,
            BEYOND: lambda c: 1 - c.within_tolerance,
            SHARE: _share,
            QUALITY: lambda c: c.quality,
        }
        if all(np.isnan(cycle.within_tolerance) for cycle in summaries):
            del of_blocks[BEYOND]
        maps += [(name, values_of(summaries, rois, cycles, of)) for name, of in of_blocks.items()]
    width = float(np.clip(CELL * len(cycles), NARROWEST, WIDEST))
    height = float(np.clip(CELL * len(rois), 2 * CELL, TALLEST))
    longest = LETTER * max(map(len, cycles), default=0)
    upright = longest > 0.9 * width / max(len(cycles), 1)
    below = min(LEAST_BELOW + upright * longest, MOST_BELOW)
    step = ABOVE + height + below
    figure = new_figure(LEFT + width + RIGHT, HEADER + len(maps) * step, "All ROIs and cycles")
    figure.text(
        0.15 / figure.get_figwidth(),
        1 - 0.4 / figure.get_figheight(),
        "1 to 10: the worst cycles    crosses: failed    dots: not registered\ngrey: no value",
        va="top",
    )
    for index, (title, values) in enumerate(maps):
        axes = panel(figure, LEFT, HEADER + ABOVE + index * step, width, height)
        draw_heat_map(axes, values, title, width)
        name_ticks(axes, rois, cycles, (height, width), upright)
        mark(axes, summaries, rois, cycles)
    return figure


def values_of(
    summaries: Sequence[CycleSummary],
    rois: Sequence[str],
    cycles: Sequence[str],
    value: Callable[[CycleSummary], float],
) -> np.ndarray:
    """Return values (ROI, cycle) of summaries; NaN where there is no such cycle."""
    values = np.full((len(rois), len(cycles)), np.nan)
    rows, columns = ({name: n for n, name in enumerate(names)} for names in (rois, cycles))
    for cycle in summaries:
        values[rows[cycle.roi], columns[cycle.cycle]] = value(cycle)
    return values


def drift_um(cycle: CycleSummary, pixel_um: float) -> float:
    """Return the length of a cycle's drift in XY."""
    return pixel_um * float(np.hypot(cycle.drift_x, cycle.drift_y))


def worst_of(summaries: Sequence[CycleSummary]) -> list[CycleSummary]:
    """Return at most MARKED cycles with a fault, the worst first."""
    return [cycle for cycle in worst_first(summaries) if cycle.faults][:MARKED]


def draw_heat_map(axes: Axes, values: np.ndarray, title: str, width: float) -> None:
    """Draw values (ROI, cycle) from 0 on, with a colour bar that says whether some lie beyond."""
    palette = mpl.colormaps[DARK_COLOURS].with_extremes(bad=MISSING_COLOUR)
    known = values[np.isfinite(values)]
    largest = float(known.max(initial=0))
    usual = FAR * float(np.median(known)) if known.size else 0.0
    highest = max(min(largest, usual), SMALLEST_SCALE[title])
    drawn = axes.imshow(values, cmap=palette, vmin=0, vmax=highest, aspect="auto")
    axes.set_title(title, loc="left", pad=4)
    bar = axes.inset_axes((1 + 0.1 / width, 0, 0.15 / width, 1))
    axes.figure.colorbar(drawn, cax=bar, extend="max" if largest > highest else "neither")


def name_ticks(
    axes: Axes,
    rois: Sequence[str],
    cycles: Sequence[str],
    size: tuple[float, float],
    upright: bool,
) -> None:
    """Write the names of ROIs and cycles at the axes, as many as are readable."""
    least = 1.3 * FONT_SIZE / 72
    for axis, names, inches in ((axes.yaxis, rois, size[0]), (axes.xaxis, cycles, size[1])):
        step = int(np.ceil(least * len(names) / inches))
        axis.set_ticks(range(0, len(names), step), names[::step])
    axes.tick_params(axis="x", rotation=90 if upright else 0, length=2)
    axes.set_ylabel("ROI")


def mark(
    axes: Axes, summaries: Sequence[CycleSummary], rois: Sequence[str], cycles: Sequence[str]
) -> None:
    """Hatch failed and missing cycles and number the worst ones."""
    status = np.full((len(rois), len(cycles)), "measured")
    for cycle in summaries:
        if cycle.has_failed:
            status[rois.index(cycle.roi), cycles.index(cycle.cycle)] = "failed"
        elif cycle.missing:
            status[rois.index(cycle.roi), cycles.index(cycle.cycle)] = "missing"
    hatch_blocks(axes, status)
    for rank, cycle in enumerate(worst_of(summaries), start=1):
        axes.text(
            cycles.index(cycle.cycle),
            rois.index(cycle.roi),
            str(rank),
            ha="center",
            va="center",
            fontsize=FONT_SIZE - 1,
            weight="bold",
            color="white",
            bbox={"facecolor": "black", "pad": 1, "linewidth": 0},
        )


def _share(cycle: CycleSummary) -> float:
    return cycle.share_borrowed if cycle.has_shifts else float("nan")
