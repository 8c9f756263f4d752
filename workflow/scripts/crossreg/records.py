"""Where the records are by which Snakemake sees what changed: not with the results.

It keeps them in `.snakemake` of the folder that it runs in. From another folder, or once they are
removed, it takes all results there are as they are, whatever has changed since they were made.
"""

import os
import uuid
from pathlib import Path

from crossreg.errors import UserError
from crossreg.files import read_text, write_text

# Below the folder that Snakemake runs in: a file for each results folder made from there.
KNOWN_RESULTS = Path(".snakemake", "crossreg")


def records_note(results: Path | str) -> Path:
    """Return the path of the note that says where the records of these results are."""
    return Path(results, "logs", "records.txt")


def check_records(results: Path | str, folder: Path | str) -> None:
    """Raise UserError if the records of these results are not in `folder`, but elsewhere."""
    note = records_note(results)
    if note.is_file():
        name, _, place = read_text(note).strip().partition(" ")
        if not Path(folder, KNOWN_RESULTS, name).is_file():
            raise UserError(
                f"{results}: Snakemake's records of what these results were made from are not in"
                f" this folder, but in {place}: changes since then would go unseen. Run it there;"
                f" or remove {note} to take all results there are as they are."
            )


def keep_records(results: Path | str, folder: Path | str) -> None:
    """Note that the records of these results are in `folder`, unless it is noted already."""
    note = records_note(results)
    if not note.is_file():
        name = uuid.uuid4().hex
        write_text(Path(folder, KNOWN_RESULTS, name), f"{_shown(results)}\n")
        write_text(note, f"{name} {_shown(folder)}\n")


def _shown(path: Path | str) -> str:
    """Return an absolute path as text for people, also in a locale that cannot spell it."""
    return os.fsencode(Path(path).absolute()).decode(errors="replace")
