"""Reading of image stacks (Z, Y, X) from TIFF files of all kinds that microscopes write."""

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from crossreg.io.errors import UserError

# Types that are computed with as they are; other real types are converted to float32.
KEPT_DTYPES = (np.dtype("uint8"), np.dtype("uint16"), np.dtype("float32"))
# Names tifffile gives to the axis of the planes: Z where the file says so, I or Q (unknown) in
# plain files, T or C where a program stored planes as time points or channels (ImageJ's default).
PLANE_AXES = ("Z", "I", "Q", "T", "C")
# Deflate makes constant data at most 1030 times smaller, LZW 1400 times; images stay far below.
MOST_COMPRESSED = 10_000
# Series that tifffile never puts together from several files.
IN_ONE_FILE = ("shaped", "imagej", "uniform", "generic")


@dataclass(frozen=True)
class StackHeader:
    """Shape (planes, rows, columns) and type of a stack, from its header."""

    shape_zyx: tuple[int, int, int]
    dtype: np.dtype


def read_header(path: Path | str) -> StackHeader:
    """Return the header of a stack without reading its pixels.

    Raises UserError if the file is missing, not a TIFF, cut off, or not one stack of grey planes.
    """
    with _opened(path) as series:
        return _header(series, path)


def read_kept_planes(path: Path | str, z_binning: int = 1, threads: int = 1) -> np.ndarray:
    """Return planes 0, n, 2n, ... (n = `z_binning`) of a stack as an array (Z, Y, X).

    The type is uint8, uint16 or float32. Raises UserError as `read_header`, and if the planes are
    constant or hold values that are not finite. Negative values are grey values as any other:
    deconvolution and background subtraction leave them.
    """
    with _opened(path) as series:
        header = _header(series, path)
        kept = range(0, header.shape_zyx[0], z_binning)
        stack = np.empty((len(kept), *header.shape_zyx[1:]), kept_dtype(header))
        for index, plane in zip(range(len(kept)), _planes(series, kept, threads), strict=True):
            stack[index] = plane
    _check_values(stack, path)
    return stack


def read_projection(
    path: Path | str, option: str = "MIP", planes: slice = slice(None), threads: int = 1
) -> np.ndarray:
    """Return the projection (Y, X) of a stack along z, one plane in memory at a time.

    `option` is MIP (maximum, in the type of the stack) or sum (float32); `planes` selects the
    planes before binning. Raises UserError as `read_kept_planes`, or if no plane is selected.
    """
    with _opened(path) as series:
        header = _header(series, path)
        selected = range(header.shape_zyx[0])[planes]
        if not selected:
            raise UserError(
                f"{path}: the stack has {header.shape_zyx[0]} planes, none of them in"
                f" {planes.start} <= z < {planes.stop}; correct zProject.zmin and zmax."
            )
        projection = None
        for plane in _planes(series, selected, threads):
            if projection is None:
                projection = plane.astype(np.float64) if option == "sum" else plane.copy()
            elif option == "sum":
                projection += plane
            else:
                np.maximum(projection, plane, out=projection)
    kept = projection.dtype in KEPT_DTYPES
    with np.errstate(over="ignore"):  # beyond float32: infinite, which is told below
        projection = projection if kept else projection.astype(np.float32)
    _check_values(projection, path)
    return projection


def kept_dtype(header: StackHeader) -> np.dtype:
    """Return the type in which the planes of a stack are kept in memory."""
    return header.dtype if header.dtype in KEPT_DTYPES else np.dtype("float32")


def check_same_size(reference: StackHeader, cycle: StackHeader, path: Path | str) -> None:
    """Raise UserError if a cycle's planes are not as large as the reference's."""
    if reference.shape_zyx[1:] != cycle.shape_zyx[1:]:
        raise UserError(
            f"{path}: its planes have {_size(cycle)} px, those of the reference"
            f" {_size(reference)} px; both must be equally large."
        )


def check_block_fits(header: StackHeader, block_size: int, key: str, path: Path | str) -> None:
    """Raise UserError if a block of `block_size` px is larger than the planes."""
    if block_size > min(header.shape_zyx[1:]):
        raise UserError(
            f"{path}: alignImages.{key} is {block_size} px, but the planes have only"
            f" {_size(header)} px; choose a smaller {key}."
        )


def _size(header: StackHeader) -> str:
    return f"{header.shape_zyx[1]} x {header.shape_zyx[2]}"


@contextlib.contextmanager
def _opened(path: Path | str) -> Iterator[tifffile.TiffPageSeries]:
    """Yield the only image series of a TIFF file; turn every fault of the file into UserError."""
    if os.path.lexists(path) and not Path(path).is_file():
        raise UserError(f"{path}: this is no file that can be read as an image; correct the path.")
    faults = _FirstFault(path)
    logger = logging.getLogger("tifffile")
    logger.addHandler(faults)
    propagated, logger.propagate = logger.propagate, False
    try:
        with _unchanged(path), tifffile.TiffFile(path) as file:
            if len(file.series) != 1:
                count = f"{len(file.series)} images of different sizes or kinds"
                raise UserError(
                    f"{path}: the file holds {count if file.series else 'no image'}, or is cut off;"
                    " one stack a file is needed."
                )
            series = file.series[0]
            _check_one_file(series, file, path)
            _check_whole(series, Path(path).stat().st_size, path)
            _check_claim(series, path)
            if faults.error:
                raise faults.error
            yield series
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; check the path.") from None
    except tifffile.TiffFileError:
        raise UserError(
            f"{path}: this is not a TIFF file, or it is damaged; save or copy it again."
        ) from None
    except MemoryError:
        raise
    except OSError as error:
        if error.strerror is None:
            raise UserError(
                f"{path}: the TIFF file is damaged or cut off ({error}); copy it again."
            ) from None
        raise UserError(f"{path}: the file cannot be read ({error.strerror}).") from None
    except Exception as error:
        # Decoders of damaged files raise anything, from struct.error to ZeroDivisionError.
        raise UserError(
            f"{path}: the TIFF file is damaged or of an unsupported kind"
            f" ({type(error).__name__}: {error}); save it anew."
        ) from None
    finally:
        logger.removeHandler(faults)
        logger.propagate = propagated


@contextlib.contextmanager
def _unchanged(path: Path | str) -> Iterator[None]:
    """Raise UserError if the file is written to while the block reads it."""
    before = os.stat(path)
    yield
    after = os.stat(path)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UserError(
            f"{path}: the file was changed while it was read; wait until it is complete and run"
            " again."
        )


class _FirstFault(logging.Handler):
    """Stops the reading at the first error that tifffile only logs, as of a broken chain of pages.

    A few damaged bytes can make it find, and log, millions.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(logging.ERROR)
        self.error: UserError | None = None
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        self.error = UserError(f"{self._path}: the TIFF file is damaged or cut off; copy it again.")
        raise self.error


def _check_one_file(
    series: tifffile.TiffPageSeries, file: tifffile.TiffFile, path: Path | str
) -> None:
    """Raise UserError if planes are missing, or are in other files that this one names.

    To look at every page takes longer than to read them: where they can only be in this file, the
    chain of pages is followed, no more. tifffile logs its faults.
    """
    if series.dataoffset is not None and series.kind in IN_ONE_FILE:
        len(file.pages)
        return
    if any(page is None for page in series.pages):
        raise UserError(f"{path}: planes are missing in the file; copy it again.")
    if any(page.parent is not file for page in series.pages):
        raise UserError(f"{path}: its planes are spread over several files; save it as one stack.")


def _check_claim(series: tifffile.TiffPageSeries, path: Path | str) -> None:
    """Raise UserError if the header claims more pixels than the file can hold.

    The memory for the stack would be taken before its data turns out to be missing.
    """
    if series.dataoffset:
        return
    claimed = math.prod(series.shape) * series.keyframe.bitspersample // 8
    pages = [page for page in series.pages if page.databytecounts]
    held = sum(sum(page.databytecounts) for page in pages)
    if any(0 in (*page.dataoffsets, *page.databytecounts) for page in pages):
        raise UserError(f"{path}: parts of the image are missing in the file; copy it again.")
    compressed = series.keyframe.compression != tifffile.COMPRESSION.NONE
    if claimed > held * (MOST_COMPRESSED if compressed else 1):
        raise UserError(
            f"{path}: the header claims {claimed} bytes of pixels, but the file holds {held};"
            " it is damaged, copy or save it again."
        )


def _check_whole(series: tifffile.TiffPageSeries, file_size: int, path: Path | str) -> None:
    """Raise UserError if pixels of the series lie beyond the end of the file."""
    end = 0
    if series.dataoffset is not None:
        end = series.dataoffset + math.prod(series.shape) * series.dtype.itemsize
    else:
        for page in series.pages:
            segments = zip(page.dataoffsets, page.databytecounts, strict=True)
            end = max(end, *(offset + count for offset, count in segments), 0)
    if end > file_size:
        raise UserError(
            f"{path}: the file is cut off: it should have at least {end} bytes and has"
            f" {file_size}; copy it again."
        )


def _header(series: tifffile.TiffPageSeries, path: Path | str) -> StackHeader:
    axes, shape, dtype = series.axes, series.shape, series.dtype
    if dtype is None or dtype.kind not in "uif":
        raise UserError(f"{path}: pixels of type {dtype} are not supported; save grey values.")
    if axes == "YX":
        axes, shape = "ZYX", (1, *shape)
    if len(axes) != 3 or axes[1:] != "YX" or axes[0] not in PLANE_AXES:
        raise UserError(
            f"{path}: the axes are {axes} {tuple(shape)}; one stack of grey planes"
            " (Z, Y, X) a file is needed."
        )
    if min(shape) < 1 or min(shape[1:]) < 2:
        raise UserError(f"{path}: the planes have {shape[1]} x {shape[2]} px; that is no image.")
    return StackHeader(tuple(int(size) for size in shape), dtype.newbyteorder("="))


def _planes(series: tifffile.TiffPageSeries, indices: range, threads: int) -> Iterator[np.ndarray]:
    """Yield planes (Y, X) of a series one after the other; each is valid until the next one."""
    file, offset = series.parent, series.dataoffset
    if offset is None:
        for index in indices:
            yield file.asarray(key=index, series=0, maxworkers=threads)
        return
    plane = np.empty(series.shape[-2:], series.dtype.newbyteorder(file.byteorder))
    for index in indices:
        file.filehandle.seek(offset + index * plane.nbytes)
        if file.filehandle.readinto(plane) != plane.nbytes:
            raise tifffile.TiffFileError(f"plane {index} is cut off")
        yield plane.astype(plane.dtype.newbyteorder("="), copy=False)


def _check_values(array: np.ndarray, path: Path | str) -> None:
    """Raise UserError if the values are constant or not all finite."""
    lowest, highest = array.min(), array.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise UserError(
            f"{path}: the image holds values that are not finite (NaN or infinite);"
            " replace them and save it again."
        )
    if lowest == highest:
        raise UserError(f"{path}: all pixels have the value {lowest}; the image is empty.")
