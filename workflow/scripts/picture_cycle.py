"""Draw the pictures of one cycle of one ROI.

In: the previews of the reference and of the cycle, the table of the cycle's global shift and,
with a local step, the table of its local shifts. Out: before_after.png and, with a local step,
details.png, shifts.png, precision.png, quality.png and preprocessing.png. Those of a cycle that
could not be registered say why.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.io.cycle_tables import read_global_row, read_local_table
from crossreg.io.missing_notes import missing_reason
from crossreg.io.registration_folders import check_outside
from crossreg.pictures.of_cycles.before_after import before_after_picture
from crossreg.pictures.of_cycles.details import details_picture
from crossreg.pictures.of_cycles.missing_cycle import missing_cycle_picture
from crossreg.pictures.of_cycles.precision_maps import precision_maps_picture
from crossreg.pictures.of_cycles.preprocessing import preprocessing_picture
from crossreg.pictures.of_cycles.previews import load_preview
from crossreg.pictures.of_cycles.quality_maps import quality_maps_picture
from crossreg.pictures.of_cycles.shift_maps import shift_maps_picture
from crossreg.pictures.of_cycles.shown_cycle import Cycle, blocks_of, shift_of
from crossreg.workflow_support.for_scripts.script_main import add_tolerance_option, new_parser, run
from crossreg.workflow_support.result_paths import PICTURES_OF_CYCLE

PARAMETERS = ("pixelSizeXY", "pixelSizeZ", "zBinning")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--reference-preview", type=Path, required=True, help="preview of the reference (.npz)"
    )
    parser.add_argument(
        "--cycle-preview", type=Path, required=True, help="preview of the cycle (.npz)"
    )
    parser.add_argument(
        "--global-shift", type=Path, required=True, help="table of the cycle's global shift (.ecsv)"
    )
    parser.add_argument(
        "--local-shifts", type=Path, help="table of the cycle's local shifts (.ecsv), if any"
    )
    parser.add_argument("--roi", required=True, help="name of the ROI, for the titles")
    parser.add_argument("--label", required=True, help="name of the cycle, for the titles")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--folder", type=Path, required=True, help="folder to write pictures to")
    add_tolerance_option(parser)
    add_options(parser, PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, draw, write."""
    check_outside(options.folder)
    local = options.local_shifts
    reason = missing_reason(local or options.global_shift)
    if reason is not None:
        paper = missing_cycle_picture(options.roi, options.label, reason)
        for kind in PICTURES_OF_CYCLE if local else PICTURES_OF_CYCLE[:1]:
            paper.save(options.folder / f"{kind}.png")
        return
    reference, image = load_preview(options.reference_preview), load_preview(options.cycle_preview)
    cycle = Cycle(
        roi=options.roi,
        name=options.label,
        reference=options.reference,
        pixel_um=options.pixelSizeXY,
        plane_um=options.pixelSizeZ * options.zBinning,
        shift_yx=shift_of(read_global_row(options.global_shift)),
        blocks=blocks_of(read_local_table(local)) if local else None,
        tolerance_nm=tuple(options.tolerance_nm) if options.tolerance_nm else None,
    )
    pictures = {"before_after": before_after_picture(cycle, reference, image)}
    if cycle.blocks is not None:
        pictures |= {
            "details": details_picture(cycle, reference, image),
            "shifts": shift_maps_picture(cycle, image),
            "precision": precision_maps_picture(cycle, image),
            "quality": quality_maps_picture(cycle, image),
            "preprocessing": preprocessing_picture(cycle, reference, image),
        }
    for name, paper in pictures.items():
        paper.save(options.folder / f"{name}.png")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
