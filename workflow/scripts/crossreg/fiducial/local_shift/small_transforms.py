"""Fourier transforms of small images, as products with matrices: fastest for what is so small.

Only the low-passed part of a spectrum is computed, and only the shifts that are wanted are
transformed back (the matrix-multiply DFT of Guizar-Sicairos et al. 2008). Spectra are half spectra
(m, Z, y, x // 2 + 1) of m real images.
"""

from functools import lru_cache

import numpy as np

from crossreg.fiducial.correlation.band_pass import SPOT_SIGMA
from crossreg.fiducial.local_shift.sub_block_parts import SAMPLE


def low_passed_spectra(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the low-passed spectra of images (m, Z, y, x) float32, filled up to a shape with 0."""
    m, planes, rows, columns = images.shape
    z, y, x = (
        _low_passed(*sizes, step, is_half)
        for *sizes, step, is_half in zip(
            shape, images.shape[1:], SAMPLE.tolist(), (False, False, True), strict=True
        )
    )
    # Of real values, the real and the imaginary parts are columns of their own.
    real_x = np.ascontiguousarray(x.T).view(np.float32)
    along_x = (images.reshape(m * planes * rows, columns) @ real_x).view(np.complex64)
    along_x = along_x.reshape(m, planes, rows, len(x))
    in_the_plane = np.matmul(y, along_x).reshape(m, planes, len(y) * len(x))
    spectra: np.ndarray = np.matmul(z, in_the_plane)
    return spectra.reshape(m, len(z), len(y), len(x))


def near_zero(
    cross: np.ndarray,
    shape: tuple[int, ...],
    reach: tuple[int, ...],
    steps: np.ndarray = SAMPLE,
) -> np.ndarray:
    """Return the correlations (m, 2 * reach + 1 an axis) whose cross spectra are given.

    They are as many `steps` a sample along z, y, x.
    """
    m, planes, rows, half = cross.shape
    z, y = (_inverse(shape[axis], reach[axis], int(steps[axis])) for axis in (0, 1))
    x = _inverse_of_half(shape[2], reach[2], int(steps[2]))
    values = np.matmul(z, cross.reshape(m, planes, rows * half)).reshape(m, len(z), rows, half)
    voxels = np.float32(np.prod(shape))
    result: np.ndarray = np.matmul(np.matmul(y, values), x.T).real / voxels
    return result


def sums_of_squares(spectra: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the sums of squares (m,) of the images whose half spectra are given (Parseval)."""
    total = 2 * _squares(spectra)
    for column in {0, shape[2] // 2} if shape[2] % 2 == 0 else {0}:
        total -= _squares(np.ascontiguousarray(spectra[..., column]))
    result: np.ndarray = total / np.prod(shape, dtype=float)
    return result


@lru_cache(maxsize=256)
def _low_passed(size: int, length: int, step: int, is_half: bool) -> np.ndarray:
    """Return the factors of the DFT of `size` samples, the first `length` of which are not 0.

    They are (size, length), or (size // 2 + 1, length) for the half spectrum of real values. A
    sample is `step` px or planes; the low-pass is in them.
    """
    frequencies = np.fft.rfftfreq(size) if is_half else np.fft.fftfreq(size)
    waves = np.exp(-2j * np.pi * np.outer(frequencies, np.arange(length)))
    low_pass = np.exp(-2 * np.square(np.pi * SPOT_SIGMA * frequencies / step))
    result: np.ndarray = (waves * low_pass[:, None]).astype(np.complex64)
    return result


@lru_cache(maxsize=256)
def _inverse(size: int, reach: int, step: int) -> np.ndarray:
    """Return the factors (2 * reach + 1, size) of the inverse DFT for -reach..reach steps."""
    return _factors(reach, step, np.fft.fftfreq(size)).astype(np.complex64)


@lru_cache(maxsize=256)
def _inverse_of_half(size: int, reach: int, step: int) -> np.ndarray:
    """Return the same for the half spectrum of a real image, (2 * reach + 1, size // 2 + 1)."""
    columns = np.arange(size // 2 + 1)
    twice = np.where(columns * 2 % size == 0, 1.0, 2.0)
    result: np.ndarray = (twice * _factors(reach, step, np.fft.rfftfreq(size))).astype(np.complex64)
    return result


def _factors(reach: int, step: int, frequencies: np.ndarray) -> np.ndarray:
    return np.exp(2j * np.pi * np.outer(np.arange(-reach, reach + 1) / step, frequencies))


def _squares(values: np.ndarray) -> np.ndarray:
    """Return the sums (m,) of the squared sizes of complex values (m, ...)."""
    flat = values.reshape(len(values), -1).view(np.float32)
    result: np.ndarray = np.matmul(flat[:, None], flat[..., None])[:, 0, 0].astype(float)
    return result
