"""Projects from the frozen configuration: always the same bytes, created where there is none."""

from pathlib import Path
from typing import Any

from crossreg.crossmodal.freeze.canonical import sha256_of_bytes
from crossreg.crossmodal.freeze.frozen import Frozen, create_once, project_files, read_section
from crossreg.crossmodal.trakem2.fiji_script import SCRIPT_NAME, fiji_script
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.project_xml import Layer, Project, mipmaps_folder, project_xml
from crossreg.io.errors import UserError

# Every oid is unique in a project: layer set, then layers, then patches.
LAYER_SET_OID = 1
FIRST_LAYER_OID = 2

PROJECT_FORM = FORM_WITH_DISPLAY = 2
"""Recorded in frozen.json, so that projects frozen by an older release get the same bytes again."""

UNKNOWN_RESOLUTION = 1.0
"""nm; TrakEM2's own value for stacks that do not say theirs."""
RESOLUTION_KEYS = ("stackResolutionX", "stackResolutionY", "stackResolutionZ")


def project_layers(stacks: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the layers of a frozen configuration, one a stack in this order."""
    return [
        {"index": index, "stack": stack, "oid": FIRST_LAYER_OID + index}
        for index, stack in enumerate(stacks)
    ]


def first_patch_oid(layers: list[dict[str, Any]]) -> int:
    """Return the oid of the first patch of each project."""
    return FIRST_LAYER_OID + len(layers)


def project_bytes(frozen: Frozen, entry: dict[str, Any], record: dict[str, Any]) -> bytes:
    """Return the project of a section from frozen.json, its entry there, and its record."""
    version = frozen["stacks"][frozen["inputStack"]]["currentVersion"]
    x, y, z = (version.get(key) or UNKNOWN_RESOLUTION for key in RESOLUTION_KEYS)
    project = Project(
        title=entry["stem"],
        unuid=entry["unuid"],
        frozen=frozen["sha256"],
        section=entry["stem"],
        layer_set_oid=LAYER_SET_OID,
        width=frozen["layer"]["width"],
        height=frozen["layer"]["height"],
        pixel_size=(x, y, z),
        layers=tuple(Layer(**layer) for layer in frozen["layers"]),
        patches=tuple(map(Patch.from_record, record["patches"])),
        display=frozen.get("projectForm", 1) >= FORM_WITH_DISPLAY,
    )
    return project_xml(project)


def create_script(folder: Path, frozen: Frozen) -> bool:
    """Return whether the script for Fiji was created beside the projects; once, as they are."""
    drafts = [(entry["stem"], entry["draftSha256"]) for entry in frozen["sections"]]
    return create_once(folder / SCRIPT_NAME, fiji_script(folder, drafts))


def create_missing(folder: Path, frozen: Frozen) -> list[str]:
    """Return the stems of the sections whose project was created now: those that had none."""
    created = []
    for entry in frozen["sections"]:
        if not project_files(folder, entry["stem"]):
            data = project_bytes(frozen, entry, read_section(folder, entry))
            if sha256_of_bytes(data) != entry["draftSha256"]:
                raise UserError(
                    f"{folder}: this release of crossreg would create another project of section"
                    f" {entry['stem']} than the one that was frozen; restore it from a backup, or"
                    " freeze again under another name."
                )
            (folder / mipmaps_folder(entry["unuid"])).mkdir(parents=True, exist_ok=True)
            if create_once(folder / f"{entry['stem']}.xml", data):
                created.append(entry["stem"])
    return created
