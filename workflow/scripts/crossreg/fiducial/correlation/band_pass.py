"""The band-pass at the scale of a fiducial spot, and the taper, before a correlation."""

from functools import lru_cache

import numpy as np

SPOT_SIGMA = 1.0
"""Gaussian scale (px, planes) below which detail counts as noise: a good objective's PSF."""
BACKGROUND_SIGMA = 3.0
"""Gaussian scale (px) above which structure counts as background: three spots wide."""

TAPERED = 8
"""The cosine edge of an image or block takes one part in so many of its length."""


@lru_cache(maxsize=64)
def band_pass(shape: tuple[int, ...], pixel: float = 1.0) -> np.ndarray:
    """Return the difference of two Gaussians as a factor on the spectrum of a real image.

    `shape` is the shape of the image, (Y, X) or (Z, Y, X), `pixel` the size of its pixels (px).
    The wider Gaussian acts in the plane only: planes are far apart, and a background that
    varies along z varies in the plane too. Difference of Gaussians without phase normalisation:
    as in ASHLAR (Muhlich et al. 2022).
    """
    result: np.ndarray = low_pass(shape, pixel) * high_pass(shape[-2:], pixel)
    return result


@lru_cache(maxsize=64)
def low_pass(shape: tuple[int, ...], pixel: float = 1.0) -> np.ndarray:
    """Return the narrower Gaussian of the band-pass, which takes noise away."""
    squares = _squares(shape, pixel)
    return np.exp(-2 * (np.pi * SPOT_SIGMA) ** 2 * sum(squares)).astype(np.float32)


@lru_cache(maxsize=64)
def high_pass(shape: tuple[int, int], pixel: float = 1.0) -> np.ndarray:
    """Return one minus the wider Gaussian of the band-pass, which takes background away."""
    squares = _squares(shape, pixel)
    return 1 - np.exp(-2 * (np.pi * BACKGROUND_SIGMA) ** 2 * sum(squares)).astype(np.float32)


@lru_cache(maxsize=64)
def gaussian(shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Return a Gaussian of a scale (samples) as a factor on the spectrum."""
    squares = _squares(shape, 1.0)
    return np.exp(-2 * (np.pi * sigma) ** 2 * sum(squares)).astype(np.float32)


def _squares(shape: tuple[int, ...], pixel: float) -> list[np.ndarray]:
    """Return the squared frequency (cycles per px or plane) of each axis, to be broadcast."""
    axes = [np.fft.fftfreq(size) for size in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    scales = [1.0] * (len(shape) - 2) + [pixel, pixel]
    squares = [np.square(axis / scale) for axis, scale in zip(axes, scales, strict=True)]
    return list(np.meshgrid(*squares, indexing="ij", sparse=True))


def taper(
    size: int | np.ndarray,
    edge: int | np.ndarray,
    offset: float | np.ndarray = 0.0,
    length: int | None = None,
) -> np.ndarray:
    """Return a window (..., length) float32 of 1 with cosine edges of `edge` samples at both ends.

    It is `size` samples long, moved by `offset` samples (towards higher indices where positive),
    and 0 beyond; `length` is `size` unless given. Arrays (...) give one window each.
    """
    size, edge, offset = (np.asarray(value)[..., None] for value in (size, edge, offset))
    edge = np.minimum(edge, size // 2)
    position = np.arange(1, (int(size.max()) if length is None else length) + 1) - offset
    rise = np.minimum(position, size + 1 - position) / (edge + 1)
    result: np.ndarray = np.square(np.sin(np.pi / 2 * np.maximum(np.minimum(rise, 1), 0))).astype(
        np.float32
    )
    return result


@lru_cache(maxsize=64)
def window(shape: tuple[int, int]) -> np.ndarray:
    """Return the taper of an image (Y, X), with cosine edges of one part in TAPERED."""
    y, x = (taper(size, size // TAPERED) for size in shape)
    result: np.ndarray = y[:, None] * x
    return result
