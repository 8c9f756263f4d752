"""Show a cycle on the reference in napari, with the blocks coloured by the error of their shift.

In: the results folder, a ROI and a cycle. Reference (magenta) and registered cycle (green) appear
in the grid of the reference, in micrometres, and are white where they agree; a block is the
brighter the more uncertain its shift is. Needs napari, which is not installed with crossreg:
pip install "napari[all]".
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from crossreg import load_registration
from crossreg.fiducial.experiment.roi_numbers import roi_called
from crossreg.fiducial.experiment.sample import Sample
from crossreg.fiducial.field.field_file import CycleField
from crossreg.io.errors import UserError
from crossreg.io.read_stacks import read_kept_planes
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.registration import Registration
from crossreg.workflow_support.for_scripts.script_main import new_parser, run

DARKEST, BRIGHTEST = 90, 99.95
"""Percentiles of the grey values that are shown black and in full colour: background is uneven,
and spots are few."""
MOST_VALUES = 1_000_000
"""Grey values that the percentiles are taken of."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the results")
    parser.add_argument("--roi", required=True, help="name of the ROI")
    parser.add_argument("--cycle", required=True, help="name of the cycle")
    parser.add_argument("--threads", type=int, default=2, help="threads to use (default: 2)")
    return parser


def main(options: argparse.Namespace) -> None:
    """Load, register, show."""
    try:
        import napari
    except ImportError:
        raise UserError(
            'napari is not installed; install it with: pip install "napari[all]".'
        ) from None
    show(napari.Viewer(title=f"ROI {options.roi}, cycle {options.cycle}"), options)
    napari.run()


def show(viewer: Any, options: argparse.Namespace) -> None:
    """Show the reference, the registered cycle and the blocks in a viewer."""
    found = load_registration(options.results, options.roi, options.cycle)
    field = found.cycle_field
    stacks = []
    for sample in samples_of(options, field):
        choice = sample.choice
        stacks.append(read_kept_planes(sample.path, field.z_binning, choice=choice))
    shown = {"reference": stacks[0]}
    shown[f"{options.cycle}, registered"] = found.warp(stacks[1], options.threads)
    # Without a size of pixels, planes and px count alike.
    size = found.pixel_size_um or (1.0, 1.0, 1.0)
    unit = "um" if found.pixel_size_um else "pixel"
    for (name, stack), colour in zip(shown.items(), ("magenta", "green"), strict=True):
        viewer.add_image(
            stack,
            name=name,
            colormap=colour,
            blending="additive",
            scale=size,
            units=3 * (unit,),
            contrast_limits=contrast(stack),
        )
    sigma, sigma_unit = sigma_map(found)
    viewer.add_image(
        sigma,
        name=f"sigma of the blocks ({sigma_unit})",
        colormap="inferno",
        blending="additive",
        opacity=0.25,
        scale=size[1:],
        units=2 * (unit,),
    )
    viewer.dims.axis_labels = ("z", "row", "column")
    viewer.scale_bar.visible = True


def samples_of(options: argparse.Namespace, field: CycleField) -> list[Sample]:
    """Return the reference and the cycle; raise UserError if one is no longer in samples.tsv.

    Files of other ROIs and cycles may have the same name, in other folders.
    """
    listed = read_sheet(options.results / "samples.tsv", ALL_COLUMNS)
    roi = roi_called(options.roi, {sample.roi for sample in listed})
    samples = {sample.cycle: sample for sample in listed if sample.roi == roi}
    fields = options.results / "fields" / str(roi)
    references = [one for one in samples if not (fields / f"{one}.npz").is_file()]
    found = []
    for cycles, name in ((references, field.reference_file), ([options.cycle], field.cycle_file)):
        named = [one for one in cycles if one in samples and Path(samples[one].path).name == name]
        if not named:
            raise UserError(
                f"{options.results}: samples.tsv has no stack {name} of ROI {options.roi}; run"
                " again."
            )
        found.append(samples[named[0]])
    return found


def contrast(stack: np.ndarray) -> tuple[float, float]:
    """Return the grey values of a stack that are shown black and in full colour.

    What the cycle does not show is 0, and counts for neither.
    """
    values = stack.ravel()[:: max(1, stack.size // MOST_VALUES)]
    low, high = np.percentile(values[values > 0], (DARKEST, BRIGHTEST))
    return float(low), float(max(high, low + 1))


def sigma_map(found: Registration) -> tuple[np.ndarray, str]:
    """Return an image (Y, X) with the larger standard error in the plane of each block, its unit.

    It has no planes, so that a viewer shows it in all of them.
    """
    table = found.table()
    suffix, unit = ("_nm", "nm") if found.pixel_size_um else ("", "px")
    edge, (_, rows, columns) = found.cycle_field.block_size_xy, found.cycle_field.shape_zyx
    sigma = np.maximum(table[f"sigma_row{suffix}"], table[f"sigma_column{suffix}"])
    grid = np.asarray(sigma, np.float32).reshape(found.cycle_field.status.shape)
    return np.kron(grid, np.ones((edge, edge), np.float32))[:rows, :columns], unit


if __name__ == "__main__":
    sys.exit(run(parser(), main))
