"""The verdict: few beads of the same specimen are registered, those of another one are not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crossreg.fiducial.evidence.deformation import turn_and_shear
from crossreg.fiducial.global_shift.shift_of_projections import global_shift
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.fiducial.verdict import Evidence, is_where_dust_is, judged
from few_beads import WRONG, pair

SEEDS = range(8)


def registered(
    reference: np.ndarray, cycle: np.ndarray, block: int = 32
) -> tuple[LocalShifts, np.ndarray]:
    """Return the local result of two images, and the total shifts (n, 2) of its blocks."""
    start = global_shift(reference, cycle, block_size=2 * block)
    prepared = prepare_reference(reference[None], block_size_xy=block)
    found = local_shifts(prepared, cycle[None], start.shift_yx, turn=start.turn)
    return found, (found.shift_zyx[..., 1:] + start.shift_yx).reshape(-1, 2)


@pytest.mark.parametrize("wrong", WRONG)
def test_few_beads_of_another_specimen_are_never_registered(wrong: str) -> None:
    verdicts = [registered(*pair(seed, wrong=wrong)[:2])[0].verdict for seed in SEEDS]
    assert all(verdict.name != "registered" for verdict in verdicts)
    assert sum(verdict.name == "failed" for verdict in verdicts) >= len(SEEDS) - 1
    assert all(verdict.reason for verdict in verdicts)


def test_few_beads_of_the_same_specimen_are_registered() -> None:
    for seed in SEEDS:
        reference, cycle, shift_yx = pair(seed)
        found, total_yx = registered(reference, cycle)
        assert found.verdict.name == "registered", seed
        sure = (found.status == "measured").ravel()
        assert np.abs(total_yx[sure] - shift_yx).max() < 1, seed


def test_blocks_that_match_by_themselves_are_asked_for_where_all_lies_still() -> None:
    at_rest = Evidence(log10_odds=-9.0, shift_yx=(0.1, -0.2), is_lonely=True)
    assert judged(at_rest).name == "doubtful"
    assert "hardly a block" in judged(at_rest).reason
    assert judged(replace(at_rest, is_lonely=False)).name == "registered"
    assert judged(replace(at_rest, shift_yx=(4.0, 3.0))).name == "registered"


def test_more_blocks_are_asked_for_where_planes_match_one_by_one_only() -> None:
    few = Evidence(log10_odds=-9.0, shift_yx=(4.0, 3.0), matching=0.2, is_by_planes=True)
    assert judged(few).name == "doubtful"
    assert "20% of the blocks" in judged(few).reason
    assert judged(replace(few, matching=0.4)).name == "registered"
    assert judged(replace(few, is_by_planes=False)).name == "registered"


def test_a_cycle_without_a_block_that_matches_is_doubtful_unless_all_together_match() -> None:
    unsure = Evidence(log10_odds=-5.0, shift_yx=(1.4, -0.6), matching=0.1)
    assert judged(unsure).name == "registered"
    assert judged(replace(unsure, matching=0.0)).name == "doubtful"
    sure = replace(unsure, matching=0.0, log10_odds=-9.0)
    assert judged(sure).name == "registered"
    # Few planes may match by what lies still on the camera.
    assert judged(replace(sure, is_thin=True)).name == "doubtful"


@pytest.mark.parametrize(("count", "seed"), [(20, 10), (20, 25), (45, 14), (45, 21)])
def test_small_images_of_identical_beads_are_registered_though_no_block_is_sure(
    count: int, seed: int
) -> None:
    # One bead on another by chance is as high as a block that matches.
    shape, by_zyx = (8, 128, 128), np.array([0.3, -2.4, 4.1])
    random = np.random.default_rng([seed, 31])
    places = random.uniform((0, -8, -8), (8, 136, 136), (count, 3))
    stacks = []
    for at in (places, places - by_zyx):
        axes = [np.exp(-((np.arange(n) - at[:, a, None]) ** 2) / 4) for a, n in enumerate(shape)]
        light = 300 * np.einsum("nz,ny,nx->zyx", *axes)
        stacks.append(random.poisson(light + 20).astype(np.uint16))
    reference = prepare_reference(stacks[0], block_size_xy=48)
    found = local_shifts(reference, stacks[1], (0.0, 0.0))
    assert not (found.status == "measured").any()
    assert found.verdict.name == "registered"
    assert np.abs(found.shift_zyx - by_zyx).max() < 0.1


def test_what_lies_still_and_is_the_same_in_all_planes_is_doubtful() -> None:
    alike = Evidence(log10_odds=-40.0, shift_yx=(0.01, -0.03), is_same_in_planes=True)
    assert "same in all planes" in judged(alike).reason
    assert judged(replace(alike, is_same_in_planes=False)).name == "registered"
    assert judged(replace(alike, shift_yx=(0.2, -0.1))).name == "registered"


def test_structure_that_does_not_match_speaks_against_dust() -> None:
    dust = Evidence(-40.0, shift_yx=(0.2, -0.3), unmatched=0.42, may_be_dust=True)
    assert judged(dust).name == "doubtful"
    assert "42%" in judged(dust).reason
    assert judged(replace(dust, unmatched=0.14)).name == "registered"
    assert judged(replace(dust, may_be_dust=False)).name == "registered"


@pytest.mark.parametrize(
    ("shift_yx", "there"),
    [((0.2, -0.3), True), ((5.03, -7.96), True), ((5.4, -7.5), False)],
)
def test_dust_lies_still_or_where_whole_pixels_moved_it(
    shift_yx: tuple[float, float], there: bool
) -> None:
    assert is_where_dust_is(shift_yx) == there


def test_what_one_image_alone_shows_does_not_matter_where_all_blocks_match() -> None:
    changed = Evidence(-40.0, shift_yx=(3.4, -2.6), unmatched=0.85, matching=0.3)
    assert judged(changed).name == "doubtful"
    assert judged(replace(changed, matching=0.95)).name == "registered"


def test_blocks_match_by_themselves_where_the_specimen_is_the_same() -> None:
    same, other = (
        [registered(*pair(seed, wrong=wrong)[:2])[0].evidence.is_lonely for seed in SEEDS]
        for wrong in (None, WRONG[0])
    )
    assert not any(same)
    assert any(other)


@pytest.mark.parametrize("planes", [1, 5, 8, 12, 28])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_stage_that_did_not_drift_is_registered_at_rest(planes: int, seed: int) -> None:
    random = np.random.default_rng((planes, seed))
    spots = np.zeros((planes, 256, 256))
    count = 60 * max(1, planes // 4)
    where = (random.integers(0, size, count) for size in spots.shape)
    spots[tuple(where)] = random.uniform(500, 3000, count)
    shown = gaussian_filter(spots, (1.2 if planes > 1 else 0, 1.0, 1.0))
    shown *= 400 / np.percentile(shown[shown > 0.05 * shown.max()], 90)
    reference, cycle = (random.poisson(100 + shown).astype(np.uint16) for _ in range(2))
    found = local_shifts(prepare_reference(reference, block_size_xy=64), cycle, (0.0, 0.0))
    assert found.verdict.name == "registered", found.verdict.reason
    assert np.abs(found.shift_zyx[..., 1:]).max() < 0.3


def test_a_failed_cycle_has_no_shift_and_says_why() -> None:
    found, _ = registered(*pair(0, wrong="mirrored")[:2])
    assert found.verdict.name == "failed"
    assert set(found.status.ravel()) == {"failed"}
    assert np.isnan(found.shift_zyx).all()
    assert found.field is None


@pytest.mark.parametrize(
    ("odds", "name", "said"),
    [
        (-20.0, "registered", ""),
        (
            -3.0,
            "doubtful",
            "so little structure matches that it may be a coincidence (1 in 1,000)",
        ),
        (-1.0, "failed", "the cycle does not match the reference better than unrelated images"),
    ],
)
def test_the_verdict_follows_the_odds_of_a_coincidence(odds: float, name: str, said: str) -> None:
    verdict = judged(Evidence(odds))
    assert verdict.name == name
    assert verdict.reason.startswith(said)


def test_the_turn_and_shear_of_a_field_are_measured() -> None:
    turn = np.deg2rad(3.0)
    matrix = np.array([[np.cos(turn) - 1, np.sin(turn)], [-np.sin(turn), np.cos(turn) - 1]])
    found = turn_and_shear(lambda places: places @ matrix, (200, 300))
    assert found == pytest.approx((3.0, 0.0), abs=0.01)
    sheared = turn_and_shear(lambda places: places @ [[0.02, 0], [0, -0.02]], (200, 300))
    assert sheared == pytest.approx((0.0, 0.02))


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (Evidence(-50, turn=7.0), "turned by 7.0 degrees"),
        (Evidence(-5, turn=-3.0), "turn by -3.0 degrees may be a coincidence (1 in 100,000)"),
        (Evidence(-50, is_turn_open=True), "too few blocks match to say exactly by how much"),
        (Evidence(-50, shear=0.05), "neither a turn nor swelling"),
        (Evidence(-50, z_ratio=-1.0), "the other way along z"),
        (Evidence(-50, (0.1, 0.0), (4.0, 3.0)), "moved by (4.0, 3.0) px"),
        (Evidence(-50, is_saturated=True), "saturated"),
    ],
    ids=lambda value: "" if isinstance(value, Evidence) else value,
)
def test_what_cannot_be_trusted_is_doubtful(evidence: Evidence, said: str) -> None:
    verdict = judged(evidence)
    assert verdict.name == "doubtful"
    assert said in verdict.reason


@pytest.mark.parametrize(
    ("off", "verdict"), [(0.0, "registered"), (5.0, "registered"), (15.0, "doubtful")]
)
def test_a_global_shift_that_the_local_ones_contradict_is_named(off: float, verdict: str) -> None:
    rng = np.random.default_rng(31)
    scene = gaussian_filter(rng.random((300, 300)) ** 20, 1.5) * 4e5
    images = [
        rng.poisson(part + 100).astype(float)
        for part in (scene[20:276, 20:276], scene[23:279, 16:272])
    ]
    prepared = prepare_reference(images[0][None], block_size_xy=64)
    found = local_shifts(prepared, images[1][None], (3.0 + off, -4.0))
    total_yx = found.shift_zyx[..., 1:] + (3.0 + off, -4.0)
    np.testing.assert_allclose(total_yx, np.broadcast_to((3.0, -4.0), total_yx.shape), atol=0.1)
    assert found.verdict.name == verdict
    assert ("contradicts the local ones" in found.verdict.reason) == (verdict == "doubtful")


def test_blocks_at_rest_that_the_projections_contradict_are_doubtful() -> None:
    at_rest = Evidence(log10_odds=-9.0, shift_yx=(-0.2, 0.2), global_shift_yx=(1.5, -0.2))
    assert judged(at_rest).name == "registered"
    found = judged(replace(at_rest, contradiction=1.3))
    assert found.name == "doubtful"
    assert "what matches lies still" in found.reason
    moves = replace(at_rest, shift_yx=(3.0, 0.2), contradiction=1.3)
    assert judged(moves).name == "registered"


@pytest.mark.parametrize("steep", [{"turn": -1.3}, {"shear": 0.025}])
def test_few_blocks_do_not_tell_a_steep_field(steep: dict[str, float]) -> None:
    few = Evidence(log10_odds=-9.0, shift_yx=(5.0, 3.0), matching=0.06)
    assert judged(few).name == "registered"
    assert judged(replace(few, **steep, matching=0.3)).name == "registered"
    assert judged(replace(few, **steep)).name == "doubtful"
    assert "only 6%" in judged(replace(few, **steep)).reason


@pytest.mark.parametrize(("odds", "turn"), [(-5.0, 0.8), (-8.0, -3.0)])
def test_a_turn_that_is_small_or_sure_is_no_coincidence(odds: float, turn: float) -> None:
    assert judged(Evidence(odds, turn=turn)).name == "registered"
