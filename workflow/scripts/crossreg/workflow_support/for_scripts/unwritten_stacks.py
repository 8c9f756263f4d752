"""Registered stacks that were asked for and not written: an error, once all others are there."""

from collections.abc import Collection, Sequence
from pathlib import Path

from crossreg.io.errors import UserError
from crossreg.io.missing_notes import missing_reason
from crossreg.io.plurals import counted


def check_all_written(receipts: Sequence[str], failed: Collection[tuple[str, str]]) -> None:
    """Raise UserError if a stack was not written, although its cycle has a shift.

    `receipts` are files ROI/CYCLE.txt, or the notes in place of them; `failed` are the (ROI, cycle)
    that do not match the reference: what is not there is no fault of theirs.
    """
    unwritten = {}
    for receipt in map(Path, receipts):
        place, reason = (receipt.parent.name, receipt.stem), missing_reason(receipt)
        if reason is not None and place not in failed:
            unwritten[place] = reason
    if unwritten:
        (roi, cycle), reason = next(iter(unwritten.items()))
        raise UserError(
            f"{counted(len(unwritten), 'registered stack')} could not be written, such as"
            f" ROI {roi}, cycle {cycle}: {reason}"
        )
