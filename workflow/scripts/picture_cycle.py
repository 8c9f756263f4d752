"""Draw the pictures of one cycle of one ROI.

In: the previews of the reference and of the cycle, the table of the cycle's global shift and,
with a local step, the table of its local shifts. Out: before_after.png and, with a local step,
details.png, shifts.png, quality.png and preprocessing.png.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameters import add_options
from crossreg.io.tables import read_global_row, read_local_table
from crossreg.pictures.before_after import before_after_figure
from crossreg.pictures.canvas import save_png
from crossreg.pictures.cycle import Cycle, blocks_of, shift_of
from crossreg.pictures.details import details_figure
from crossreg.pictures.preprocessing import preprocessing_figure
from crossreg.pictures.previews import load_preview
from crossreg.pictures.quality_maps import quality_maps_figure
from crossreg.pictures.shift_maps import shift_maps_figure
from crossreg.workflow_support.command import new_parser, run

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
    add_options(parser, PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, draw, write."""
    reference, image = load_preview(options.reference_preview), load_preview(options.cycle_preview)
    local = options.local_shifts
    cycle = Cycle(
        roi=options.roi,
        name=options.label,
        reference=options.reference,
        pixel_um=options.pixelSizeXY,
        plane_um=options.pixelSizeZ * options.zBinning,
        shift_yx=shift_of(read_global_row(options.global_shift)),
        blocks=blocks_of(read_local_table(local)) if local else None,
    )
    save_png(before_after_figure(cycle, reference, image), options.folder / "before_after.png")
    if cycle.blocks is not None:
        save_png(details_figure(cycle, reference, image), options.folder / "details.png")
        save_png(shift_maps_figure(cycle, image), options.folder / "shifts.png")
        save_png(quality_maps_figure(cycle, image), options.folder / "quality.png")
        save_png(
            preprocessing_figure(cycle, reference, image), options.folder / "preprocessing.png"
        )


if __name__ == "__main__":
    sys.exit(run(parser(), main))
