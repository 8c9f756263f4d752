"""Bring a table of spots to the reference, with the field of the cycle of each spot.

In: one table (ECSV, CSV, TSV, Parquet), the list of stacks and the folder of fields. Out: the same
table with registered positions, the old ones in columns named raw_..., the standard error of the
registration in nm (sigma_z_nm, sigma_row_nm, sigma_column_nm) and what the position rests on
(registration: reference, measured, borrowed, failed, missing). No row is lost: spots of cycles
that failed or are missing stay where they are.

x in a table of spots is the column of the image and y its row, unlike in the tables of shifts,
where shift_x belongs to the row: a spot at row 100, column 200 of a cycle with the total shift
(0.5, -3, 4) in (z, row, column) lies at row 97, column 204 of the reference.
"""

import argparse
import functools
import gc
import logging
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from crossreg.fiducial.apply.spot_columns import (
    DECIMALS,
    REGISTERED_COLUMN,
    SIGMA_COLUMNS,
    UNITS,
    Z_UNITS,
    PixelSize,
    SpotColumns,
    spot_columns,
)
from crossreg.fiducial.apply.spot_tables import Chunk, open_spots
from crossreg.fiducial.apply.spots_to_reference import FRAMES, STATUSES, Cycle, registered_spots
from crossreg.fiducial.experiment.roi_numbers import roi_called, rois_in_words
from crossreg.fiducial.field.field_file import load_field
from crossreg.io.errors import UserError
from crossreg.io.files import whole, write_text
from crossreg.io.missing_notes import missing_reason
from crossreg.io.plurals import counted
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

COLUMN_KEYS = ("roi", "cycle", "z", "y", "x", "units", "z_units")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="table of spots to register")
    parser.add_argument("--output", type=Path, required=True, help="registered table to write")
    parser.add_argument("--receipt", type=Path, help="text to write at the end: what was done")
    parser.add_argument("--samples", type=Path, required=True, help="samples.tsv of the results")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument(
        "--fields", type=Path, required=True, help="folder of the fields (ROI/CYCLE.npz)"
    )
    parser.add_argument(
        "--frame",
        choices=FRAMES,
        required=True,
        help="where the spots were found: in the raw stacks, or (global, as pyHiM does) in stacks"
        " moved by the global shift before",
    )
    parser.add_argument("--pixel-size-z", type=float, required=True, help="um of a raw plane")
    parser.add_argument("--pixel-size-xy", type=float, required=True, help="um of a pixel")
    parser.add_argument("--z-binning", type=int, required=True, help="raw planes a kept plane")
    for key in COLUMN_KEYS[:5]:
        parser.add_argument(f"--column-{key}", dest=key, help=f"name of the column of {key}")
    parser.add_argument("--units", choices=UNITS, help="unit of x and y")
    parser.add_argument("--z-units", dest="z_units", choices=Z_UNITS, help="unit of z")
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, register and write the table a chunk at a time."""
    # Rows are many small lists without cycles: looking for those takes half of the time.
    gc.disable()
    size = PixelSize(options.pixel_size_z, options.pixel_size_xy, options.z_binning)
    cycles = CyclesOfSpots(options.samples, options.reference, options.fields)
    given = {key: getattr(options, key) for key in COLUMN_KEYS if getattr(options, key)}
    counts: Counter[str] = Counter()
    with (
        threadpool_limits(1, user_api="blas"),
        open_spots(options.table) as table,
        whole(options.output) as temporary,
    ):
        one_roi = len(cycles.rois) == 1
        columns = spot_columns(table.names, given or None, options.table, one_roi=one_roi)
        decimals = {name: DECIMALS[columns.in_unit(axis)] for axis, name in columns.positions}
        with table.writer(temporary, decimals, [*SIGMA_COLUMNS, REGISTERED_COLUMN]) as writer:
            for chunk in table.chunks():
                values = registered(chunk, columns, size, cycles, options.frame)
                counts.update(values[REGISTERED_COLUMN].tolist())
                writer.write(chunk, values)
        cycles.check_any_found(options.table)
    text = told(counts, cycles)
    is_odd = cycles.unknown or cycles.doubtful or cycles.outside or cycles.nowhere
    log.log(logging.WARNING if is_odd else logging.INFO, "%s", text)
    if options.receipt:
        frame = "raw" if options.frame == "raw" else "globally shifted"
        write_text(options.receipt, f"{options.table.name}, found in {frame} stacks: {text}\n")


class CyclesOfSpots:
    """Looks up the field of what a table calls a ROI and a cycle."""

    def __init__(self, samples: Path, reference: str, fields: Path) -> None:
        """Read which cycles there are."""
        self.reference, self.fields = reference, fields
        listed = read_sheet(samples, ALL_COLUMNS)
        self.paths = {
            (sample.roi, sample.cycle): fields / sample.roi / f"{sample.cycle}.npz"
            for sample in listed
        }
        self.rois = sorted({roi for roi, _ in self.paths})
        self.unknown: set[tuple[str, str]] = set()
        self.doubtful: set[tuple[str, str]] = set()
        self.known = self.outside = self.nowhere = 0

    @functools.cache  # noqa: B019 (one object per job)
    def __call__(self, roi: str, cycle: str) -> Cycle:
        """Return the field of a cycle; `reference`, or `missing` where it has none."""
        # A table of one ROI need not say which.
        name = roi_called(roi, self.rois) if roi else self.rois[0]
        key = (name or "", cycle)
        if key not in self.paths:
            self.unknown.add((roi, cycle))
            return "missing"
        self.known += 1
        if cycle == self.reference:
            return "reference"
        reason = missing_reason(self.paths[key])
        if reason is not None or not self.paths[key].is_file():
            return "missing"
        field = load_field(self.paths[key])
        if field.is_doubtful:
            self.doubtful.add(key)
        return field

    def check_any_found(self, path: Path) -> None:
        """Raise UserError if a table has spots, but none of a cycle that there is."""
        if self.unknown and not self.known:
            roi, cycle = sorted(self.unknown)[0]
            there = ", ".join(sorted({cycle for _, cycle in self.paths})[:20])
            raise UserError(
                f"{path}: no spot is of a ROI and cycle that there is (the first says ROI"
                f" '{roi}', cycle '{cycle}'; there are the ROIs"
                f" {rois_in_words(self.rois)} and the cycles {there}); correct"
                " localizations_columns."
            )


def registered(
    chunk: Chunk, columns: SpotColumns, size: PixelSize, cycles: CyclesOfSpots, frame: str
) -> dict[str, np.ndarray]:
    """Return the new values of the columns for some rows."""
    names = [columns.cycle_prefix + name for name in chunk.texts(columns.cycle)]
    rois = chunk.texts(columns.roi) if columns.roi else [""] * len(names)
    factors = {axis: columns.factor(axis, size) for axis, _ in columns.positions}
    old = {axis: chunk.numbers(name) for axis, name in columns.positions}
    positions = np.zeros((len(names), 3))
    for axis, values in old.items():
        positions[:, axis] = values * factors[axis]
    keys = zip(rois, names, strict=True)
    flat = columns.position[0] is None
    in_planes = columns.z_units in ("plane", "kept_plane")
    spots = registered_spots(positions, keys, cycles, frame, flat=flat, in_planes=in_planes)
    cycles.outside += int(spots.outside.sum())
    cycles.nowhere += int((~np.isfinite(positions).all(axis=1)).sum())
    result = {
        # What stays where it is keeps its value to the last digit.
        name: np.where(
            spots.position_zyx[:, axis] == positions[:, axis],
            old[axis],
            spots.position_zyx[:, axis] / factors[axis],
        )
        for axis, name in columns.positions
    }
    sigma_nm = spots.sigma_zyx * size.nm_zyx
    result |= dict(zip(SIGMA_COLUMNS, sigma_nm.T, strict=True))
    return result | {REGISTERED_COLUMN: spots.status}


def told(counts: Counter[str], cycles: CyclesOfSpots) -> str:
    """Return how many spots there are of each status, and what is odd about some of them."""
    by_status = ", ".join(f"{counts[name]} {name}" for name in STATUSES if counts[name])
    text = f"{counted(counts.total(), 'spot')}: {by_status or 'the table is empty'}."
    if cycles.outside:
        text += (
            f" {cycles.outside} of them lie outside of the image, and their shifts are those of its"
            " edges: check units and localizations_columns."
        )
    if cycles.nowhere:
        text += (
            f" {cycles.nowhere} of them have an empty or infinite position, and stay as they are."
        )
    if cycles.unknown:
        names = in_words(cycles.unknown)
        text += f" Of no cycle that was registered, so left where they are: spots of {names}."
    if cycles.doubtful:
        names = in_words(cycles.doubtful)
        text += f" Moved by shifts that are doubtful (summary.tsv says why): spots of {names}."
    return text


def in_words(cycles: set[tuple[str, str]]) -> str:
    """Return some of the (ROI, cycle) in words."""
    return "; ".join(f"ROI {roi or '?'}, cycle {cycle}" for roi, cycle in sorted(cycles)[:10])


if __name__ == "__main__":
    sys.exit(run(parser(), main))
