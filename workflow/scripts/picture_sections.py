"""Draw the sections that a person registered, before and after, and all of them together.

In:  the folder of a registration, FOLDER: its projects and FOLDER/frozen; the images of the
     tiles, as far as they are local files. Nothing of it is changed.
Out: a folder with a picture (PNG) of each section that was saved and can be read, and
     stack.png: shift, rotation and scale over the sections.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from crossreg.crossmodal.check.check_report import (
    Row,
    section_report,
    table_row,
    with_scores,
)
from crossreg.crossmodal.check.motion_summary import WRONG_SECTION
from crossreg.crossmodal.check.registration_options import add_project_policy, project_policy
from crossreg.crossmodal.check.saved_sections import SavedSection, saved_sections
from crossreg.crossmodal.freeze.frozen import Frozen, pixel_size, required_frozen
from crossreg.crossmodal.freeze.tile_images import read_pixels
from crossreg.crossmodal.render.stack_store import TILES
from crossreg.crossmodal.render.tile_specs import image_source, local_path
from crossreg.crossmodal.trakem2.patches import Patch, patch_corners
from crossreg.io.errors import UserError
from crossreg.pictures.canvas import save_png
from crossreg.pictures.low_resolution import (
    LowResolution,
    TileImage,
    as_low_resolution,
    box_around,
    drawn,
    unit_of,
)
from crossreg.pictures.sections import section_figure, stack_figure
from crossreg.workflow_support.command import log, new_parser, run

Drawings = tuple[LowResolution, LowResolution, LowResolution]
MOST_PIXELS = 500_000_000
"""Of all images of a section that is drawn with images: some seconds of reading from a disk."""
VALUES = {
    "shift_x": "shift in x [px]",
    "shift_y": "shift in y [px]",
    "rotation": "rotation [degrees]",
    "scale": "scale",
}
"""Columns of the table over sections that are drawn, with their labels."""

Corners = dict[Patch, np.ndarray]


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--registration", type=Path, required=True, metavar="FOLDER", help="folder of the projects"
    )
    add_project_policy(parser)
    parser.add_argument(
        "--pictures", type=Path, required=True, metavar="FOLDER", help="folder for the pictures"
    )
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw one section after the other, then all together."""
    frozen = required_frozen(options.registration)
    policy = project_policy(options)
    options.pictures.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for section in saved_sections(options.registration, frozen, policy):
        rows.append(table_row(section_report(section, (), pixel_size(frozen))))
        if section.checked.tiles:
            figure = picture_of_section(section, frozen)
            save_png(figure, options.pictures / f"{section.stem}.png")
    if any("moved_px" in row for row in rows):
        save_png(picture_of_stack(frozen, with_scores(rows)), options.pictures / "stack.png")
    else:
        log.info("'%s': no section is saved and sound; there is nothing to draw.", frozen["name"])


def picture_of_section(section: SavedSection, frozen: Frozen) -> Figure:
    """Return the picture of a saved section, with images if there are any."""
    states = states_of(section, frozen)
    patches = [patch for state in states for patch in state]
    several = len({patch.stack for patch in states[0]}) > 1
    names = {p: f"{p.stack} {p.tile_id}" if several else p.tile_id for p in patches}
    fixed, before, after = (
        {names[patch]: corners for patch, corners in state.items()} for state in states
    )
    title = f"{frozen['name']}: section {section.stem} (z = {section.z:g})"
    return section_figure(
        title + (", with errors" if section.checked.faulty else ""),
        fixed,
        before,
        after,
        drawings(section, states),
    )


def states_of(section: SavedSection, frozen: Frozen) -> tuple[Corners, Corners, Corners]:
    """Return the corners of LM tiles, and of EM tiles before and after, in the frame of stacks."""
    origin = np.array([frozen["bounds"]["minX"], frozen["bounds"]["minY"]])
    patches = map(Patch.from_record, section.record["patches"])
    fixed = {p: patch_corners(p) + origin for p in patches if p.stack != frozen["inputStack"]}
    before = {tile.patch: patch_corners(tile.patch) + origin for tile in section.checked.tiles}
    after = {tile.patch: tile.corners() + origin for tile in section.checked.tiles}
    return fixed, before, after


def drawings(section: SavedSection, states: Sequence[Corners]) -> Drawings | None:
    """Return LM tiles, EM tiles before and after as images; None if there is no image to read."""
    box = box_around(corners for state in states for corners in state.values())
    images = images_of(section, states[0] | states[1], unit_of(box))
    if not images:
        return None
    fixed, before, after = (
        drawn([(images[p], corners) for p, corners in state.items() if p in images], box)
        for state in states
    )
    (lm,), (em_before, em_after) = (
        as_low_resolution(images, box) for images in ([fixed], [before, after])
    )
    return lm, em_before, em_after


def images_of(section: SavedSection, tiles: Corners, unit: float) -> dict[Patch, TileImage]:
    """Return the images of tiles as far as they are local files, with pixels of about `unit`."""
    if sum(patch.o_width * patch.o_height for patch in tiles) > MOST_PIXELS:
        log.info("section %s: too many pixels; only outlines are drawn.", section.stem)
        return {}
    images = {}
    for patch, corners in tiles.items():
        spec = section.record["resolvedTiles"][patch.stack][TILES][patch.tile_id]
        path = local_path(image_source(spec, patch.tile_id).url)
        try:
            pixels = read_pixels(path) if path else None
        except FileNotFoundError:
            pixels = None
        except UserError as error:
            log.warning("%s", error)
            pixels = None
        if pixels is not None:
            grey = pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=-1)
            world = np.linalg.norm(corners[1] - corners[0]) / patch.o_width
            images[patch] = TileImage(grey, (patch.min, patch.max)).reduced(int(unit / world))
    return images


def picture_of_stack(frozen: Frozen, rows: Sequence[Row]) -> Figure:
    """Return the picture of all sections; those that did not move leave gaps."""
    values = {
        label: np.array([row.get(column, math.nan) for row in rows])
        for column, label in VALUES.items()
    }
    wrong = [row["section"] for row in rows if row.get("score", 0.0) > WRONG_SECTION]
    title = f"{frozen['name']}: EM tiles of {len(rows)} sections, median a section"
    return stack_figure(title, [row["section"] for row in rows], values, wrong)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
