"""Measure the global XY shift of one cycle of one ROI against the reference.

In: the cycle's and the reference's stacks and the reference's projection. Out: a table with
one row (ECSV): what is added to a position in the cycle to bring it to the reference, in px;
shift_x along rows of the image, shift_y along columns.

A shift given with --given is taken as it is; with --z-projections the two stacks are summed along
z and correlated once. If asked for, a small image of the cycle's projection is written, too, from
which its picture is drawn.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from crossreg.fiducial.experiment.parameter_options import add_options, add_pixel_size_options
from crossreg.fiducial.experiment.parameters import projected_planes
from crossreg.fiducial.global_shift.shift_of_projections import GlobalShift, global_shift
from crossreg.fiducial.global_shift.specimen import sampled_planes, shift_of_specimen
from crossreg.fiducial.projection import PROJECTION_PARAMETERS, described_projection
from crossreg.fiducial.verdict import REGISTERED, Evidence, Verdict, judged
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, new_table, write_table
from crossreg.io.ecsv import Table
from crossreg.io.images.which_stack import add_image_option, choice_of
from crossreg.io.intermediate_arrays import load_arrays, made_with
from crossreg.io.missing_notes import refuse_missing
from crossreg.io.read_stacks import (
    check_given_pixel_size,
    check_same_pixel_size,
    check_same_size,
    check_z_step,
    read_header,
    read_mean,
    read_projection,
    without_z_step,
    z_step_of,
)
from crossreg.pictures.of_cycles.previews import save_preview
from crossreg.pictures.of_cycles.stack_previews import projection_preview
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

PARAMETERS = ("alignByBlock", "blockSize", *PROJECTION_PARAMETERS)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__, outcome=True)
    parser.add_argument("--reference", type=Path, required=True, help="image file of the reference")
    add_image_option(parser, "reference")
    parser.add_argument("--cycle", type=Path, required=True, help="image file of the cycle")
    add_image_option(parser, "cycle")
    parser.add_argument("--roi", type=int, required=True, help="number of the ROI, for the table")
    parser.add_argument("--roi-name", help="name of the ROI, for the table (default: its number)")
    parser.add_argument("--label", required=True, help="name of the cycle, for the table")
    parser.add_argument("--output", type=Path, required=True, help="table to write (.ecsv)")
    parser.add_argument("--threads", type=int, default=1, help="threads to use (default: 1)")
    parser.add_argument("--preview", type=Path, help="small image for pictures to write (.npz)")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--reference-projection", type=Path, help="projection of the reference (.npy) to align to"
    )
    source.add_argument(
        "--z-projections", action="store_true", help="align the sums of the two stacks along z"
    )
    source.add_argument(
        "--given", type=float, nargs=2, metavar=("X", "Y"), help="take this shift (rows, columns)"
    )
    add_pixel_size_options(parser)
    add_options(parser, PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Check the two stacks, measure the shift, write the table."""
    refuse_missing(options.reference_projection)
    reference = read_header(options.reference, choice_of(options.reference_image))
    cycle = read_header(options.cycle, choice_of(options.cycle_image))
    check_same_size(reference, cycle, options.cycle)
    z_step = z_step_of(reference, cycle, options.pixel_size_z) if options.resample_z else 1.0
    if options.resample_z:
        check_z_step(z_step, options.cycle)
        cycle = without_z_step(cycle)
    if not options.ignore_pixel_sizes:
        has_distance = reference.shape_zyx[0] > 1
        size = options.pixel_size_xy, options.pixel_size_z if has_distance else None
        check_given_pixel_size(reference, *size, options.reference)
        check_given_pixel_size(cycle, *size, options.cycle)
        check_same_pixel_size(reference, cycle, options.cycle)

    def projected() -> np.ndarray:
        choice = choice_of(options.cycle_image)
        return described_projection(options, options.cycle, choice, z_step)

    image = None
    if options.given:
        # Nothing was measured, so there is no error, phase or height to tell.
        source, shift = "given", GlobalShift(tuple(options.given), *4 * (float("nan"),))
    elif options.z_projections:
        source, shift = "z-projection", from_z_projections(options)
        log.info(
            "ROI %s, cycle %s: global shift from the z-projections",
            options.roi_name or options.roi,
            options.label,
        )
    else:
        image = projected()
        source, shift = "computed", from_projections(image, z_step, options)
    log.info("shift (rows, columns): %.3f, %.3f px, %s", *shift.shift_yx, source)
    write_table(options.output, as_table(shift, source, z_step, options))
    if options.preview:
        if image is None:
            image = projected()
        save_preview(options.preview, projection_preview(image))


def from_projections(image: np.ndarray, z_step: float, options: argparse.Namespace) -> GlobalShift:
    """Return the shift of the cycle's projection; raise UserError if the reference's is another.

    A sum along z shows but what all planes share, so that nothing can be taken off it.
    """
    parameters = {key: vars(options)[key] for key in PROJECTION_PARAMETERS}
    expected = made_with(options.reference, parameters, options.reference_image)
    (projection,) = load_arrays(options.reference_projection, 1, expected)
    return shift_of_specimen(
        (projection, image),
        lambda: shared(z_step, options) if options.zProjectOption == "MIP" else (),
        align_by_block=options.alignByBlock,
        block_size=options.blockSize,
        threads=options.threads,
    )


def shared(z_step: float, options: argparse.Namespace) -> list[np.ndarray]:
    """Return what the planes of each stack share, (Y, X); nothing where one has too few."""
    stacks = [
        (options.reference, choice_of(options.reference_image), 1.0),
        (options.cycle, choice_of(options.cycle_image), z_step),
    ]
    planes = [
        sampled_planes(
            range(read_header(path, choice).shape_zyx[0])[projected_planes(vars(options), step)]
        )
        for path, choice, step in stacks
    ]
    if not all(planes):
        return []
    return [
        read_mean(path, chosen, choice)
        for (path, choice, _), chosen in zip(stacks, planes, strict=True)
    ]


def from_z_projections(options: argparse.Namespace) -> GlobalShift:
    """Return the shift of a cycle that a given table lacks: one correlation of the two sums."""
    return global_shift(
        read_projection(options.reference, "sum", choice=choice_of(options.reference_image)),
        read_projection(options.cycle, "sum", choice=choice_of(options.cycle_image)),
        align_by_block=False,
        threads=options.threads,
    )


def as_table(shift: GlobalShift, source: str, z_step: float, options: argparse.Namespace) -> Table:
    """Return the table with the cycle's one row: its verdict is that of the projections alone.

    A given shift is believed until the local step has seen the stacks.
    """
    verdict = Verdict(REGISTERED) if source == "given" else judged(Evidence(shift.log10_odds))
    values = {
        "aligned file": options.cycle.name,
        "reference file": options.reference.name,
        "shift_x": shift.shift_yx[0],
        "shift_y": shift.shift_yx[1],
        "error": shift.error,
        "diffphase": shift.diffphase,
        "ROI #": options.roi,
        "label": options.label,
        "ROI name": options.roi_name or str(options.roi),
        "source": source,
        "verdict": verdict.name,
        "reason": verdict.reason,
        "turn": shift.turn,
        "z_step": z_step,
    }
    return new_table(GLOBAL_COLUMNS, values)


if __name__ == "__main__":
    sys.exit(run(parser(), main, outputs=("output", "preview")))
