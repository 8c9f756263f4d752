"""The file that keeps the field of a cycle, `fields/ROI/CYCLE.npz`, for whatever applies it.

A NumPy archive with:

| name | what |
|---|---|
| `z`, `y`, `x` | nodes in the reference frame, float64: kept planes, px, px |
| `shift_zyx`, `sigma_zyx` | total shift and standard error there, float32 (nz, ny, nx, 3) |
| `status` | status of each block (n_i, n_j): measured, borrowed, failed |
| `moved_zyx`, `moved_by_zyx` | where structure moved by itself, how far beyond the field (k, 3) |
| `moved_reach_zyx` | how far around that may hold (3,): sigma is larger there |
| `deformation_lengths` | correlation lengths of deformation (l,), px |
| `deformation_amplitudes` | standard deviations of it (a,), px; along z kept planes |
| `deformation_weights_zyx` | how likely the cycle shows each to be (3, l, a) |
| `about` | JSON text: `format` (crossreg-field/1) and the other entries of `CycleField` |

The arrays `moved_...` are there only where some structure moved by itself, `deformation_...` only
where the cycle was not taken for rigid. The same input gives the same bytes.
"""

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossreg.fiducial.field.motion import Deformation
from crossreg.fiducial.field.own_motion import NO_OWN_MOTION, OwnMotion
from crossreg.fiducial.field.sampled_field import SampledField
from crossreg.fiducial.verdict import DOUBTFUL
from crossreg.io.errors import UserError
from crossreg.io.files import whole
from crossreg.io.intermediate_arrays import told_if_damaged

FORMAT = "crossreg-field/1"
ARRAYS = ("z", "y", "x", "shift_zyx", "sigma_zyx", "status")
OWN_MOTION = ("moved_zyx", "moved_by_zyx", "moved_reach_zyx")
DEFORMATION = ("deformation_lengths", "deformation_amplitudes", "deformation_weights_zyx")
IN_ARRAYS = {"field", "status", "deformation"}
"""Entries of a CycleField that are no part of `about`."""
# The earliest time that an archive can hold: bytes must not depend on the clock.
NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class CycleField:
    """The field of a cycle, and what is needed to apply it.

    `field` is the total shift over the reference stack of `shape_zyx` (kept planes, rows,
    columns). `status` (n_i, n_j) is that of each block of `block_size_xy` px. `z_binning` raw
    planes are one kept plane. The planes of the cycle are `z_step` planes of the reference apart;
    the shift is that of the cycle brought to planes as far apart as the reference's.
    `global_shift_yx` (px) is the part that is the same everywhere.
    `verdict` is what is said of the cycle, `reason` why, empty if it is registered. `deformation`
    is what it shows of how far it deforms; None if it failed or was taken for rigid.
    """

    field: SampledField
    status: np.ndarray
    roi: int
    cycle: str
    reference_file: str
    cycle_file: str
    shape_zyx: tuple[int, int, int]
    block_size_xy: int
    z_binning: int
    global_shift_yx: tuple[float, float]
    verdict: str = "registered"
    reason: str = ""
    z_step: float = 1.0
    deformation: Deformation | None = None

    @property
    def failed(self) -> bool:
        """Return whether the cycle could not be registered, so that there is no shift."""
        return bool((self.status == "failed").all())

    @property
    def is_doubtful(self) -> bool:
        """Return whether something speaks against the shifts that are given."""
        return self.verdict == DOUBTFUL

    def status_at(self, positions_zyx: np.ndarray) -> np.ndarray:
        """Return the status (n,) at positions (n, 3) in the reference: that of their block.

        Beyond the edges of the image nothing was measured: the status there is `borrowed`.
        """
        yx = np.rint(positions_zyx[:, 1:])
        inside = ((yx >= 0) & (yx < self.shape_zyx[1:])).all(axis=1)
        last = np.array(self.status.shape) - 1
        i, j = np.clip(np.nan_to_num(yx // self.block_size_xy), 0, last).astype(int).T
        return np.where(inside | self.failed, self.status[i, j], "borrowed")


def save_field(path: Path | str, cycle: CycleField) -> None:
    """Write the field of a cycle, whole or not at all."""
    kept = {key: value for key, value in vars(cycle).items() if key not in IN_ARRAYS}
    about = json.dumps({"format": FORMAT} | kept, sort_keys=True)
    z, y, x = cycle.field.nodes_zyx
    arrays = {"z": z, "y": y, "x": x, "status": cycle.status.astype(np.str_)}
    arrays |= {"shift_zyx": cycle.field.shift_zyx, "sigma_zyx": cycle.field.sigma_zyx}
    if cycle.field.own_motion:
        arrays |= dict(zip(OWN_MOTION, vars(cycle.field.own_motion).values(), strict=True))
    if cycle.deformation:
        arrays |= dict(zip(DEFORMATION, vars(cycle.deformation).values(), strict=True))
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in {**arrays, "about": np.array(about)}.items():
            member = io.BytesIO()
            np.save(member, values, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())


def load_field(path: Path | str) -> CycleField:
    """Return the field that `save_field` wrote.

    Raises UserError if the file is damaged, or of a version that this one cannot read.
    """
    with told_if_damaged(path), np.load(path) as archive:
        about = json.loads(str(archive["about"]))
        if about.pop("format") != FORMAT:
            raise UserError(
                f"{path}: this field was written by another version of crossreg; remove the file"
                " and run again."
            )
        about.setdefault("z_step", 1.0)  # as earlier versions wrote none
        z, y, x, shift, sigma, status = (archive[name] for name in ARRAYS)
        found = [archive[name] for name in OWN_MOTION if name in archive]
        moved = OwnMotion(*found) if found else NO_OWN_MOTION
        field = SampledField((z, y, x), shift, sigma, moved)
        found = [archive[name] for name in DEFORMATION if name in archive]
        deformation = Deformation(*found) if found else None
        return CycleField(field, status, **_as_fields(about), deformation=deformation)


def _as_fields(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of the JSON text as those of a CycleField; KeyError if one is missing."""
    names = {field.name for field in dataclasses.fields(CycleField)} - IN_ARRAYS
    return {
        name: tuple(about[name]) if isinstance(about[name], list) else about[name]
        for name in sorted(names)
    }
