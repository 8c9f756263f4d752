"""What whole planes of two stacks say of where along z the cycle lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.evidence.depth_course import DepthCourse, all_products, course_of
from crossreg.fiducial.evidence.plane_places import PlacedPlanes, placed_planes
from crossreg.fiducial.evidence.z_steps import ratio_of_z_steps


@dataclass(frozen=True)
class WholePlanes:
    """What whole planes say.

    Attributes
    ----------
    placed : where each plane of the cycle lies; None where both show nothing in common.
    course : how the shift changes with the depth; None where that is not known.
    z_ratio : planes of the cycle for one plane of the reference; None where they do not tell.

    """

    placed: PlacedPlanes | None
    course: DepthCourse | None
    z_ratio: float | None


def whole_planes(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_zyx_at: ShiftsAt, shown: float
) -> WholePlanes:
    """Return what the planes of two binned stacks (Z, y, x), reference and cycle, say.

    `shifts_zyx_at` gives the shifts (n, 3) of the field at positions (n, 2) px of its middle plane.
    Of a change with the depth planes show the part `shown`.
    """
    placed = placed_planes(stacks, shifts_zyx_at)
    products = all_products(stacks, shifts_zyx_at, shown)
    if not products:
        return WholePlanes(placed, None, None)
    course = course_of(products)
    return WholePlanes(placed, course, ratio_of_z_steps(products, course))
