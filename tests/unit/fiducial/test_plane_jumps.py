"""Planes that are missing or doubled, and a stage that slipped, are named; smooth bends are not."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.fiducial.verdict import Evidence, Jump, Verdict, judged
from fiducial_images import drawn, spot_positions

SIZE, PLANES, SPARE = 160, 24, 5
SHIFT_ZYX = np.array([0.4, 3.0, -2.0])
STRUCTURES = ("spots", "texture")
Depths = Callable[[np.ndarray], np.ndarray]


def pair(
    structure: str, planes: int = PLANES, depth_in_cycle: Depths = lambda z: z, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return two stacks that are SHIFT_ZYX apart; the cycle has SPARE more planes."""
    shapes = (planes, SIZE, SIZE), (planes + SPARE, SIZE, SIZE)
    if structure == "spots":
        positions = spot_positions(shapes[1], 60 * planes, seed)
        moved = positions - SHIFT_ZYX
        moved[:, 0] = depth_in_cycle(moved[:, 0])
        return drawn(shapes[0], positions, 20, seed + 1), drawn(shapes[1], moved, 20, seed + 2)
    random = np.random.default_rng(seed)
    scene = gaussian_filter(random.standard_normal((planes + 40, SIZE + 40, SIZE + 40)), (2, 2, 2))
    scene *= 150 / scene.std()
    places = np.indices(shapes[1], dtype=float)
    # where the depth is z, the plane at depth_in_cycle(z) shows it
    depths = np.arange(-20.0, planes + 20.0, 0.1)
    places[0] = np.interp(places[0], depth_in_cycle(depths), depths)
    places += (SHIFT_ZYX + 20)[:, None, None, None]
    images = scene[20:-20, 20:-20, 20:-20], map_coordinates(scene, places, order=3)
    return tuple(1000 + image + random.normal(0, 30, image.shape) for image in images)


def verdict(reference: np.ndarray, cycle: np.ndarray) -> Verdict:
    prepared = prepare_reference(reference, block_size_xy=80)
    return local_shifts(prepared, cycle[: len(reference)], (3.0, -2.0)).verdict


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(("planes", "plane"), [(12, 5), (24, 7), (24, 17), (50, 30)])
def test_a_dropped_plane_is_named(structure: str, planes: int, plane: int) -> None:
    reference, cycle = pair(structure, planes)
    found = verdict(reference, np.delete(cycle, plane, axis=0))
    assert found.name == "doubtful"
    assert f"a plane seems to be missing just before plane {plane} of the cycle" in found.reason


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_doubled_plane_is_named(structure: str) -> None:
    reference, cycle = pair(structure)
    found = verdict(reference, np.insert(cycle, 11, cycle[11], axis=0))
    assert found.name == "doubtful"
    assert "a plane seems to be doubled just before plane 12 of the cycle" in found.reason


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_stage_that_slipped_is_named(structure: str) -> None:
    reference, cycle = pair(structure)
    found = verdict(reference, np.delete(cycle, [9, 10, 11, 12], axis=0))
    assert found.name == "doubtful"
    said = re.match(r"about (\d) planes seem to be missing just before plane 9 of", found.reason)
    assert said, found.reason
    assert abs(int(said[1]) - 4) <= 1


def test_a_plane_that_the_reference_lacks_is_named() -> None:
    reference, cycle = pair("spots")
    found = verdict(np.delete(reference, 10, axis=0), cycle)
    assert found.name == "doubtful"
    assert "or missing in the reference" in found.reason


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(
    "depth",
    [
        lambda z: z,
        lambda z: z + 0.8 * np.sin(2 * np.pi * z / PLANES),
        lambda z: z + 1.0 * ((z - 12) / 12) ** 2,
        lambda z: 12 + 1.05 * (z - 12),
    ],
    ids=("none", "wave", "bend", "swelling"),
)
def test_smooth_bends_are_no_jumps(structure: str, depth: Depths) -> None:
    found = verdict(*pair(structure, depth_in_cycle=depth))
    assert found.name == "registered", found.reason


@pytest.mark.parametrize(
    ("z_ratio", "said"),
    [(0.8, "missing just before"), (1.0, "missing just before"), (2.0, "z steps")],
)
def test_a_jump_explains_a_z_step_that_hardly_differs(z_ratio: float, said: str) -> None:
    assert said in judged(Evidence(-50, z_ratio=z_ratio, jump=Jump(9, 4.0))).reason


def test_a_jump_is_told_in_whole_planes() -> None:
    missing, doubled = (judged(Evidence(-50, jump=Jump(23, by))).reason for by in (0.6, -2.9))
    assert missing.startswith("a plane seems to be missing just before plane 23 of the cycle")
    assert doubled.startswith("about 3 planes seem to be doubled just before plane 23")
