"""The project's registration of one cycle, on arrays, as the benchmarks call it."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from crossreg.fiducial.global_shift.shift_of_projections import global_shift  # noqa: E402
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts  # noqa: E402
from crossreg.fiducial.reference import prepare_reference  # noqa: E402

GLOBAL_BLOCKS = 2  # edge of a global block, in local ones: 256 and 128 px are the defaults


@dataclass(frozen=True)
class Registration:
    """Global shift (2,), and the block table: what `local_shifts` returns."""

    global_shift_yx: NDArray[np.float64]
    local: LocalShifts

    @property
    def total_zyx(self) -> NDArray[np.float64]:
        """Return (n_i, n_j, 3) the applied shift of each block, global plus local."""
        return self.local.shift_zyx + np.array([0.0, *self.global_shift_yx])


def register(
    reference: NDArray,
    cycle: NDArray,
    block_size_xy: int,
    *,
    align_by_block: bool = True,
    threads: int = 1,
) -> Registration:
    """Return the registration of a cycle (Z, Y, X) to a reference: global, then local."""
    found = global_shift(
        reference.max(axis=0),
        cycle.max(axis=0),
        align_by_block=align_by_block,
        block_size=GLOBAL_BLOCKS * block_size_xy,
    )
    prepared = prepare_reference(reference, block_size_xy=block_size_xy, threads=threads)
    local = local_shifts(prepared, cycle, found.shift_yx, turn=found.turn, threads=threads)
    return Registration(np.asarray(found.shift_yx, dtype=float), local)
