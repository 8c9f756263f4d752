"""TIFF of every kind that tifffile reads: plain, ImageJ, OME (in one file or several), LSM, STK.

Channels are never taken for planes. Planes that a program stored as times, one plane each, are
taken as planes, which the series' remark says.
"""

import logging
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tifffile

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import (
    UNKNOWN_SIZE,
    PixelSize,
    Plane,
    Series,
    SeriesMetadata,
    in_um,
)
from crossreg.io.images.tiff_checks import check_series
from crossreg.io.images.tiff_planes import Pages, decoded_planes, raw_planes

OME_NAMESPACE = "www.openmicroscopy.org/Schemas/OME"
POSITION = "R"
"""Axis of the positions of the stage: each is a series."""
# Names tifffile gives to axes of which a file does not say what they are.
UNNAMED_AXES = ("I", "Q")
GREY = "one stack of grey planes (Z, Y, X) is needed"
COLOUR = "these are colour images: save grey values"
NAMES = {"shaped": "TIFF", "imagej": "ImageJ TIFF", "ome": "OME-TIFF", "lsm": "LSM", "stk": "STK"}


# As "c:1/3 z:5/20 - beads", which ImageJ writes in front.
PLACE_IN_LABEL = re.compile(r"^(?:[czt]:\d+/\d+\s*)+(?:-\s*)?")


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
            # Each series is of one position: its pages, and which position of them.
            self._places: list[tuple[Pages, int]] = []
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
        (pages, position), described = self._places[series], self.series[series]
        shape_yx = described.shape_tczyx[3:]
        order = _order(pages, described)
        index = {"T": time, "C": channel, POSITION: position}
        numbers = [_plane_number(order, index | {"Z": z}) for z in indices]
        if pages.dataoffset is None:
            in_page = math.prod(size for _, size in order) // len(pages.pages)
            yield from decoded_planes(pages, in_page, numbers, threads)
        else:
            yield from raw_planes(pages, shape_yx, numbers)
        self._faults.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._stop_listening()

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
            check_series(series, self._file, self._path)
        self._faults.tell()

    def _described(self) -> Iterator[Series]:
        metadata = _metadata(self._file, len(self._pages))
        for pages, (name, channels, pixel_size) in zip(self._pages, metadata, strict=True):
            sizes = dict(zip(pages.axes, pages.shape, strict=True))
            for position in range(sizes.get(POSITION, 1)):
                self._places.append((pages, position))
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


def _opened(path: Path) -> tifffile.TiffFile:
    """Return an open TIFF; of a set of OME-TIFF files, one that stands for what lies in it."""
    file = tifffile.TiffFile(path)
    text = _description(file)
    if OME_NAMESPACE not in text:
        return file
    from crossreg.io.images.tiff_ome import text_of_file  # with its XML reader, for OME-TIFF only

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
    axes = list(zip(pages.axes, pages.shape, strict=True))
    for axis, size in axes:
        if axis == POSITION:
            continue
        if axis in UNNAMED_AXES and "Z" not in pages.axes and sizes["Z"] == 1:
            sizes["Z"] = size
        elif axis in sizes and sizes[axis] == 1:
            sizes[axis] = size
        elif size > 1:
            fault = (
                f"the axes are {pages.axes} {tuple(pages.shape)}; {COLOUR if axis == 'S' else GREY}"
            )
    order = "".join(axis for axis, size in axes if size > 1 or axis in "YX")
    if not fault and not order.endswith("YX"):
        fault = f"the axes are {pages.axes} {tuple(pages.shape)}; rows and columns must be the last"
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


def _plane_number(order: list[tuple[str, int]], index: dict[str, int]) -> int:
    """Return which of all planes of a series, in its order, has these indices."""
    number = 0
    for axis, size in order:
        number = number * size + (index[axis] if size > 1 else 0)
    return number


def _metadata(file: tifffile.TiffFile, count: int) -> list[SeriesMetadata]:
    """Return what a file says of its `count` series beside their pixels."""
    nothing: list[SeriesMetadata] = [("", (), UNKNOWN_SIZE)] * count
    if file.is_ome:
        from crossreg.io.images.tiff_ome import series_metadata

        found = series_metadata(file.ome_metadata or "")
        return found if len(found) == count else nothing
    if file.is_lsm:
        return [_lsm_metadata(file.lsm_metadata)] * count
    if file.is_imagej:
        return [("", _imagej_channels(file), _imagej_pixel_size(file))] * count
    if file.is_stk:
        return [("", (), _stk_pixel_size(file.stk_metadata))] * count
    return nothing


def _imagej_channels(file: tifffile.TiffFile) -> tuple[str, ...]:
    """Return the names of channels where all labels of a channel's planes say the same."""
    metadata = file.imagej_metadata or {}
    labels, count = metadata.get("Labels") or [], int(metadata.get("channels", 1))
    named = [{PLACE_IN_LABEL.sub("", label) for label in labels[c::count]} for c in range(count)]
    names = tuple(names.pop() for names in named if len(names) == 1)
    return names if len(names) == count and len(set(names)) == count else ()


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


def _lsm_metadata(metadata: dict[str, object] | None) -> SeriesMetadata:
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
