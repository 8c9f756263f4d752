"""What images show beside the field: small bumps and tears are followed, or told by sigma."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import crossreg
from crossreg import Registration
from crossreg.fiducial.block_grid import block_grid
from crossreg.fiducial.correlation.binned_stacks import binned_stack
from crossreg.fiducial.field.field_file import load_field, save_field
from crossreg.fiducial.field.local_correction import LocalCorrection
from crossreg.fiducial.field.sampled_field import CorrectedField, sampled
from crossreg.fiducial.local_shift.closer_look import closer_look
from fiducial_images import drawn

SHAPE = (16, 256, 256)
BLOCK = 64
DRIFT = np.array([0.3, 3.2, -5.6])
SPOTS = 4000

Motion = Callable[[np.ndarray], np.ndarray]
"""Gives the shifts (n, 3) of positions (n, 3) of the reference."""


def rigid(positions: np.ndarray) -> np.ndarray:
    """Return the drift alone."""
    return np.tile(DRIFT, (len(positions), 1))


def bump(positions: np.ndarray) -> np.ndarray:
    """Return the drift, and a bump of 2 px that is 20 px wide."""
    away = np.square(positions[:, 1:] - [110.0, 140.0]).sum(axis=1)
    return DRIFT + np.exp(-away / 2 / 20**2)[:, None] * np.array([0.0, 1.8, -0.9])


def waves(positions: np.ndarray) -> np.ndarray:
    """Return the drift, and waves of 55 px."""
    swing = 1.2 * np.sin(2 * np.pi * positions[:, 2] / 55)
    return DRIFT + swing[:, None] * np.array([0.0, 1.0, 0.5])


def tear(positions: np.ndarray) -> np.ndarray:
    """Return the drift, from row 120 on 2 px further."""
    return DRIFT + (positions[:, 1] >= 120)[:, None] * np.array([0.0, 1.2, 1.6])


def pair(motion: Motion, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return a reference full of spots, and a cycle that moved."""
    spots = np.random.default_rng(seed).uniform([0, 0, 0], SHAPE, (SPOTS, 3))
    return drawn(SHAPE, spots, 12, 1), drawn(SHAPE, spots - motion(spots), 12, 2)


def registered(motion: Motion) -> Registration:
    """Return the registration of a pair."""
    return crossreg.register(*pair(motion), block_size=BLOCK)


def errors(found: Registration, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors of rows and columns, and their standard errors, all over the image."""
    places = np.meshgrid([4.0, 11.0], *2 * [np.arange(14.0, 246.0, 6.0)], indexing="ij")
    places = np.stack(places, axis=-1).reshape(-1, 3)
    error = found.shift_at(places) - motion(places)
    return error[:, 1:], found.sigma_at(places)[:, 1:]


@pytest.mark.parametrize(("motion", "largest"), [(bump, 0.05), (waves, 0.5), (tear, 0.2)])
def test_what_the_field_cannot_follow_is_followed_or_known(motion: Motion, largest: float) -> None:
    error, sigma = errors(registered(motion), motion)
    assert np.sqrt(np.mean(error**2)) < largest
    assert np.mean(np.abs(error) > 3 * sigma) < 0.02


def test_nothing_is_found_in_a_rigid_pair() -> None:
    found = registered(rigid)
    error, sigma = errors(found, rigid)
    assert np.abs(error).max() < 0.05
    assert sigma.max() < 0.05
    nodes = found.cycle_field.field.nodes_zyx[1]
    assert nodes[1] - nodes[0] > 16  # no finer than a smooth field asks for


def look(motion: Motion, field: Motion) -> LocalCorrection | None:
    """Return what a pair shows beside a field."""
    with ThreadPoolExecutor(2) as pool:
        stacks = tuple(binned_stack(stack, pool).planes for stack in pair(motion))
        return closer_look((stacks[0], stacks[1]), field, (SHAPE[0] - 1) / 2, pool)


def test_a_bump_beside_the_field_is_seen_where_it_is() -> None:
    found = look(bump, rigid)
    assert found
    places = np.array([[7.5, 110.0, 140.0], [7.5, 118.0, 132.0], [7.5, 30.0, 40.0]])
    by, sigma = found.at(places)
    assert by[:, 0].tolist() == [0, 0, 0]
    expected = bump(places) - rigid(places)
    assert by[:, 1:] == pytest.approx(expected[:, 1:], abs=0.3)
    assert np.all(np.abs(by - expected)[:, 1:] < 3 * sigma[:, 1:])


def test_what_lies_still_on_the_camera_draws_nothing() -> None:
    reference, cycle = pair(rigid)
    frame = np.zeros(SHAPE, bool)
    frame[:, :24] = frame[:, -24:] = True
    reference[frame] = cycle[frame] = 100
    # A sharp edge that lies still, and is brighter than all spots.
    reference[:, 24:27] += 800
    cycle[:, 24:27] += 800
    with ThreadPoolExecutor(2) as pool:
        stacks = tuple(binned_stack(stack, pool).planes for stack in (reference, cycle))
        found = closer_look((stacks[0], stacks[1]), rigid, 7.5, pool)
    assert found is None or np.abs(found.by_yx).max() < 1.0


def test_the_field_that_is_kept_holds_the_correction(tmp_path: Path) -> None:
    found = registered(bump)
    save_field(tmp_path / "field.npz", found.cycle_field)
    places = np.random.default_rng(2).uniform([0, 20, 20], [15, 230, 230], (300, 3))
    again = load_field(tmp_path / "field.npz").field.at(places)
    for kept, seen in zip(again, found.cycle_field.field.at(places), strict=True):
        assert kept == pytest.approx(seen)


class Still:
    """A field without shift, whose standard error is 0.1."""

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3)."""
        return np.zeros(positions_zyx.shape), np.full(positions_zyx.shape, 0.1)


def test_corrections_are_linear_between_cells_and_sampled_as_they_are() -> None:
    by = np.zeros((8, 8, 2))
    by[3, 4] = [1.0, -2.0]
    correction = LocalCorrection(8, by, np.abs(by) / 2)
    middle = np.array([[0.0, 27.5, 35.5], [0.0, 27.5, 31.5], [0.0, 3.5, 3.5], [5.0, -9.0, 99.0]])
    found, sigma = correction.at(middle)
    assert found == pytest.approx(np.array([[0, 1, -2], [0, 0.5, -1], [0, 0, 0], [0, 0, 0]]))
    assert sigma[:2, 1] == pytest.approx([0.5, 0.5 * np.sqrt(0.5)])
    of_blocks, _ = correction.mean_over_blocks(block_grid((64, 64), 32))
    assert of_blocks[:, 1] == pytest.approx([0, 1 / 16, 0, 0])
    turned = correction.transformed(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    assert turned.by_yx[3, 4] == pytest.approx([-2.0, -1.0])


def test_a_field_is_sampled_with_its_correction() -> None:
    away = np.hypot(*np.meshgrid(np.arange(16.0) - 7, np.arange(16.0) - 8, indexing="ij"))
    by = np.exp(-((away / 5) ** 2))[..., None] * np.array([1.0, -2.0])
    field = CorrectedField(Still(), LocalCorrection(8, by, np.abs(by) / 2))
    kept = sampled(field, (10, 128, 128), 32)
    places = np.random.default_rng(3).uniform([0, 8, 8], [9, 120, 120], (200, 3))
    for one, other in zip(kept.at(places), field.at(places), strict=True):
        assert one == pytest.approx(other, abs=0.05)
