"""The evidence on how the planes of a cycle lie along z."""

from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation import light_samples
from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.evidence.plane_breaks import break_of_planes, confirms_jump
from crossreg.fiducial.evidence.plane_jumps import jump_of_planes
from crossreg.fiducial.evidence.plane_likeness import (
    are_opposite,
    is_shift_open,
    plane_similarities,
)
from crossreg.fiducial.evidence.plane_products import ComparedPlanes
from crossreg.fiducial.evidence.plane_slips import slip_of_planes
from crossreg.fiducial.evidence.plane_spacing import rate_of_change, ratio_of_spacings
from crossreg.fiducial.evidence.plane_widths import ratio_by_widths
from crossreg.fiducial.evidence.whole_planes import WholePlanes
from crossreg.fiducial.local_shift.light import Light
from crossreg.fiducial.verdict import Evidence, Slip


@dataclass(frozen=True)
class DepthEvidence:
    """What is being looked for along z, by threads of a pool: how planes are alike and follow."""

    similarities: Future[NDArray[np.floating]]
    slip: Future[Slip | None] | None
    planes: Future[ComparedPlanes] | None
    ratio_by_widths: Future[float] | None

    @classmethod
    def sought(
        cls,
        stacks: tuple[NDArray[np.int16], NDArray[np.int16]],
        light: Light,
        shifts_zyx_at: light_samples.ShiftsAt,
        shifts_at: ShiftsAt,
        pool: Executor,
    ) -> "DepthEvidence":
        """Look for what two binned stacks (Z, y, x), and both as read, say along z.

        `shifts_zyx_at` gives the shifts (n, 3) of the field at positions (n, 3), `shifts_at` those
        (n, 2) at positions (n, 2) of its middle plane.
        """
        similarities = pool.submit(plane_similarities, stacks, shifts_at)
        shared = light.shared(shifts_zyx_at) if min(map(len, stacks)) > 1 else None
        slip = pool.submit(slip_of_planes, shared) if shared else None
        exposed = shared if not light.is_interpolated else None
        planes = pool.submit(ComparedPlanes.of, exposed) if exposed else None
        by_widths = pool.submit(ratio_by_widths, exposed) if exposed else None
        return cls(similarities, slip, planes, by_widths)

    def added_to(
        self,
        evidence: Evidence,
        whole: WholePlanes,
        shift_z: float,
        gradient_z: float,
        is_tall: bool,
    ) -> Evidence:
        """Return the evidence on a cycle with what was found along z.

        `whole` is what whole planes say; `shift_z` (planes) and `gradient_z` are the field's.
        """
        similarities = self.similarities.result()
        planes = self.planes.result() if self.planes else None
        placed = whole.placed
        jump = jump_of_planes(placed) if placed else None
        z_ratio = whole.z_ratio or 1.0
        if whole.z_ratio is None and placed:
            rate = rate_of_change(planes) if planes else 1.0
            z_ratio = ratio_of_spacings(placed.whole, gradient_z, is_tall, rate)
        if whole.z_ratio is None and z_ratio == 1 and self.ratio_by_widths:
            z_ratio = self.ratio_by_widths.result()
        return replace(
            evidence,
            z_ratio=z_ratio,
            jump=jump if jump and (not planes or confirms_jump(planes, jump)) else None,
            slip=self.slip.result() if self.slip else None,
            plane_break=break_of_planes(planes) if planes else None,
            is_z_open=is_shift_open(similarities, shift_z),
            is_inverted=evidence.is_inverted or are_opposite(similarities),
        )
