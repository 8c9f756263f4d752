"""Write a new stack with one affine map appended to the transforms of every tile.

In:  a stack in a folder or a Render web service, and the affine
     x' = M00 x + M01 y + B0, y' = M10 x + M11 y + B1 (px).
Out: another stack in the same place. Its resolution is divided by the square root of the
     determinant. Each section is read back and compared; the stack is COMPLETE only when all
     is there. A run that stopped is continued by the same command.
"""

import argparse
import sys

from crossreg.crossmodal.affine import affine
from crossreg.crossmodal.freeze.canonical import sha256
from crossreg.crossmodal.registered.write_stack import marked_version, write_stack
from crossreg.crossmodal.render.global_affine import appended_to_all, scaled_version
from crossreg.crossmodal.render.stack_places import FORMS, check_folder, open_store
from crossreg.crossmodal.render.stack_store import read_sections, source_metadata
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

MATRIX = {"M00": 1.0, "M10": 0.0, "M01": 0.0, "M11": 1.0, "B0": 0.0, "B1": 0.0}
"""The numbers of the affine in the order of an AffineModel2D, with their defaults."""


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    options = new_parser(__doc__)
    options.add_argument("--stacks", required=True, metavar="PLACE", help=f"the place: {FORMS}")
    options.add_argument("--input-stack", required=True, help="name of the stack to map")
    options.add_argument("--output-stack", required=True, help="name of the new stack")
    for name, default in MATRIX.items():
        options.add_argument(
            f"--{name}",
            type=float,
            default=default,
            help=f"number of the affine, default {default}; write --{name}=-1e-3 if negative",
        )
    options.add_argument("--zmin", type=float, help="first section to take; default: the first")
    options.add_argument("--zmax", type=float, help="last section to take; default: the last")
    options.add_argument(
        "--overwrite", action="store_true", help="replace a stack of that name by the new one"
    )
    options.add_argument(
        "--allow-loading", action="store_true", help="map a stack that is still being written"
    )
    return options


def main(options: argparse.Namespace) -> None:
    """Write the new stack."""
    matrix = affine([getattr(options, name) for name in MATRIX])
    store = open_store(options.stacks)
    check_folder(store, "stacks")
    metadata = source_metadata(store, options.input_stack, options.allow_loading)
    store = open_store(options.stacks, metadata.get("stackId"))
    request = [options.input_stack, matrix, options.zmin, options.zmax]
    version = scaled_version(metadata["currentVersion"], matrix)
    mark = f"crossreg apply_global_affine {sha256(request)}"
    sections = read_sections(store, options.input_stack, options.zmin, options.zmax)
    written = write_stack(
        store,
        options.output_stack,
        marked_version({"currentVersion": version}, mark),
        mark,
        ((z, appended_to_all(tiles, matrix)) for z, tiles in sections),
        inputs=[options.input_stack],
        hierarchical=metadata.get("hierarchicalData"),
        overwrite=options.overwrite,
    )
    log.info("%s", written.sentence())


if __name__ == "__main__":
    sys.exit(run(parser(), main))
