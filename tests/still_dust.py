"""Pairs of stacks that share dust or a pattern of the camera, of one field or of two."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

SIZE = 256
OFFSET, READ_NOISE = 100.0, 4.0
CONTENTS = ("beads", "cells", "threads")
SHARED = ("spots", "flecks", "grain")
LARGEST_SHIFT = 8


@dataclass(frozen=True)
class Pair:
    """Two stacks (Z, Y, X) uint16, and the shift (row, column) of the specimen; None if wrong."""

    reference: NDArray[np.uint16]
    cycle: NDArray[np.uint16]
    shift_yx: tuple[float, float] | None


def dusty_pair(
    seed: int,
    planes: int,
    *,
    other_field: bool = False,
    moved_back: bool = False,
    height: float = 1.5,
    shared: str | None = None,
    is_flat: bool = False,
) -> Pair:
    """Return a pair whose camera adds the same dust to both, in every plane.

    The dust is `height` times as high as the specimen. With `other_field` the two show different
    specimens. With `moved_back` the cycle was moved by whole pixels and cropped beforehand, so that
    the dust moved with it. `shared` is one of SHARED, drawn if not given, or "blobs". A specimen
    that `is_flat` shows alike in all planes, as where the focus is deep.
    """
    random = np.random.default_rng(seed)
    drawn = str(random.choice(SHARED))
    dust = height * _dust(random, shared or drawn)
    shift = random.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2)
    crop = np.rint(shift).astype(int) if moved_back else np.zeros(2, dtype=int)
    content = str(random.choice(CONTENTS))
    one, two = (
        np.repeat(_specimen(random, content, 1 if is_flat else planes), planes if is_flat else 1, 0)
        for _ in range(2)
    )
    two = two if other_field else one
    there = np.fft.ifft2(np.fft.fft2(two) * _moving(-shift)).real
    stacks = [
        random.poisson(np.maximum(300 * (part + dust) + 60, 0))
        + random.normal(0, READ_NOISE, part.shape)
        + OFFSET
        for part in (one, there)
    ]
    margin = 2 * LARGEST_SHIFT
    rows, columns = (slice(margin, SIZE - margin) for _ in range(2))
    moved = (slice(margin - step, SIZE - margin - step) for step in crop)
    images = stacks[0][:, rows, columns], stacks[1][:, *moved]
    reference, cycle = (np.rint(np.maximum(image, 0)).astype(np.uint16) for image in images)
    left = shift - crop
    return Pair(reference, cycle, None if other_field else (float(left[0]), float(left[1])))


def _specimen(random: np.random.Generator, content: str, planes: int) -> NDArray[np.float64]:
    """Return a specimen (Z, Y, X) of a content, about 1 high, that repeats at its borders."""
    shape = (planes, SIZE, SIZE)
    if content == "beads":
        field = np.zeros(shape)
        places = [random.integers(0, size, 90 + 25 * planes) for size in shape]
        field[tuple(places)] = random.lognormal(0, 0.4, len(places[0]))
        field = gaussian_filter(field, (1.2 if planes > 1 else 0, 1.4, 1.4), mode="wrap")
    elif content == "cells":
        grain = gaussian_filter(random.normal(size=shape), (1.0, 2.0, 2.0), mode="wrap")
        where = gaussian_filter(random.normal(size=shape[1:]), 14, mode="wrap")
        field = np.maximum(grain / grain.std() + 0.5, 0) * (where > 0.3 * where.std())
    else:
        sheets = [
            gaussian_filter(random.normal(size=shape), (3, 9, 9), mode="wrap") for _ in range(2)
        ]
        lines = sum(np.exp(-0.5 * (sheet / sheet.std() / 0.1) ** 2) for sheet in sheets)
        field = gaussian_filter(lines, (0, 1.2, 1.2), mode="wrap")
    return np.asarray(field / np.percentile(field[field > 0.1 * field.max()], 90))


def _dust(random: np.random.Generator, kind: str) -> NDArray[np.float64]:
    """Return what a camera adds to every plane (Y, X), about 1 high."""
    if kind == "grain":
        grain = gaussian_filter(random.normal(size=(SIZE, SIZE)), 1.2)
        return np.asarray(0.35 * grain / grain.std())
    if kind == "blobs":
        blobs = np.exp(2 * gaussian_filter(random.normal(size=(SIZE, SIZE)), 4) / 0.07)
        return np.asarray((blobs - np.median(blobs)) / np.percentile(blobs, 99))
    field = np.zeros((SIZE, SIZE))
    count = 25 if kind == "spots" else 12
    field[tuple(random.integers(20, SIZE - 20, (2, count)))] = 1
    field = gaussian_filter(field, 1.8 if kind == "spots" else 2.6)
    return np.asarray(field / field.max())


def _moving(shift_yx: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the factor on the spectrum of an image that moves it."""
    rows, columns = np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)
    return np.asarray(np.exp(-2j * np.pi * (rows * shift_yx[0] + columns * shift_yx[1])))
