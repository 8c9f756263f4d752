"""The levels along z at which sub-blocks of a tall stack are measured."""

import itertools

import numpy as np

from crossreg.fiducial.field.domain import Domain

TALL, SUB_BLOCK_PLANES = 30, 10
"""Planes from which on a stack is tall enough for levels, and those of a level at least."""
TALL_IF_CHANGING, LEVEL_OF_CHANGING = 16, 8
"""The same where the shift changes along z: one level would show a mean that it has nowhere. Where
it does not change, levels cut structure for nothing."""
WORTH_IT = 4 / 3
"""Times as many levels that are worth measuring anew."""
LAYER = 2.9
"""Standard deviation (planes) of the depths of light below which structure is a layer, that of an
even level of SUB_BLOCK_PLANES. Tall planted layers had 1.7 to 2.6, nuclei and beads 4.8 to 16."""
SHALLOW = 6
"""Planes of a stack below which most structure is cut by its ends."""
PLANES_SHARED = 2
"""Planes by which neighbouring levels overlap at each end: about what the tapers take."""


def domain_of(
    image_shape: tuple[int, int],
    reference_planes: int,
    cycle_planes: int,
    *,
    light_spread: float = np.inf,
    may_change: bool = False,
) -> Domain:
    """Return the domain of the field of two stacks, whose shift may change along z.

    `light_spread` is the standard deviation (planes) of the depths of their light. A layer has one
    level: others would show but its light out of focus, and how the shift changes beyond it.
    """
    if light_spread < LAYER:
        return Domain(image_shape, reference_planes)
    planes = min(reference_planes, cycle_planes)
    levels = planes // SUB_BLOCK_PLANES if planes >= TALL else 1
    if (
        may_change
        and planes >= TALL_IF_CHANGING
        and planes // LEVEL_OF_CHANGING >= WORTH_IT * levels
    ):
        levels = planes // LEVEL_OF_CHANGING
    cuts = depth_cuts(reference_planes, levels)
    repeats = sum(cut.stop - cut.start for cut in cuts) / reference_planes
    return Domain(image_shape, reference_planes, levels, repeats, may_change)


def depth_cuts(reference_planes: int, levels: int) -> list[slice]:
    """Return the planes of the reference that each level of sub-blocks covers."""
    edges = np.linspace(0, reference_planes, levels + 1).round().astype(int)
    whole = slice(0, reference_planes)
    cuts = [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
    return [_with_ends(cut, PLANES_SHARED, whole) for cut in cuts] if levels > 1 else [whole]


def _with_ends(where: slice, margin: int, limits: slice) -> slice:
    return slice(max(where.start - margin, limits.start), min(where.stop + margin, limits.stop))
