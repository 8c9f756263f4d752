"""Which grey values of a stack are shown as black and white."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from crossreg.crossmodal.freeze.parameters import AUTO

FULL_RANGES = {0: (0.0, 255.0), 1: (0.0, 65535.0), 4: (0.0, 255.0)}
"""The full range of TrakEM2's pixel types: 8-bit grey, 16-bit, RGB. 32-bit float has none."""

PERCENTILES = (0.5, 99.5)
MOST_SAMPLES = 8

T = TypeVar("T")


def sample_tiles(items: Sequence[T], most: int = MOST_SAMPLES) -> list[T]:
    """Return up to `most` of the items (tiles or sections), evenly spread over their order."""
    count = min(most, len(items))
    return [items[(2 * index + 1) * len(items) // (2 * count)] for index in range(count)]


def stack_intensity(
    requested: Sequence[float] | str | None,
    own: tuple[float | None, float | None],
    pixel_type: int,
    read_samples: Callable[[], Sequence[np.ndarray]],
) -> list[float] | None:
    """Return [min, max] for all tiles of a stack, or None: each tile has its own.

    `requested` is the stack's entry in the parameter `intensity`; `own` is (minIntensity,
    maxIntensity) and `pixel_type` the type of one of its tiles. `read_samples` returns the
    pixels of sample tiles and is called only if percentiles are needed.
    """
    if requested is not None and requested != AUTO:
        return [float(limit) for limit in requested]
    if requested is None and not needs_percentiles(own, pixel_type):
        return None
    return percentile_range(read_samples())


def needs_percentiles(own: tuple[float | None, float | None], pixel_type: int) -> bool:
    """Return whether a tile's own intensities are missing or the full range of its type."""
    low, high = own
    return low is None or high is None or (float(low), float(high)) == FULL_RANGES.get(pixel_type)


def percentile_range(samples: Sequence[np.ndarray]) -> list[float]:
    """Return the percentiles 0.5 and 99.5 of all finite pixels of the samples, different.

    Raises ValueError if there is none.
    """
    pixels = np.concatenate([sample.ravel() for sample in samples])
    pixels = pixels[np.isfinite(pixels)]
    if not pixels.size:
        raise ValueError("no finite pixel in the samples")
    low, high = (float(value) for value in np.percentile(pixels, PERCENTILES))
    return [low, high if high > low else low + 1.0]
