"""A projection without what is not of spot scale: border, background, stripes, hot pixels."""

import numpy as np

from crossreg.fiducial.correlation.black_borders import dark_border, filled_border
from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.correlation.camera_stripes import without_stripes
from crossreg.fiducial.correlation.hot_pixels import without_hot_pixels
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

FLATTENED = 34
"""Edge (px) of the box whose mean is taken off every pixel: ten spots wide."""
ENOUGH = 2**18
"""Pixels of an image, spread over it, that are looked at for its noise."""
CLIP = 8.0
"""Standard deviations of the noise above which pixels are cut off: a few very bright spots or
pieces of dirt must not outweigh all others."""


def flattened(image: np.ndarray) -> np.ndarray:
    """Return the image without border, hot pixels, background and stripes, its peaks cut off."""
    image = np.asarray(image, dtype=np.float32)
    if np.isnan(image).any():
        image = np.nan_to_num(image, nan=float(np.nanmedian(image)))
    image = without_hot_pixels(filled_border(image, dark_border(image)))
    image = without_stripes(image - _background(image))
    step = max(1, int(np.sqrt(image.size / ENOUGH)))
    noise = median(np.abs(image[::step, ::step])) / NORMAL_MEDIAN
    return np.minimum(image, CLIP * noise, out=image) if noise > 0 else image


def _background(image: np.ndarray) -> np.ndarray:
    """Return the mean of the pixels around each one of an image (Y, X), from pairs of pixels."""
    rows, columns = image.shape
    even = np.pad(image, ((0, rows % 2), (0, columns % 2)), mode="edge")
    pairs = even[::2] + even[1::2]
    pairs = (pairs[:, ::2] + pairs[:, 1::2]) / 4
    background = box_mean(pairs, FLATTENED // 2, "symmetric")
    result: np.ndarray = background.repeat(2, axis=0)[:rows].repeat(2, axis=1)[:, :columns]
    return result
