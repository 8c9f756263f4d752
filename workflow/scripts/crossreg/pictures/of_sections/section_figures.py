"""Pictures of the cross-modal chain: tiles of a section before and after, and all sections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossreg.pictures.drawing.canvas import new_figure, panel
from crossreg.pictures.drawing.layout import (
    FONT_SIZE,
    OUTLIER_COLOUR,
    arranged,
    overlay,
    round_length,
)
from crossreg.pictures.of_sections.low_resolution import LowResolution

FIXED_COLOUR, MOVED_COLOUR, ARROW_COLOUR = "#c51b8a", "#1b7837", "#d55e00"
FIXED_ON_IMAGE, MOVED_ON_IMAGE = "#f79ad3", "#8fe08f"
"""Outlines on images, which are dark between the structures."""
MARGIN, HEADER = (0.85, 0.75), 0.7
BORDER = 0.03
"""Part of the picture that stays free around the tiles."""
MOST_NAMES = 25
"""Tiles up to which each one's name can be read."""
FIXED_NAMES, MOVED_NAMES = 0.1, 0.5
"""Names of fixed and moved tiles, which cover each other, stand apart."""
LETTER = 0.07
"""Width in inches of a letter of a name."""
PANEL, WIDTH = 1.7, 11.0
DISPLACEMENT, LANDMARKS = "Displacement", "Landmarks"
RESIDUAL_COLOUR = "#0072b2"
RESIDUAL_LENGTH = 0.1
"""Longest arrow of a residual, as a part of the picture's longer side."""


@dataclass(frozen=True)
class Residuals:
    """How landmarks fit: where they are fixed, and what the motion leaves of their distance."""

    points: np.ndarray
    """(N, 2: x, y), px of the stack."""
    vectors: np.ndarray
    """(N, 2), px: from where the motion sends a landmark to where it is fixed."""
    off: np.ndarray
    """(N,), whether the other landmarks contradict it."""

    @property
    def longest(self) -> float:
        """Length of the longest vector, px."""
        return float(np.hypot(*self.vectors.T).max())


def section_figure(
    title: str,
    fixed: Mapping[str, np.ndarray],
    states: Mapping[str, Mapping[str, np.ndarray]],
    images: Sequence[LowResolution] | None = None,
    residuals: Residuals | None = None,
) -> Figure:
    """Return the picture of one section: its states, how far each tile moved, its landmarks.

    `fixed` gives the corners (4, 2: x, y; px, in order around the tile) of LM tiles by name, and
    each of the `states`, in order of time and by name, those of EM tiles. `images` shows first
    the LM, then each state at low resolution, all with the same box and size.
    """
    tiles = [corners for state in (fixed, *states.values()) for corners in state.values()]
    shown = [*tiles, *([residuals.points] if residuals else [])]
    corners = np.concatenate([np.reshape(one, (-1, 2)) for one in shown])
    low, high = corners.min(axis=0), corners.max(axis=0)
    border = BORDER * (high - low).max()
    low, high = low - border, high + border
    panels = [*states, DISPLACEMENT, *([LANDMARKS] if residuals else [])]
    size = (float(high[0] - low[0]), float(high[1] - low[1]))
    # Five panels in one row would be small: a cell stays empty instead.
    columns, scale = arranged(6 if len(panels) == 5 else len(panels), size, MARGIN)
    inches = (high - low) * scale
    cell = inches + MARGIN
    rows = -(-len(panels) // columns)
    figure = new_figure(max(columns * cell[0] + 0.2, 7.0), HEADER + rows * cell[1], title)
    key = "px of the stack    magenta: fixed (LM)    green: moved (EM)    arrows: displacement"
    if images:
        key += "    bright backgrounds are inverted"
    figure.text(0.15 / figure.get_figwidth(), 1 - 0.4 / figure.get_figheight(), key, va="top")
    in_order = list(states.values())
    first, last = in_order[0], in_order[-1]
    for index, name in enumerate(panels):
        row, column = divmod(index, columns)
        corner = (0.65 + column * cell[0], HEADER + 0.3 + row * cell[1])
        axes = panel(figure, *corner, inches[0], inches[1])
        axes.set_title(name, loc="left", pad=4)
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(high[1], low[1])
        axes.locator_params(nbins=4)
        axes.autoscale(False)
        if name in states:
            pair = (images[0], images[index + 1]) if images else None
            draw_state(axes, fixed, states[name], pair)
        elif name == DISPLACEMENT:
            draw_outlines(axes, fixed, FIXED_COLOUR)
            draw_outlines(axes, first, MOVED_COLOUR)
            draw_displacements(axes, first, last)
        elif residuals:
            draw_outlines(axes, last, MOVED_COLOUR)
            draw_residuals(axes, residuals, RESIDUAL_LENGTH * float(max(high - low)))
    return figure


def draw_state(
    axes: Axes,
    fixed: Mapping[str, np.ndarray],
    moved: Mapping[str, np.ndarray],
    images: tuple[LowResolution, LowResolution] | None,
) -> None:
    """Draw LM and EM tiles over each other, as images if there are any."""
    colours = (FIXED_COLOUR, MOVED_COLOUR)
    if images:
        left, right, top, bottom = images[0].box
        pixels = overlay(images[0].pixels, images[1].pixels)
        axes.imshow(pixels, extent=(left, right, bottom, top), aspect="auto")
        axes.set_facecolor("black")
        colours = (FIXED_ON_IMAGE, MOVED_ON_IMAGE)
    draw_outlines(axes, fixed, colours[0])
    draw_outlines(axes, moved, colours[1])
    write_names(axes, moved, MOVED_COLOUR, MOVED_NAMES)
    write_names(axes, fixed, FIXED_COLOUR, FIXED_NAMES)


def draw_outlines(axes: Axes, tiles: Mapping[str, np.ndarray], colour: str) -> None:
    """Draw the outlines of tiles."""
    for corners in tiles.values():
        axes.fill(*np.asarray(corners).T, fill=False, edgecolor=colour, linewidth=1)


def write_names(axes: Axes, tiles: Mapping[str, np.ndarray], colour: str, part: float) -> None:
    """Write names into tiles where there are few, `part` of the way along their diagonals."""
    if len(tiles) > MOST_NAMES:
        return
    width = axes.get_window_extent().width / axes.figure.dpi
    inches_a_px = width / abs(np.diff(axes.get_xlim())[0])
    for name, corners in tiles.items():
        letters = np.ptp(corners[:, 0]) * inches_a_px / LETTER
        text = name if len(name) <= letters else f"…{name[-max(1, int(letters) - 1) :]}"
        x, y = (1 - part) * corners[0] + part * corners[2]
        axes.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            fontsize=FONT_SIZE - 2,
            color=colour,
            clip_on=True,
            bbox={"facecolor": "white", "alpha": 0.8, "pad": 0.5, "linewidth": 0},
        )


def draw_displacements(
    axes: Axes, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]
) -> None:
    """Draw an arrow from the centre of each tile before to its centre after, true to scale."""
    names = [name for name in before if name in after]
    starts, stops = (
        np.array([np.mean(tiles[name], axis=0) for name in names]).reshape(-1, 2)
        for tiles in (before, after)
    )
    moved = stops - starts
    true_to_scale: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1}
    shape: dict[str, Any] = {"units": "inches", "width": 0.025, "headwidth": 3.5, "headlength": 4}
    axes.quiver(*starts.T, *moved.T, color=ARROW_COLOUR, **true_to_scale, **shape)
    if len(moved):
        longest = np.hypot(*moved.T).max()
        axes.set_title(f"Displacement, at most {longest:.1f} px", loc="left", pad=4)


def draw_residuals(axes: Axes, residuals: Residuals, longest: float) -> None:
    """Draw each landmark with its residual, the longest arrow `longest` px; bad ones in orange."""
    factor = magnification(residuals.longest, longest)
    colours = np.where(residuals.off, OUTLIER_COLOUR, RESIDUAL_COLOUR)
    x, y = residuals.points.T
    axes.scatter(x, y, s=14, c=colours, zorder=3)
    axes.quiver(
        x,
        y,
        *(residuals.vectors * factor).T,
        color=colours,
        pivot="tip",
        angles="xy",
        scale_units="xy",
        scale=1,
        units="inches",
        width=0.02,
    )
    text = f"{LANDMARKS}: off by {residuals.longest:.2g} px, arrows x {factor:g}"
    axes.set_title(text, loc="left", pad=4)


def magnification(value: float, length: float) -> float:
    """Return the largest of 1, 2, 5, 10, ... that keeps `value` within `length`, at least 1."""
    return max(1.0, round_length(length / value)) if value > 0 else 1.0


def stack_figure(
    title: str, sections: Sequence[str], values: Mapping[str, np.ndarray], wrong: Sequence[str] = ()
) -> Figure:
    """Return the picture of values over the sections of a stack, one panel a value.

    `values` are arrays (sections,) by their label with unit, such as "rotation [degrees]";
    sections in `wrong` are marked and named.
    """
    height = HEADER + len(values) * (PANEL + 0.25) + 0.7
    figure = new_figure(WIDTH, height, title)
    indices = np.arange(len(sections))
    for index, (label, numbers) in enumerate(values.items()):
        axes = panel(figure, 1.0, HEADER + index * (PANEL + 0.25), WIDTH - 1.3, PANEL)
        axes.plot(indices, numbers, "o-", markersize=3, linewidth=0.8, color="#0072b2")
        axes.set_ylabel(label)
        axes.margins(y=0.25)
        for count, index in enumerate(indices[np.isin(sections, list(wrong))]):
            # Names of neighbours would cover each other above their points.
            above = count % 2 == 0
            axes.plot(index, numbers[index], "o", color=OUTLIER_COLOUR)
            axes.annotate(
                sections[index],
                (index, numbers[index]),
                xytext=(0, 6 if above else -6),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                color=OUTLIER_COLOUR,
            )
        step = max(1, -(-len(sections) // 40))
        last = index == len(values) - 1
        axes.set_xticks(indices[::step], list(sections)[::step] if last else [], rotation=90)
    return figure
