"""Where the records are by which Snakemake sees what changed: not with the results.

It keeps them in `.snakemake` of the folder that it runs in, under the paths of the results as the
configuration spells them. From another folder, in another spelling, or once they are removed, it
takes all results there are as they are, whatever has changed or changes later.
"""

import os
import uuid
from pathlib import Path

from crossreg.io.errors import UserError
from crossreg.io.files import read_text, write_text

# Below the folder that Snakemake runs in: a file for each results folder made from there, which
# says how it is spelled.
KNOWN_RESULTS = Path(".snakemake", "crossreg")


def records_note(results: Path | str) -> Path:
    """Return the path of the note that names the records of these results."""
    return Path(results, "logs", "records.txt")


def check_records(results: str, folder: Path | str) -> None:
    """Raise UserError if there is a note, but no records of these results are in `folder`."""
    note = _read_note(results)
    if note and not _are_in(folder, note[0], results):
        _, spelling, place = note
        raise UserError(
            f"{results}: these results were made from the folder {place} as 'results: {spelling}';"
            " here and so, Snakemake has no records by which it sees changes. Run it there and so;"
            " or run once with --forceall, which makes all again, or with --touch --forceall, which"
            " takes all as it is."
        )


def keep_records(results: str, folder: Path | str) -> None:
    """Note that the records of these results are in `folder`, unless that is noted already."""
    note = _read_note(results)
    if not (note and _are_in(folder, note[0], results)):
        name = uuid.uuid4().hex
        place = os.fsencode(Path(folder).absolute()).decode(errors="replace")
        write_text(Path(folder, KNOWN_RESULTS, name), f"{_spelled(results)}\n")
        write_text(records_note(results), f"{name}\n{_spelled(results)}\n{place}\n")


def _are_in(folder: Path | str, name: str, results: str) -> bool:
    """Return whether the records of this name are in `folder`, for this spelling of the results."""
    known = Path(folder, KNOWN_RESULTS, name)
    return known.is_file() and read_text(known).strip() == _spelled(results)


def _read_note(results: str) -> tuple[str, str, str] | None:
    """Return the name of the records, the spelling of the results, and the folder; None without."""
    try:
        name, spelling, place = read_text(records_note(results)).splitlines()
        uuid.UUID(name)
    except (UserError, ValueError):
        # Not there, or damaged: then nothing is known.
        return None
    return name, spelling, place


def _spelled(results: str) -> str:
    """Return the results folder as the paths of its files begin, also in a plain locale."""
    return os.fsencode(results.rstrip("/")).decode(errors="replace")
