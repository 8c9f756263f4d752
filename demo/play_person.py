"""Play the person of the demo: move the EM tiles to where they belong, and save as TrakEM2 does.

In:  the projects of the demo as created, and the JSON file of where the EM tiles belong.
Out: the same projects, saved. No target of the workflow does this; projects that were saved
     already are left alone. For your own sections, open the projects in TrakEM2 instead.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import find_crossreg  # noqa: F401
from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine
from crossreg.crossmodal.freeze.frozen import read_frozen, read_section
from crossreg.crossmodal.freeze.records import Bounds
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.project_files import UNTOUCHED, project_state
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, whole
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run
from saved_by_trakem2 import saved_by_trakem2


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--registration",
        type=Path,
        default=Path("trakem2_registered/demo"),
        metavar="FOLDER",
        help="folder of the projects (default: the demo's)",
    )
    parser.add_argument(
        "--planted",
        type=Path,
        default=Path("demo/data/crossmodal/planted.json"),
        metavar="FILE",
        help="where the tiles belong (default: the demo's)",
    )
    return parser


def main(options: argparse.Namespace) -> None:
    """Move the tiles of all projects as created, and save."""
    frozen = read_frozen(options.registration)
    if frozen is None:
        raise UserError(
            f"{options.registration}: there are no projects; run the target trakem2_projects first."
        )
    planted = read_json(options.planted)["sections"]
    for entry in frozen.sections:
        path = options.registration / f"{entry.stem}.xml"
        state = project_state(options.registration, entry.stem, entry.draft_sha256)
        if state != UNTOUCHED or not path.is_file():
            log.info("%s: not as created; left alone.", path)
            continue
        section = read_section(options.registration, frozen, entry)
        em = [patch for patch in section.patches if section.is_em(patch)]
        moved = moved_matrices(em, planted[entry.stem], frozen.bounds)
        folder = str(path.absolute().parent)
        with whole(path) as temporary:
            temporary.write_bytes(saved_by_trakem2(path.read_bytes(), moved, folder))
        log.info("%s: %d EM tiles moved, saved.", path, len(moved))


def moved_matrices(
    patches: list[Patch], planted: dict[str, Any], bounds: Bounds
) -> dict[int, Affine]:
    """Return oid -> matrix after a section's misalignment is undone, in the frame of projects."""
    undo = affine.invert(affine.affine(planted["misalignment"]))
    to_project = affine.translation(-bounds["minX"], -bounds["minY"])
    motion = affine.compose(to_project, undo, affine.invert(to_project))
    return {patch.oid: affine.compose(motion, patch.matrix) for patch in patches}


if __name__ == "__main__":
    sys.exit(run(parser(), main))
