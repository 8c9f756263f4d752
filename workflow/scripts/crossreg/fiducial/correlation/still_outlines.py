"""Outlines and dust that lie still on the camera while the specimen has moved.

Where a field stop or a mask ends, or dust lies, both images step at the same place, whatever the
specimen does. There a small part of the one image is much like the same part of the other as it
lies, and less like the one that a shift by the specimen's motion brings to it. Such places are left
out of both images, and what meets them once the cycle is moved is left out, too: else structure
would end at one place in the one image and at another in the other.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned_stacks import (
    BIN,
    SAMPLED,
    BinnedStack,
    binned_plane,
    finite,
)
from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

Image = NDArray[np.float32]

FINE, COARSE = 3, 9
"""Edges (bins) of the boxes between whose means structure is looked at."""
BACKGROUND = 34
"""Edge (px) of the box whose mean is left in projections."""
PART = 7
"""Edge (bins) of the parts that are compared."""
BRIGHT = 4.0
"""Usual heights above which they count by their logarithm only."""
LEAST = 0.5
"""Variance, in parts of the usual one, that is added to that of each part: little structure is
alike by chance."""
ALIKE, MORE_ALIKE = 0.6, 0.1
"""Correlation of parts from which on they are alike, and by how much it exceeds that of the moved
ones. Of single planes of specimens that moved by 3 to 8 px, without an outline, 0.2 % are so."""
SOFT, FILLED = 15, 0.25
"""Edge (bins) of a box, and the part of it that lies still from which on its middle is left out:
outlines are left out where bright structure that moved hides them, too."""
LEAST_LEFT = 0.1
"""Part of the images that is left at least: a pattern over all of them leaves less."""
FEWEST_PLANES = 3
"""Planes from which on stacks are freed of what all of them share instead."""
MOVED = 2.0
"""Shift (px) from which on the specimen's motion can be told from rest."""


def without_still_outlines(
    reference: BinnedStack, cycle: BinnedStack, shift_yx: tuple[float, float]
) -> tuple[BinnedStack, BinnedStack]:
    """Return two stacks of one or two planes without outlines that lie still on the camera of both.

    Others, and those that show no such outlines, are returned as they are. `shift_yx` (px) brings
    the cycle to the reference.
    """
    exposed = reference.exposed, cycle.exposed
    if not 0 < min(map(len, exposed)) < FEWEST_PLANES:
        return reference, cycle
    if exposed[0].shape[1:] != exposed[1].shape[1:]:
        return reference, cycle
    if np.hypot(*shift_yx) < MOVED:
        return reference, cycle
    here, there = (planes.mean(axis=0) for planes in exposed)
    weights = weights_beside_still(here, there, np.array(shift_yx) / BIN)
    if weights is None:
        return reference, cycle
    one, two = (
        stack._replace(planes=np.rint(stack.planes * weight).astype(np.int16))
        for stack, weight in zip((reference, cycle), weights, strict=True)
    )
    return one, two


def projections_without_outlines(
    images: Sequence[NDArray[np.number]], shift_yx: tuple[float, float] | None
) -> list[Image] | None:
    """Return two images (Y, X) without the outlines that lie still on the camera of both.

    None where there are none. `shift_yx` (px) is as in `weights_beside_still`.
    """
    here, there = map(binned_plane, images)
    weights = weights_beside_still(
        here, there, None if shift_yx is None else np.array(shift_yx) / BIN
    )
    if weights is None:
        return None
    freed = []
    for image, weight in zip(map(finite, images), weights, strict=True):
        around = box_mean(image, BACKGROUND, "symmetric")
        rows, columns = image.shape
        fine = weight.repeat(BIN, axis=0)[:rows].repeat(BIN, axis=1)[:, :columns]
        freed.append(np.asarray(around + fine * (image - around), dtype=np.float32))
    return freed


def weights_beside_still(
    reference: Image, cycle: Image, shift_yx: NDArray[np.float64] | None
) -> tuple[Image, Image] | None:
    """Return the weights (y, x), 0 to 1, of two images without what lies still in both.

    `shift_yx` (px of the images) brings the specimen of the cycle to the reference; None where it
    is not known: then all that is alike as it lies is left out. None if nothing lies still, or
    nearly all does beside a motion that is known: that is a pattern of the camera, and no outline.
    """
    one, two = _structure(reference), _structure(cycle)
    energies = _energy(one), _energy(two)
    at_rest = box_mean(one * two, PART, "symmetric") / np.sqrt(energies[0] * energies[1])
    alike = at_rest > ALIKE
    if not alike.any():
        return None
    if shift_yx is None:
        weight = _weight(alike)
        return weight, weight
    there, back = shift_yx, -shift_yx
    still: list[Image] = []
    for own, other, energy, by in ((one, two, energies[0], there), (two, one, energies[1], back)):
        moved = _moved(other, by)
        likeness = box_mean(own * moved, PART, "symmetric") / np.sqrt(energy * _energy(moved))
        still.append(_weight(alike & (at_rest > likeness + MORE_ALIKE)))
    if min(weight.min() for weight in still) == 1:
        return None
    one, two = still[0] * _moved(still[1], there), still[1] * _moved(still[0], back)
    return (one, two) if min(one.mean(), two.mean()) > LEAST_LEFT else None


def _structure(image: Image) -> Image:
    """Return what an image (y, x) shows between two scales, in usual heights, compressed."""
    values = box_mean(image, FINE, "symmetric") - box_mean(image, COARSE, "symmetric")
    sizes = np.abs(values[::SAMPLED, ::SAMPLED])
    shown = sizes[sizes > 0]
    if not len(shown):
        return values
    usual = np.float32(BRIGHT * median(shown) / NORMAL_MEDIAN)
    return np.asarray(np.arcsinh(values / usual) * np.float32(BRIGHT), dtype=np.float32)


def _energy(values: Image) -> Image:
    return box_mean(np.square(values), PART, "symmetric") + np.float32(LEAST)


def _weight(still: NDArray[np.bool_]) -> Image:
    """Return weights (y, x) that are 0 where something lies still, and soft around it."""
    part = box_mean(still.astype(np.float32), SOFT, "symmetric")
    return np.asarray(np.maximum(1 - part / np.float32(FILLED), 0))


def _moved(image: Image, by_yx: NDArray[np.float64]) -> Image:
    """Return an image (y, x) moved by a shift, between pixels on a line; its edges are repeated."""
    for axis, by in enumerate(by_yx):
        whole = int(np.floor(by))
        places = np.arange(image.shape[axis]) - whole
        first, second = (
            image.take(np.clip(places - step, 0, image.shape[axis] - 1), axis) for step in (0, 1)
        )
        image = np.asarray(first + np.float32(by - whole) * (second - first), dtype=np.float32)
    return image
