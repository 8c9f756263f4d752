"""The band-pass at the scale of a fiducial spot, and the taper, before a correlation."""

import numpy as np
from scipy.signal.windows import tukey

SPOT_SIGMA = 1.0
"""Gaussian scale (px) below which detail counts as noise: the PSF of a good objective."""
BACKGROUND_SIGMA = 3.0
"""Gaussian scale (px) above which structure counts as background: three spots wide."""
TAPERED = 0.25
"""Part of a block's length that the cosine edges of the taper take, both together."""


def band_pass(
    shape: tuple[int, ...], spot_sigma: float = SPOT_SIGMA, background: float = BACKGROUND_SIGMA
) -> np.ndarray:
    """Return the difference of two Gaussians as a factor on the spectrum of `scipy.fft.rfftn`.

    `shape` is the shape of the image, (Y, X) or (Z, Y, X). The wider Gaussian acts in the plane
    only: planes are far apart, and a background that varies along z varies in the plane too.
    Difference of Gaussians without phase normalisation: as in ASHLAR (Muhlich 2022).
    """
    axes = [np.fft.fftfreq(size) for size in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    squares = np.meshgrid(*(axis**2 for axis in axes), indexing="ij", sparse=True)
    in_plane = squares[-1] + squares[-2]
    everywhere = sum(squares)
    narrow = np.exp(-2 * (np.pi * spot_sigma) ** 2 * everywhere)
    return (narrow * (1 - np.exp(-2 * (np.pi * background) ** 2 * in_plane))).astype(np.float32)


def taper(shape: tuple[int, ...]) -> np.ndarray:
    """Return a Tukey window (float32) over the last two axes of `shape`, as (Y, X)."""
    return np.outer(*(tukey(size, TAPERED) for size in shape[-2:])).astype(np.float32)
