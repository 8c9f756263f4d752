"""Fringes and lattices that lie still on the camera are taken off before anything is compared."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.correlation.binned_stacks import BIN, binned_plane, binned_stack
from crossreg.fiducial.correlation.still_waves import (
    factor_of_waves,
    still_waves,
    without_still_waves,
)
from crossreg.fiducial.global_shift.specimen import shift_of_specimen
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference
from fiducial_images import drawn, spot_positions

SIZE, BLOCK = 256, 64
OFFSET, BACKGROUND, NOISE = 100.0, 100.0, 6.0
SHIFT = (4.6, 3.7)
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)


def waves(kind: str) -> np.ndarray:
    """Return the factor (Y, X) by which still waves multiply what is seen."""
    if kind == "fringes":
        return 1 + 0.3 * np.cos(2 * np.pi * np.hypot(Y + 2500, X + 1400) / 11)
    if kind == "grid":
        return (1 + 0.4 * np.cos(2 * np.pi * (Y + 0.1 * X) / 6.3)) * (
            1 + 0.4 * np.cos(2 * np.pi * (X - 0.1 * Y) / 6.3)
        )
    return np.ones((SIZE, SIZE))


def pair(
    kind: str, shift_yx: tuple[float, float], planes: int = 1, background: float = BACKGROUND
) -> list[np.ndarray]:
    """Return the planes (Z, Y, X) of a reference and a cycle behind still waves."""
    positions = spot_positions((max(planes, 4), SIZE, SIZE), 300, seed=11)
    if planes == 1:
        positions[:, 0] = 0
    return seen(kind, positions, shift_yx, planes, background)


def seen(
    kind: str,
    positions: np.ndarray,
    shift_yx: tuple[float, float],
    planes: int = 1,
    background: float = BACKGROUND,
) -> list[np.ndarray]:
    shape = (planes, SIZE, SIZE)
    images = []
    for seed, moved in ((1, positions), (2, positions - (0, *shift_yx))):
        light = (drawn(shape, moved, 0, 0) - 500.0 + background) * waves(kind)
        noise = np.random.default_rng(seed).normal(0, NOISE, shape)
        images.append(np.rint(np.maximum(light + OFFSET + noise, 0)).astype(np.uint16))
    return images


def factor_of(stacks: list[np.ndarray], shift_yx: tuple[float, float]) -> np.ndarray | None:
    one, two = (binned_plane(stack.mean(axis=0)) for stack in stacks)
    waves = still_waves(one, two, shift_yx)
    return factor_of_waves(one, two, waves, BIN) if waves else None


@pytest.mark.parametrize("planes", [1, 2, 5])
@pytest.mark.parametrize("kind", ["fringes", "grid"])
def test_still_waves_draw_no_shift(kind: str, planes: int) -> None:
    reference, cycle = pair(kind, SHIFT, planes)
    found = local_shifts(prepare_reference(reference, block_size_xy=BLOCK), cycle, (4.0, 4.0))
    assert found.verdict.name == "registered", found.verdict.reason
    error = found.shift_zyx[..., 1:] + (4.0, 4.0) - SHIFT
    assert np.sqrt(np.mean(error**2)) < 0.08
    assert np.mean(np.abs(error) > 3 * found.sigma_zyx[..., 1:]) <= 0.1


@pytest.mark.parametrize("kind", ["fringes", "grid"])
def test_waves_are_found_as_they_multiply(kind: str) -> None:
    found = factor_of(pair(kind, SHIFT), SHIFT)
    assert found is not None
    planted = np.log(binned_plane(waves(kind).astype(np.float32)))
    found = np.log(found)
    assert np.corrcoef(planted.ravel(), found.ravel())[0, 1] > 0.95
    assert found.std() == pytest.approx(planted.std(), rel=0.3)


def test_a_specimen_that_is_a_lattice_is_no_wave_of_the_camera() -> None:
    y, x = np.meshgrid(np.arange(-20, SIZE + 20, 9.7), np.arange(-20, SIZE + 20, 9.7))
    positions = np.column_stack([np.zeros(y.size), y.ravel(), x.ravel()])
    shift_yx = (2.3, 3.1)
    assert factor_of(seen("none", positions, shift_yx), shift_yx) is None
    # At rest its waves lie as still as those of a camera: nothing tells which they are.
    assert factor_of(seen("none", positions, (0.2, -0.1)), (0.2, -0.1)) is None


def test_stacks_without_still_waves_are_left_as_they_are() -> None:
    with ThreadPoolExecutor(1) as pool:
        one, two = (binned_stack(stack, pool) for stack in pair("none", SHIFT, 3))
        left = without_still_waves(one, two, SHIFT, pool)
        assert left[0] is one and left[1] is two
        many = binned_stack(pair("grid", SHIFT, 9)[0], pool)
        assert len(many.exposed) == 0
        assert without_still_waves(many, many, SHIFT, pool)[0] is many


@pytest.mark.parametrize("shift_yx", [SHIFT, (-7.6, 9.2)], ids=("near", "far"))
@pytest.mark.parametrize("kind", ["fringes", "grid"])
def test_still_waves_draw_no_global_shift(kind: str, shift_yx: tuple[float, float]) -> None:
    images = [stack[0] for stack in pair(kind, shift_yx, background=400.0)]
    found = shift_of_specimen(images, lambda: (), block_size=BLOCK)
    assert found.turn == 0
    assert np.abs(np.subtract(found.shift_yx, shift_yx)).max() < 0.3


def test_the_global_shift_of_a_lattice_at_rest_is_its_own() -> None:
    random = np.random.default_rng(3)
    y, x = np.meshgrid(np.arange(-20, SIZE + 20, 9.7), np.arange(-20, SIZE + 20, 9.7))
    positions = np.column_stack([np.zeros(y.size), y.ravel(), x.ravel()])
    some = positions[random.random(len(positions)) < 0.8]
    images = [stack[0] for stack in seen("none", some, (0.4, -0.7))]
    found = shift_of_specimen(images, lambda: (), block_size=BLOCK)
    assert np.abs(np.subtract(found.shift_yx, (0.4, -0.7))).max() < 0.3
