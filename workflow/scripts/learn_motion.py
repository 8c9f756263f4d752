"""Learn how far the cycles of an experiment deform, for the key `motion`.

In: the merged table of global shifts, which holds the last word on each cycle, and the fields of
the cycles (ROI/CYCLE.npz). Out: how likely each size and each correlation length of the deformation
is, the mean of what the registered cycles show (JSON). Cycles that are doubtful, have failed or are
missing do not count, nor do those that were taken for rigid, as where hardly a block is measured.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.field.field_file import CycleField, load_field
from crossreg.fiducial.field.motion import learned_from
from crossreg.fiducial.field.motion_file import write_motion
from crossreg.fiducial.verdict import REGISTERED
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, read_table
from crossreg.io.errors import UserError
from crossreg.io.plurals import counted
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--global-table", type=Path, required=True, help="merged table of global shifts (.ecsv)"
    )
    parser.add_argument(
        "--fields", type=Path, required=True, help="folder with the fields ROI/CYCLE.npz"
    )
    parser.add_argument("--output", type=Path, required=True, help="file to write (.json)")
    add_options(parser, ("pixelSizeXY", "pixelSizeZ", "zBinning"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read the fields of registered cycles, take the mean, write."""
    found = [(field.roi, field.deformation) for field in registered_fields(options)]
    shown = [deformation for _, deformation in found if deformation]
    if not shown:
        raise UserError(
            f"{options.global_table}: of {counted(len(found), 'registered cycle')} none shows how"
            " far it deforms: each was taken for rigid, since 'motion' says so or fewer than three"
            " of its blocks are measured; leave 'motion' smooth."
        )
    rois = {roi for roi, deformation in found if deformation}
    size = {"xy": options.pixelSizeXY, "z": options.pixelSizeZ * options.zBinning}
    counts = {"cycles": len(shown), "rois": len(rois), "pixel_size_um": size}
    write_motion(options.output, counts | learned_from(shown).content)
    where = f"{counted(len(shown), 'cycle')} of {counted(len(rois), 'ROI')}"
    log.info("%s: learned from %s", options.output, where)
    print(
        f"How far cycles deform was learned from {where}. To use it, copy"
        f" {options.output.absolute()} to a place of its own, and name the copy as 'motion'.",
        flush=True,
    )


def registered_fields(options: argparse.Namespace) -> Iterator[CycleField]:
    """Yield the fields of the cycles that are registered, in the order of the merged table."""
    for row in read_table(options.global_table, GLOBAL_COLUMNS):
        if str(row["verdict"]) == REGISTERED:
            yield load_field(options.fields / str(row["ROI name"]) / f"{row['label']}.npz")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
