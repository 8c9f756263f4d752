"""The picture of a ROI's drift over its cycles."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossreg.fiducial.summary.cycle_summary import CycleSummary
from crossreg.pictures.drawing.canvas import new_figure, panel
from crossreg.pictures.drawing.layout import FONT_SIZE, OUTLIER_COLOUR

INCHES_PER_CYCLE, NARROWEST, WIDEST = 0.3, 7.0, 18.0
HEIGHT, GAP, LEFT, HEADER, BELOW = 1.7, 0.3, 0.8, 0.95, 0.9
LINE_COLOUR = "#0072b2"
"""Blue of the palette of Okabe and Ito."""
MANY_CYCLES = 60
"""Cycles from which on not every name is written at the axis."""


def drift_figure(
    summaries: Sequence[CycleSummary], pixel_um: float, plane_um: float, reference: str
) -> Figure:
    """Return the picture of a ROI's cycles, in the order of imaging, in um."""
    units = {"x": pixel_um, "y": pixel_um, "z": plane_um}
    # Without a local step there is no z.
    if all(np.isnan(cycle.drift_z) for cycle in summaries if not cycle.missing):
        del units["z"]
    width = float(np.clip(INCHES_PER_CYCLE * len(summaries), NARROWEST, WIDEST))
    height = HEADER + len(units) * (HEIGHT + GAP) + BELOW - GAP
    figure = new_figure(LEFT + width + 0.4, height, f"ROI {summaries[0].roi}: drift to {reference}")
    figure.text(
        0.15 / figure.get_figwidth(),
        1 - 0.4 / height,
        "point: median of the blocks    bar: 5 to 95 % of the blocks\n"
        "named in orange: far from the neighbouring cycles, failed, or missing",
        va="top",
    )
    for index, (axis, unit) in enumerate(units.items()):
        axes = panel(figure, LEFT, HEADER + index * (HEIGHT + GAP), width, HEIGHT)
        draw_axis(axes, summaries, axis, unit)
        last = index == len(units) - 1
        name_cycles(axes, [cycle.cycle for cycle in summaries], last)
    return figure


def draw_axis(axes: Axes, summaries: Sequence[CycleSummary], axis: str, unit: float) -> None:
    """Draw the drift along one axis, `unit` um a px or plane, and label what is unusual."""
    middle, low, high = (
        unit * np.array([getattr(cycle, f"{kind}_{axis}") for cycle in summaries])
        for kind in ("drift", "low", "high")
    )
    indices = np.arange(len(summaries))
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.errorbar(
        indices,
        middle,
        yerr=np.maximum([middle - low, high - middle], 0),
        color=LINE_COLOUR,
        marker="o",
        markersize=4,
        linewidth=1,
        elinewidth=2.5,
    )
    axes.set_ylabel(f"{axis} [µm]")
    axes.set_xlim(-0.7, len(summaries) - 0.3)
    axes.margins(y=0.25)
    for index, cycle in enumerate(summaries):
        if not cycle.has_shifts:
            axes.axvspan(index - 0.5, index + 0.5, color=OUTLIER_COLOUR, alpha=0.25, linewidth=0)
            word = "missing" if cycle.missing else "failed"
            label, at = f"{cycle.cycle} {word}", (index, 0.04)
            where = axes.get_xaxis_transform()
        elif cycle.jump:
            axes.plot(index, middle[index], "o", color=OUTLIER_COLOUR, markersize=6)
            label, at, where = cycle.cycle, (index, middle[index]), axes.transData
        else:
            continue
        axes.annotate(
            label,
            at,
            xycoords=where,
            xytext=(0, 6),
            textcoords="offset points",
            rotation=0 if cycle.has_shifts else 90,
            ha="center",
            va="bottom",
            fontsize=FONT_SIZE - 1,
            color=OUTLIER_COLOUR,
            weight="bold",
        )


def name_cycles(axes: Axes, names: Sequence[str], written: bool) -> None:
    """Write the names of cycles below the axes, every other or fewer where there are many."""
    step = -(-len(names) // MANY_CYCLES)
    axes.set_xticks(range(0, len(names), step))
    if written:
        axes.set_xticklabels(names[::step], rotation=90, fontsize=FONT_SIZE - 1)
    else:
        axes.set_xticklabels([])
