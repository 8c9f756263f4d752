"""What all pictures share: sizes, colours, panels arranged on a screen, round lengths."""

import math

import numpy as np

DPI = 100
FONT_SIZE = 9.0
"""Points."""
LARGEST = (14.0, 9.0)
"""Width and height in inches that the panels of a picture fill at most: a screen."""
OUTLIER_COLOUR = "#d55e00"
"""Vermillion of the palette of Okabe and Ito, which colour-blind people tell from blue."""


def arranged(
    count: int,
    cell: tuple[float, float],
    margin: tuple[float, float],
    largest: tuple[float, float] = LARGEST,
) -> tuple[int, float]:
    """Return (columns, scale) that show `count` cells as large as possible.

    A cell takes scale x `cell` + `margin` inches (width, height); all fit into `largest`, and
    no cell stays empty.
    """
    best = (1, 0.0)
    for columns in (number for number in range(1, count + 1) if count % number == 0):
        numbers = (columns, math.ceil(count / columns))
        scale = min(
            (full / number - extra) / size
            for full, number, extra, size in zip(largest, numbers, margin, cell, strict=True)
        )
        if scale > best[1] * 1.001:
            best = (columns, scale)
    return best


def overlay(reference: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """Return two uint8 images as colours: reference magenta, cycle green, both white."""
    return np.stack([reference, cycle, reference], axis=-1)


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))


def round_steps(low: float, high: float, most: int = 7) -> list[float]:
    """Return round numbers from `low` to `high`, evenly spaced, at most about `most`."""
    step = round_length((high - low) / most)
    for factor in (1.0, 2.0, 2.5, 5.0):
        first = math.ceil(low / (step * factor) - 1e-9)
        last = math.floor(high / (step * factor) + 1e-9)
        if last - first < most:
            break
    return [number * step * factor for number in range(first, last + 1)]
