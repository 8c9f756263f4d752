"""Projects from the frozen configuration: always the same bytes, created where there is none."""

from pathlib import Path
from typing import Any

from crossreg.crossmodal.freeze.frozen import Frozen, create_once, project_files, read_section
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.project_xml import Layer, Project, project_xml

# Every oid is unique in a project: layer set, then layers, then patches.
LAYER_SET_OID = 1
FIRST_LAYER_OID = 2

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
    project = Project(
        title=entry["stem"],
        unuid=entry["unuid"],
        frozen=frozen["sha256"],
        section=entry["stem"],
        layer_set_oid=LAYER_SET_OID,
        width=frozen["layer"]["width"],
        height=frozen["layer"]["height"],
        pixel_size=tuple(version.get(key) or UNKNOWN_RESOLUTION for key in RESOLUTION_KEYS),
        layers=tuple(Layer(**layer) for layer in frozen["layers"]),
        patches=tuple(map(Patch.from_record, record["patches"])),
    )
    return project_xml(project)


def create_missing(folder: Path, frozen: Frozen) -> list[str]:
    """Return the stems of the sections whose project was created now: those that had none."""
    created = []
    for entry in frozen["sections"]:
        if not project_files(folder, entry["stem"]):
            data = project_bytes(frozen, entry, read_section(folder, entry))
            if create_once(folder / f"{entry['stem']}.xml", data):
                created.append(entry["stem"])
    return created
