"""Is a TIFF file whole, and does it hold what its header claims? Nothing is decoded for that."""

import math
from pathlib import Path

import tifffile

from crossreg.io.errors import UserError
from crossreg.io.images.tiff_planes import BOUNDED, OWN_SIZE, Pages

# Deflate makes constant data at most 1030 times smaller, LZW 1400 times; images stay far below.
MOST_COMPRESSED = 10_000
# A tile may be larger than the image that it is a part of; up to so many bytes no harm is done.
SMALL_TILE_BYTES = 2**25
# Series that tifffile never puts together from several files.
IN_ONE_FILE = ("shaped", "imagej", "uniform", "generic", "stk")


def check_series(series: Pages, file: tifffile.TiffFile, path: Path) -> None:
    """Raise UserError if pixels of a series are missing, or would take more memory than it says."""
    _check_pages(series, file, path)
    _check_whole(series, path)
    _check_claim(series, path)


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
    if len({(page.parent.filehandle.name, page.index) for page in series.pages}) < len(
        series.pages
    ):
        raise UserError(f"{path}: a page is said to be two planes; save the image again.")


def _check_claim(series: Pages, path: Path) -> None:
    """Raise UserError if the header claims more pixels than the file can hold.

    The memory for the stack would be taken before its data turns out to be missing.
    """
    if series.dataoffset:
        return
    key = series.keyframe
    claimed = math.prod(series.shape) * key.bitspersample // 8
    pages = [page for page in series.pages if page.databytecounts]
    held = sum(sum(page.databytecounts) for page in pages)
    if any(0 in (*page.dataoffsets, *page.databytecounts) for page in pages):
        raise UserError(f"{path}: parts of the image are missing in the file; copy it again.")
    compressed = key.compression != tifffile.COMPRESSION.NONE
    if claimed > held * (MOST_COMPRESSED if compressed else 1):
        raise UserError(
            f"{path}: the header claims {claimed} bytes of pixels, but the file holds {held};"
            " it is damaged, copy or save it again."
        )
    if key.compression not in (*BOUNDED, *OWN_SIZE):
        name = getattr(key.compression, "name", key.compression)
        raise UserError(
            f"{path}: its pixels are packed with the method {name}, which is not read here; save it"
            " with LZW, deflate or zstd, or uncompressed."
        )
    tile = math.prod(key.tile) * key.bitspersample // 8 if key.is_tiled else 0
    if tile > max(SMALL_TILE_BYTES, key.nbytes):
        raise UserError(
            f"{path}: the header claims tiles of {tile} bytes, larger than a plane; it is damaged,"
            " copy or save it again."
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
