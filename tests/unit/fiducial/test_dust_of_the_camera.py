"""Dust and patterns of the camera do not stand for the specimen, nor does it vanish with them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from crossreg.fiducial.evidence.still_on_camera import (
    are_planes_alike,
    partly_still,
    show_structure,
    skewness_shared_and_own,
    unlike_share,
)
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


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("planes", [3, 4, 5, 7])
def test_nor_are_few_planes_where_it_draws_the_dust_that_was_moved(
    planes: int, is_flat: bool
) -> None:
    for seed in (502, 504):
        pair = dusty_pair(
            seed, planes, other_field=True, moved_back=True, height=0.6, shared="blobs",
            is_flat=is_flat,
        )  # fmt: skip
        assert registered(pair)[0].verdict.name != "registered", seed


@pytest.mark.parametrize("planes", [4, 5])
def test_nor_are_few_planes_of_which_dust_hides_nearly_all(planes: int) -> None:
    for seed in (516, 519):
        pair = dusty_pair(
            seed, planes, other_field=True, moved_back=True, height=3.0, shared="blobs"
        )
        found = registered(pair)[0]
        assert found.evidence.planes_differ, seed
        assert found.verdict.name == "doubtful", seed


@pytest.mark.parametrize("planes", [1, 3, 5, 12])
def test_another_field_behind_the_same_grain_is_not_registered(planes: int) -> None:
    for seed in (310, 311):
        pair = dusty_pair(seed, planes, other_field=True, shared="grain")
        assert registered(pair)[0].verdict.name != "registered", seed


@pytest.mark.parametrize("planes", [3, 5])
def test_only_what_all_planes_share_is_known_as_such(planes: int) -> None:
    for other_field in (False, True):
        pair = dusty_pair(313, planes, other_field=other_field, shared="grain", height=other_field)
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
        assert np.nanmin(found.sigma_zyx[..., 0]) > 0.49


@pytest.mark.parametrize("planes", [3, 5])
def test_one_that_shows_alike_in_all_planes_may_differ_where_it_moved(planes: int) -> None:
    for seed in (344, 346):
        pair, *others = (
            dusty_pair(seed + step, planes, height=0.0, is_flat=True) for step in (0, 10, 20)
        )
        reference, cycle = (
            image + (2 * other.reference) // 3
            for image, other in zip((pair.reference, pair.cycle), others, strict=True)
        )
        found, total = registered(Pair(reference, cycle, pair.shift_yx))
        assert found.evidence.is_same_in_planes
        assert found.verdict.name == "registered", (seed, found.verdict.reason)
        assert np.abs(total - pair.shift_yx).max() < 1


def test_a_single_plane_behind_grain_is_right_or_doubtful_however_far_it_moved() -> None:
    for seed, step in ((350, 0), (351, 20), (352, 36), (353, 52)):
        pair = grainy_plane(seed, step)
        found, total = registered(pair)
        if found.verdict.name == "registered":
            assert np.abs(total - (step, -step // 2)).max() < 1, seed


def test_a_single_plane_that_did_not_move_is_registered_behind_grain() -> None:
    for seed in (360, 361, 362):
        found, total = registered(grainy_plane(seed, 0))
        assert found.verdict.name == "registered", (seed, found.verdict.reason)
        assert np.abs(total).max() < 0.1, seed


def test_another_specimen_in_a_single_plane_behind_grain_is_not_registered() -> None:
    for seed in (370, 371, 372):
        pair = grainy_plane(seed, 0, other_specimen=True)
        assert registered(pair)[0].verdict.name != "registered", seed


@pytest.mark.parametrize("grain", [1.5, 2.5])
@pytest.mark.parametrize("step", [6, 24])
def test_nor_is_grain_that_was_moved_with_the_image(step: int, grain: float) -> None:
    for seed in (410, 411):
        pair = grainy_plane(seed, step, grain=grain)
        moved_back = np.roll(pair.cycle, (step, -step // 2), (1, 2))
        found, total = registered(Pair(pair.reference, moved_back, (0.0, 0.0)))
        assert found.verdict.name == "doubtful" or np.abs(total).max() < 1, seed


@pytest.mark.parametrize("seed", [390, 391, 392])
def test_nor_is_one_that_shows_little_beside_the_grain(seed: int) -> None:
    grain = specks(np.random.default_rng(seed), 128) + 5
    one, two = (image / image.std() for image in (scattered(seed), scattered(seed + 10)))
    found = registered(at_rest(seed, grain + 0.3 * one, grain + 0.3 * two))[0]
    assert found.verdict.name == "doubtful"
    assert "differs" in found.verdict.reason


@pytest.mark.parametrize("seed", [420, 421, 422])
def test_nor_are_other_beads_in_a_few_planes_that_are_brighter_than_the_grain(seed: int) -> None:
    random = np.random.default_rng(seed)
    grain = specks(random, 192)
    light = [beads(random, (3, 192, 192)) + 0.02 * grain for _ in range(2)]
    reference, cycle = (random.poisson(400 + 600 * part).astype(np.uint16) for part in light)
    assert registered(Pair(reference, cycle, None))[0].verdict.name == "doubtful"


@pytest.mark.parametrize("seed", [400, 401, 402])
def test_another_specimen_behind_still_spots_is_not_registered(seed: int) -> None:
    spots = [scattered(seed + step) for step in (0, 10, 20)]
    still, one, two = (image / image.std() for image in spots)
    pair = at_rest(seed, still + 0.6 * one, still + 0.6 * two)
    assert registered(pair)[0].verdict.name == "doubtful"


@pytest.mark.parametrize("seed", [440, 441, 442])
def test_planes_of_one_specimen_are_alike_wherever_they_lie(seed: int) -> None:
    random = np.random.default_rng(seed)
    whole = gaussian_filter(random.normal(size=(10, 96, 96)), (0.7, 1.5, 1.5))
    other = gaussian_filter(random.normal(size=(5, 96, 96)), (0.7, 1.5, 1.5))
    noise = 0.1 * random.normal(size=(3, 5, 96, 96))
    stacks = noise + np.stack([whole[2:7], whole[4:9], other])
    one, there, another = (stack - stack.mean(axis=0) for stack in stacks)
    assert all(map(show_structure, (one, there, another)))
    assert are_planes_alike(one, there)
    assert not are_planes_alike(one, another)
    assert not show_structure(noise[0] - noise[0].mean(axis=0))


@pytest.mark.parametrize("seed", [430, 431, 432])
def test_a_texture_at_rest_of_which_a_tenth_has_changed_is_registered(seed: int) -> None:
    random = np.random.default_rng(seed)
    kept, one, two = (specks(random, 128) + 4 for _ in range(3))
    found = registered(at_rest(seed, kept + 0.35 * one, kept + 0.35 * two))[0]
    assert found.evidence.at_rest is not None
    assert found.evidence.at_rest.unlike > 0.05
    assert found.verdict.name == "registered", found.verdict.reason


@pytest.mark.parametrize("part", [0.0, 0.45])
def test_what_lies_between_whole_pixels_is_no_dust(part: float) -> None:
    for seed in (450, 451, 452):
        kept, one, two = (scattered(seed + step) for step in (0, 10, 20))
        moved = shift(kept, (3 + part, -2 - part), order=5)
        pair = at_rest(seed, kept + one, moved + two)
        reference = prepare_reference(pair.reference, block_size_xy=32)
        found = local_shifts(reference, pair.cycle, (-3.0, 2.0))  # as projections give it by chance
        assert found.evidence.may_be_dust == (part == 0), seed


def test_skewness_is_that_of_what_two_images_share() -> None:
    random = np.random.default_rng(5)
    grain, spots = specks(random, 128), scattered(1)
    spots /= spots.std()
    others = [0.5 * scattered(seed) / scattered(seed).std() for seed in (2, 3)]
    noise = 0.5 * random.normal(size=(2, 128, 128))
    one, two = (other + part for other, part in zip(others, noise, strict=True))
    shared, own = skewness_shared_and_own(grain + one, grain + two)
    assert abs(shared) < 0.5
    assert own > 2
    assert skewness_shared_and_own(spots + one, spots + two)[0] > 3
    assert skewness_shared_and_own(one - spots, two - spots)[0] < -3
    textures = (0.5 * specks(random, 128) + part for part in noise)
    assert abs(skewness_shared_and_own(*(spots + part for part in textures))[1]) < 0.8


@pytest.mark.parametrize("smoothing", [0.0, 0.35])
def test_noise_of_two_exposures_is_no_structure_that_differs(smoothing: float) -> None:
    for seed in range(380, 386):
        random = np.random.default_rng(seed)
        whole = specks(random, 128)
        noise = gaussian_filter(random.normal(size=(2, 128, 128)), (0, smoothing, smoothing))
        one, two = whole + noise / noise.std()
        assert unlike_share(one, two) == 0, seed
        other = np.sqrt(1 - 0.2) * whole + np.sqrt(0.2) * specks(random, 128)
        assert 0.05 < unlike_share(whole, other) < 0.25, seed


def at_rest(seed: int, one: np.ndarray, two: np.ndarray) -> Pair:
    """Return two exposures of single planes of light (Y, X) by a stage that stands still."""
    random = np.random.default_rng(seed)
    reference, cycle = (
        random.poisson(100 + 300 * light)[None].astype(np.uint16) for light in (one, two)
    )
    return Pair(reference, cycle, (0.0, 0.0))


def grainy_plane(seed: int, step: int, *, other_specimen: bool = False, grain: float = 1.2) -> Pair:
    """Return two planes of smooth specks whose camera adds the same grain of their size."""
    random = np.random.default_rng(seed)
    size, margin = 192, 60
    whole = [specks(random, size + 2 * margin) for _ in range(2)]
    still = grain * specks(random, size)
    rows, columns = (slice(margin + move, margin + move + size) for move in (step, -step // 2))
    here = whole[0][margin : margin + size, margin : margin + size]
    there = whole[1 if other_specimen else 0][rows, columns]
    one, two = (
        random.poisson(400 + 60 * (part + still) - min(0, 60 * (part + still).min()))
        for part in (here, there)
    )
    reference, cycle = (image[None].astype(np.uint16) for image in (one, two))
    right_yx = None if other_specimen else (float(step), float(-step // 2))
    return Pair(reference, cycle, right_yx)


def specks(random: np.random.Generator, size: int) -> np.ndarray:
    """Return smoothed noise (Y, X) with a standard deviation of 1."""
    image = gaussian_filter(random.normal(size=(size, size)), 1.5)
    return np.asarray(image / image.std())


def beads(random: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Return light (Z, Y, X) of 60 beads, as high as 1."""
    light = np.zeros(shape)
    light[tuple(random.integers(0, size, 60) for size in shape)] = 1
    light = gaussian_filter(light, (1.0, 1.5, 1.5))
    return np.asarray(light / light.max())


def scattered(seed: int, blur: float | tuple[float, float] = 1.5) -> np.ndarray:
    """Return spots of light (Y, X), as high as 1."""
    at = np.random.default_rng(seed).random((128, 128)) < 0.005
    light = gaussian_filter(at, blur, output=float)
    return light / light.max()


@pytest.mark.parametrize("moved", [(4, -3), (0, 5)])
def test_a_part_that_lies_still_is_seen_in_what_is_left_of_the_rest(moved: tuple[int, int]) -> None:
    rest, still = scattered(1), scattered(2)
    back = np.roll(still, moved, (0, 1))  # the cycle was moved onto the reference, all of it
    assert partly_still(rest + 0.5 * still, rest + 0.5 * back, np.array(moved, float))
    assert not partly_still(rest, rest, np.array(moved, float))


def test_lines_that_one_of_two_images_shows_are_no_part_that_lies_still() -> None:
    rest, lines = scattered(1), scattered(3, (1.0, 8.0))
    assert not partly_still(rest + 0.5 * lines, rest, np.zeros(2))
