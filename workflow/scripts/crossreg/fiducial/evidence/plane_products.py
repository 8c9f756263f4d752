"""How well planes of a stack hold together, from what neighbouring ones have in common.

How alike planes are falls with their distance: so the thickness of sections is told from images
(Hanslovsky et al. 2017, doi:10.1093/bioinformatics/btw794). Neither how bright a plane is nor its
noise, which no other plane has, changes what is said here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.light_samples import SharedSamples
from crossreg.fiducial.quantiles import median

Floats = NDArray[np.float64]

FARTHEST = 4
"""Planes between the farthest planes that are compared."""
SURE = 5.0
"""Standard errors that the products of neighbours exceed where something is said of them."""


@dataclass(frozen=True)
class PlaneProducts:
    """The products (n, FARTHEST + 1, Z) of planes of n parts with those 0 to FARTHEST planes after.

    They are 0 beyond the last plane. A part has so many `pixels`.
    """

    products: Floats
    pixels: int

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "PlaneProducts":
        """Return the products of planes of parts (n, Z, h, w)."""
        result = np.zeros((len(values), FARTHEST + 1, values.shape[1]))
        flat = values.reshape(*values.shape[:2], -1)
        for step in range(min(FARTHEST + 1, flat.shape[1])):
            later = flat[:, step:]
            result[:, step, : later.shape[1]] = np.einsum(
                "nzp,nzp->nz", later, flat[:, : later.shape[1]]
            )
        return cls(result, flat.shape[2])

    def of_every(self, step: int, first: int) -> "PlaneProducts":
        """Return those of every so many parts, from the first one on."""
        return PlaneProducts(self.products[first::step], self.pixels)

    def togetherness(self, left_out: tuple[int, int] = (0, 0)) -> Floats:
        """Return how well (Z,) planes on both sides of a boundary hold together; NaN if unknown.

        The boundary lies before each plane. It is the logarithm of the products of the last two
        planes before it and the first two after it, with each other, over those of two on one
        side. `left_out` planes, before and after, are not looked at.
        """
        before, after = left_out
        planes = self.products.shape[2]
        third = np.arange(planes) + after
        second = np.arange(planes) - 1 - before
        inside = (second >= 1) & (third <= planes - 2)
        second, third = second[inside], third[inside]
        apart = 1 + before + after
        across = [
            self._shared(apart, second),
            self._shared(apart + 2, second - 1),
            self._shared(apart + 1, second - 1),
            self._shared(apart + 1, second),
        ]
        along = [self._shared(1, second - 1), self._shared(1, third)]
        shown = np.all([shared > SURE * error for shared, error in along], axis=0)
        together = np.log([np.maximum(np.maximum(*pair), 1) for pair in across]).sum(axis=0)
        beside = np.log([np.maximum(shared, 1) for shared, _ in along]).sum(axis=0)
        result = np.full(planes, np.nan)
        result[inside] = np.where(shown, together - 2 * beside, np.nan)
        return result

    def _shared(self, step: int, first: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return (products, their standard errors) of planes, summed, with those after them."""
        own = self.products[:, 0]
        errors = np.sqrt((own[:, first] * own[:, first + step]).sum(axis=0) / self.pixels)
        return self.products[:, step, first].sum(axis=0), errors


@dataclass(frozen=True)
class ComparedPlanes:
    """The products of planes of the same parts of a reference and of a cycle.

    `shift_z` planes bring the cycle to the reference.
    """

    reference: PlaneProducts
    cycle: PlaneProducts
    shift_z: float

    @classmethod
    def of(cls, shared: SharedSamples) -> "ComparedPlanes":
        """Return the products of planes of the parts that both show."""
        here, there = (PlaneProducts.of(part) for part in (shared.here, shared.there))
        return cls(here, there, median(shared.shift_zyx[:, 0]))

    def of_every(self, step: int, first: int) -> "ComparedPlanes":
        """Return those of every so many parts, from the first one on."""
        here, there = (stack.of_every(step, first) for stack in (self.reference, self.cycle))
        return ComparedPlanes(here, there, self.shift_z)


def along_the_same_planes(own: Floats, other: Floats, shift_z: float) -> Floats:
    """Return values (Z',) of another stack, `shift_z` planes on, at the planes (Z,) of one.

    NaN where either is not known.
    """
    known = np.flatnonzero(np.isfinite(other))
    if not len(known):
        return np.full(len(own), np.nan)
    at = np.arange(len(own)) + shift_z
    values = np.interp(at, known, other[known], left=np.nan, right=np.nan)
    return np.where(np.isfinite(own), values, np.nan)
