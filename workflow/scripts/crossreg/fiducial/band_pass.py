"""The band-pass at the scale of a fiducial spot, and the taper, before a correlation."""

from functools import lru_cache

import numpy as np

SPOT_SIGMA = 1.0
"""Gaussian scale (px, planes) below which detail counts as noise: a good objective's PSF."""
BACKGROUND_SIGMA = 3.0
"""Gaussian scale (px) above which structure counts as background: three spots wide."""


@lru_cache(maxsize=64)
def band_pass(shape: tuple[int, ...], pixel: float = 1.0) -> np.ndarray:
    """Return the difference of two Gaussians as a factor on the spectrum of `scipy.fft.rfftn`.

    `shape` is the shape of the image, (Y, X) or (Z, Y, X), `pixel` the size of its pixels (px).
    The wider Gaussian acts in the plane only: planes are far apart, and a background that
    varies along z varies in the plane too. Difference of Gaussians without phase normalisation:
    as in ASHLAR (Muhlich et al. 2022).
    """
    axes = [np.fft.fftfreq(size) for size in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    squares = np.meshgrid(*(axis**2 for axis in axes), indexing="ij", sparse=True)
    in_plane = (squares[-1] + squares[-2]) / pixel**2
    everywhere = in_plane + squares[0] if len(shape) == 3 else in_plane
    narrow = np.exp(-2 * (np.pi * SPOT_SIGMA) ** 2 * everywhere)
    wide = np.exp(-2 * (np.pi * BACKGROUND_SIGMA) ** 2 * in_plane)
    return (narrow * (1 - wide)).astype(np.float32)


@lru_cache(maxsize=256)
def taper(size: int, edge: int) -> np.ndarray:
    """Return a window (size,) float32 of 1 with cosine edges of `edge` samples on both sides."""
    edge = min(edge, size // 2)
    rise = np.sin(np.pi / 2 * np.arange(1, edge + 1) / (edge + 1)) ** 2
    window = np.ones(size, dtype=np.float32)
    window[:edge] = rise
    window[size - edge :] = rise[::-1]
    return window
