"""Cycles that could not be registered, and why: an outcome that jobs write instead of a result.

A stack that cannot be registered stops no run. Its job writes a note in place of each of its
outputs, the jobs that would read them pass it on, and what sums up cycles names it.
"""

from pathlib import Path

from crossreg.io.errors import UserError, one_line
from crossreg.io.files import write_text

MARK = "This result is missing:"
"""The beginning of every note; no table, array or picture begins like this."""


def note_missing(path: Path | str, reason: str) -> None:
    """Write a note with the reason in place of a result."""
    write_text(path, f"{MARK} {one_line(reason)}\n")


def missing_reason(path: Path | str) -> str | None:
    """Return the reason in a note; None if the file is a result, or not there."""
    mark = MARK.encode()
    try:
        with Path(path).open("rb") as file:
            if file.read(len(mark)) != mark:
                return None
            return file.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return None


def refuse_missing(*paths: Path | str | None) -> None:
    """Raise UserError with the reason if one of the files is a note instead of a result."""
    for path in paths:
        reason = missing_reason(path) if path else None
        if reason is not None:
            raise UserError(reason)
