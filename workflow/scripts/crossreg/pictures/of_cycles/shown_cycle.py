"""What the pictures of one cycle show besides images: its shifts, block by block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossreg.fiducial.block_grid import block_grid, centre_yx
from crossreg.fiducial.verdict import FAILED
from crossreg.io.ecsv import Table


@dataclass(frozen=True)
class Blocks:
    """Grids (n_i, n_j) of a cycle's local shifts (n_i, n_j, 3: z, y, x; kept planes, px).

    `quality` is the NRMSE (n_i, n_j, 3) in the projections xy, zy, zx; `threshold` is the least
    confidence of a measured block; `sigma_zyx` (n_i, n_j, 3) are the standard errors.
    """

    size_px: int
    shift_zyx: np.ndarray
    confidence: np.ndarray
    quality: np.ndarray
    status: np.ndarray
    threshold: float

    sigma_zyx: np.ndarray

    @property
    def matched(self) -> bool:
        """Return whether the cycle has local shifts: not all its blocks failed."""
        return not (self.status == "failed").all()

    def centres(self, shape_yx: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and columns (px) of the blocks' centres in an image (Y, X)."""
        n_j = self.status.shape[1]
        blocks = block_grid(shape_yx, self.size_px)
        centres = np.array([centre_yx(block.rows, block.columns) for block in blocks])
        return centres[::n_j, 0], centres[:n_j, 1]


@dataclass(frozen=True)
class Cycle:
    """A cycle of a ROI: names, size of a voxel (um, z between kept planes) and shifts.

    `shift_yx` is the global shift, NaN where the cycle failed; `blocks` is None where there is no
    local step. `tolerance_nm` (xy, z) is what the user asked for, None where it was not said.
    """

    roi: str
    name: str
    reference: str
    pixel_um: float
    plane_um: float
    shift_yx: tuple[float, float]
    blocks: Blocks | None
    tolerance_nm: tuple[float, float] | None = None

    @property
    def matched(self) -> bool:
        """Return whether the cycle has shifts."""
        return self.blocks.matched if self.blocks else bool(np.isfinite(self.shift_yx).all())

    @property
    def nm_zyx(self) -> np.ndarray:
        """Return the nanometres (3,) of one kept plane and of one px along rows and columns."""
        return 1000 * np.array([self.plane_um, self.pixel_um, self.pixel_um])

    @property
    def title(self) -> str:
        """Return the cycle's name for a person."""
        return f"ROI {self.roi}, cycle {self.name}"


def in_detail(cycle: Cycle) -> Blocks:
    """Return the blocks of a cycle that has a local step."""
    assert cycle.blocks is not None
    return cycle.blocks


def blocks_of(table: Table) -> Blocks:
    """Return the blocks of a cycle's table of local shifts."""
    shape = (int(table["block_i"].max()) + 1, int(table["block_j"].max()) + 1)

    def grid(*names: str) -> np.ndarray:
        return np.stack([np.asarray(table[name]).reshape(shape) for name in names], axis=-1)

    return Blocks(
        size_px=int(table["blockXY"][0]),
        shift_zyx=grid("shift_z", "shift_x", "shift_y"),
        confidence=grid("confidence")[..., 0],
        quality=grid("quality_xy", "quality_zy", "quality_zx"),
        status=grid("status")[..., 0],
        threshold=float(table.meta.get("confidence_threshold", np.nan)),
        sigma_zyx=grid("sigma_z", "sigma_x", "sigma_y"),
    )


def shift_of(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the global shift (rows, columns) of a row of the table; NaN if the cycle failed."""
    if row["verdict"] == FAILED:
        return np.nan, np.nan
    return float(row["shift_x"]), float(row["shift_y"])
