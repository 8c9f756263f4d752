"""The image files of tiles: type and size from the header, pixels for the range of grey values."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import tifffile

from crossreg.io.errors import UserError

GREY_8, GREY_16, GREY_32, PALETTE, RGB = range(5)
"""Pixel types as ImageJ and TrakEM2 count them."""

PILLOW_MODES = {
    "1": GREY_8,
    "L": GREY_8,
    "I;16": GREY_16,
    "I;16B": GREY_16,
    "I": GREY_32,
    "F": GREY_32,
    "P": PALETTE,
    "RGB": RGB,
    "RGBA": RGB,
}
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

MOST_PIXELS_OF_A_SAMPLE = 1_000_000
"""Enough for percentiles of 0.5 that are stable to a grey value; eight of them are 8 MB or more."""

# Tiles of microscopes are larger than what Pillow takes for an attack on a web site.
PIL.Image.MAX_IMAGE_PIXELS = None


class ImageHeader(NamedTuple):
    """Pixel type as TrakEM2 counts it, and size in px."""

    type: int
    width: int
    height: int


def read_header(path: Path | str) -> ImageHeader:
    """Return type and size of an image (TIFF, PNG, JPEG, ...) without reading its pixels.

    Of a TIFF with several pages, the first counts. Raises FileNotFoundError, and UserError if
    the file cannot be read or has pixels that TrakEM2 does not open.
    """
    with _told(path):
        if _is_tiff(path):
            with tifffile.TiffFile(path) as file:
                page = file.pages.first
                return ImageHeader(_tiff_type(page, path), page.imagewidth, page.imagelength)
        with PIL.Image.open(path) as image:
            if image.mode not in PILLOW_MODES:
                raise _unknown_pixels(path, image.mode)
            return ImageHeader(PILLOW_MODES[image.mode], image.width, image.height)


def read_pixels(path: Path | str) -> np.ndarray:
    """Return the pixels of an image, (Y, X) or (Y, X, colours); errors as `read_header`."""
    with _told(path):
        if _is_tiff(path):
            return tifffile.imread(path, key=0)
        with PIL.Image.open(path) as image:
            return np.asarray(image)


def read_sample(path: Path | str) -> np.ndarray:
    """Return pixels of an image on a regular grid, about a million; errors as `read_header`."""
    pixels = read_pixels(path)
    step = max(1, int(np.ceil(np.sqrt(pixels.size / MOST_PIXELS_OF_A_SAMPLE))))
    return pixels[::step, ::step]


@contextmanager
def _told(path: Path | str) -> Iterator[None]:
    """Turn every fault of an image file that is there into a UserError."""
    try:
        yield
    except (UserError, MemoryError, FileNotFoundError):
        raise
    except PIL.UnidentifiedImageError:
        raise UserError(f"{path}: this is not an image of a known kind; save it as TIFF.") from None
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: the image cannot be read ({reason}).") from None
    except Exception as error:
        # Decoders of damaged files raise anything, from struct.error to ZeroDivisionError.
        raise UserError(
            f"{path}: the image is damaged or of an unsupported kind"
            f" ({type(error).__name__}: {error}); save it anew."
        ) from None


def _is_tiff(path: Path | str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(4) in TIFF_SIGNATURES


def _tiff_type(page: tifffile.TiffPage, path: Path | str) -> int:
    dtype = np.dtype(page.dtype or "V1")
    if page.samplesperpixel in (3, 4) and dtype == np.uint8:
        return RGB
    if page.samplesperpixel == 1 and dtype.kind in "buif" and dtype != np.int8:
        if dtype.itemsize == 1:
            palette = page.photometric == tifffile.PHOTOMETRIC.PALETTE
            return PALETTE if palette else GREY_8
        return GREY_16 if dtype.itemsize == 2 and dtype.kind in "ui" else GREY_32
    raise _unknown_pixels(path, f"{page.samplesperpixel} x {dtype}")


def _unknown_pixels(path: Path | str, kind: str) -> UserError:
    return UserError(
        f"{path}: TrakEM2 does not open pixels of this kind ({kind}); save the image as grey or as"
        " 8-bit RGB."
    )
