"""Cells and beads that moved by themselves: sigma, status and verdict say so, and only there."""

from pathlib import Path

import numpy as np
import pytest

import crossreg
from crossreg import Registration
from crossreg.fiducial.field.field_file import load_field, save_field
from crossreg.fiducial.field.own_motion import NO_OWN_MOTION, OwnMotion
from fiducial_images import drawn

SHAPE = (12, 256, 256)
BLOCK = 64
DRIFT = np.array([0.4, 3.2, -2.6])
CELLS, RADIUS, SPOTS = 4, 17.0, 45
"""Cells along each axis, their radius (px), and the spots in each."""


def cells(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return spots (n, 3) in cells on a rough grid, and the number of the cell of each (n,)."""
    rng = np.random.default_rng(seed)
    middles = (np.indices((CELLS, CELLS)).reshape(2, -1).T + 0.5) * SHAPE[1] / CELLS
    middles = middles + rng.uniform(-8, 8, middles.shape)
    number = np.repeat(np.arange(len(middles)), SPOTS)
    angle = rng.uniform(0, 2 * np.pi, len(number))
    away = RADIUS * np.sqrt(rng.uniform(0, 1, len(number)))
    yx = middles[number] + away[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return np.column_stack([rng.uniform(3, 9, len(number)), yx]), number


def registered(
    spots: np.ndarray, own_zyx: np.ndarray, only: tuple[np.ndarray, ...] = ()
) -> Registration:
    """Return the registration of spots (n, 3) that drift, and move by `own_zyx` beyond that.

    `only` are spots that the reference alone, and the cycle alone shows.
    """
    before, after = (np.concatenate([part, *more]) for part, more in zip(
        (spots, spots - DRIFT - own_zyx), (only[:1], only[1:]), strict=True
    ))  # fmt: skip
    reference, cycle = drawn(SHAPE, before, 15, 1), drawn(SHAPE, after, 15, 2)
    return crossreg.register(reference, cycle, block_size=BLOCK)


def moved_cells(moved: list[int], by_yx: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """Return (spots, their own motion (n, 3), which of them are in moved cells)."""
    spots, number = cells(4)
    is_moved = np.isin(number, moved)
    return spots, is_moved[:, None] * np.array([0.0, *by_yx]), is_moved


@pytest.mark.parametrize("by_yx", [(5.0, 2.0), (-9.0, 6.0), (0.0, -3.5)])
def test_sigma_covers_a_cell_that_moved_by_itself(by_yx: tuple[float, float]) -> None:
    spots, own, is_moved = moved_cells([5], by_yx)
    found = registered(spots, own)
    error = found.shift_at(spots) - DRIFT - own
    sigma = found.sigma_at(spots)
    assert np.all(np.abs(error[is_moved]) < 3 * sigma[is_moved] + 0.1)
    far = np.hypot(*(spots[:, 1:] - spots[is_moved, 1:].mean(axis=0)).T) > 100
    assert np.abs(error[far]).max() < 0.15
    # Along z the ends of these twelve planes, which show little, may bend unseen.
    assert np.all(sigma[far].max(axis=0) < (0.3, 0.05, 0.05))
    assert found.verdict == "registered"
    table = found.table()
    block = (table["block_i"] == 1) & (table["block_j"] == 1)
    assert list(table["status"][block]) == ["borrowed"]
    assert set(table["status"][~block]) <= {"measured", "borrowed"}
    assert (table["status"] == "measured").sum() >= 12


@pytest.mark.parametrize("by_yx", [(4.5, -5.0), (-3.0, 6.0), (7.0, 2.0)])
def test_sigma_covers_a_patch_of_beads_that_moved_by_itself(by_yx: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    beads = rng.uniform((1, -20, -20), (11, 276, 276), (200, 3))
    beads = beads[np.hypot(*(beads[:, 1:] - (110, 140)).T) > 34]
    patch = rng.uniform((2, 96, 126), (10, 124, 154), (9, 3))
    spots = np.concatenate([patch, beads])
    is_moved = np.arange(len(spots)) < len(patch)
    own = is_moved[:, None] * np.array([0.0, *by_yx])
    found = registered(spots, own)
    error = np.abs(found.shift_at(spots) - DRIFT - own)
    sigma = found.sigma_at(spots)
    assert np.all(error[is_moved] < 3 * sigma[is_moved] + 0.1)
    far = np.hypot(*(spots[:, 1:] - (110, 140)).T) > 90
    inside = np.all((spots[:, 1:] > 10) & (spots[:, 1:] < 246), axis=1)
    # Along z the stack may bend unseen.
    assert np.all(sigma[far & inside].max(axis=0) < (0.25, 0.06, 0.06))


def test_a_cycle_in_which_many_cells_moved_by_themselves_is_doubtful() -> None:
    spots, number = cells(4)
    own = np.zeros(spots.shape)
    own[:, 1:] = np.random.default_rng(0).uniform(3, 7, (CELLS**2, 2))[number]
    own[number % 3 != 0] = 0
    found = registered(spots, own)
    assert found.verdict == "doubtful"
    assert "moved by itself" in found.reason


def test_nothing_is_said_of_cells_that_drift_together() -> None:
    spots, own, _ = moved_cells([], (0.0, 0.0))
    found = registered(spots, own)
    assert found.verdict == "registered"
    assert not found.cycle_field.field.own_motion
    assert np.all(found.sigma_at(spots).max(axis=0) < (0.3, 0.05, 0.05))


@pytest.mark.parametrize("seed", range(3))
def test_beads_that_are_others_in_the_cycle_have_not_moved(seed: int) -> None:
    rng = np.random.default_rng(seed)
    margin = np.array([-3, 20, 20])
    beads, gone, new = (rng.uniform(-margin, SHAPE + margin, (count, 3)) for count in (70, 25, 25))
    found = registered(beads, np.zeros(beads.shape), (gone, new))
    assert found.verdict == "registered"
    inside = np.all((beads >= 4) & (beads < np.array(SHAPE) - 4), axis=1)
    assert np.median(found.sigma_at(beads[inside])) < 0.1
    assert len(found.cycle_field.field.own_motion.position_zyx) <= 2


def test_a_lattice_with_gaps_has_not_moved() -> None:
    rng = np.random.default_rng(3)
    sites = (np.indices((16, 16)).reshape(2, -1).T + 0.5) * 16 + rng.normal(0, 2, (256, 2))
    beads = np.column_stack([rng.uniform(3, 9, 256), sites])
    kind = rng.choice(3, 256, p=(0.8, 0.1, 0.1))
    both, gone, new = (beads[kind == one] for one in range(3))
    found = registered(both, np.zeros(both.shape), (gone, new - DRIFT))
    assert found.verdict == "registered"
    assert np.median(found.sigma_at(both)) < 0.1
    assert len(found.cycle_field.field.own_motion.position_zyx) <= 1


def test_sigma_is_larger_only_within_reach_of_what_moved() -> None:
    moved = OwnMotion(
        np.array([[5.0, 50, 60]]), np.array([[0.0, 4, -3]]), np.array([np.inf, 20, 20])
    )
    places = np.array([[0.0, 50, 60], [9, 50, 70], [5, 50, 105]])
    sigma = moved.widened(np.full((3, 3), 0.1), places)
    assert np.allclose(sigma[0], np.hypot(0.1, (0, 4, 3)))
    assert np.allclose(sigma[1], np.hypot(0.1, np.exp(-(0.5**4)) * np.array((0, 4, 3))))
    assert np.array_equal(sigma[2], np.full(3, 0.1))
    assert np.array_equal(NO_OWN_MOTION.widened(sigma, places), sigma)


def test_a_field_that_is_read_again_says_what_moved(tmp_path: Path) -> None:
    spots, own, _ = moved_cells([5], (5.0, 2.0))
    found = registered(spots, own)
    save_field(tmp_path / "field.npz", found.cycle_field)
    again = load_field(tmp_path / "field.npz")
    assert np.array_equal(again.field.sigma_at(spots), found.sigma_at(spots))
    assert again.field.own_motion
