"""The projection of a stack along z that the parameters describe."""

import argparse
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from crossreg.fiducial.experiment.parameters import projected_planes, spelt_planes
from crossreg.io.images.which_stack import Choice
from crossreg.io.read_stacks import read_projection

PROJECTION_PARAMETERS = ("mode", "zProjectOption", "zmin", "zmax")
"""The parameters that say which planes are projected, and how."""


def described_projection(
    options: argparse.Namespace, path: Path, choice: Choice, z_step: float = 1.0
) -> NDArray[Any]:
    """Return the projection (Y, X) of a stack by a command's options; errors as `read_projection`.

    The options are those that `add_options` adds for PROJECTION_PARAMETERS. The planes are `z_step`
    planes of the reference apart.
    """
    return read_projection(
        path,
        options.zProjectOption,
        projected_planes(vars(options), z_step),
        choice=choice,
        key=spelt_planes(options.written_in),
    )
