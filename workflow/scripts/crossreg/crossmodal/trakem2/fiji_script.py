"""The script for Fiji beside the projects: one section after the other, opened and saved."""

from collections.abc import Sequence
from pathlib import Path

SCRIPT_NAME = "crossreg_sections.bsh"
TEMPLATE = Path(__file__).with_name(SCRIPT_NAME)


def fiji_script(folder: Path, drafts: Sequence[tuple[str, str]]) -> bytes:
    """Return the script for the projects in `folder`.

    `drafts` is the stem of each section and the SHA-256 of its project as created: the script
    tells a saved section by another one.
    """
    rows = ",\n".join(f'    {{ "{stem}", "{sha256}" }}' for stem, sha256 in drafts)
    path = str(folder.absolute()).replace("\\", "\\\\").replace('"', '\\"')
    text = TEMPLATE.read_text(encoding="utf-8")
    return text.replace("@SECTIONS@", rows).replace("@FOLDER@", f'"{path}"').encode()
