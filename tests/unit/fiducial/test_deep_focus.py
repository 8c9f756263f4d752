"""Stacks of many planes in which the whole specimen is seen in every plane."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference

PLANES, EDGE = 12, 192
SHIFT = np.array([4.3, -6.6])
"""What is added to a position in the planted cycle to reach the reference (px)."""


def specimen(seed: int) -> NDArray[np.float64]:
    """Return an image of 150 spots."""
    rng = np.random.default_rng(seed)
    image = np.zeros((EDGE, EDGE))
    rows, columns = rng.integers(0, EDGE, (2, 150))
    image[rows, columns] = rng.uniform(0.5, 1.5, 150)
    return gaussian_filter(image, 1.5, mode="wrap") * 30


def exposed(image: NDArray, seed: int) -> NDArray[np.float32]:
    """Return planes that all show an image, in noise of their own."""
    rng = np.random.default_rng(seed)
    planes = 300 + 40 * image + 25 * rng.standard_normal((PLANES, EDGE, EDGE))
    return planes.astype(np.float32)


def registered(reference: NDArray, cycle: NDArray) -> LocalShifts:
    prepared = prepare_reference(reference, block_size_xy=48)
    return local_shifts(prepared, cycle, tuple(SHIFT.round()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_and_columns_are_told_and_the_shift_along_z_is_not(seed: int) -> None:
    image = specimen(seed)
    moved = shift(image, -SHIFT, order=3, mode="grid-wrap")
    found = registered(exposed(image, seed + 10), exposed(moved, seed + 20))
    assert found.verdict.name == "doubtful"
    assert "along z is not known" in found.verdict.reason
    assert np.isnan(found.sigma_zyx[..., 0]).all()
    off = found.shift_zyx[..., 1:] + SHIFT.round() - SHIFT
    assert np.sqrt(np.mean(off**2)) < 0.15
    assert (np.abs(off) < 4 * found.sigma_zyx[..., 1:]).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_specimens_and_patterns_of_the_camera_fail(seed: int) -> None:
    image, other, pattern = (specimen(seed + number) for number in (0, 30, 60))
    reference = exposed(image, seed + 10)
    assert registered(reference, exposed(other, seed + 20)).verdict.name == "failed"
    still = exposed(image + pattern, seed + 10), exposed(other + pattern, seed + 20)
    assert registered(*still).verdict.name == "failed"
