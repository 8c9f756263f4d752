"""What is known along z of two stacks, before and beside what their correlation says."""

from dataclasses import dataclass

import numpy as np

from crossreg.fiducial.evidence.plane_likeness import matching_plane
from crossreg.fiducial.field.motion_terms import BEYOND_ENDS
from crossreg.fiducial.field.sampled_field import Field
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.local_shift.levels import SHALLOW
from crossreg.fiducial.local_shift.light import Light

LEAST_PLANES = 3
"""Planes below which there is no shift in z."""
SHALLOW_SIGMA = 0.5
"""What is added to the uncertainty (planes) of shifts in z in stacks of fewer than SHALLOW planes,
which are drawn to 0: seen on planted shifts."""
FLAT_SIGMA = 0.12
"""The same in SHALLOW planes. It falls with the third power of the planes, as seen on planted
shifts of up to 1.5 planes in 6 to 12 planes."""
CUT_SIGMA, CUT_PLANES = 0.8, 2.6
"""What is added to the uncertainty (planes) where the middle of the light lies at an end of a
stack, and the planes over which that falls to 0: half of the cone of light is missing. Layers at 0,
1 and 2 planes, whose light has its middle at 1.0, 1.4 and 2.1, were off by 0.2 to 0.6, 0.1 to 0.2
and 0.03 to 0.14 planes."""
PLANE_SIGMA = 0.5
"""Uncertainty (planes) of where in a stack a single plane lies: it is one of its planes. Planes of
stacks of which only the mean matches were off by as much where the specimen bends and tilts."""


@dataclass(frozen=True)
class Change:
    """How the shift along z changes with the depth beyond the field, which holds its mean.

    Attributes
    ----------
    middle, half : planes: the ends lie `half` above and below the `middle`.
    away, sigma : (2,) `gradient` and `bend`: how far (planes) the shift of the last plane lies from
        that in the middle, and how much farther both ends do; and how surely.
    mean, spread : the mean depth of the structure that the field goes through, and the standard
        deviation (planes).

    """

    middle: float
    half: float
    away: np.ndarray
    sigma: np.ndarray
    mean: float
    spread: float

    def at(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is added to the shift along z in planes (n,), and its standard errors."""
        depth = ((planes - self.middle) / self.half).clip(-BEYOND_ENDS, BEYOND_ENDS)
        mean = (self.mean - self.middle) / self.half
        terms = np.column_stack([depth - mean, depth**2 - mean**2 - (self.spread / self.half) ** 2])
        return terms @ self.away, np.sqrt(terms**2 @ self.sigma**2)


@dataclass(frozen=True)
class Depth:
    """What is known along z: `planes` of the stack that has fewer, and, of one plane, its place.

    `plane_shift` planes bring a single plane of the one stack to the plane of the other that it
    matches, cycle to reference, or stacks of which only the mean matches to each other; else it is
    None. It may be one of the planes around that, `plane_spread` (planes) away. The shift
    `is_open` where one of them shows the specimen out of focus only; `cut` (planes) is what is
    added to its uncertainty where an end of a stack cuts a layer, and `hidden` for light that may
    fade along z; at single depths, the shift may `change`.
    """

    planes: int
    plane_shift: float | None = None
    plane_spread: float = 0.0
    is_open: bool = False
    cut: float = 0.0
    hidden: float = 0.0
    change: Change | None = None

    @property
    def is_searched(self) -> bool:
        """Return whether shifts in z are searched, and seen well."""
        return self.plane_shift is None and self.planes >= SHALLOW and not self.is_open

    def shift(self, shift_zyx: np.ndarray) -> np.ndarray:
        """Return shifts (n, 3) with what is known along z: 0 where nothing is."""
        if self.plane_shift is not None:
            shift_zyx[:, 0] = self.plane_shift
        elif self.planes < LEAST_PLANES:
            shift_zyx[:, 0] = 0.0
        return shift_zyx

    def sigma(self, sigma_zyx: np.ndarray) -> np.ndarray:
        """Return uncertainties (n, 3) with what is known along z: NaN where nothing is."""
        if self.plane_shift is not None:
            sigma_zyx[:, 0] = np.hypot(PLANE_SIGMA, self.plane_spread)
        elif self.planes < LEAST_PLANES or self.is_open:
            sigma_zyx[:, 0] = np.nan
        else:
            flat = FLAT_SIGMA * (SHALLOW / self.planes) ** 3
            by_planes = SHALLOW_SIGMA if self.planes < SHALLOW else flat
            sigma_zyx[:, 0] = np.sqrt(
                sigma_zyx[:, 0] ** 2 + by_planes**2 + self.cut**2 + self.hidden**2
            )
        return sigma_zyx


@dataclass(frozen=True)
class FieldInDepth:
    """A field with what is known along z."""

    field: Field
    depth: Depth

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3)."""
        shift, sigma = self.field.at(positions_zyx)
        if self.depth.change:
            more, unsure = self.depth.change.at(positions_zyx[:, 0])
            shift[:, 0] += more
            sigma[:, 0] = np.hypot(sigma[:, 0], unsure)
        return self.depth.shift(shift), self.depth.sigma(sigma)


def stacks_to_match(
    stacks: tuple[np.ndarray, np.ndarray], shift_yx: tuple[float, float]
) -> tuple[tuple[np.ndarray, np.ndarray], Depth]:
    """Return what is matched of two binned stacks (Z, y, x), and what is known along z.

    A single plane is matched with the one plane of the other stack that it resembles most.
    """
    reference, cycle = stacks
    planes = min(len(reference), len(cycle))
    if planes > 1 or len(reference) == len(cycle):
        return stacks, Depth(planes)
    shift = np.array(shift_yx)
    if len(reference) == 1:
        plane, spread = matching_plane(reference[0], cycle, shift)
        return (reference, cycle[plane : plane + 1]), Depth(1, -plane, spread)
    plane, spread = matching_plane(cycle[0], reference, -shift)
    return (reference[plane : plane + 1], cycle), Depth(1, plane, spread)


def cut_by_ends(light: Light, field: SmoothField) -> float:
    """Return what is added to the uncertainty (planes) along z where an end cuts a layer."""
    ends = []
    for by_depth in light.by_depth(field.shift_at(field.domain.middle_zyx[None])[0, 1:]):
        profile = np.maximum(by_depth, 0.0)
        middle = float(profile @ (np.arange(len(profile)) + 0.5) / max(profile.sum(), 1e-9))
        ends += [middle, len(profile) - middle]
    return CUT_SIGMA * float(np.clip(1 - min(ends) / CUT_PLANES, 0.0, 1.0))
