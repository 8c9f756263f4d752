"""The folders of registrations by hand: a person's work, into which no command writes."""

from pathlib import Path

from crossreg.io.errors import UserError

FROZEN = Path("frozen", "frozen.json")
"""The file that makes a folder a registration."""


def is_registration(folder: Path) -> bool:
    """Return whether a folder is that of a registration by hand."""
    return (folder / FROZEN).is_file()


def check_outside(path: Path) -> None:
    """Raise UserError if a path is the folder of a registration by hand, or inside one."""
    real = path.resolve()
    # The link itself may lie in a registration, or where it leads to.
    beside = path.parent.resolve() / path.name
    for folder in (real, *real.parents, *beside.parents):
        if is_registration(folder):
            raise UserError(
                f"{path}: inside the registration {folder}, where a person's projects are; choose"
                " a place elsewhere."
            )
