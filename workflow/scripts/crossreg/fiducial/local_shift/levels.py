"""The levels along z at which sub-blocks of a tall stack are measured."""

import itertools

import numpy as np

from crossreg.fiducial.field.smooth_field import Domain

SUB_BLOCK_PLANES = 10
"""Planes that levels of sub-blocks come nearest to."""
TALL = 30
"""Planes from which on a stack is tall enough for levels."""
SHALLOW = 6
"""Planes of a stack below which most structure is cut by its ends."""
PLANES_SHARED = 2
"""Planes by which neighbouring levels overlap at each end: about what the tapers take."""


def domain_of(image_shape: tuple[int, int], reference_planes: int, cycle_planes: int) -> Domain:
    """Return the domain of the field of two stacks."""
    cuts = depth_cuts(reference_planes, cycle_planes)
    repeats = sum(cut.stop - cut.start for cut in cuts) / reference_planes
    return Domain(image_shape, reference_planes, len(cuts), repeats)


def depth_cuts(reference_planes: int, cycle_planes: int) -> list[slice]:
    """Return the planes of the reference that each level of sub-blocks covers."""
    planes = min(reference_planes, cycle_planes)
    count = planes // SUB_BLOCK_PLANES if planes >= TALL else 1
    edges = np.linspace(0, reference_planes, count + 1).round().astype(int)
    whole = slice(0, reference_planes)
    cuts = [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
    return [_with_ends(cut, PLANES_SHARED, whole) for cut in cuts] if count > 1 else [whole]


def _with_ends(where: slice, margin: int, limits: slice) -> slice:
    return slice(max(where.start - margin, limits.start), min(where.stop + margin, limits.stop))
