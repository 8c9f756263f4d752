"""Projects from the frozen configuration: always the same bytes, created where there is none."""

from pathlib import Path

from crossreg.crossmodal.freeze.canonical import sha256_of_bytes
from crossreg.crossmodal.freeze.frozen import read_section
from crossreg.crossmodal.freeze.records import Frozen, FrozenSection, SectionEntry
from crossreg.crossmodal.trakem2.fiji_script import SCRIPT_NAME, fiji_script
from crossreg.crossmodal.trakem2.project_files import create_once, project_files
from crossreg.crossmodal.trakem2.project_xml import Layer, Project, mipmaps_folder, project_xml
from crossreg.io.errors import UserError

# Every oid is unique in a project: layer set, then layers, then patches.
LAYER_SET_OID = 1
FIRST_LAYER_OID = 2

PROJECT_FORM = FORM_WITH_DISPLAY = 2
"""Recorded in frozen.json, so that projects frozen by an older release get the same bytes again."""

UNKNOWN_RESOLUTION = 1.0
"""nm; TrakEM2's own value for stacks that do not say theirs."""


def project_layers(stacks: tuple[str, ...]) -> tuple[Layer, ...]:
    """Return the layers of a frozen configuration, one per stack in this order."""
    return tuple(Layer(index, stack, FIRST_LAYER_OID + index) for index, stack in enumerate(stacks))


def first_patch_oid(layers: tuple[Layer, ...]) -> int:
    """Return the oid of the first patch of each project."""
    return FIRST_LAYER_OID + len(layers)


def project_bytes(frozen: Frozen, entry: SectionEntry, section: FrozenSection) -> bytes:
    """Return the project of a section from frozen.json, its entry there, and its record."""
    x, y, z = (size or UNKNOWN_RESOLUTION for size in frozen.resolution)
    project = Project(
        title=entry.stem,
        unuid=entry.unuid,
        frozen=frozen.sha256,
        section=entry.stem,
        layer_set_oid=LAYER_SET_OID,
        width=section.width,
        height=section.height,
        pixel_size=(x, y, z),
        layers=section.layers,
        patches=section.patches,
        display=frozen.project_form >= FORM_WITH_DISPLAY,
    )
    return project_xml(project)


def create_script(folder: Path, frozen: Frozen) -> bool:
    """Return whether the script for Fiji was created beside the projects; once, as they are."""
    drafts = [(entry.stem, entry.draft_sha256) for entry in frozen.sections]
    return create_once(folder / SCRIPT_NAME, fiji_script(folder, drafts))


def create_missing(folder: Path, frozen: Frozen) -> list[str]:
    """Return the stems of the sections whose project was created now: those that had none."""
    created = []
    for entry in frozen.sections:
        if not project_files(folder, entry.stem):
            data = project_bytes(frozen, entry, read_section(folder, frozen, entry))
            if sha256_of_bytes(data) != entry.draft_sha256:
                raise UserError(
                    f"{folder}: this release of crossreg would create another project of section"
                    f" {entry.stem} than the one that was frozen; restore it from a backup, or"
                    " freeze again under another name."
                )
            (folder / mipmaps_folder(entry.unuid)).mkdir(parents=True, exist_ok=True)
            if create_once(folder / f"{entry.stem}.xml", data):
                created.append(entry.stem)
    return created
