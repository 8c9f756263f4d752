"""TIFF of every kind that tifffile reads: plain, ImageJ, OME (in one file or several), LSM, STK.

Channels are never taken for planes. Planes that a program stored as times, one plane each, are
taken as planes, which the series' remark says.
"""

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import (
    UNKNOWN_SIZE,
    PixelSize,
    Plane,
    Series,
    in_um,
)
from crossreg.io.images.tiff_ome import (
    OME_NAMESPACE,
    Metadata,
    series_metadata,
    text_of_file,
)

# A TiffPageSeries: in tifffile's types, all that it holds may be None.
Pages = Any
# Deflate makes constant data at most 1030 times smaller, LZW 1400 times; images stay far below.
MOST_COMPRESSED = 10_000
# Series that tifffile never puts together from several files.
IN_ONE_FILE = ("shaped", "imagej", "uniform", "generic", "stk")
# Names tifffile gives to axes of which a file does not say what they are.
UNNAMED_AXES = ("I", "Q")
NAMES = {"shaped": "TIFF", "imagej": "ImageJ TIFF", "ome": "OME-TIFF", "lsm": "LSM", "stk": "STK"}


class TiffImages:
    """A TIFF file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._faults = _FirstFault(path)
        logger = logging.getLogger("tifffile")
        logger.addHandler(self._faults)
        self._propagated, logger.propagate = logger.propagate, False
        try:
            self._file = _opened(path)
        except BaseException:
            self._stop_listening()
            raise
        try:
            self._pages = [series for series in self._file.series if not _is_thumbnail(series)]
            self._check()
            self.series = tuple(self._described())
        except BaseException:
            self.close()
            raise

    @property
    def format(self) -> str:
        """Return the kind of TIFF, for people."""
        return NAMES.get(self._pages[0].kind, "TIFF")

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X) of a series, in the order of `indices`."""
        pages, shape = self._pages[series], self.series[series].shape_tczyx
        order = _order(pages, self.series[series])
        numbers = [
            _plane_number(order, {"T": time, "C": channel, "Z": index}, shape) for index in indices
        ]
        if pages.dataoffset is None:
            yield from self._decoded(pages, shape, numbers, threads)
        else:
            yield from self._raw(pages, shape, numbers)
        self._faults.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._stop_listening()

    def _decoded(
        self,
        pages: Pages,
        shape: tuple[int, ...],
        numbers: Sequence[int],
        threads: int,
    ) -> Iterator[Plane]:
        """Yield planes of pages that have to be decoded; a page may hold several planes."""
        in_page = math.prod(shape[:3]) // len(pages.pages)
        last, planes = -1, np.empty(0)
        for number in numbers:
            page, inside = divmod(number, in_page)
            if page != last:
                with _file_open(pages.pages[page]):
                    decoded = pages.pages[page].asarray(maxworkers=threads)
                planes, last = decoded.reshape(in_page, *shape[3:]), page
            yield planes[inside]

    def _raw(self, pages: Pages, shape: tuple[int, ...], numbers: Sequence[int]) -> Iterator[Plane]:
        """Yield planes that lie in the file as they are, one behind the other."""
        file = pages.parent
        for number in numbers:
            plane = np.empty(shape[3:], pages.dtype.newbyteorder(file.byteorder))
            file.filehandle.seek(pages.dataoffset + number * plane.nbytes)
            if file.filehandle.readinto(plane) != plane.nbytes:
                raise tifffile.TiffFileError(f"plane {number} is cut off")
            yield plane.astype(plane.dtype.newbyteorder("="), copy=False)

    def _check(self) -> None:
        """Raise UserError if a part of the file, or of what it says of itself, is missing."""
        if not self._pages:
            raise UserError(
                f"{self._path}: the file holds no image, or is cut off; one stack a file is needed."
            )
        is_ome = OME_NAMESPACE in _description(self._file)
        if is_ome and any(series.kind != "ome" for series in self._pages):
            raise UserError(
                f"{self._path}: its OME metadata are cut off or do not fit its planes, so that"
                " channels and planes cannot be told apart; copy or save it again."
            )
        for series in self._pages:
            _check_pages(series, self._file, self._path)
            _check_whole(series, self._path)
            _check_claim(series, self._path)
        self._faults.tell()

    def _described(self) -> Iterator[Series]:
        metadata = _metadata(self._file, len(self._pages))
        for pages, (name, channels, pixel_size) in zip(self._pages, metadata, strict=True):
            yield _series(pages, name or pages.name or "", channels, pixel_size)

    def _stop_listening(self) -> None:
        logger = logging.getLogger("tifffile")
        logger.removeHandler(self._faults)
        logger.propagate = self._propagated


class _FirstFault(logging.Handler):
    """Stops the reading at the first error that tifffile only logs, as of a broken chain of pages.

    A few damaged bytes can make it find, and log, millions.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(logging.ERROR)
        self._error: UserError | None = None
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        self._error = UserError(
            f"{self._path}: the TIFF file is damaged or cut off; copy it again."
        )
        raise self._error

    def tell(self) -> None:
        """Raise what was logged, if the library went on all the same."""
        if self._error:
            raise self._error


@contextlib.contextmanager
def _file_open(page: Any) -> Iterator[None]:
    """Open the file of a page while the block reads it: other files of an OME-TIFF are closed."""
    handle = page.parent.filehandle
    if not handle.closed:
        yield
        return
    handle.open()
    try:
        yield
    finally:
        handle.close()


def _opened(path: Path) -> tifffile.TiffFile:
    """Return an open TIFF; of a set of OME-TIFF files, one that stands for what lies in it."""
    file = tifffile.TiffFile(path)
    text = _description(file)
    if OME_NAMESPACE not in text:
        return file
    try:
        of_file = text_of_file(text, path, len(file.pages))
    except BaseException:
        file.close()
        raise
    if of_file is text and not file.is_mmstack:
        return file
    file.close()
    # Micro-Manager's own description of the planes, beside that of OME, says less.
    return tifffile.TiffFile(path, omexml=of_file, is_ome=True, is_mmstack=False)


def _description(file: tifffile.TiffFile) -> str:
    """Return the text of the first page, where OME metadata stand."""
    return (file.pages.first.description or "") if len(file.pages) else ""


def _is_thumbnail(series: Pages) -> bool:
    return series.kind == "lsm" and bool(series.keyframe.is_reduced)


def _series(pages: Pages, name: str, channels: tuple[str, ...], pixel_size: PixelSize) -> Series:
    """Return a series of a TIFF, with the fault or remark that its axes ask for."""
    dtype = pages.dtype
    sizes = {"T": 1, "C": 1, "Z": 1, "Y": 1, "X": 1}
    fault = remark = ""
    if dtype is None or dtype.kind not in "uif":
        fault = f"pixels of type {dtype} are not supported; save grey values"
        return Series(name, (1, 1, 1, 1, 1), np.dtype("uint8"), fault=fault)
    for axis, size in zip(pages.axes, pages.shape, strict=True):
        if axis in UNNAMED_AXES and "Z" not in pages.axes and sizes["Z"] == 1:
            sizes["Z"] = size
        elif axis in sizes and sizes[axis] == 1:
            sizes[axis] = size
        elif size > 1:
            fault = (
                f"the axes are {pages.axes} {tuple(pages.shape)}; one stack of grey planes"
                " (Z, Y, X) is needed"
            )
    if not fault and sizes["T"] > 1 and sizes["Z"] == 1 and "Z" not in pages.axes:
        remark = f"its {sizes['T']} times of one plane each are taken as planes"
        sizes["T"], sizes["Z"] = 1, sizes["T"]
    shape = (sizes["T"], sizes["C"], sizes["Z"], sizes["Y"], sizes["X"])
    named = channels if len(channels) == sizes["C"] and all(channels) else ()
    return Series(name, shape, dtype.newbyteorder("="), named, pixel_size, fault, remark)


def _order(pages: Pages, series: Series) -> list[tuple[str, int]]:
    """Return the axes before rows and columns, slowest first, each as T, C or Z, and its size."""
    order = []
    for axis, size in zip(pages.axes, pages.shape, strict=True):
        if axis in "YX":
            continue
        is_plane = axis in UNNAMED_AXES or (axis == "T" and bool(series.remark))
        order.append(("Z" if is_plane else axis, size))
    return order


def _plane_number(
    order: list[tuple[str, int]], index: dict[str, int], shape: tuple[int, ...]
) -> int:
    """Return which of all planes of a series, in its order, has these indices."""
    number = 0
    for axis, size in order:
        number = number * size + (index[axis] if size > 1 else 0)
    return number


def _check_pages(series: Pages, file: tifffile.TiffFile, path: Path) -> None:
    """Raise UserError if planes are missing.

    To look at every page takes longer than to read them: where they can only be in this file, the
    chain of pages is followed, no more. tifffile logs its faults.
    """
    if series.dataoffset is not None and series.kind in IN_ONE_FILE:
        len(file.pages)
        return
    if any(page is None for page in series.pages):
        raise UserError(
            f"{path}: planes are missing in the file, or another file of the image is not beside"
            " it; copy it again with all its files."
        )


def _check_claim(series: Pages, path: Path) -> None:
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


def _check_whole(series: Pages, path: Path) -> None:
    """Raise UserError if pixels of the series lie beyond the end of their file."""
    if series.dataoffset is not None:
        end = series.dataoffset + math.prod(series.shape) * series.dtype.itemsize
        _check_end(end, series.parent.filehandle.size, path)
        return
    for page in series.pages:
        segments = zip(page.dataoffsets, page.databytecounts, strict=True)
        end = max((offset + count for offset, count in segments), default=0)
        _check_end(end, page.parent.filehandle.size, path)


def _check_end(end: int, file_size: int, path: Path) -> None:
    if end > file_size:
        raise UserError(
            f"{path}: the file is cut off: it should have at least {end} bytes and has"
            f" {file_size}; copy it again."
        )


def _metadata(file: tifffile.TiffFile, count: int) -> list[Metadata]:
    """Return what a file says of its `count` series beside their pixels."""
    nothing: list[Metadata] = [("", (), UNKNOWN_SIZE)] * count
    if file.is_ome:
        found = series_metadata(file.ome_metadata or "")
        return found if len(found) == count else nothing
    if file.is_lsm:
        return [_lsm_metadata(file.lsm_metadata)] * count
    if file.is_imagej:
        return [("", (), _imagej_pixel_size(file))] * count
    if file.is_stk:
        return [("", (), _stk_pixel_size(file.stk_metadata))] * count
    return nothing


def _imagej_pixel_size(file: tifffile.TiffFile) -> PixelSize:
    """Return the pixel size of an ImageJ file: spacing, and resolution tags in its unit."""
    metadata = file.imagej_metadata or {}
    unit = str(metadata.get("unit", "")).replace("\\u00B5", "µ")
    tags = file.pages.first.tags
    sizes = []
    for name in ("YResolution", "XResolution"):
        tag = tags.get(name)
        numerator, denominator = tag.value if tag is not None else (0, 1)
        sizes.append(in_um(denominator / numerator, unit) if numerator else None)
    return (in_um(metadata.get("spacing"), unit), sizes[0], sizes[1])


def _lsm_metadata(metadata: dict[str, object] | None) -> Metadata:
    values = metadata or {}
    sizes = [in_um(values.get(f"VoxelSize{axis}"), "m") for axis in "ZYX"]
    colours = values.get("ChannelColors")
    names = colours.get("ColorNames", ()) if isinstance(colours, dict) else ()
    return "", tuple(str(name) for name in names), (sizes[0], sizes[1], sizes[2])


def _stk_pixel_size(metadata: dict[str, object] | None) -> PixelSize:
    values = metadata or {}
    unit = str(values.get("CalibrationUnits", ""))
    distances = np.abs(np.atleast_1d(np.asarray(values.get("ZDistance", 0.0), dtype=float)))
    step = float(distances[-1]) if distances.size else 0.0
    return (
        in_um(step, unit),
        in_um(values.get("YCalibration"), unit),
        in_um(values.get("XCalibration"), unit),
    )
