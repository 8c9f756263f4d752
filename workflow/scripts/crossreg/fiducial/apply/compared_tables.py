"""Two tables of blocks compared: where and by how much their shifts differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crossreg.io.errors import UserError

if TYPE_CHECKING:
    import matplotlib.figure

KEYS = ("ROI #", "label", "block_i", "block_j")
NAME = "ROI name"
AXES = ("z", "x", "y")
"""As in tables: x is along rows of the image, y along its columns."""
NEEDED = (*KEYS, "blockXY", *(f"shift_{axis}" for axis in AXES))
MOST_PANELS = 24
"""Cycles that are drawn at most: those that differ most."""


@dataclass(frozen=True)
class Comparison:
    """Differences (second minus first table) of the n blocks that both have.

    `keys` are (ROI, cycle, block_i, block_j), a ROI by its name where a table has names.
    `difference_zxy` (n, 3) is in kept planes, px, px, NaN where one table has no shift.
    `only_first` and `only_second` count blocks of one alone.
    """

    keys: list[tuple[str, str, int, int]]
    difference_zxy: np.ndarray
    only_first: int
    only_second: int

    def of_cycle(self, roi: str, cycle: str) -> np.ndarray:
        """Return the numbers of the blocks of a cycle."""
        return np.array([n for n, key in enumerate(self.keys) if key[:2] == (roi, cycle)])

    @property
    def cycles(self) -> list[tuple[str, str]]:
        """Return (ROI, cycle) of all blocks, in their order."""
        return list(dict.fromkeys(key[:2] for key in self.keys))


def compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> Comparison:
    """Return how the shifts of two tables of blocks differ.

    The tables are columns by name. Where both have `global_x` and `global_y`, total shifts are
    compared, so that it does not matter how a shift is split into global and local; otherwise the
    residuals. Raises UserError if the blocks have different sizes, or none is in both.
    """
    sizes = [set(map(int, table["blockXY"])) for table in (first, second)]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"The blocks of the tables have edges of {sorted(sizes[0])} and {sorted(sizes[1])} px;"
            " only equal blocks can be compared."
        )
    with_global = all("global_x" in table and "global_y" in table for table in (first, second))
    one = _shifts(first, _rois(first, second), with_global)
    two = _shifts(second, _rois(second, first), with_global)
    keys = [key for key in one if key in two]
    if not keys:
        raise UserError("No block is in both tables: their ROIs, cycles or blocks differ.")
    difference = np.array([two[key] - one[key] for key in keys])
    return Comparison(keys, difference, len(one) - len(keys), len(two) - len(keys))


def _rois(table: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return what the ROI of each row of a table is called, the name in the other table included.

    Names that are numbers are one ROI however they are spelt: pyHiM's have no leading zeros.
    """
    names = [str(name) for name in table.get(NAME, table["ROI #"])]
    if NAME not in table and NAME in other:
        known = {
            int(number): str(name) for number, name in zip(other["ROI #"], other[NAME], strict=True)
        }
        names = [known.get(int(number), str(number)) for number in table["ROI #"]]
    return [str(int(name)) if name.isdecimal() else name for name in names]


def _shifts(
    table: Mapping[str, Any], rois: Sequence[str], with_global: bool
) -> dict[tuple[str, str, int, int], np.ndarray]:
    """Return the shift (z, x, y) by key of a block."""
    shifts = np.array([np.asarray(table[f"shift_{axis}"], float) for axis in AXES]).T
    if with_global:
        shifts[:, 1] += np.asarray(table["global_x"], float)
        shifts[:, 2] += np.asarray(table["global_y"], float)
    labels, i, j = (table[name] for name in KEYS[1:])
    return {
        (roi, str(label), int(row), int(column)): shift
        for roi, label, row, column, shift in zip(rois, labels, i, j, shifts, strict=True)
    }


def comparison_text(found: Comparison, size_nm: tuple[float, float] | None = None) -> str:
    """Return a table with the median and largest difference of each cycle, the worst block last.

    `size_nm` is how many nm a kept plane and a px are, if known: then the medians follow in nm.
    """
    width = max(5, *(len(roi) for roi, _ in found.cycles))
    unit_nm = np.array([size_nm[0], size_nm[1], size_nm[1]]) if size_nm else None
    lines = [
        f"{len(found.keys)} blocks are in both tables; only in the first: {found.only_first}, only"
        f" in the second: {found.only_second}.",
        "Differences, second minus first: shift_z in kept planes, shift_x (rows) and shift_y"
        f" (columns) in px{'; their medians also in nm' if size_nm else ''}.",
        f"{'ROI':>{width}} {'cycle':<10} {'blocks':>6}"
        + "".join(f"{'median ' + axis:>10}" for axis in AXES)
        + "".join(f"{'largest ' + axis:>11}" for axis in AXES)
        + "".join(f"{axis + ' [nm]':>9}" for axis in AXES if size_nm)
        + "  worst block",
    ]
    for roi, cycle in found.cycles:
        mine = found.of_cycle(roi, cycle)
        size = np.abs(found.difference_zxy[mine])
        known = np.isfinite(size).all(axis=1)
        start = f"{roi:>{width}} {cycle:<10} {len(mine):>6}"
        if not known.any():
            lines.append(f"{start}  no shift in one of the tables")
            continue
        median, largest = np.median(size[known], axis=0), size[known].max(axis=0)
        worst = found.keys[mine[known][size[known].max(axis=1).argmax()]]
        figures = "".join(f"{value:>10.3f}" for value in median)
        figures += "".join(f"{value:>11.3f}" for value in largest)
        if unit_nm is not None:
            figures += "".join(f"{value:>9.1f}" for value in median * unit_nm)
        without = f", {(~known).sum()} without a shift" if not known.all() else ""
        lines.append(f"{start}{figures}  ({worst[2]}, {worst[3]}){without}")
    return "\n".join(lines) + "\n"


def comparison_figure(found: Comparison) -> "matplotlib.figure.Figure":
    """Return maps of the blocks' differences, a row per cycle, those that differ most first."""
    from matplotlib.figure import Figure

    def size(cycle: tuple[str, str]) -> float:
        values = np.abs(found.difference_zxy[found.of_cycle(*cycle)])
        return float(np.nanmax(values, initial=0))

    cycles = sorted(found.cycles, key=size, reverse=True)[:MOST_PANELS]
    figure = Figure(figsize=(9, 2.4 * len(cycles) + 0.6), layout="constrained")
    panels = figure.subplots(len(cycles), 3, squeeze=False)
    for row, (roi, cycle) in zip(panels, cycles, strict=True):
        mine = found.of_cycle(roi, cycle)
        i, j = np.array([found.keys[number][2:] for number in mine]).T
        for axis, panel in enumerate(row):
            grid = np.full((i.max() + 1, j.max() + 1), np.nan)
            grid[i, j] = found.difference_zxy[mine, axis]
            limit = max(float(np.nanmax(np.abs(grid), initial=0)), 0.01)
            image = panel.imshow(grid, cmap="RdBu", vmin=-limit, vmax=limit)
            name, unit = ("shift_z", "planes") if axis == 0 else (f"shift_{AXES[axis]}", "px")
            panel.set_title(f"ROI {roi}, cycle {cycle}: {name} ({unit})", fontsize=9)
            panel.set(xlabel="block_j", ylabel="block_i")
            figure.colorbar(image, ax=panel)
    return figure
