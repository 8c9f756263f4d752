"""Planes of TIFF pages: as they lie in the file, decoded, or out of pages that hold several."""

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tifffile

from crossreg.io.images.image_file import Plane
from crossreg.io.images.packed_sizes import check_image_size

# A TiffPageSeries, and a TiffPage or TiffFrame: in tifffile's types, all they hold may be None.
Pages = Any
Page = Any
COMPRESSION = tifffile.COMPRESSION
BOUNDED = (
    *(COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE),
    *(COMPRESSION.ZSTD, COMPRESSION.ZSTD_DEPRECATED, COMPRESSION.LZMA, COMPRESSION.PACKBITS),
)
"""What is decoded into no more bytes than a strip or tile has."""
OWN_SIZE = (
    *(COMPRESSION.JPEG, COMPRESSION.JPEG_2000_LOSSY, COMPRESSION.JPEG2000, COMPRESSION.PNG),
    *(COMPRESSION.APERIO_JP2000_YCBC, COMPRESSION.APERIO_JP2000_RGB, COMPRESSION.WEBP),
)
"""Where each strip or tile is an image that says its own size."""


def raw_planes(pages: Pages, shape_yx: tuple[int, int], numbers: Sequence[int]) -> Iterator[Plane]:
    """Yield planes of a series that lie in the file as they are, one behind the other."""
    file = pages.parent
    for number in numbers:
        plane = np.empty(shape_yx, pages.dtype.newbyteorder(file.byteorder))
        file.filehandle.seek(pages.dataoffset + number * plane.nbytes)
        if file.filehandle.readinto(plane) != plane.nbytes:
            raise tifffile.TiffFileError(f"plane {number} is cut off")
        yield plane.astype(plane.dtype.newbyteorder("="), copy=False)


def decoded_planes(
    pages: Pages, in_page: int, numbers: Sequence[int], threads: int
) -> Iterator[Plane]:
    """Yield planes of a series whose pages hold `in_page` planes each, which have to be decoded."""
    for page_number, group in itertools.groupby(numbers, lambda number: number // in_page):
        page = pages.pages[page_number]
        with _file_open(page):
            if page.keyframe.compression in OWN_SIZE:
                _check_sizes(page)
            if in_page == 1:
                for _ in group:
                    yield page.asarray(maxworkers=threads)
            else:
                yield from _planes_of_volume(page, [number % in_page for number in group])


@contextlib.contextmanager
def _file_open(page: Page) -> Iterator[None]:
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


def _planes_of_volume(page: Page, wanted: Sequence[int]) -> Iterator[Plane]:
    """Yield planes of a page with a depth; no more of them than a tile is deep lie in memory."""
    key = page.keyframe
    depth = key.tiledepth if key.is_tiled else 1
    for slab, group in itertools.groupby(wanted, lambda plane: plane // depth):
        yield from _slab(page, slab, [plane - slab * depth for plane in group])


def _slab(page: Page, slab: int, wanted: Sequence[int]) -> Plane:
    """Return planes (Z, Y, X) out of one layer of tiles or strips, decoded one by one."""
    key = page.keyframe
    rows, columns = key.imagelength, key.imagewidth
    high, wide = (key.tilelength, key.tilewidth) if key.is_tiled else (key.rowsperstrip, columns)
    in_layer = math.ceil(rows / high) * math.ceil(columns / wide)
    planes = np.empty((len(wanted), rows, columns), key.dtype)
    tables = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}
    for index in range(slab * in_layer, (slab + 1) * in_layer):
        data = _segment(page, index)
        tile, (_, _, y, x, _), _ = key.decode(data, index, **tables)
        part = planes[:, y : y + high, x : x + wide]
        part[:] = tile[list(wanted), : part.shape[1], : part.shape[2], 0]
    return planes


def _segment(page: Page, index: int) -> bytes:
    """Return the packed bytes of a strip or tile."""
    handle = page.parent.filehandle
    handle.seek(page.dataoffsets[index])
    data: bytes = handle.read(page.databytecounts[index])
    return data


def _check_sizes(page: Page) -> None:
    """Raise ValueError if a strip or tile is an image larger than it may be.

    Its decoder would take the memory that the image claims.
    """
    key = page.keyframe
    most = key.tilelength * key.tilewidth if key.is_tiled else key.rowsperstrip * key.imagewidth
    for index in range(len(page.dataoffsets)):
        check_image_size(_segment(page, index), most)
