"""Whether the planes of a cycle are spaced otherwise than those of the reference."""

import numpy as np

from crossreg.fiducial.evidence.plane_jumps import fitted
from crossreg.fiducial.evidence.plane_places import Places

FEWEST_PLANES = 8
"""Planes below which no spacing is told."""
USUAL = 0.065
"""Planes by which planes come nearer to each other, each, in tissue that swells: up to 0.057 was
seen in parts of real stacks, 0.028 over a whole one."""
BELIEVED = 10.0
"""Standard errors that another spacing exceeds: where the two images are unlike along z, as with
other optics, planes at the ends feign up to 0.2 planes each, but not along a line."""


def ratio_of_spacings(places: Places, gradient: float) -> float:
    """Return about how many planes of the cycle correspond to one of the reference.

    From where its planes lie. 1 where they follow those of the reference; where that is not clear;
    or where the field's change of the shift along z, its `gradient` (planes per plane), which rests
    on structure at other depths instead of on other planes, has the other sign.
    """
    if len(places.planes) < FEWEST_PLANES:
        return 1.0
    terms = np.column_stack([np.ones(len(places.planes)), places.planes])
    (_, slope), (_, error) = fitted(terms, places.away, places.weights)
    believed = abs(slope) > max(USUAL, BELIEVED * error) and slope * gradient > 0
    return float(1 / (1 + slope)) if believed else 1.0
