"""Make the demo's stacks of one ROI, and the table of the shifts planted in them.

Out: two TIFF stacks a cycle, fiducial and a second channel, named as pyHiM names them; a TSV with
the planted total shift of every block: shift_z in kept planes, shift_x along rows and shift_y along
columns in px; and a CSV with the spots of the second channel where they are seen in the cycle
(z in planes of the raw stack, y and x in px), and where they lie in the reference.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import tifffile

import find_crossreg  # noqa: F401
import planted_cycles
from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.io.files import whole, write_text
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

# In the cycle DAPI, pyHiM's fiducial is the other channel.
FIDUCIAL_CHANNELS, SECOND_CHANNELS = {"DAPI": "ch01"}, {"DAPI": "ch00"}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--roi", default="001", help="name of the ROI, digits (default: 001)")
    parser.add_argument("--images", type=Path, required=True, help="folder to write the stacks to")
    parser.add_argument("--planted", type=Path, required=True, help="table of shifts to write")
    parser.add_argument("--spots", type=Path, required=True, help="table of spots to write")
    add_options(parser, ("zBinning",))
    return parser


def main(options: argparse.Namespace) -> None:
    """Make the stacks and the table of a ROI."""
    for cycle in planted_cycles.CYCLES:
        for channel, stack in (
            (FIDUCIAL_CHANNELS.get(cycle, "ch00"), planted_cycles.demo_stack(options.roi, cycle)),
            (SECOND_CHANNELS.get(cycle, "ch01"), planted_cycles.second_channel(options.roi, cycle)),
        ):
            with whole(options.images / file_name(options.roi, cycle, channel)) as path:
                tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "ZYX"})
    write_text(options.spots, table_of_spots(options.roi))
    write_text(options.planted, planted_table(options.roi, options.zBinning))
    log.info("ROI %s: %d stacks in %s", options.roi, len(planted_cycles.CYCLES), options.images)


def file_name(roi: str, cycle: str, channel: str) -> str:
    """Return the name of a stack as pyHiM's default fileNameRegExp expects it."""
    return f"scan_001_{cycle}_{roi}_ROI_converted_decon_{channel}.tif"


def table_of_spots(roi: str) -> str:
    """Return the table of the spots of all cycles as CSV."""
    lines = ["roi,cycle,z,y,x,planted_z,planted_y,planted_x"]
    for cycle in planted_cycles.CYCLES:
        for row in np.hstack(planted_cycles.targets(roi, cycle)[::-1]):
            lines.append(f"{roi},{cycle}," + ",".join(f"{value:.4f}" for value in row))
    return "\n".join(lines) + "\n"


def planted_table(roi: str, z_binning: int) -> str:
    """Return the table of planted shifts as TSV."""
    lines = ["roi\tcycle\tblock_i\tblock_j\tshift_z\tshift_x\tshift_y\tempty"]
    empty = planted_cycles.empty_block(roi)
    for cycle in planted_cycles.CYCLES[1:]:
        shifts = planted_cycles.planted_blocks(roi, cycle, z_binning)
        for i, j in np.ndindex(shifts.shape[:2]):
            numbers = "\t".join(f"{value:.4f}" for value in shifts[i, j])
            lines.append(f"{roi}\t{cycle}\t{i}\t{j}\t{numbers}\t{int((i, j) == empty)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run(parser(), main))
