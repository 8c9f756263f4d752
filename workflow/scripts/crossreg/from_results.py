"""Registrations of a finished run, and image files, for use in Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from crossreg.fiducial.experiment.roi_numbers import roi_called
from crossreg.fiducial.field.field_file import load_field
from crossreg.io.array_checks import checked_count, checked_pixel_size
from crossreg.io.cycle_tables import size_nm_of
from crossreg.io.errors import UserError
from crossreg.io.images.which_stack import Choice
from crossreg.io.missing_notes import missing_reason
from crossreg.io.read_stacks import read_kept_planes
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.registration import Registration


def load_registration(
    results: Path | str,
    roi: str | int,
    cycle: str,
    *,
    pixel_size_um: Sequence[float] | None = None,
) -> Registration:
    """Return the registration of a cycle from the results of a finished run.

    Parameters
    ----------
    results : path
        The folder `results` of the workflow.
    roi, cycle : str
        Names as in the results; a ROI may be given as its number.
    pixel_size_um : sequence of three floats, optional
        Micrometres of a kept plane, a row and a column; default: as in the run, which its merged
        table says.

    Returns
    -------
    Registration
        Its planes are the kept ones: every zBinning-th of the raw stack.

    Raises
    ------
    UserError
        If there is no such ROI or cycle, it could not be registered, or its field is damaged.

    """
    folder = Path(results) / "fields"
    paths = sorted(path for path in folder.glob("*/*.npz") if not path.name.startswith("."))
    name = roi_called(str(roi), _rois_of(Path(results)))
    chosen = folder / str(name) / f"{cycle}.npz"
    if chosen not in paths:
        there = "; ".join(f"ROI {path.parent.name}, cycle {path.stem}" for path in paths[:20])
        raise UserError(
            f"{folder}: there is no field of ROI {roi}, cycle {cycle}; there are:"
            f" {there or 'none, so run the workflow first'}."
        )
    reason = missing_reason(chosen)
    if reason is not None:
        raise UserError(f"{chosen}: cycle {cycle} of ROI {roi} could not be registered: {reason}")
    size = checked_pixel_size(pixel_size_um) or _size_of_run(Path(results))
    return Registration(load_field(chosen), size)


def read_stack(
    path: Path | str,
    z_binning: int = 1,
    *,
    channel: str | int = "",
    series: str | int = "",
    time: str | int = "",
    frames: str = "",
) -> NDArray[Any]:
    """Return planes 0, n, 2n, ... (n = `z_binning`) of an image file as an array (Z, Y, X).

    Where the file holds several stacks, `channel` and `series` (names or numbers from 0), `time` (a
    number from 0) and `frames` ("2::5": every fifth plane from the third) say which one is meant.
    Raises UserError if the file is missing or damaged, or if that does not say which.
    """
    choice = Choice(str(series), str(channel), str(time), frames)
    return read_kept_planes(path, checked_count(z_binning, "z_binning"), choice=choice)


def _size_of_run(results: Path) -> tuple[float, float, float] | None:
    """Return the size (z, y, x; um) of kept planes and px in a run; None if nothing says it."""
    nm = size_nm_of(results / "register_global.ecsv")
    return (nm[0] / 1000, nm[1] / 1000, nm[1] / 1000) if nm else None


def _rois_of(results: Path) -> set[str]:
    """Return the names of the ROIs of a run, all of them, as their numbers may depend on that."""
    sheet = results / "samples.tsv"
    if sheet.is_file():
        return {sample.roi for sample in read_sheet(sheet, ALL_COLUMNS)}
    return {path.name for path in (results / "fields").glob("*")}
