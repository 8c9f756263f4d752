"""Make the demo of the cross-modal chain: LM and EM tiles of three sections.

Out: images (TIFF), the stacks EM and LM in a folder of stacks, and a JSON file of where the EM
     tiles belong: the EM of each section is planted turned, scaled and moved.
"""

import argparse
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import tifffile

import find_crossreg  # noqa: F401
import planted_sections as planted
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.stack_store import section_stem
from crossreg.io.files import whole, write_json
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

VERSION = {
    "stackResolutionX": planted.NM_A_PIXEL,
    "stackResolutionY": planted.NM_A_PIXEL,
    "stackResolutionZ": planted.NM_A_SECTION,
}


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder to write the images to")
    parser.add_argument("--stacks", type=Path, required=True, help="folder of stacks to write to")
    parser.add_argument("--planted", type=Path, required=True, help="JSON file to write")
    return parser


def main(options: argparse.Namespace) -> None:
    """Make images, stacks and the planted truth."""
    store = FolderStore(options.stacks, "demo", "demo")
    for stack in (planted.LM_STACK, planted.EM_STACK):
        store.create(stack, VERSION)
    sections = {section_stem(z): make_section(z, store, options.images) for z in planted.SECTIONS}
    for stack in (planted.LM_STACK, planted.EM_STACK):
        store.complete(stack)
    write_json(options.planted, {"stack": planted.EM_STACK, "sections": sections})
    log.info("%d sections of '%s' and '%s'", len(sections), planted.LM_STACK, planted.EM_STACK)


def make_section(z: float, store: FolderStore, images: Path) -> dict[str, Any]:
    """Write the images and tile specs of a section; return what is planted in it."""
    specs: dict[str, dict[str, Any]] = {planted.LM_STACK: {}, planted.EM_STACK: {}}
    corners = {}
    for tile in planted.demo_tiles(z):
        path = images.absolute() / tile.stack / f"{tile.tile_id}.tif"
        with whole(path) as temporary:
            tifffile.imwrite(temporary, tile.image, photometric="minisblack")
        specs[tile.stack][tile.tile_id] = tile.spec(z, f"file:{quote(str(path))}")
        if tile.stack == planted.EM_STACK:
            corners[tile.tile_id] = tile.planted_corners().tolist()
    for stack, tiles in specs.items():
        store.upload_section(stack, z, planted.resolved(tiles))
    return {"z": z, "misalignment": planted.misalignment(z), "corners": corners}


if __name__ == "__main__":
    sys.exit(run(parser(), main))
