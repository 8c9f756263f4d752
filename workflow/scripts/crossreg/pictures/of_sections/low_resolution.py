"""Images of tiles drawn at low resolution where their corners are in the world."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from crossreg.crossmodal import affine

LONGEST_SIDE = 900
"""px of a drawing; panels of a picture of three are smaller on a screen."""
DARKEST, BRIGHTEST = 0.01, 0.995
"""Parts of the covered pixels that become black, and that stay below white."""

Box = tuple[float, float, float, float]
"""Left, right, top, bottom in px of the world."""


@dataclass(frozen=True)
class LowResolution:
    """An image (rows, columns) uint8 in world coordinates."""

    pixels: np.ndarray
    box: Box


@dataclass(frozen=True)
class TileImage:
    """The image (Y, X) of a tile with what becomes its black and white in its own stack."""

    pixels: np.ndarray
    limits: tuple[float, float]

    def reduced(self, factor: int) -> "TileImage":
        """Return the image with the mean of squares of `factor` px; what is over is cut off."""
        factor = max(1, min(factor, *self.pixels.shape))
        rows, columns = (size // factor for size in self.pixels.shape)
        squares = self.pixels[: rows * factor, : columns * factor]
        squares = squares.reshape(rows, factor, columns, factor)
        return TileImage(squares.mean(axis=(1, 3), dtype=np.float32), self.limits)


def box_around(corners: Iterable[np.ndarray]) -> Box:
    """Return the box around tiles, each given by its corners (4, 2: x, y)."""
    points = np.concatenate(list(corners))
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(right), float(top), float(bottom)


def unit_of(box: Box) -> float:
    """Return the size in px of the world of a pixel of a drawing of the box."""
    left, right, top, bottom = box
    return max(right - left, bottom - top) / LONGEST_SIDE


def drawn(images: Iterable[tuple[TileImage, np.ndarray]], box: Box) -> np.ndarray:
    """Return tiles drawn into `box`, grey values with 0 and 1 at their limits, NaN between tiles.

    Pixels of the images should be about `unit_of(box)` large, see `TileImage.reduced`. Each image
    comes with the corners (4, 2: x, y) of its tile in the world, in the order of
    `tile_specs.image_corners`. It is drawn by the affine that fits the corners best: what else
    bends a tile is less than a pixel of the drawing. Where tiles overlap the last one is seen.
    """
    left, right, top, bottom = box
    unit = unit_of(box)
    shape = (max(1, round((bottom - top) / unit)), max(1, round((right - left) / unit)))
    drawing = np.full(shape, np.nan, np.float32)
    for image, corners in images:
        on_paper = (corners - (left, top)) / unit
        low = np.clip(np.floor(on_paper.min(axis=0)), 0, shape[::-1]).astype(int)
        high = np.clip(np.ceil(on_paper.max(axis=0)), 0, shape[::-1]).astype(int)
        part = drawing[low[1] : high[1], low[0] : high[0]]
        black, white = image.limits
        warped = _warped(image.pixels, on_paper - low, part.shape)
        np.copyto(part, (warped - black) / max(white - black, 1e-6), where=np.isfinite(warped))
    return drawing


def as_low_resolution(drawings: Iterable[np.ndarray], box: Box) -> tuple[LowResolution, ...]:
    """Return drawings with the same contrast; what no tile covers is black.

    Where the background is bright, as it is in most EM images, black and white change places:
    in an overlay with another modality structures have to be what shines.
    """
    drawings = list(drawings)
    covered = np.concatenate([drawing[np.isfinite(drawing)] for drawing in drawings])
    if not covered.size:
        covered = np.array([0.0, 1.0])
    black, middle, white = np.quantile(covered, (DARKEST, 0.5, BRIGHTEST))
    if middle > (black + white) / 2:
        white, black = np.quantile(covered, (1 - BRIGHTEST, 1 - DARKEST))
    scale = 255 / ((white - black) or 1.0)
    return tuple(
        LowResolution(
            np.clip(np.nan_to_num((drawing - black) * scale), 0, 255).astype(np.uint8), box
        )
        for drawing in drawings
    )


def _warped(pixels: np.ndarray, corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return an image (Y, X) with its corners at `corners`, of this shape, NaN outside of it."""
    height, width = pixels.shape
    ends = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    a, b, c, d, e, f = affine.fit(corners, ends)
    # Corners are edges of pixels, but an array is counted at their centres.
    offset = np.array((f, e)) + 0.5 * np.array((b + d, a + c)) - 0.5
    return scipy.ndimage.affine_transform(
        pixels.astype(np.float32),
        np.array([[d, b], [c, a]]),
        offset,
        output_shape=shape,
        order=1,
        mode="constant",
        cval=np.nan,
    )
