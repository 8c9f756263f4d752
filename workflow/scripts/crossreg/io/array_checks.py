"""Arrays from a notebook: lists, NumPy arrays, lazy ones; what is no stack gets one sentence."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossreg.io.errors import UserError

KEPT_DTYPES = ("uint8", "uint16", "float32")
"""Types that are computed with as they are; other numbers become float32."""
PLANES_LAST = 4
"""How many times fewer planes than rows and columns the last axis has to have to be that of z."""


def checked_stack(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return a stack (Z, Y, X) as a NumPy array of uint8, uint16 or float32.

    Raises UserError, with `name`, for anything but finite grey values in three axes that differ.
    """
    stack = _as_array(values, name)
    if stack.dtype.kind not in "uif":
        raise UserError(
            f"{name} holds values of type {stack.dtype}; give grey values: whole numbers or"
            " decimals."
        )
    if stack.ndim != 3:
        advice = {2: f"; for a single plane give {name}[None]"}.get(stack.ndim, "")
        raise UserError(
            f"{name} has {stack.ndim} axes of the sizes {stack.shape}; a stack has three: planes,"
            f" rows, columns{advice}."
        )
    planes, rows, columns = stack.shape
    if min(planes, rows, columns) == 0 or min(rows, columns) < 2:
        raise UserError(f"{name} has the sizes {stack.shape}, so that it holds no image.")
    if min(planes, rows) >= PLANES_LAST * columns:
        raise UserError(
            f"{name} has the sizes {stack.shape}, as if the planes came last; give"
            f" numpy.moveaxis({name}, -1, 0)."
        )
    with np.errstate(over="ignore"):
        kept = stack if stack.dtype.name in KEPT_DTYPES else stack.astype(np.float32)
    if not (np.isfinite(kept.min()) and np.isfinite(kept.max())):
        raise UserError(f"{name} holds NaN or infinite values; replace them first.")
    if kept.min() == kept.max():
        raise UserError(f"{name} is empty: all its values are {stack.flat[0]}.")
    return kept


def checked_pair(reference: Sequence[int], cycle: Sequence[int]) -> None:
    """Raise UserError unless two stacks (Z, Y, X) have the same rows and columns."""
    if tuple(reference[1:]) != tuple(cycle[1:]):
        raise UserError(
            f"The planes of the reference have {reference[1]} x {reference[2]} px, those of the"
            f" cycle {cycle[1]} x {cycle[2]}; both must be equally large."
        )


def checked_positions(values: ArrayLike) -> NDArray[np.float64]:
    """Return positions (n, 3) as float64; raise UserError for anything else."""
    positions = _as_array(values, "positions_zyx")
    if positions.dtype.kind not in "uif" or positions.ndim != 2 or positions.shape[1] != 3:
        raise UserError(
            f"positions_zyx has the sizes {positions.shape} and type {positions.dtype}; give a row"
            " (z, y, x) of numbers for each position."
        )
    return positions.astype(np.float64)


def _as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return an array of what turns into one: a list, an array of dask or zarr, ..."""
    if isinstance(values, str | bytes | os.PathLike):
        raise UserError(f"{name} is a text or path; read the file with crossreg.read_stack first.")
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise UserError(f"{name} has masked values; fill them first.")
        values = values.data
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} does not turn into an array ({error}).") from None
    if array.dtype.kind == "O":
        raise UserError(f"{name} is no array of numbers, but {type(values).__name__}.")
    return array
