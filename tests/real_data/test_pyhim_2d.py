"""Global registration of real projections agrees with pyHiM's answers, in both modes."""

from pathlib import Path

import numpy as np
import pytest

from crossreg.fiducial.global_shift.shift_of_projections import global_shift

EXPECTED_YX = {
    ("RT26", "ch00", False): (-5.18, 6.62),
    ("RT26", "ch00", True): (-5.055, 6.5425),
    ("DAPI", "ch01", False): (-37.94, 25.88),
    ("DAPI", "ch01", True): (-37.8725, 25.915),
}
"""pyHiM's shift by (cycle, channel, alignByBlock), from the data set's README."""


@pytest.mark.parametrize("case", EXPECTED_YX, ids=str)
def test_shift_is_near_pyhims(shared_data: Path, case: tuple[str, str, bool]) -> None:
    label, channel, by_block = case
    reference, cycle = (
        np.load(shared_data / "pyhim-2d" / f"scan_001_{name}_005_ROI_converted_decon_{ch}_2d.npy")
        for name, ch in (("RT27", "ch00"), (label, channel))
    )
    found = global_shift(reference, cycle, align_by_block=by_block, block_size=256)
    assert found.shift_yx == pytest.approx(EXPECTED_YX[case], abs=0.25)
