"""Planes that stop following each other, in one stack but not in the other, are told."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from crossreg.fiducial.evidence.plane_breaks import confirms_jump
from crossreg.fiducial.evidence.plane_products import ComparedPlanes, PlaneProducts
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.fiducial.verdict import Break, Jump

PLANES, MORE, SIZE = 16, 3, 160
MOVED = np.array([0.4, 2.0, -3.0])


def tissue(seed: int) -> np.ndarray:
    """Return the light of grains in three islands, (PLANES + MORE, SIZE, SIZE)."""
    random = np.random.default_rng(seed)
    grains = gaussian_filter(random.normal(size=(PLANES + MORE, SIZE, SIZE)), (3.0, 1.8, 1.8))
    middles = np.array([[45, 50], [60, 120], [120, 80]])
    away = np.array(
        [np.hypot(*(np.indices((SIZE, SIZE)) - middle[:, None, None])) for middle in middles]
    )
    islands = 1 / (1 + np.exp((away.min(axis=0) - 32) / 3))
    return np.asarray(400 * islands * np.exp(1.2 * grains / grains.std()))


def seen(light: np.ndarray, seed: int) -> np.ndarray:
    """Return the first PLANES of light as a camera sees them."""
    return np.random.default_rng(seed).poisson(np.maximum(light[:PLANES], 0) + 60).astype(np.uint16)


def moved(light: np.ndarray) -> np.ndarray:
    return np.asarray(shift(light, -MOVED, order=3, mode="nearest"))


def found(reference: np.ndarray, cycle: np.ndarray) -> LocalShifts:
    return local_shifts(prepare_reference(reference, block_size_xy=64), cycle, (2.0, -3.0))


def slipped(light: np.ndarray, plane: int) -> np.ndarray:
    return np.concatenate([light[:plane], shift(light[plane:], (0, 1.8, -1.5), order=3)])


def dropped(light: np.ndarray, plane: int) -> np.ndarray:
    return np.delete(light, slice(plane, plane + 2), axis=0)


def doubled(light: np.ndarray, plane: int) -> np.ndarray:
    return np.insert(light, plane, light[plane - 1], axis=0)


@pytest.mark.parametrize("fault", [slipped, dropped, doubled])
@pytest.mark.parametrize("plane", [4, 8, 12])
def test_where_planes_part_is_told(fault, plane: int) -> None:
    light = tissue(3)
    result = found(seen(light, 1), seen(fault(moved(light), plane), 2))
    assert result.evidence.plane_break == Break(plane, is_repeated=fault is doubled)
    assert result.verdict.name == "doubtful"
    assert f"plane {plane} of the cycle" in result.verdict.reason


@pytest.mark.parametrize("plane", [2, 13])
def test_a_large_slip_near_an_end_is_told(plane: int) -> None:
    light = tissue(3)
    moved_on = moved(light)
    moved_on[plane:] = shift(moved_on[plane:], (0, 4.0, -3.0), order=3)
    result = found(seen(light, 1), seen(moved_on, 2))
    assert result.evidence.plane_break == Break(plane, is_repeated=False)


def test_it_is_told_of_the_reference_too() -> None:
    """A plane that it lacks looks as if the cycle had repeated it."""
    light = tissue(4)
    result = found(seen(slipped(light, 7), 1), seen(moved(light), 2))
    assert result.evidence.plane_break == Break(7, is_repeated=True)
    assert result.verdict.name == "doubtful"


def flickering(light: np.ndarray) -> np.ndarray:
    return light * np.random.default_rng(5).uniform(0.6, 1.4, len(light))[:, None, None]


def fading(light: np.ndarray) -> np.ndarray:
    return light * np.exp(-0.05 * np.arange(len(light)))[:, None, None]


def leaning(light: np.ndarray) -> np.ndarray:
    return np.array([shift(plane, (0.15 * z, -0.1 * z), order=3) for z, plane in enumerate(light)])


def one_odd_plane(light: np.ndarray) -> np.ndarray:
    light = light.copy()
    light[8] = shift(light[8], (1.8, -1.5), order=3)
    return light


def new_on_one_side(light: np.ndarray) -> np.ndarray:
    light = light.copy()
    light[8:, 95:130, 60:100] = 0.3 * light[8:, 95:130, 60:100] + 300
    return light


@pytest.mark.parametrize("change", [flickering, fading, leaning, one_odd_plane, new_on_one_side])
def test_what_else_differs_between_planes_is_none(change) -> None:
    light = tissue(6)
    result = found(seen(light, 1), seen(change(moved(light)), 2))
    assert result.evidence.plane_break is None


def test_a_few_planes_are_not_judged() -> None:
    light = tissue(7)
    result = found(seen(light, 1)[:7], seen(slipped(moved(light), 4), 2)[:7])
    assert result.evidence.plane_break is None


def test_planes_that_were_interpolated_are_not_judged() -> None:
    """Neighbours share noise, some more than others."""
    light = tissue(3)
    reference = prepare_reference(seen(light, 1), block_size_xy=64)
    cycle = seen(doubled(moved(light), 8), 2)
    breaks = [
        local_shifts(reference, cycle, (2.0, -3.0), is_interpolated=flag).evidence.plane_break
        for flag in (False, True)
    ]
    assert breaks == [Break(8, is_repeated=True), None]


def products(stack: np.ndarray) -> PlaneProducts:
    """Return those of the parts of a stack that are 40 px wide, without background."""
    values = (stack[..., 3:] - stack[..., :-3].astype(float))[..., :120]
    parts = values.reshape(PLANES, 4, 40, 3, 40).transpose(1, 3, 0, 2, 4)
    return PlaneProducts.of(parts.reshape(12, PLANES, 40, 40).astype(np.float32))


@pytest.mark.parametrize(
    ("jump", "is_there"), [(Jump(8, 1.9), True), (Jump(8, -1.9), False), (Jump(5, 1.9), False)]
)
def test_planes_part_where_they_jump(jump: Jump, is_there: bool) -> None:
    """Of planes that are placed badly some seem to jump, but follow each other as elsewhere."""
    light = tissue(3)
    planes = ComparedPlanes(products(seen(light, 1)), products(seen(dropped(light, 8), 2)), 0.0)
    assert confirms_jump(planes, jump) == is_there
