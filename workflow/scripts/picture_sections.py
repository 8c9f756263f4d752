"""Draw the sections that a person registered, before and after, and all of them together.

In:  the folder of a registration, FOLDER: its projects and FOLDER/frozen; the images of the
     tiles, as far as they are local files. Nothing of it is changed.
Out: a folder with a picture (PNG) of each section that was saved and can be read, or starts from
     another registration, and stack.png: shift, rotation and scale over the sections.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.motion.registered_tile import RegisteredTile
from crossreg.crossmodal.check.registration_options import (
    add_project_policy,
    add_reports,
    project_policy,
)
from crossreg.crossmodal.check.saved_sections import Registration
from crossreg.crossmodal.check.stack_findings import compared
from crossreg.crossmodal.freeze.frozen import required_frozen
from crossreg.crossmodal.freeze.records import Frozen, FrozenSection
from crossreg.crossmodal.freeze.tile_images import read_pixels
from crossreg.crossmodal.render.stack_store import TILES
from crossreg.crossmodal.render.tile_specs import image_source, local_path
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.project_files import UNTOUCHED
from crossreg.io.errors import UserError
from crossreg.pictures.drawing.canvas import save_png
from crossreg.pictures.of_sections.low_resolution import (
    LowResolution,
    TileImage,
    as_low_resolution,
    box_around,
    drawn,
    unit_of,
)
from crossreg.pictures.of_sections.section_figures import Residuals, section_figure, stack_figure
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

MOST_PIXELS = 500_000_000
"""Of all images of a section that is drawn with images: some seconds of reading from a disk."""
VALUES = {
    "shift_x": "shift in x [px]",
    "shift_y": "shift in y [px]",
    "rotation": "rotation [degrees]",
    "scale": "scale",
}
"""What is drawn of the motion of a section, with its label."""

Corners = dict[Patch, np.ndarray]


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--registration", type=Path, required=True, metavar="FOLDER", help="folder of the projects"
    )
    add_project_policy(parser)
    add_reports(parser)
    parser.add_argument(
        "--pictures", type=Path, required=True, metavar="FOLDER", help="folder for the pictures"
    )
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw one section after the other, then all together."""
    frozen = required_frozen(options.registration)
    policy = project_policy(options)
    options.pictures.mkdir(parents=True, exist_ok=True)
    registration = Registration(options.registration, frozen, policy, options.reports)
    sections: list[Section] = []
    for one, section in registration.sections():
        sections.append(section.summary())
        tiles = section.tiles or unconfirmed_tiles(one, section)
        if tiles:
            figure = picture_of_section(frozen, one, section, tiles)
            save_png(figure, options.pictures / f"{section.section}.png")
    if any(section.motion is not None for section in sections):
        save_png(picture_of_stack(frozen, compared(sections)), options.pictures / "stack.png")
    else:
        log.info("'%s': no section is saved and sound; there is nothing to draw.", frozen.name)


def unconfirmed_tiles(frozen: FrozenSection, section: Section) -> tuple[RegisteredTile, ...]:
    """Return the EM tiles of an untouched section where they start, if not at the stage."""
    if section.state != UNTOUCHED or not section.start:
        return ()
    patches = (patch for patch in frozen.patches if frozen.is_em(patch))
    return tuple(RegisteredTile(patch, patch.matrix, (), patch.box) for patch in patches)


def picture_of_section(
    frozen: Frozen, one: FrozenSection, section: Section, tiles: Sequence[RegisteredTile]
) -> Figure:
    """Return the picture of a section, with images if there are any."""
    fixed, states = fixed_tiles(frozen, one), states_of(frozen, section, tiles)
    patches = [patch for state in (fixed, *states.values()) for patch in state]
    several = len({patch.stack for patch in fixed}) > 1
    names = {p: f"{p.stack} {p.tile_id}" if several else p.tile_id for p in patches}

    def named(state: Corners) -> dict[str, np.ndarray]:
        return {names[patch]: corners for patch, corners in state.items()}

    title = f"{frozen.name}: section {one.section} (z = {one.z:g})"
    title += f", start {section.start_in_words}" if section.start else ""
    return section_figure(
        title + (", with errors" if section.faulty else ""),
        named(fixed),
        {name: named(state) for name, state in states.items()},
        drawings(one, [fixed, *states.values()]),
        residuals_of(section),
    )


def fixed_tiles(frozen: Frozen, section: FrozenSection) -> Corners:
    """Return the corners of LM tiles in the frame of stacks."""
    origin = np.array(frozen.origin)
    return {p: p.corners + origin for p in section.patches if not section.is_em(p)}


def states_of(
    frozen: Frozen, section: Section, tiles: Sequence[RegisteredTile]
) -> dict[str, Corners]:
    """Return the corners of EM tiles in the frame of stacks: before, at the start, and after."""
    origin = np.array(frozen.origin)
    states = {"Before": {tile.patch: tile.patch.stage_corners + origin for tile in tiles}}
    if section.start:
        start = {tile.patch: tile.patch.corners + origin for tile in tiles}
        states["Start" if section.saved else "Start, not confirmed"] = start
    if section.saved:
        states["After"] = {tile.patch: tile.corners + origin for tile in tiles}
    return states


def residuals_of(section: Section) -> Residuals | None:
    """Return how the landmarks of a section fit, None if it has none."""
    fit = section.landmarks
    if fit is None:
        return None
    points = np.array([one.fixed for one in fit.landmarks])
    return Residuals(points, np.array(fit.residuals), np.array(fit.contradicted))


def drawings(section: FrozenSection, states: Sequence[Corners]) -> list[LowResolution] | None:
    """Return LM tiles and each state of EM tiles as images; None if there is no image to read."""
    box = box_around(corners for state in states for corners in state.values())
    images = images_of(section, states[0] | states[1], unit_of(box))
    if not images:
        return None
    fixed, *moved = (
        drawn([(images[p], corners) for p, corners in state.items() if p in images], box)
        for state in states
    )
    return [*as_low_resolution([fixed], box), *as_low_resolution(moved, box)]


def images_of(section: FrozenSection, tiles: Corners, unit: float) -> dict[Patch, TileImage]:
    """Return the images of tiles as far as they are local files, with pixels of about `unit`."""
    if sum(patch.o_width * patch.o_height for patch in tiles) > MOST_PIXELS:
        log.info("section %s: too many pixels; only outlines are drawn.", section.section)
        return {}
    images = {}
    for patch, corners in tiles.items():
        spec = section.tiles[patch.stack][TILES][patch.tile_id]
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


def picture_of_stack(frozen: Frozen, sections: Sequence[Section]) -> Figure:
    """Return the picture of all sections; those that did not move leave gaps."""
    values = {
        label: np.array(
            [math.nan if one.motion is None else getattr(one.motion, name) for one in sections]
        )
        for name, label in VALUES.items()
    }
    wrong = [one.section for one in sections if one.apart]
    title = f"{frozen.name}: EM tiles of {len(sections)} sections, median per section"
    return stack_figure(title, [one.section for one in sections], values, wrong)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
