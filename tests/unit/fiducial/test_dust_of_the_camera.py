"""Dust and patterns of the camera do not stand for the specimen, nor does it vanish with them."""

import numpy as np
import pytest

from crossreg.fiducial.global_shift.specimen import shared_by_planes, shift_of_specimen
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from still_dust import SHARED, Pair, dusty_pair

BLOCK = 56


def registered(pair: Pair) -> tuple[LocalShifts, np.ndarray]:
    """Return the local result of a pair, and the total shifts (n, 2) of its blocks."""
    images = [pair.reference, pair.cycle]
    projections = [image.max(0) for image in images]
    start = shift_of_specimen(
        projections, lambda: shared_by_planes(images), block_size=2 * BLOCK
    ).shift_yx
    reference = prepare_reference(pair.reference, block_size_xy=BLOCK)
    found = local_shifts(reference, pair.cycle, start)
    return found, (found.shift_zyx[..., 1:] + start).reshape(-1, 2)


@pytest.mark.parametrize("planes", [1, 3, 5, 12])
@pytest.mark.parametrize("shared", ["spots", "flecks"])
def test_another_field_behind_the_same_dust_is_not_registered(shared: str, planes: int) -> None:
    for seed in (300, 305):
        pair = dusty_pair(seed, planes, other_field=True, shared=shared)
        assert registered(pair)[0].verdict.name != "registered", seed


@pytest.mark.parametrize("shared", ["spots", "flecks"])
def test_nor_is_it_where_the_dust_was_moved_with_the_image(shared: str) -> None:
    for seed in (300, 305):
        pair = dusty_pair(seed, 1, other_field=True, moved_back=True, shared=shared)
        assert registered(pair)[0].verdict.name != "registered", seed


@pytest.mark.parametrize("planes", [1, 3, 5, 12])
def test_another_field_behind_the_same_grain_is_not_registered(planes: int) -> None:
    for seed in (310, 311):
        pair = dusty_pair(seed, planes, other_field=True, shared="grain")
        assert registered(pair)[0].verdict.name != "registered", seed


@pytest.mark.parametrize("planes", [3, 5])
def test_only_what_all_planes_share_is_known_as_such(planes: int) -> None:
    for other_field in (False, True):
        pair = dusty_pair(312, planes, other_field=other_field, shared="grain", height=other_field)
        assert registered(pair)[0].evidence.is_same_in_planes == other_field


@pytest.mark.parametrize("planes", [1, 3, 5, 12])
@pytest.mark.parametrize("shared", SHARED)
def test_the_same_field_behind_dust_is_right_or_doubtful(shared: str, planes: int) -> None:
    for seed in (320, 321):
        pair = dusty_pair(seed, planes, shared=shared)
        found, total = registered(pair)
        if found.verdict.name == "registered":
            assert np.abs(total - pair.shift_yx).max() < 1, seed


@pytest.mark.parametrize("planes", [1, 3, 5, 12])
def test_the_same_field_without_dust_is_registered(planes: int) -> None:
    for seed in (330, 331, 332):
        pair = dusty_pair(seed, planes, height=0.0)
        found, total = registered(pair)
        assert found.verdict.name == "registered", (seed, found.verdict.reason)
        assert np.abs(total - pair.shift_yx).max() < 0.3, seed


@pytest.mark.parametrize("planes", [3, 4, 5, 7])
def test_a_specimen_that_shows_alike_in_all_planes_is_registered(planes: int) -> None:
    for seed in (340, 341, 342):
        pair = dusty_pair(seed, planes, height=0.0, is_flat=True)
        found, total = registered(pair)
        assert found.verdict.name == "registered", (seed, found.verdict.reason)
        assert np.mean(found.status == "measured") > 0.8
        assert np.sqrt(np.mean((total - pair.shift_yx) ** 2)) < 0.15
