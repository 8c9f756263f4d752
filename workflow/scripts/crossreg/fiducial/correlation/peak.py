"""The position of a correlation's peak to a fraction of a pixel."""

import numpy as np


def neighbours(correlation: np.ndarray, index: tuple[int, ...], axis: int) -> np.ndarray:
    """Return the values before, at and after an index along an axis; the map is circular."""
    size = correlation.shape[axis]
    return np.array(
        [
            correlation[(*index[:axis], (index[axis] + step) % size, *index[axis + 1 :])]
            for step in (-1, 0, 1)
        ],
        dtype=float,
    )


def parabola(values: np.ndarray) -> tuple[float, float]:
    """Return (offset, curvature) of the parabola through three values at -1, 0 and 1.

    The offset of its top is 0 where the middle value is no top within one step.
    """
    curvature = values[0] - 2 * values[1] + values[2]
    if curvature >= 0:
        return 0.0, 0.0
    offset = 0.5 * (values[0] - values[2]) / curvature
    return (float(offset), float(curvature)) if abs(offset) <= 1 else (0.0, 0.0)


def sub_pixel_peak(correlation: np.ndarray, index: tuple[int, ...]) -> np.ndarray:
    """Return the position of the peak at `index` of a circular map, by a parabola an axis."""
    offsets = [
        parabola(neighbours(correlation, index, axis))[0] if size > 2 else 0.0
        for axis, size in enumerate(correlation.shape)
    ]
    return np.array(index, dtype=float) + offsets
