"""What a notebook hands over: arrays of any kind, sizes, counts; a fault gets one sentence."""

import operator
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossreg.io.errors import UserError

KEPT_DTYPES = tuple(map(np.dtype, ("uint8", "uint16", "float32")))
"""Types that are computed with as they are; other numbers become float32."""
SMALLEST_BLOCK = 16
"""Edge (px) of a block below which it holds no structure to match."""
SMALL, LARGE = 1e-3, 1e6
"""Largest values of stacks of floats between which all sums are exact enough."""
PLANES_LAST = 4
"""How many times fewer planes than rows and columns the last axis has to have to be that of z."""


def checked_stack(values: ArrayLike, name: str, *, may_be_empty: bool = False) -> NDArray[Any]:
    """Return a stack (Z, Y, X) as a NumPy array of uint8, uint16 or float32.

    Raises UserError, with `name`, for anything but finite grey values in three axes, or if all of
    them are equal and it may not be empty.
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
    lowest, highest = stack.min(), stack.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise UserError(f"{name} holds NaN or infinite values; replace them first.")
    if lowest == highest and not may_be_empty:
        raise UserError(f"{name} is empty: all its values are {stack.flat[0]}.")
    with np.errstate(over="ignore", under="ignore"):
        kept = stack if stack.dtype in KEPT_DTYPES else stack.astype(np.float32)
    is_lost = lowest < highest and kept.min() == kept.max()
    if kept is not stack and (is_lost or not np.isfinite(kept).all()):
        raise UserError(
            f"{name} holds values from {lowest:g} to {highest:g}, which floats of 32 bits cannot"
            " hold apart; scale them, to 0 to 65535 for example."
        )
    return kept


def even(stack: NDArray[Any]) -> NDArray[Any]:
    """Return a stack, scaled if its values are so large or small that their powers are no floats.

    Shifts do not depend on it.
    """
    highest = float(max(abs(stack.max()), abs(stack.min())))
    if stack.dtype.kind != "f" or SMALL < highest < LARGE:
        return stack
    return stack * np.float32(1 / highest)


def checked_pair(reference: Sequence[int], cycle: Sequence[int]) -> None:
    """Raise UserError unless two stacks (Z, Y, X) have the same rows and columns."""
    if tuple(reference[1:]) != tuple(cycle[1:]):
        raise UserError(
            f"The planes of the reference have {reference[1]} x {reference[2]} px, those of the"
            f" cycle {cycle[1]} x {cycle[2]}; both must be equally large."
        )


def checked_positions(values: ArrayLike) -> NDArray[np.float64]:
    """Return positions (n, 3) as float64, NaN where they are infinite; an empty list is (0, 3).

    Raises UserError for anything else.
    """
    positions = _as_array(values, "positions_zyx")
    if positions.shape == (0,):
        positions = np.empty((0, 3))
    if positions.dtype.kind not in "uif" or positions.ndim != 2 or positions.shape[1] != 3:
        raise UserError(
            f"positions_zyx has the sizes {positions.shape} and type {positions.dtype}; give a row"
            " (z, y, x) of numbers for each position."
        )
    return np.where(np.isfinite(positions), positions, np.nan).astype(np.float64)


def checked_count(value: int, name: str) -> int:
    """Return a whole number from 1 on; raise UserError for anything else."""
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if isinstance(value, bool) or count < 1:
        raise UserError(f"{name} is {value!r}; give a whole number from 1 on.")
    return count


def checked_block(block_size: int, shape: Sequence[int]) -> int:
    """Return the block's edge; raise UserError if it is no whole number, or impossible."""
    if min(shape[1:]) < SMALLEST_BLOCK:
        raise UserError(
            f"The planes have {shape[1]} x {shape[2]} px, fewer than the {SMALLEST_BLOCK} of the"
            " smallest block; if the axes are in another order, move them to (planes, rows,"
            " columns)."
        )
    try:
        edge = operator.index(block_size)
    except TypeError:
        raise UserError(f"block_size is {block_size!r}; give a whole number of px.") from None
    if isinstance(block_size, bool) or not SMALLEST_BLOCK <= edge <= min(shape[1:]):
        raise UserError(
            f"block_size is {block_size}, but it must be from {SMALLEST_BLOCK} to"
            f" {min(shape[1:])} px, the smaller side of the planes."
        )
    return edge


def checked_pixel_size(size: Sequence[float] | None) -> tuple[float, float, float] | None:
    """Return a pixel size (z, y, x); raise UserError unless it is three positive numbers."""
    if size is None:
        return None
    try:
        z, y, x = (float(value) for value in size)
    except (TypeError, ValueError):
        z = y = x = np.nan
    if not all(np.isfinite(value) and value > 0 for value in (z, y, x)):
        raise UserError(f"pixel_size_um is {size!r}; give three positive numbers (z, y, x).")
    if z == y != x:
        raise UserError(
            f"pixel_size_um is {size!r}, as if the size along z came last; give it as (z, y, x)."
        )
    return z, y, x


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
        if isinstance(values, np.ndarray):
            raise UserError(f"{name} holds Python objects; give {name}.astype(float).")
        raise UserError(f"{name} is no array of numbers, but {type(values).__name__}.")
    return array
