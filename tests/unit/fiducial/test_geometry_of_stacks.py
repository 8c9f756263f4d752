"""Planes that do not correspond one by one are found out; a single plane finds its place."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crossreg.fiducial.evidence.image_faults import is_saturated
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from fiducial_images import drawn, spot_positions

PLANES, SIZE = 24, 128
SHAPE = (PLANES, SIZE, SIZE)
MIDDLE = (PLANES - 1) / 2
SHIFT_YX = (3.0, -2.0)


def stack(
    depth: Callable[[np.ndarray], np.ndarray], seed: int, moved: bool = False, spots: int = 150
) -> np.ndarray:
    """Return a stack of spots whose depths z are changed to `depth(z)`, perhaps moved."""
    positions = spot_positions(SHAPE, spots, seed=1)
    positions[:, 0] = depth(positions[:, 0])
    positions[:, 1:] -= SHIFT_YX if moved else (0, 0)
    return drawn(SHAPE, positions, 25, seed)


def found(reference: np.ndarray, cycle: np.ndarray) -> LocalShifts:
    return local_shifts(prepare_reference(reference, block_size_xy=64), cycle, (2.0, -1.0))


def unchanged(z: np.ndarray) -> np.ndarray:
    return z


@pytest.mark.parametrize("ratio", [0.5, 0.8, 1.25, 2.0])
def test_other_z_steps_make_a_cycle_doubtful(ratio: float) -> None:
    cycle = stack(lambda z: MIDDLE + ratio * (z - MIDDLE), 3, moved=True)
    verdict = found(stack(unchanged, 2), cycle).verdict
    assert verdict.name == "doubtful"
    said, rest = verdict.reason.split(maxsplit=1)
    assert rest.startswith("planes of the cycle correspond to one of the reference")
    assert float(said) == pytest.approx(ratio, rel=0.07)


@pytest.mark.parametrize("softness", [3, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_other_plane_of_soft_tissue_makes_a_cycle_doubtful(softness: int, seed: int) -> None:
    """Planes of soft tissue are alike even where they are not the same."""
    random = np.random.default_rng(seed)
    tissue = gaussian_filter(random.normal(size=(16, 136, 136)), (softness, 2.5, 2.5))
    light = 500 + 300 * np.exp(tissue / tissue.std())
    reference, cycle = (
        part + random.normal(0, 15, part.shape)
        for part in (light[:, 4:-4, 4:-4], light[::2, 1:-7, 6:-2])
    )
    verdict = found(reference, cycle).verdict
    assert verdict.name == "doubtful"
    said, rest = verdict.reason.split(maxsplit=1)
    assert float(said) == pytest.approx(0.5, rel=0.06)
    assert rest.startswith("planes of the cycle correspond to one of the reference")


def test_planes_that_run_the_other_way_make_a_cycle_doubtful() -> None:
    verdict = found(stack(unchanged, 2), stack(lambda z: PLANES - z, 3, moved=True)).verdict
    assert verdict.name == "doubtful"
    assert "run the other way" in verdict.reason


@pytest.mark.parametrize("scale", [0.95, 1.0, 1.05])
def test_tissue_that_swells_a_little_is_registered(scale: float) -> None:
    cycle = stack(lambda z: MIDDLE + 1.5 + scale * (z - MIDDLE), 3, moved=True)
    assert found(stack(unchanged, 2), cycle).verdict.name == "registered"


@pytest.mark.parametrize("plane", [4, 17])
def test_one_plane_is_searched_through_all_planes(plane: int) -> None:
    reference = stack(unchanged, 2, spots=600)
    cycle = stack(unchanged, 3, moved=True, spots=600)
    of_cycle = found(reference, cycle[plane : plane + 1])
    of_reference = found(reference[plane : plane + 1], cycle)
    for result, shift_z in ((of_cycle, plane), (of_reference, -plane)):
        assert result.verdict.name == "registered"
        assert np.all(result.shift_zyx[..., 0] == shift_z)
        assert np.all(result.sigma_zyx[..., 0] > 0)
        assert np.abs(result.shift_zyx[..., 1:] + (2.0, -1.0) - SHIFT_YX).max() < 0.3
        assert result.field.at(np.array([[0.0, 60.0, 60.0]]))[0][0, 0] == shift_z


def test_z_that_was_not_searched_has_no_uncertainty() -> None:
    reference, cycle = stack(unchanged, 2), stack(unchanged, 3, moved=True)
    result = found(reference.max(axis=0)[None], cycle.max(axis=0)[None])
    assert np.all(result.shift_zyx[..., 0] == 0)
    assert np.isnan(result.sigma_zyx[..., 0]).all()
    assert np.isfinite(result.sigma_zyx[..., 1:]).all()


def test_a_copy_of_the_reference_is_doubtful() -> None:
    reference = stack(unchanged, 2)
    verdict = found(reference, reference.copy()).verdict
    assert verdict.name == "doubtful"
    assert "a file was copied" in verdict.reason


def test_inverted_grey_values_do_not_match() -> None:
    reference, cycle = stack(unchanged, 2), stack(unchanged, 3, moved=True)
    assert found(reference, cycle.max() - cycle).verdict.name == "failed"


def test_saturated_images_are_never_registered() -> None:
    reference, cycle = stack(unchanged, 2), stack(unchanged, 3, moved=True)
    saturated = np.minimum(cycle, np.uint16(np.median(cycle)))
    assert found(reference, saturated).verdict.name != "registered"


@pytest.mark.parametrize("planes", [1, 6])
def test_whatever_is_clipped_at_a_fifth_of_its_pixels_is_saturated(planes: int) -> None:
    for seed in range(30):
        image = np.random.default_rng(seed).poisson(200, (planes, 128, 128))
        assert is_saturated(np.minimum(image, np.median(image))), seed
        assert is_saturated(np.minimum(image, np.quantile(image, 0.8))), seed
        assert not is_saturated(np.minimum(image, np.quantile(image, 0.95))), seed


def test_a_pattern_that_lies_still_is_not_the_specimen() -> None:
    reference, cycle = stack(unchanged, 2)[10:11], stack(unchanged, 3, moved=True)[10:11]
    pattern = np.random.default_rng(0).exponential(800, SHAPE[1:])
    result = found((reference + pattern).astype(np.uint16), (cycle + pattern).astype(np.uint16))
    assert result.verdict.name == "failed"
    assert "pattern of the camera" in result.verdict.reason
