"""Correlation of two images through their spectra, and its peak."""

import numpy as np
import scipy.fft


def correlation_map(reference: np.ndarray, cycle: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the circular correlation of two images of `shape` from their `rfftn` spectra.

    Its peak lies at the shift that moves the cycle onto the reference, modulo `shape`.
    """
    return scipy.fft.irfftn(reference * np.conj(cycle), s=shape)


def centred(correlation: np.ndarray) -> np.ndarray:
    """Return the map with shift 0 moved to index size // 2 on every axis."""
    return scipy.fft.fftshift(correlation)


def sub_pixel_peak(correlation: np.ndarray, index: tuple[int, ...]) -> np.ndarray:
    """Return the position of the peak at `index` by a parabola through its neighbours.

    An axis on which the peak lies at the border of the map keeps the whole index.
    """
    position = np.array(index, dtype=float)
    for axis, at in enumerate(index):
        if 0 < at < correlation.shape[axis] - 1:
            line = [correlation[(*index[:axis], at + d, *index[axis + 1 :])] for d in (-1, 0, 1)]
            curvature = line[0] - 2 * line[1] + line[2]
            if curvature < 0:
                position[axis] += 0.5 * (line[0] - line[2]) / curvature
    return position
