"""A stage that slips sideways between two planes is told, and tissue that leans is not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from fiducial_images import drawn, spot_positions

SHAPE = PLANES, SIZE, _ = 16, 128, 128
MOVED = np.array([0.3, 2.0, -3.0])
SLIPS = (np.array([3.0, -2.0]), np.array([0.0, 2.2]), np.array([-4.0, -3.5]))


def spots(by_plane: np.ndarray, seed: int, moved: np.ndarray = MOVED) -> np.ndarray:
    """Return spots moved by minus `moved`, and each plane by minus its own (Z, 2) px, too."""
    positions = spot_positions(SHAPE, 260, seed=8) - moved
    stack = np.empty(SHAPE, np.uint16)
    for z, (row, column) in enumerate(by_plane):
        stack[z] = drawn(SHAPE, positions - (0, row, column), 12, seed)[z]
    return stack


def tissue(by_plane: np.ndarray, seed: int, moved: np.ndarray = MOVED) -> np.ndarray:
    """Return the same of soft structure without spots."""
    random = np.random.default_rng(8)
    soft = np.exp(gaussian_filter(random.normal(size=SHAPE), (1.5, 2.5, 2.5)) * 12)
    soft = shift(soft, -moved, order=3, mode="wrap")
    planes = [shift(soft[z], -by, order=3, mode="wrap") for z, by in enumerate(by_plane)]
    light = 100 + 200 * np.array(planes)
    return np.random.default_rng(seed).poisson(np.maximum(light, 0)).astype(np.uint16)


def found(reference: np.ndarray, cycle: np.ndarray) -> LocalShifts:
    return local_shifts(prepare_reference(reference, block_size_xy=64), cycle, (2.0, -3.0))


def slipped(plane: int, by: np.ndarray) -> np.ndarray:
    return np.where(np.arange(PLANES)[:, None] < plane, 0.0, by)


STILL = np.zeros((PLANES, 2))


@pytest.mark.parametrize("by", SLIPS, ids=str)
@pytest.mark.parametrize("plane", [4, 8, 11])
@pytest.mark.parametrize("drawn_as", [spots, tissue])
def test_a_slip_is_told_with_its_plane(drawn_as, by: np.ndarray, plane: int) -> None:
    result = found(drawn_as(STILL, 1, 0 * MOVED), drawn_as(slipped(plane, by), 2))
    slip = result.evidence.slip
    assert slip
    assert slip.plane == plane
    assert slip.by == pytest.approx(np.hypot(*by), abs=1.0)
    assert result.verdict.name == "doubtful"
    assert "slipped sideways" in result.verdict.reason


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_bright_layer_that_but_one_stack_shows_is_no_slip(seed: int) -> None:
    """It leaves ghosts in all planes of its stack, which lie still."""
    by, random = 9, np.random.default_rng(seed)
    soft = gaussian_filter(random.normal(size=(24 + by, 136, 136)), (2, 3, 3))
    layer = 1 + 10 * np.exp(-0.5 * ((np.arange(24 + by) - 3) / 5) ** 2)
    light = 500 + 300 * np.exp(soft / soft.std()) * layer[:, None, None]
    parts = light[by:, 4:-4, 4:-4], light[:-by, 5:-3, 2:-6]
    reference, cycle = (part + random.normal(0, 15, part.shape) for part in parts)
    assert found(reference, cycle).evidence.slip is None


def test_a_slip_of_the_reference_is_told_too() -> None:
    result = found(spots(slipped(7, SLIPS[0]), 1, 0 * MOVED), spots(STILL, 2))
    assert result.evidence.slip
    assert result.evidence.slip.plane == 7
    assert "slipped sideways" in result.verdict.reason


@pytest.mark.parametrize("drawn_as", [spots, tissue])
@pytest.mark.parametrize("bend", ["none", "leaning", "bow", "lost plane"])
def test_what_moves_smoothly_has_not_slipped(drawn_as, bend: str) -> None:
    along = np.linspace(-1, 1, PLANES)[:, None]
    by_plane = {"leaning": 2.0 * along, "bow": 1.5 * along**2}.get(bend, 0 * along)
    cycle = drawn_as(by_plane * np.array([1.0, -0.6]), 2)
    if bend == "lost plane":
        cycle[9] = 0
    assert found(drawn_as(STILL, 1, 0 * MOVED), cycle).evidence.slip is None


@pytest.mark.parametrize(
    ("drawn_as", "planes", "size"),
    [(tissue, 8, 0.8), (tissue, 16, 0.8), (spots, 8, 1.8), (spots, 16, 1.3)],
)
def test_a_small_slip_is_told(drawn_as, planes: int, size: float) -> None:
    cycle = drawn_as(slipped(planes // 2, size * np.array([0.6, 0.8])), 2)
    slip = found(drawn_as(STILL, 1, 0 * MOVED)[:planes], cycle[:planes]).evidence.slip
    assert slip
    assert slip.plane == planes // 2
    assert slip.by == pytest.approx(size, abs=0.5)


def test_one_odd_plane_is_no_slip() -> None:
    by_plane = STILL.copy()
    by_plane[8] = SLIPS[0]
    assert found(tissue(STILL, 1, 0 * MOVED), tissue(by_plane, 2)).evidence.slip is None


def test_what_moved_in_one_place_is_no_slip() -> None:
    """A cell crawls on between two planes."""
    cycle = tissue(STILL, 2)
    cycle[8:, 20:60, 30:70] = tissue(slipped(8, SLIPS[0]), 2)[8:, 20:60, 30:70]
    assert found(tissue(STILL, 1, 0 * MOVED), cycle).evidence.slip is None


def test_planes_that_shake_have_not_slipped() -> None:
    by_plane = np.random.default_rng(3).normal(0, 0.4, (PLANES, 2))
    assert found(tissue(STILL, 1, 0 * MOVED), tissue(by_plane, 2)).evidence.slip is None
