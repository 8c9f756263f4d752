"""Stacks (Z, Y, X) read from image files of any format: headers, kept planes, projections."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossreg.io.array_checks import KEPT_DTYPES
from crossreg.io.errors import UserError
from crossreg.io.images.chosen_stack import Stack, chosen
from crossreg.io.images.image_file import UNKNOWN_SIZE, PixelSize
from crossreg.io.images.open_image import open_image
from crossreg.io.images.which_stack import ONLY_ONE, Choice

AXES = ("planes", "rows", "columns")
ROUNDED = 1e-6
"""Part of a plane that ratios of sizes in files are rounded by at most."""
SAME_SIZE = 0.05
"""Relative difference up to which sizes of pixels count as equal: files round them."""
LARGEST_Z_STEP = 20.0
"""Times that the planes of one stack may be as far apart as those of another: beyond it a unit is
wrong, and the resampled stack would fill the memory."""


@dataclass(frozen=True)
class StackHeader:
    """What is known of a stack before its pixels are read.

    Attributes
    ----------
    shape_zyx : tuple of int
        Planes (before binning), rows, columns.
    dtype : numpy.dtype
        As in the file.
    format : str
        For people, such as "OME-TIFF".
    channel : str
        Name of the stack's channel; empty where the file has none.
    channels : tuple of str
        Names of all channels of the file, "" for one without a name.
    pixel_size_um : tuple
        Distance of planes (before binning), rows, columns (z, y, x) in micrometres; None where the
        file does not say it.
    remark : str
        What a user should know of how it was read; empty if there is nothing.

    """

    shape_zyx: tuple[int, int, int]
    dtype: np.dtype[Any]
    format: str = ""
    channel: str = ""
    channels: tuple[str, ...] = ()
    pixel_size_um: PixelSize = UNKNOWN_SIZE
    remark: str = ""


@contextlib.contextmanager
def open_stack(path: Path | str, choice: Choice = ONLY_ONE) -> Iterator[Stack]:
    """Yield one stack of an image file, open for reading; no pixel is read for that.

    Raises UserError if the file is missing, cut off or of an unknown kind, or where `choice` does
    not say which of its stacks is meant.
    """
    with open_image(path) as file:
        yield chosen(file, choice, path)


def header_of(stack: Stack) -> StackHeader:
    """Return the header of an open stack."""
    series = stack.series
    return StackHeader(
        stack.shape_zyx,
        series.dtype,
        stack.file.format,
        stack.channel_name,
        series.channels or ("",) * series.shape_tczyx[1],
        series.pixel_size_um,
        series.remark,
    )


def read_header(path: Path | str, choice: Choice = ONLY_ONE) -> StackHeader:
    """Return the header of a stack without reading its pixels; raise UserError as `open_stack`."""
    with open_stack(path, choice) as stack:
        return header_of(stack)


def read_kept_planes(
    path: Path | str,
    z_binning: int = 1,
    threads: int = 1,
    choice: Choice = ONLY_ONE,
    z_step: float = 1.0,
) -> NDArray[Any]:
    """Return planes 0, n, 2n, ... (n = `z_binning`) of a stack as an array (Z, Y, X).

    Where planes are `z_step` planes of the reference apart, they are those that lie at planes 0, n,
    2n, ... of the reference if both begin together, interpolated linearly, float32.

    The type is uint8, uint16 or float32. Raises UserError as `open_stack`, and if the planes are
    constant or hold values that are not finite. Negative values are grey values as any other:
    deconvolution and background subtraction leave them.
    """
    with open_stack(path, choice) as source:
        header = header_of(source)
        if z_step != 1:
            places = planes_at(header.shape_zyx[0], z_binning, z_step)
            shape_yx = header.shape_zyx[1], header.shape_zyx[2]
            between = interpolated_planes(lambda at: source.planes(at, threads), places, shape_yx)
            _check_values(between, path)
            return between
        kept = range(0, header.shape_zyx[0], z_binning)
        stack = np.empty((len(kept), *header.shape_zyx[1:]), kept_dtype(header))
        for index, plane in zip(range(len(kept)), source.planes(kept, threads), strict=True):
            stack[index] = plane
    _check_values(stack, path)
    return stack


def planes_at(planes: int, z_binning: int, z_step: float) -> NDArray[np.float64]:
    """Return where the planes lie in a stack of so many that `read_kept_planes` returns."""
    count = int((planes - 1) * z_step / z_binning + ROUNDED) + 1
    return np.asarray(np.minimum(np.arange(count) * (z_binning / z_step), planes - 1))


def interpolated_planes(
    planes: Callable[[Sequence[int]], Iterable[NDArray[Any]]],
    places: NDArray[np.float64],
    shape_yx: tuple[int, int],
) -> NDArray[np.float32]:
    """Return planes (n, Y, X) at places (n,) between those of a stack, linear along z.

    `planes` gives the planes of these numbers, one after the other.
    """
    result = np.zeros((len(places), *shape_yx), np.float32)
    needed = sorted({int(number) for end in (np.floor, np.ceil) for number in end(places)})
    for number, plane in zip(needed, planes(needed), strict=True):
        weights = 1 - np.abs(places - number)
        for index in np.flatnonzero(weights > 0):
            result[index] += float(weights[index]) * plane.astype(np.float32)
    return result


def read_projection(
    path: Path | str,
    option: str = "MIP",
    planes: slice = slice(None),
    choice: Choice = ONLY_ONE,
    key: str = "the planes to project",
) -> NDArray[Any]:
    """Return the projection (Y, X) of a stack along z, one plane in memory at a time.

    `option` is MIP (maximum, in the type of the stack) or sum (float32); `planes` selects the
    planes before binning. Raises UserError as `read_kept_planes`, or if no plane is selected: it
    says what the user calls the selection (`key`).
    """
    with open_stack(path, choice) as source:
        selected = range(source.shape_zyx[0])[planes]
        if not selected:
            raise UserError(
                f"{path}: the stack has {source.shape_zyx[0]} planes, none of them in"
                f" {planes.start} <= z < {planes.stop}; correct {key}."
            )
        projection: NDArray[Any] | None = None
        for plane in source.planes(selected):
            if projection is None:
                projection = plane.astype(np.float64) if option == "sum" else plane.copy()
            elif option == "sum":
                projection += plane
            else:
                np.maximum(projection, plane, out=projection)
    assert projection is not None
    kept = projection.dtype in KEPT_DTYPES
    with np.errstate(over="ignore"):  # beyond float32: infinite, which is told below
        projection = projection if kept else projection.astype(np.float32)
    _check_values(projection, path)
    return projection


def read_mean(
    path: Path | str, planes: Sequence[int], choice: Choice = ONLY_ONE
) -> NDArray[np.float32]:
    """Return the mean (Y, X) of some planes of a stack; raise UserError as `open_stack`."""
    with open_stack(path, choice) as source:
        total = np.zeros(source.shape_zyx[1:], dtype=np.float32)
        for plane in source.planes(planes):
            total += plane
    total /= len(planes)
    return total


def kept_dtype(header: StackHeader) -> np.dtype[Any]:
    """Return the type in which the planes of a stack are kept in memory."""
    return header.dtype if header.dtype in KEPT_DTYPES else np.dtype("float32")


def check_same_size(reference: StackHeader, cycle: StackHeader, path: Path | str) -> None:
    """Raise UserError if a cycle's planes are not as large as the reference's."""
    if reference.shape_zyx[1:] != cycle.shape_zyx[1:]:
        raise UserError(
            f"{path}: its planes have {_size(cycle)} px, those of the reference"
            f" {_size(reference)} px; both must be equally large."
        )


def check_same_pixel_size(reference: StackHeader, cycle: StackHeader, path: Path | str) -> None:
    """Raise UserError if both files say how large their pixels are, and differ.

    A shift means nothing where a plane or pixel of the one is not one of the other.
    """
    sizes = zip(AXES, reference.pixel_size_um, cycle.pixel_size_um, strict=True)
    for axis, there, here in sizes:
        if there and here and abs(here / there - 1) > SAME_SIZE:
            raise UserError(
                f"{path}: its {axis} are {here:g} um apart, those of the reference {there:g} um;"
                " resample one of them, or correct what the file says."
            )


def z_step_of(reference: StackHeader, cycle: StackHeader, z_um: float | None) -> float:
    """Return how far apart the planes of a cycle are, in planes of the reference.

    `z_um` is the distance of the latter, which the file says where it is None. 1 where one of the
    two is not known, or they are equal.
    """
    there, here = z_um or reference.pixel_size_um[0], cycle.pixel_size_um[0]
    if not there or not here or abs(here / there - 1) <= SAME_SIZE:
        return 1.0
    return here / there


def check_z_step(z_step: float, source: Path | str) -> None:
    """Raise UserError if a cycle's planes cannot be as far apart as its `source` says.

    `z_step` is that distance in planes of the reference.
    """
    if not 1 / LARGEST_Z_STEP <= z_step <= LARGEST_Z_STEP:
        raise UserError(
            f"{source}: the planes of the cycle would be {z_step:.4g} planes of the reference"
            " apart: one of the two distances is wrong, or not in um; correct it."
        )


def without_z_step(header: StackHeader) -> StackHeader:
    """Return a header that does not say how far apart its planes are."""
    return replace(header, pixel_size_um=(None, *header.pixel_size_um[1:]))


def check_given_pixel_size(
    header: StackHeader, xy_um: float | None, z_um: float | None, path: Path | str
) -> None:
    """Raise UserError if a file says another pixel size than what holds for the experiment.

    That may be None: not known.
    """
    z_said, _, said = header.pixel_size_um
    for name, axis, given, found in (
        ("pixel size", "xy", xy_um, said),
        ("z step", "z", z_um, z_said),
    ):
        resample = "; or resample the cycle with fiducial.resample_z: true" if axis == "z" else ""
        if given and found and abs(found / given - 1) > SAME_SIZE:
            raise UserError(
                f"{path}: the file says a {name} of {found:g} um, but that of the experiment is"
                f" {given:g} um (fiducial.pixel_size_um.{axis}, else the first reference); correct"
                " it, or, if the file is wrong, give both sizes there with files_are_wrong: true"
                f"{resample}."
            )


def check_block_fits(header: StackHeader, block_size: int, key: str, path: Path | str) -> None:
    """Raise UserError if a block of `block_size` px is larger than the planes.

    `key` is what the user calls the parameter.
    """
    if block_size > min(header.shape_zyx[1:]):
        raise UserError(
            f"{path}: {key} is {block_size} px, but the planes have only {_size(header)} px; choose"
            " a smaller one."
        )


def _size(header: StackHeader) -> str:
    return f"{header.shape_zyx[1]} x {header.shape_zyx[2]}"


def _check_values(array: NDArray[Any], path: Path | str) -> None:
    """Raise UserError if the values are constant or not all finite."""
    lowest, highest = array.min(), array.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise UserError(
            f"{path}: the image holds values that are not finite (NaN or infinite);"
            " replace them and save it again."
        )
    if lowest == highest:
        raise UserError(f"{path}: all pixels have the value {lowest}; the image is empty.")
