"""Which ROIs and cycles a configuration asks for, of those that are there."""

from collections.abc import Collection, Iterable

from crossreg.fiducial.experiment.roi_numbers import roi_called, rois_in_words
from crossreg.io.errors import UserError


def named_rois(key: str, wanted: Iterable[str] | None, there: Collection[str]) -> set[str] | None:
    """Return the names of the ROIs that a key asks for, by name or number; None means all.

    Raises UserError for one that is not there.
    """
    if wanted is None:
        return None
    found = {name: roi_called(name, there) for name in wanted}
    for name, roi in found.items():
        if roi is None:
            raise UserError(
                f"The key '{key}' asks for '{name}', which is not there; there are:"
                f" {rois_in_words(there, 50)}."
            )
    return {roi for roi in found.values() if roi is not None}


def named_cycles(key: str, wanted: Iterable[str] | None, there: Collection[str]) -> set[str] | None:
    """Return the names of the cycles that a key asks for, 1 for 01, too; None means all.

    Raises UserError for one that is not there.
    """
    if wanted is None:
        return None
    found: set[str] = set()
    for name in wanted:
        same = {name} & set(there) or {other for other in there if _same(name, other)}
        if not same:
            raise UserError(
                f"The key '{key}' asks for '{name}', which is not there; there are:"
                f" {', '.join(sorted(there)[:50])}."
            )
        found |= same
    return found


def restrict(
    names: Iterable[tuple[str, str]],
    reference: str,
    rois: Collection[str] | None,
    cycles: Collection[str] | None,
) -> set[tuple[str, str]]:
    """Return the wanted among (ROI, cycle); None means all, and the reference always stays."""
    return {
        (roi, cycle)
        for roi, cycle in names
        if (rois is None or roi in rois) and (cycles is None or cycle in (*cycles, reference))
    }


def _same(wanted: str, name: str) -> bool:
    return wanted.isdecimal() and name.isdecimal() and int(wanted) == int(name)
