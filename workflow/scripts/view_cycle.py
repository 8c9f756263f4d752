"""Show a cycle on the reference in napari, with the blocks coloured by the error of their shift.

In: the results folder, a ROI and a cycle. Reference (green) and registered cycle (magenta) appear
in the grid of the reference, in micrometres; a block is bright where its shift is uncertain. Needs
napari, which is not installed with crossreg: pip install "napari[all]".
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from crossreg import load_registration
from crossreg.fiducial.experiment.parameters import add_options
from crossreg.io.errors import UserError
from crossreg.io.images.choice import choice_of
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.io.stacks import read_kept_planes
from crossreg.registration import Registration
from crossreg.workflow_support.command import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the results")
    parser.add_argument("--roi", required=True, help="name of the ROI")
    parser.add_argument("--cycle", required=True, help="name of the cycle")
    parser.add_argument("--threads", type=int, default=2, help="threads to use (default: 2)")
    add_options(parser, ("pixelSizeXY", "pixelSizeZ"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Load, register, show."""
    try:
        import napari
    except ImportError:
        raise UserError(
            'napari is not installed; install it with: pip install "napari[all]".'
        ) from None
    show(napari.Viewer(title=f"ROI {options.roi} {options.cycle}"), options)
    napari.run()


def show(viewer: Any, options: argparse.Namespace) -> None:
    """Show the reference, the registered cycle and the blocks in a viewer."""
    found = load_registration(options.results, options.roi, options.cycle)
    field = found.cycle_field
    samples = {
        Path(sample.path).name: sample
        for sample in read_sheet(options.results / "samples.tsv", ALL_COLUMNS)
    }
    stacks = []
    for name in (field.reference_file, field.cycle_file):
        if name not in samples:
            raise UserError(f"{options.results}: samples.tsv has no stack {name}; run again.")
        sample = samples[name]
        choice = choice_of(sample.image)
        stacks.append(read_kept_planes(sample.path, field.z_binning, choice=choice))
    scale = (options.pixelSizeZ * field.z_binning, options.pixelSizeXY, options.pixelSizeXY)
    looks: dict[str, Any] = {"scale": scale, "blending": "additive"}
    viewer.add_image(stacks[0], name="reference", colormap="green", **looks)
    registered = found.warp(stacks[1], options.threads)
    viewer.add_image(registered, name=f"{options.cycle}, registered", colormap="magenta", **looks)
    viewer.add_image(
        sigma_map(found), name="sigma of the blocks (px)", colormap="inferno", opacity=0.4, **looks
    )


def sigma_map(found: Registration) -> np.ndarray:
    """Return an image (1, Y, X) with the larger standard error in the plane (px) of each block."""
    table = found.table()
    edge, (_, rows, columns) = found.cycle_field.block_size_xy, found.cycle_field.shape_zyx
    sigma = np.maximum(table["sigma_row"], table["sigma_column"])
    grid = np.asarray(sigma, np.float32).reshape(found.cycle_field.status.shape)
    return np.kron(grid, np.ones((edge, edge), np.float32))[None, :rows, :columns]


if __name__ == "__main__":
    sys.exit(run(parser(), main))
