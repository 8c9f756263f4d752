"""Small parts of a stack as the camera saw them: how its light changes along z is seen in these.

What is registered has been freed of its background and of what all planes share, and what is very
bright is compressed. That changes how bright a plane is beside another.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned_stacks import BIN, finite

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
ShiftsAt = Callable[[Floats], Floats]
"""Gives the shifts (n, 3) at positions (n, 3) of the reference."""

EDGE, FEWEST_ALONG, SHORTEST = 24, 6, 8
"""Edge (bins) of a part; how many fit along each axis of an image; and the shortest edge."""
MOST_PARTS = 32
"""Parts at most: those that show most."""
STEP = 3
"""Bins between the pixels whose differences are taken: about a spot. Background is off with it."""


@dataclass(frozen=True)
class LightSamples:
    """Parts of a stack of Z planes, those that show most first.

    Attributes
    ----------
    first_yx : (n, 2) first row and column (px) of each.
    values : (n, Z, h, w) float32, binned, the differences of pixels STEP bins apart along a row.

    """

    first_yx: Numbers
    values: NDArray[np.float32]

    @property
    def size_yx(self) -> Numbers:
        """Return the rows and columns (px) of a part."""
        return BIN * np.array([self.values.shape[2], self.values.shape[3] + STEP])

    @property
    def middle_yx(self) -> Floats:
        """Return the middles (n, 2) px."""
        return self.first_yx + (self.size_yx - 1) / 2


@dataclass(frozen=True)
class SharedSamples:
    """The n parts of a reference that a cycle shows whole, as both show them.

    Attributes
    ----------
    middle_zyx : (n, 3) their middles (planes, px, px) in the reference.
    shift_zyx : (n, 3) what brings the cycle to the reference there.
    here, there : (n, Z, h, w) and (n, Z', h, w), as in `LightSamples`, of the reference and of the
        cycle, which is moved by whole pixels.

    """

    middle_zyx: Floats
    shift_zyx: Floats
    here: NDArray[np.float32]
    there: NDArray[np.float32]


def shared_samples(
    reference: LightSamples, cycle: NDArray[np.number], shifts_zyx_at: ShiftsAt
) -> SharedSamples | None:
    """Return the parts of a reference that a cycle (Z, Y, X) shows whole where a field says.

    None where it shows none.
    """
    planes, limits = reference.values.shape[1], np.array(cycle.shape[1:])
    middle = np.column_stack(
        [np.full(len(reference.first_yx), (planes - 1) / 2), reference.middle_yx]
    )
    shifts = shifts_zyx_at(middle)
    first = reference.first_yx - np.rint(shifts[:, 1:]).astype(int)
    inside = np.flatnonzero(((first >= 0) & (first + reference.size_yx <= limits)).all(axis=1))
    if not len(inside):
        return None
    there = samples_at(cycle, first[inside], reference.size_yx)
    return SharedSamples(middle[inside], shifts[inside], reference.values[inside], there)


def strongest_samples(planes: NDArray[np.float32], pool: Executor) -> LightSamples:
    """Return the parts of a binned stack (Z, y, x) whose planes share most structure."""
    shape = planes.shape[1:]
    edges = [min(EDGE, max(size // FEWEST_ALONG, min(SHORTEST, size))) for size in shape]
    rows, columns = (
        np.linspace(0, size - edge, size // edge).astype(int)
        for size, edge in zip(shape, edges, strict=True)
    )

    def shared(z: int) -> NDArray[np.float32]:
        one, two = (_differences(plane[::2]) for plane in planes[z : z + 2])
        return one * two

    total = np.zeros((-(-shape[0] // 2), max(shape[1] - STEP, 0)), dtype=np.float32)
    for product in pool.map(shared, range(len(planes) - 1)):
        total += product
    strength = np.array(
        [
            [total[y // 2 : (y + edges[0]) // 2, x : x + edges[1] - STEP].sum() for x in columns]
            for y in rows
        ]
    )
    chosen = np.argsort(-strength.ravel(), kind="stable")[:MOST_PARTS]
    first = np.array([(y, x) for y in rows for x in columns])[chosen]
    values = [_differences(planes[:, y : y + edges[0], x : x + edges[1]]) for y, x in first]
    return LightSamples(BIN * first, np.array(values, dtype=np.float32))


def samples_at(
    stack: NDArray[np.number], first_yx: Numbers, size_yx: Numbers
) -> NDArray[np.float32]:
    """Return the values (n, Z, h, w) of parts of a stack (Z, Y, X) from their first pixels on."""
    height, width = size_yx.tolist()
    parts = [stack[:, y : y + height, x : x + width] for y, x in first_yx.tolist()]
    values = finite(np.array(parts))
    rows = values[..., ::BIN, :] + values[..., 1::BIN, :]
    return _differences((rows[..., ::BIN] + rows[..., 1::BIN]) * np.float32(1 / BIN**2))


def light_by_depth(values: NDArray[np.float32]) -> Floats:
    """Return how much structure neighbouring planes of parts (n, Z, h, w) share, (Z - 1,).

    It goes with the square of the light. Noise, which planes do not share, adds nothing.
    """
    return np.asarray(np.einsum("nzyx,nzyx->z", values[:, 1:], values[:, :-1]), dtype=float)


def _differences(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the differences (..., y, x - STEP) of pixels of binned planes along their rows."""
    return planes[..., STEP:] - planes[..., :-STEP]
