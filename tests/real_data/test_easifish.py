"""Local registration of two real rounds with rotation and a z scale, against expected shifts."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from crossreg.fiducial.global_shift.shift_of_projections import global_shift
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference

EXPECTED_ZYX = np.array(
    [
        [(-1.8, -2.8, 2.4), (-2.5, -0.0, 2.8), (-3.2, 2.7, 3.2), (-3.9, 5.4, 3.7)],
        [(-0.4, -4.2, 0.6), (-1.1, -1.5, 1.0), (-1.7, 1.3, 1.5), (-2.4, 4.0, 1.9)],
        [(1.0, -5.6, -1.2), (0.4, -2.9, -0.8), (-0.3, -0.1, -0.3), (-1.0, 2.6, 0.1)],
        [(2.5, -7.0, -3.0), (1.8, -4.3, -2.6), (1.1, -1.5, -2.1), (0.5, 1.2, -1.7)],
    ]
)
"""Total shift of the blocks of 64 px, from the data set's README."""


def stack(shared_data: Path, cycle: str) -> np.ndarray:
    name = f"scan_001_{cycle}_001_ROI_converted_decon_ch00.tif"
    return tifffile.imread(shared_data / "easifish" / name)


def test_every_block_is_near_its_expected_shift(shared_data: Path) -> None:
    reference, cycle = stack(shared_data, "RT1"), stack(shared_data, "RT2")
    shift_yx = global_shift(reference.max(0), cycle.max(0), block_size=128).shift_yx
    found = local_shifts(prepare_reference(reference, block_size_xy=64), cycle, shift_yx)
    error = found.shift_zyx + np.array([0, *shift_yx]) - EXPECTED_ZYX
    assert np.abs(error).max() < 1.5
    assert np.all(np.sqrt((error**2).mean(axis=(0, 1))) < 0.65)


def test_exchanged_stacks_have_opposite_shifts_at_the_same_place(shared_data: Path) -> None:
    one, two = stack(shared_data, "RT1"), stack(shared_data, "RT2")
    there = local_shifts(prepare_reference(one, block_size_xy=64), two, (0.0, 0.0)).shift_zyx
    back = local_shifts(prepare_reference(two, block_size_xy=64), one, (0.0, 0.0)).shift_zyx
    centres = np.stack(np.meshgrid(*[np.arange(4) * 64 + 31.5] * 2, indexing="ij"), axis=-1)
    design = np.column_stack([np.ones(16), centres.reshape(16, 2)])
    field = np.linalg.lstsq(design, back.reshape(16, 3), rcond=None)[0]
    # the block's centre of the first stack lies in the second one at centre - shift
    moved = np.column_stack([np.ones(16), (centres - there[..., 1:]).reshape(16, 2)])
    same_place = back.reshape(16, 3) + (moved - design) @ field
    assert np.all(np.sqrt(np.mean((there.reshape(16, 3) + same_place) ** 2, axis=0)) < 0.15)


@pytest.mark.parametrize("plane", [20, 50, 80, 110])
def test_single_planes_of_stretched_tissue_are_registered(shared_data: Path, plane: int) -> None:
    reference, cycle = (stack(shared_data, name)[plane : plane + 1] for name in ("RT1", "RT2"))
    shift_yx = global_shift(reference[0], cycle[0], block_size=128).shift_yx
    found = local_shifts(prepare_reference(reference, block_size_xy=64), cycle, shift_yx)
    assert found.verdict.name == "registered", found.verdict.reason
    error = (found.shift_zyx + np.array([0, *shift_yx]) - EXPECTED_ZYX)[..., 1:]
    assert np.all(np.sqrt((error**2).mean(axis=(0, 1))) < 0.65)
