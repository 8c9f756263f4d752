"""Write the motions of a registration by hand as landmarks that BigWarp imports.

In:  the folder of a registration, FOLDER: its projects, tables of landmarks and FOLDER/frozen.
     Nothing of it is changed.
Out: one table for each section that is saved without errors, 00042.csv for z = 42: the corners of
     the EM tiles, moving at the stage position, fixed where the registration put them. Where a
     section was registered by landmarks, those themselves.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from crossreg.crossmodal.check.checked_section import Landmark, Section
from crossreg.crossmodal.check.landmarks.bigwarp_tables import landmark_rows, unit_px
from crossreg.crossmodal.check.motion.motion_table import TileMap
from crossreg.crossmodal.check.registration_options import add_project_policy, project_policy
from crossreg.crossmodal.check.saved_sections import Registration
from crossreg.crossmodal.freeze.frozen import required_frozen
from crossreg.crossmodal.freeze.sections_and_box import listed
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.io.plurals import counted
from crossreg.workflow_support.for_scripts.chosen_outputs import (
    add_overwrite,
    check_absent,
    check_not_beside,
)
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--registration", type=Path, required=True, metavar="FOLDER", help="folder of the projects"
    )
    add_project_policy(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="folder for the tables"
    )
    add_overwrite(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Write one table per section."""
    frozen = required_frozen(options.registration)
    check_not_beside(options.output / "any")
    for entry in frozen.sections:
        check_absent(options.output / f"{entry.stem}.csv", options.overwrite)
    policy = project_policy(options)
    px = unit_px(policy.landmark_units, frozen.pixel_size)
    count = 0
    faulty: list[float] = []
    unsaved: list[float] = []
    for _, section in Registration(options.registration, frozen, policy).sections():
        if section.tiles and not section.faulty:
            rows = landmark_rows(list(landmarks_of(section, frozen.origin)), px)
            text = "".join(f"{row}\n" for row in rows)
            write_text(options.output / f"{section.section}.csv", text)
            count += 1
        else:
            (faulty if section.faulty else unsaved).append(section.z)
    if faulty:
        log.warning(
            "%s: no landmarks of the sections with errors, z = %s; see trakem2_check.",
            options.output,
            listed(faulty),
        )
    if unsaved:
        log.info("%s: not saved yet: z = %s.", options.output, listed(unsaved))
    if not count:
        raise UserError(f"{options.registration}: no section is saved without errors.")
    log.info("%s: landmarks of %s.", options.output, counted(count, "section"))


def landmarks_of(section: Section, origin: tuple[float, float]) -> Iterator[Landmark]:
    """Yield the landmarks of a section: a person's own, else the corners of its tiles."""
    if section.landmarks is not None:
        yield from section.landmarks.landmarks
        return
    for tile in section.tiles:
        one = TileMap(tile, origin)
        pairs = zip(one.outline(False).tolist(), one.outline(True).tolist(), strict=True)
        for number, ((x, y), (u, v)) in enumerate(pairs):
            yield Landmark(f"{tile.patch.tile_id}-{number}", (x, y), (u, v))


if __name__ == "__main__":
    sys.exit(run(parser(), main))
