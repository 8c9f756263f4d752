"""Stacks of many planes in which the whole specimen is seen in every plane, or nearly so."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from crossreg.fiducial.evidence.planes_beside_mean import shift_z_beside_mean
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


def soft_tissue(seed: int, shift_z: float = 0.0, blobs: int = 40) -> NDArray[np.float64]:
    """Return 9 planes (Z, Y, X) of soft blobs, each seen in most planes, moved along z."""
    rng = np.random.default_rng(seed)
    stack = np.zeros((9, EDGE, EDGE))
    for depth in rng.uniform(1, 7, blobs):
        blob = np.zeros((EDGE, EDGE))
        blob[tuple(rng.integers(0, EDGE, 2))] = 1
        blob = (
            gaussian_filter(blob, rng.uniform(3, 6), mode="wrap")
            * rng.uniform(0.4, 1)
            * (400 + 4000 / blobs)
        )
        light = 1 / (1 + ((np.arange(9) - depth + shift_z) / 2.5) ** 2)
        stack += light[:, None, None] * blob
    return stack


def noisy(stack: NDArray, seed: int) -> NDArray[np.float32]:
    """Return a stack in which every plane has noise of its own."""
    noise = np.random.default_rng(seed).standard_normal(stack.shape)
    return (300 + 40 * stack + 25 * noise).astype(np.float32)


@pytest.mark.parametrize(
    ("seed", "shift_z", "blobs"), [(6, -1.2, 40), (7, 0.0, 40), (4, 0.8, 8), (8, 0.8, 12)]
)
def test_where_planes_differ_a_little_the_shift_along_z_is_told(
    seed: int, shift_z: float, blobs: int
) -> None:
    reference, cycle = soft_tissue(seed, blobs=blobs), soft_tissue(seed, shift_z, blobs)
    moved = shift(cycle, (0, *-SHIFT), order=3, mode="grid-wrap")
    found = registered(noisy(reference, seed + 10), noisy(moved, seed + 20))
    assert found.verdict.name == "registered"
    off = found.shift_zyx - np.array([shift_z, *(SHIFT - SHIFT.round())])
    assert (np.abs(off) < 3 * found.sigma_zyx).all()


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_planes_that_share_but_a_pattern_and_its_light_tell_no_depth(seed: int) -> None:
    pattern = specimen(seed + 60)
    fading = np.exp(-0.1 * np.arange(9))[:, None, None]
    stacks = [
        noisy(fading * (3 * pattern + 0.2 * soft_tissue(number)), number) for number in (seed, 77)
    ]
    means = [stack.mean(axis=0) - stack.mean() for stack in stacks]
    planes = [stack - stack.mean(axis=0) for stack in stacks]
    assert shift_z_beside_mean(tuple(planes), tuple(means), (lambda x: x, lambda x: x)) is None


def tall_pair(seed: int, shift_z: float) -> tuple[NDArray, NDArray]:
    """Return 18 planes of soft blobs, each twice, and the same moved by twice a shift along z."""
    reference, cycle = (np.repeat(soft_tissue(seed, by, 8), 2, axis=0) for by in (0.0, shift_z))
    moved = shift(cycle, (0, *-SHIFT), order=3, mode="grid-wrap")
    return noisy(reference, 14), noisy(moved, 24)


def test_tall_stacks_are_not_told_their_depth_by_what_planes_show_beside_the_mean() -> None:
    """Light that is clipped or fades feigns it there."""
    found = registered(*tall_pair(8, 2.0))
    assert found.verdict.name == "doubtful"
    assert np.isnan(found.sigma_zyx[..., 0]).all()


@pytest.mark.parametrize("seed", [4, 7])
def test_few_blobs_of_tall_stacks_tell_their_depth_where_they_match_by_themselves(
    seed: int,
) -> None:
    found = registered(*tall_pair(seed, 0.8))
    assert found.verdict.name == "registered"
    off = found.shift_zyx - np.array([1.6, *(SHIFT - SHIFT.round())])
    assert (np.abs(off) < 3 * found.sigma_zyx).all()
