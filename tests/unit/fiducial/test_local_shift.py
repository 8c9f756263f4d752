"""The local shifts find planted shifts in every block, whatever the shape of the stacks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from crossreg.fiducial.field.motion import RIGID
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.local_shift.measurements import Measurements, SubBlockShifts
from crossreg.fiducial.reference import load_reference, prepare_reference, save_reference
from fiducial_images import drawn, spot_positions

SHAPE = (20, 160, 224)
SHIFT = (2.3, -6.4, 9.75)
TURN = 0.01 * np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Of 0.6 degrees, as what a position (z, y, x) is multiplied with."""


def pair(
    shift_zyx: tuple[float, float, float],
    shape: tuple[int, int, int] = SHAPE,
    planes: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    positions = spot_positions(shape, 400, seed=1)
    moved = positions - shift_zyx
    return drawn(shape, positions, 20, 2), drawn((planes or shape[0], *shape[1:]), moved, 20, 3)


def registered(reference: np.ndarray, cycle: np.ndarray, shift_yx: tuple, **more) -> LocalShifts:
    prepared = prepare_reference(reference, block_size_xy=more.pop("block_size_xy", 64))
    return local_shifts(prepared, cycle, shift_yx, **more)


@pytest.mark.parametrize("global_yx", [SHIFT[1:], (-6.0, 10.0), (-5.2, 11.1)])
def test_residual_of_a_planted_shift_in_every_block(global_yx: tuple) -> None:
    found = registered(*pair(SHIFT), global_yx)
    assert found.shift_zyx.shape == (3, 4, 3)
    residual = np.array(SHIFT) - (0, *global_yx)
    assert np.abs(found.shift_zyx - residual).max() < 0.15
    assert set(found.status.ravel()) <= {"measured", "borrowed"}


def test_reference_and_cycle_may_differ_in_planes() -> None:
    found = registered(*pair(SHIFT, planes=26), SHIFT[1:])
    assert np.abs(found.shift_zyx - (SHIFT[0], 0, 0)).max() < 0.15


def test_single_planes_have_no_shift_in_z() -> None:
    reference, cycle = pair((0, *SHIFT[1:]))
    found = registered(reference.max(0)[None], cycle.max(0)[None], (-6.0, 10.0))
    assert np.all(found.shift_zyx[..., 0] == 0)
    assert np.abs(found.shift_zyx[..., 1:] - (-0.4, -0.25)).max() < 0.15


@pytest.mark.parametrize("planes", [6, 8, 12])
@pytest.mark.parametrize("shift_z", [0.0, 0.8])
def test_thin_stacks_whose_ends_cut_spots(planes: int, shift_z: float) -> None:
    shape = (planes, 256, 256)
    beyond = (planes + 8, 256, 256)
    positions = spot_positions(beyond, 480, seed=1) - (4, 0, 0)
    shift = np.array([shift_z, -3.4, 2.7])
    found = registered(
        drawn(shape, positions, 20, 2), drawn(shape, positions - shift, 20, 3), (-3.0, 3.0)
    )
    error = found.shift_zyx - (shift_z, -0.4, -0.3)
    assert np.sqrt(np.mean(error**2, axis=(0, 1))).max() < 0.15
    assert np.abs(error).max() < 0.5


def test_the_shift_in_z_of_stacks_of_few_planes_is_uncertain() -> None:
    reference, cycle = pair((0.8, *SHIFT[1:]))
    found = registered(reference[8:12], cycle[8:12], SHIFT[1:])
    assert found.sigma_zyx[..., 0].min() >= 0.5
    assert np.abs(found.shift_zyx[..., 0] - 0.8).max() < 2 * found.sigma_zyx[..., 0].min()
    assert np.abs(found.shift_zyx[..., 1:]).max() < 0.5


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_other_types_of_pixels(kind: type) -> None:
    reference, cycle = ((stack // 4).astype(kind) for stack in pair(SHIFT))
    found = registered(reference, cycle, SHIFT[1:])
    assert np.abs(found.shift_zyx - (SHIFT[0], 0, 0)).max() < 0.15


def test_quality_is_better_at_the_right_shift() -> None:
    reference, cycle = pair(SHIFT)
    right = registered(reference, cycle, SHIFT[1:])
    same = registered(reference, reference, (0.0, 0.0))
    assert right.quality.shape == (3, 4, 3)
    assert np.all(np.median(same.quality, axis=(0, 1)) < 0.01)
    assert np.all(right.quality[:2, :3] < 1.0)


def test_a_cycle_that_cannot_match_fails_in_every_block() -> None:
    reference, _ = pair(SHIFT)
    found = registered(reference, drawn(SHAPE, spot_positions(SHAPE, 400, 8), 20, 9), (0.0, 0.0))
    assert set(found.status.ravel()) == {"failed"}
    for values in (found.shift_zyx, found.sigma_zyx, found.quality):
        assert np.isnan(values).all()


def test_a_tall_stack_without_a_useful_sub_block_fails() -> None:
    shape = (32, 96, 96)
    reference, cycle = (
        drawn(shape, spot_positions(shape, 20, seed), 20, noise)
        for seed, noise in ((1200, 12), (1201, 13))
    )
    assert registered(reference, cycle, (0.0, 0.0), block_size_xy=48).verdict.name == "failed"


def test_threads_do_not_change_the_result() -> None:
    one, two = (registered(*pair(SHIFT), SHIFT[1:], threads=n) for n in (1, 2))
    for name in ("shift_zyx", "measured_zyx", "sigma_zyx", "confidence", "status", "quality"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_reference_is_read_as_it_was_written(tmp_path: Path) -> None:
    reference, cycle = pair(SHIFT)
    prepared = prepare_reference(reference, block_size_xy=64)
    save_reference(tmp_path / "reference.npy", prepared)
    one = local_shifts(prepared, cycle, SHIFT[1:])
    two = local_shifts(load_reference(tmp_path / "reference.npy"), cycle, SHIFT[1:])
    assert one.shift_zyx.tobytes() == two.shift_zyx.tobytes()


def test_a_block_without_structure_borrows_along_the_gradient() -> None:
    random = np.random.default_rng(5)
    shape = (16, 256, 256)
    positions = spot_positions(shape, 500, seed=5)
    inside = np.all(np.abs(positions[:, 1:] - 159.5) < 38, axis=1)
    positions = positions[~inside]
    gradient = 0.02
    shift = np.column_stack([0 * positions[:, 0], gradient * positions[:, 1], 0 * positions[:, 0]])
    reference = drawn(shape, positions, 20, int(random.integers(100)))
    cycle = drawn(shape, positions - shift, 20, int(random.integers(100)))
    found = registered(reference, cycle, (0.0, 0.0))
    assert found.status[2, 2] == "borrowed"
    assert (found.status == "measured").sum() >= 15
    error = abs(found.shift_zyx[2, 2, 1] - gradient * 159.5)
    assert error < 0.15
    assert error < 3 * found.sigma_zyx[2, 2, 1]


def test_blocks_outside_the_overlap_are_borrowed() -> None:
    positions = spot_positions((16, 256, 256), 500, seed=6)
    reference = drawn((16, 256, 256), positions, 20, 1)
    cycle = drawn((16, 256, 256), positions - (0, 0, 80), 20, 2)
    found = registered(reference, cycle, (0.0, 80.0))
    assert set(found.status[:, 0]) == {"borrowed"}
    assert set(found.status[:, 2:].ravel()) == {"measured"}
    assert np.abs(found.shift_zyx[:, 0]).max() < 0.3


def test_without_borrowing_every_block_has_its_own_shift() -> None:
    reference, cycle = pair(SHIFT)
    found = registered(reference, cycle, SHIFT[1:], borrow=False)
    assert np.array_equal(found.shift_zyx, found.measured_zyx)
    assert np.isfinite(found.shift_zyx).all()


def test_a_block_as_large_as_the_image() -> None:
    reference, cycle = pair(SHIFT, shape=(20, 128, 128))
    found = registered(reference, cycle, (-6.0, 10.0), block_size_xy=128)
    assert found.shift_zyx.shape == (1, 1, 3)
    assert np.abs(found.shift_zyx - (2.3, -0.4, -0.25)).max() < 0.15


@pytest.mark.parametrize("place", [0, 1])
def test_a_constant_stack_fails_in_every_block(place: int) -> None:
    stacks = list(pair(SHIFT))
    stacks[place] = np.full(SHAPE, 7, dtype=np.uint16)
    reference, cycle = stacks
    assert set(registered(reference, cycle, (0.0, 0.0)).status.ravel()) == {"failed"}


def test_values_that_are_not_finite_do_not_spread() -> None:
    reference, cycle = (stack.astype(np.float32) for stack in pair(SHIFT))
    reference[0], cycle[:, :20, :20] = np.nan, np.nan
    found = registered(reference, cycle, SHIFT[1:])
    assert np.abs(found.shift_zyx - (SHIFT[0], 0, 0)).max() < 0.3


def test_the_field_holds_the_total_shift_at_any_position() -> None:
    found = registered(*pair(SHIFT), (-6.0, 10.0))
    places = np.random.default_rng(5).uniform(0, np.array(SHAPE) - 1, (200, 3))
    assert np.abs(found.field.at(places)[0] - SHIFT).max() < 0.2


def test_the_field_of_single_planes_has_no_shift_in_z_either() -> None:
    reference, cycle = pair((0, *SHIFT[1:]))
    found = registered(reference.max(0)[None], cycle.max(0)[None], (-6.0, 10.0))
    shift, sigma = found.field.at(np.array([[0, 80.0, 100]]))
    assert shift[0, 0] == 0
    assert np.isnan(sigma[0, 0])


def test_a_bend_along_a_tall_stack_is_followed_at_any_position() -> None:
    shape = (40, 192, 192)
    positions = spot_positions(shape, 900, seed=11)

    def planted(at: np.ndarray) -> np.ndarray:
        depth = (at[:, 0] - 19.5) / 19.5
        walk = 0.4 * depth
        return np.column_stack([np.cos(np.pi * depth), 3 + walk, -2 - walk])

    found = registered(
        drawn(shape, positions, 15, 2), drawn(shape, positions - planted(positions), 15, 3),
        (3.0, -2.0),
    )  # fmt: skip
    places = np.random.default_rng(5).uniform(4, np.array(shape) - 5, (300, 3))
    error = found.field.at(places)[0] - planted(places)
    assert np.sqrt(np.mean(error**2, axis=0)).max() < 0.12
    whole = np.column_stack([np.linspace(-0.5, 39.5, 81)] + 2 * [np.zeros(81)])
    residual = planted(whole).mean(axis=0) - (0, 3, -2)
    assert np.abs(found.shift_zyx - residual).max() < 0.15


@pytest.mark.parametrize("structure", ["spots", "tissue"])
@pytest.mark.parametrize("planes", [18, 24, 32])
def test_a_bend_of_stacks_that_are_not_tall_is_followed(planes: int, structure: str) -> None:
    shape = (planes, 160, 160)

    def planted(z: np.ndarray) -> np.ndarray:
        depth = 2 * z / (planes - 1) - 1
        return np.stack([1.2 * depth**2 - 0.4, 3 - 0.4 * depth, -2 + 0.4 * depth], axis=-1)

    if structure == "spots":
        at = spot_positions(shape, 500, seed=11)
        stacks = [drawn(shape, at, 15, 2), drawn(shape, at - planted(at[:, 0]), 15, 3)]
    else:
        random = np.random.default_rng(8)
        tissue = gaussian_filter(random.normal(size=np.add(shape, 16)), (2.0, 1.6, 1.6))
        tissue = np.maximum(tissue / tissue.std(), 0)
        places = np.indices(shape, dtype=float) + 8
        # What lies at `places` in the cycle lies at `places` + `planted` in the reference.
        moved = places + np.moveaxis(planted(places[0] - 8), -1, 0)
        stacks = [
            random.poisson(100 + 200 * np.maximum(map_coordinates(tissue, at, order=3), 0))
            for at in (places, moved)
        ]
    reference, cycle = (stack.astype(np.uint16) for stack in stacks)
    found = registered(reference, cycle, (3.0, -2.0))
    assert found.verdict.name == "registered"
    at = np.random.default_rng(5).uniform(2, np.array(shape) - 3, (300, 3))
    error = found.field.at(at)[0] - planted(at[:, 0])
    assert np.sqrt(np.mean(error**2, axis=0)).max() < 0.15


@pytest.mark.parametrize("seed", range(4))
def test_ends_that_few_beads_show_may_bend(seed: int) -> None:
    random = np.random.default_rng(seed)
    places = random.uniform(-20, 180, (90, 3))
    places[:, 0] = random.normal(12, 5, len(places))

    def bend(planes: np.ndarray) -> np.ndarray:
        return 0.6 * (2 * ((planes - 11.5) / 11.5) ** 2 - 1)

    moved = places - (0, 3.3, -5.6)
    moved[:, 0] -= bend(places[:, 0])
    reference, cycle = (
        drawn((24, 160, 160), at, 20, seed + number, sigma=(2, 1.6, 1.6))
        for number, at in enumerate((places, moved))
    )
    found = registered(reference, cycle, (3.3, -5.6))
    planes = np.arange(24.0)
    shift, sigma = found.field.at(np.column_stack([planes, np.full((24, 2), 80.0)]))
    assert np.mean(np.abs(shift[:, 0] - bend(planes)) > 3 * sigma[:, 0]) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_beads_at_all_depths_do_not_say_that_a_thin_stack_is_straight(seed: int) -> None:
    """Neither at its ends nor in the middle: they show the mean shift of the depths they lie at."""
    random = np.random.default_rng(seed)
    places = random.uniform((-2, -20, -20), (14, 180, 180), (160, 3))

    def bend(planes: np.ndarray) -> np.ndarray:
        return 0.5 * (2 * ((planes - 5.5) / 5.5) ** 2 - 1)

    moved = places - (0, 3.3, -5.6)
    moved[:, 0] -= bend(places[:, 0])
    reference, cycle = (
        drawn((12, 160, 160), at, 20, seed + number, sigma=(2, 1.6, 1.6))
        for number, at in enumerate((places, moved))
    )
    found = registered(reference, cycle, (3.3, -5.6))
    planes = np.linspace(0, 11, 23)
    shift, sigma = found.field.at(np.column_stack([planes, np.full((23, 2), 80.0)]))
    assert np.mean(np.abs(shift[:, 0] - bend(planes)) > 3 * sigma[:, 0]) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_beyond_a_layer_of_a_tall_stack_little_is_known(seed: int) -> None:
    random = np.random.default_rng(seed)
    places = random.uniform(-20, 180, (60, 3))
    places[:, 0] = 17 + places[:, 1] / 80 + random.normal(0, 0.4, len(places))
    planted = np.array([0.6, 3.3, -5.6])
    reference, cycle = (
        drawn((44, 160, 160), at, 20, seed + number, sigma=(2, 1.6, 1.6))
        for number, at in enumerate((places, places - planted))
    )
    found = registered(reference, cycle, (3.3, -5.6))
    planes = np.linspace(0, 43, 44)
    shift, sigma = found.field.at(np.column_stack([planes, np.full((44, 2), 80.0)]))
    assert np.mean(np.abs(shift - planted) > 3 * sigma) < 0.05
    assert np.abs(shift - planted).max() < 1
    assert sigma[[0, -1]].min() > 3 * sigma[17].max()


@pytest.mark.parametrize("seed", range(3))
def test_a_layer_does_not_say_how_rows_and_columns_walk_along_z(seed: int) -> None:
    random = np.random.default_rng(seed)
    places = random.uniform(-20, 212, (90, 3))
    places[:, 0] = 8 + places[:, 1] / 100 + random.normal(0, 0.4, len(places))

    def planted(z: np.ndarray) -> np.ndarray:
        walk = 0.06 * (z - 9.5)
        return np.column_stack([np.full_like(walk, 0.6), 3.3 + walk, -5.6 - walk])

    reference, cycle = (
        drawn((20, 192, 192), at, 20, seed + number, sigma=(2, 1.6, 1.6))
        for number, at in enumerate((places, places - planted(places[:, 0])))
    )
    found = registered(reference, cycle, (3.3, -5.6))
    planes = np.linspace(0, 19, 20)
    shift, sigma = found.field.at(np.column_stack([planes, np.full((20, 2), 96.0)]))
    assert np.mean(np.abs(shift - planted(planes)) > 3 * sigma) < 0.05


@pytest.mark.parametrize("planes", [16, 24, 48])
def test_waves_of_tissue_that_change_with_the_depth_are_followed(planes: int) -> None:
    shape = (planes, 160, 160)

    def planted(at: np.ndarray) -> np.ndarray:
        depth = 2 * at[..., 0] / (planes - 1) - 1
        y = 0.7 * np.sin(at[..., 2] / 30 + 1.5 * depth)
        return np.stack(
            [np.zeros_like(y), 3 + y, -2 + 0.7 * np.sin(at[..., 1] / 30 - 1.5 * depth)], -1
        )

    random = np.random.default_rng(8)
    tissue = gaussian_filter(random.normal(size=np.add(shape, 16)), (1.5, 1.6, 1.6))
    tissue = np.maximum(tissue / tissue.std(), 0)
    places = np.moveaxis(np.indices(shape, dtype=float), 0, -1)
    reference, cycle = (
        random.poisson(
            100 + 200 * np.maximum(map_coordinates(tissue, np.moveaxis(at, -1, 0) + 8, order=3), 0)
        ).astype(np.uint16)
        for at in (places, places + planted(places))
    )
    found = registered(reference, cycle, (3.0, -2.0))
    at = np.random.default_rng(5).uniform((1, 12, 12), (planes - 2, 147, 147), (300, 3))
    shift, sigma = found.field.at(at)
    error = (shift - planted(at))[:, 1:]
    assert np.sqrt(np.mean(error**2)) < 0.2
    assert np.mean(np.abs(error) > 3 * sigma[:, 1:]) < 0.1


def test_the_ends_of_tissue_that_bends_along_z_are_followed() -> None:
    planes = 20
    shape = (planes, 128, 128)
    random = np.random.default_rng(4)
    tissue = gaussian_filter(random.normal(size=np.add(shape, 16)), (1.2, 1.6, 1.6))
    tissue = np.maximum(tissue / tissue.std(), 0)
    places = np.moveaxis(np.indices(shape, dtype=float), 0, -1)

    def bend(z: np.ndarray) -> np.ndarray:
        return np.asarray(0.8 * (2 * (2 * z / (planes - 1) - 1) ** 2 - 1))

    def seen(away_z: np.ndarray) -> np.ndarray:
        at = np.moveaxis(places, -1, 0) + 8
        at[0] += away_z
        light = map_coordinates(tissue, at, order=3)
        return random.poisson(100 + 200 * np.maximum(light, 0)).astype(np.uint16)

    found = registered(seen(np.zeros(shape)), seen(bend(places[..., 0])), (0.0, 0.0))
    ends = np.concatenate([np.arange(2, planes // 5), np.arange(planes - planes // 5, planes - 2)])
    at = np.column_stack([np.repeat(ends, 50), random.uniform(10, 117, (50 * len(ends), 2))])
    shift, sigma = found.field.at(at)
    error = shift[:, 0] - bend(at[:, 0])
    assert np.sqrt(np.mean(error**2)) < 0.25
    assert np.mean(np.abs(error) > 3 * sigma[:, 0]) < 0.1


def test_soft_tissue_that_bends_along_z_is_not_drawn_to_where_it_is_looked_for() -> None:
    shape = (40, 128, 128)
    random = np.random.default_rng(3)
    tissue = gaussian_filter(random.normal(size=(52, 152, 152)), (2.5, 1.5, 1.5))
    tissue = np.maximum(tissue / tissue.std() - 0.5, 0)
    depth = np.linspace(-1, 1, 40)
    places = np.indices(shape, dtype=float) + np.array([6, 12, 12]).reshape(3, 1, 1, 1)
    bend = 0.6 * np.cos(np.pi * depth)
    reference, moved = places.copy(), places.copy()
    reference[0] -= bend[:, None, None]
    moved[1] += 2.0
    stacks = (
        random.poisson(200 + 150 * np.maximum(map_coordinates(tissue, at, order=3), 0))
        for at in (reference, moved)
    )
    reference, cycle = (stack.astype(np.uint16) for stack in stacks)
    found = registered(reference, cycle, (2.0, 0.0))
    at = np.array([[z, y, x] for z in range(4, 36) for y in (30, 64, 98) for x in (30, 64, 98)])
    shift, sigma = found.field.at(at.astype(float))
    error = shift[:, 0] - np.repeat(bend[4:36], 9)
    assert np.sqrt(np.mean(error**2)) < 0.12
    assert np.mean(np.abs(error) < sigma[:, 0]) > 0.5
    assert np.all(np.abs(error) < 3 * sigma[:, 0])


def test_evidence_on_one_side_of_a_rigid_stage() -> None:
    shape = (16, 256, 256)
    positions = spot_positions(shape, 500, seed=12)
    positions = positions[positions[:, 1] < 110]
    found = registered(
        drawn(shape, positions, 20, 1), drawn(shape, positions - (0, 4.3, -2.2), 20, 2), (4.0, -2.0)
    )
    assert set(found.status[2:].ravel()) == {"borrowed"}
    error = found.shift_zyx - (0, 0.3, -0.2)
    assert np.abs(error).max() < 0.3
    assert np.all(np.abs(error) < 4 * found.sigma_zyx)


@pytest.mark.parametrize("seed", range(4))
def test_where_a_plane_lies_in_a_layer_that_looks_alike_at_all_depths_is_unsure(seed: int) -> None:
    random = np.random.default_rng(seed)
    places = random.uniform(-10, 170, (40, 3))
    places[:, 0] = 8
    reference, cycle = (
        drawn((16, 160, 160), at, 20, seed + number, sigma=(4, 1.8, 1.8))
        for number, at in enumerate((places, places - (0, 3.3, -5.6)))
    )
    found = registered(reference, cycle[5:6], (3.3, -5.6))
    sigma = found.sigma_zyx[..., 0]
    assert np.all(np.abs(found.shift_zyx[..., 0] - 5) < 3 * sigma)
    assert sigma.min() > 0.8


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_planes_that_show_no_shift_along_z_show_one_along_rows_and_columns(seed: int) -> None:
    random = np.random.default_rng(seed)
    places = spot_positions((4, 240, 240), 60, seed) - (0, 24, 24)
    places[:, 0] = random.normal(2, 0.8, 60)
    turned = places - (places - (0, 96, 96)) @ TURN - (1.2, 3.3, -5.6)
    reference, cycle = (
        drawn((4, 192, 192), at, 20, seed + 50 * number)
        for number, at in enumerate((places, turned))
    )
    found = registered(reference, cycle, (3.3, -5.6))
    at = np.indices((4, 192, 192)).reshape(3, -1).T[::97]
    right = (at - (0, 96, 96)) @ TURN + (0, 3.3, -5.6)
    shift, sigma = (part[:, 1:] for part in found.field.at(at))
    assert np.sqrt(np.mean(sigma**2)) < 0.12
    assert np.mean(np.abs(shift - right[:, 1:]) > 3 * sigma) < 0.02


def test_where_no_sub_block_shows_a_shift_no_block_is_measured() -> None:
    nothing = SubBlockShifts(
        np.zeros((2, 3)), np.full((2, 3), 100.0), np.zeros((2, 3)), np.zeros((2, 3))
    )
    seen = replace(nothing, sigma_zyx=np.full((2, 3), 0.1))
    for sub_blocks, measured in ((nothing, [False, False]), (seen, [True, False])):
        found = Measurements(
            sub_blocks, np.zeros(1), [np.array([0]), np.array([1])], None, np.array([9.0, 1.0]),
            np.zeros(0), None, np.zeros(2), None,
        )  # fmt: skip
        assert found.matching.tolist() == measured


@pytest.mark.parametrize("seed", range(2, 6))
def test_few_blocks_that_match_do_not_say_that_nothing_turns(seed: int) -> None:
    random = np.random.default_rng(seed)
    places = random.uniform(0, 1, (12, 3)) * (0, 110, 70) + (0, 20, 10)
    turned = places - (places - (0, 80, 80)) @ TURN - (0, 3.3, -5.6)
    reference, cycle = (
        drawn((1, 160, 160), at, 20, seed + number) for number, at in enumerate((places, turned))
    )
    found = registered(reference, cycle, (3.3, -5.6), block_size_xy=80)
    assert np.sum(found.status == "measured") < 3
    at = np.indices((1, 160, 160)).reshape(3, -1).T[:: 7 * 11]
    right = (at - (0, 80, 80)) @ TURN + (0, 3.3, -5.6)
    shift, sigma = found.field.at(at)
    assert np.abs(shift - right)[:, 1:].max() > 0.5
    assert np.mean(np.abs(shift - right)[:, 1:] > 3 * sigma[:, 1:]) < 0.02


def test_a_rigid_motion_is_the_same_in_every_block() -> None:
    found = registered(*pair(SHIFT), (-6.0, 10.0), motion=RIGID)
    assert np.ptp(found.shift_zyx.reshape(-1, 3), axis=0).max() < 1e-5
    assert np.abs(found.shift_zyx[0, 0] - (2.3, -0.4, -0.25)).max() < 0.1


def test_held_out_structure_lies_as_far_off_as_it_is_noisy() -> None:
    here = spot_positions(SHAPE, 400, 1)
    faint, bright = (
        registered(
            drawn(SHAPE, here, noise, 0), drawn(SHAPE, here - SHIFT, noise, 1), SHIFT[1:]
        ).held_out_zyx
        for noise in (60, 10)
    )
    assert np.all(bright < 0.1)
    assert np.all(faint > 2 * bright)


def test_small_images_have_a_held_out_residual_too() -> None:
    shape, by = (8, 128, 128), np.array([0.2, 1.3, -2.4])
    here = spot_positions(shape, 80, 1)
    found = registered(
        drawn(shape, here, 10, 0), drawn(shape, here - by, 10, 1), (1.0, -2.0), block_size_xy=48
    )
    assert np.all(found.held_out_zyx < 0.2)
