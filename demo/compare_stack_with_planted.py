"""Say how far the corners of the demo's EM tiles are from where they were planted.

In:  the stacks before and after the registration by hand, which the parameter file names, and
     the JSON file of the planted corners. Out: a few lines of text.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

import find_crossreg  # noqa: F401
from crossreg.crossmodal.freeze.parameters import read_parameters
from crossreg.crossmodal.render.stack_places import store_of
from crossreg.crossmodal.render.stack_store import TILES, TRANSFORMS, StackStore
from crossreg.crossmodal.render.tile_specs import tile_corners
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, write_text
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument("--parameters", type=Path, required=True, help="the JSON parameter file")
    parser.add_argument("--stacks", type=Path, required=True, help="folder of stacks")
    parser.add_argument("--planted", type=Path, required=True, help="JSON file of planted corners")
    parser.add_argument("--output", type=Path, required=True, help="text to write")
    return parser


def main(options: argparse.Namespace) -> None:
    """Compare both stacks and write."""
    parameters = read_parameters(options.parameters)
    store = store_of(parameters, options.stacks, str(options.parameters))
    planted = read_json(options.planted)["sections"]
    lines = ["Corners of EM tiles against where they were planted (px):"]
    if parameters.output_stack is None:
        raise UserError(f"{options.parameters}: the key 'outputStack' is missing; add it.")
    for stack in (parameters.input_stack, parameters.output_stack):
        errors = np.concatenate(list(distances(store, stack, planted).values()))
        rms = np.sqrt((errors**2).mean())
        lines.append(f"{stack}: {len(errors)} corners, rms {rms:.3g}, worst {errors.max():.3g}")
    for line in lines:
        log.info("%s", line)
    write_text(options.output, "\n".join([*lines, ""]))


def distances(
    store: StackStore, stack: str, planted: dict[str, dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Return tileId -> how far its four corners are from the planted ones, in px.

    Raises UserError if the stack has not just the planted tiles.
    """
    found = {}
    for section in planted.values():
        tiles = store.section(stack, section["z"])
        if tiles[TILES].keys() != section["corners"].keys():
            raise UserError(
                f"{store.place}: section z = {section['z']} of stack '{stack}' has not just the"
                " tiles of the demo; write it again with the target trakem2_import."
            )
        for tile_id, corners in section["corners"].items():
            spec = tiles[TILES][tile_id]
            difference = tile_corners(spec, tiles[TRANSFORMS], f"tile {tile_id}") - corners
            found[tile_id] = np.hypot(*difference.T)
    return found


if __name__ == "__main__":
    sys.exit(run(parser(), main))
