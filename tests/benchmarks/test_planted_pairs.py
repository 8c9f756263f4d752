"""The planted pairs hold what they say: checked by means that the generator does not use."""

from dataclasses import replace

import numpy as np
import pytest
from planted_motion import Motion, smooth_drift
from planted_pairs import CONTENTS, PairSpecification, make_pair, reporting_pairs, tuning_pairs
from scipy.ndimage import fourier_shift, maximum_filter

SMALL = PairSpecification("test", shape=(20, 128, 128), block_size_xy=32, snr=200)
FROM_FILES = ("projection", "easifish")


def spot_positions(stack, least):
    """Return sub-pixel positions (n, 3) of the spots: a parabola through the log of 3 voxels."""
    image = np.log(np.maximum(stack - np.median(stack), 1.0))
    is_peak = (image == maximum_filter(image, 7)) & (stack > least)
    is_peak[[0, -1]] = is_peak[:, [0, -1]] = is_peak[:, :, [0, -1]] = False
    peaks = np.argwhere(is_peak)
    positions = peaks.astype(float)
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        before, at, after = (image[tuple((peaks + k * step).T)] for k in (-1, 0, 1))
        positions[:, axis] += (before - after) / (2 * (before - 2 * at + after))
    return positions


def test_an_integer_shift_moves_the_spots_by_whole_pixels():
    pair = make_pair(replace(SMALL, shift_zyx=(2, 5, -7)), 1)
    np.testing.assert_allclose(pair.truth.shift_zyx.reshape(-1, 3), [[2, 5, -7]] * 16, atol=1e-12)
    np.testing.assert_allclose(pair.truth.global_shift_yx, [5, -7], atol=1e-12)
    # a position in the cycle plus the shift is a position in the reference
    reference, cycle = pair.reference[2:, 5:, :-7], pair.cycle[:-2, :-5, 7:]
    assert np.corrcoef(reference.ravel(), cycle.ravel())[0, 1] > 0.99
    assert np.corrcoef(pair.reference.ravel(), pair.cycle.ravel())[0, 1] < 0.5


def test_spots_found_in_both_stacks_differ_by_the_planted_shift():
    specification = replace(
        SMALL,
        shape=(24, 256, 256),
        block_size_xy=64,
        spots_per_block=12,
        shift_zyx=(1.3, 4.4, -6.7),
        rotation_degrees=1,
        tilt_yx=(1.0, -2.0),
        z_scale=0.04,
        drift_amplitude=1,
    )
    pair = make_pair(specification, 2)
    least = np.median(pair.reference) + 500
    reference = spot_positions(pair.reference, least)
    cycle = spot_positions(pair.cycle, least)
    difference = reference[:, None] - cycle[None]
    block = (reference[:, 1:] // 64).astype(int)
    expected = pair.truth.shift_zyx[block[:, 0], block[:, 1]]
    error = difference - expected[:, None]
    nearest = np.abs(error).max(axis=2).argmin(axis=1)
    error = error[np.arange(len(error)), nearest]
    error = error[np.abs(error).max(axis=1) < 2.5]
    assert len(error) > 100
    # within a block the shift still varies with the place; over all blocks that averages out
    np.testing.assert_allclose(np.median(error, axis=0), 0, atol=0.15)
    # at most 1 degree and 1 px a block, over the 18 px by which positions in a block spread
    assert np.all(error.std(axis=0) < 0.5)


@pytest.mark.parametrize("content", CONTENTS)
def test_no_interpolation_stands_between_the_two_stacks(content, request):
    if content in FROM_FILES:
        request.getfixturevalue("shared_data")
    # whole planes: a fraction would wrap around the stack's ends in the Fourier transform
    shift = np.array([1, -3.5, 2.25])
    pair = make_pair(
        replace(SMALL, content=content, shift_zyx=tuple(shift), spots_per_block=3, snr=1000), 3
    )
    reference = pair.reference - np.median(pair.reference.astype(float))
    cycle = pair.cycle - np.median(pair.cycle.astype(float))
    moved = np.fft.ifftn(fourier_shift(np.fft.fftn(reference), -shift)).real
    inside = np.s_[6:-6, 12:-12, 12:-12]
    error = np.std(moved[inside] - cycle[inside]) / np.std(cycle[inside])
    wrong = np.fft.ifftn(fourier_shift(np.fft.fftn(reference), -shift + [0, 0, 0.5])).real
    assert error < 0.06  # mostly shot noise
    assert error < np.std(wrong[inside] - cycle[inside]) / np.std(cycle[inside])


def test_the_truth_is_the_mean_over_all_voxels_of_a_block():
    drift = smooth_drift((64, 96), 32, 3, np.random.default_rng(4))
    motion = Motion((10, 64, 96), (2.0, 5.0, -7.0), 2.0, (1.0, 2.0), 0.05, drift)
    voxels = np.stack(np.mgrid[:10, 32:64, 64:96], axis=-1).reshape(-1, 3).astype(float)
    expected = motion.shift_at(voxels).mean(axis=0)
    found = motion.mean_shift_map()[32:64, 64:96].mean(axis=(0, 1))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_way_to_the_reference_is_the_inverse_of_the_way_to_the_cycle():
    drift = smooth_drift((64, 96), 32, 3, np.random.default_rng(5))
    motion = Motion((10, 64, 96), (2.0, 20.0, -30.0), 3.0, (1.0, 2.0), 0.05, drift)
    z, y, x = np.broadcast_arrays(*motion.to_reference())
    there = motion.to_cycle(np.stack([z, y, x], axis=-1).reshape(-1, 3))
    voxels = np.stack(np.mgrid[:10, :64, :96], axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(there, voxels, atol=1e-6)


def test_a_rotation_keeps_distances_in_the_plane():
    drift = smooth_drift((64, 64), 32, 0, np.random.default_rng(6))
    motion = Motion((10, 64, 64), (0.0, 3.0, 4.0), 3.0, (0.0, 0.0), 0.0, drift)
    start, end = motion.to_cycle(np.array([[5.0, 3.0, 60.0], [5.0, 50.0, 10.0]]))
    assert np.linalg.norm(end - start) == pytest.approx(np.hypot(47, 50))
    assert not np.allclose(end - start, [0, 47, -50], atol=1)


def test_the_drift_reaches_its_amplitude_and_has_no_mean():
    drift = smooth_drift((128, 128), 32, 3, np.random.default_rng(7))
    field = drift.at(*np.mgrid[:128, :128].astype(float))
    np.testing.assert_allclose(np.abs(field).max(axis=(1, 2)), [1.5, 3, 3], rtol=0.05)
    np.testing.assert_allclose(field.mean(axis=(1, 2)), 0, atol=0.15)
    assert np.abs(np.diff(field, axis=2)).max() < 3 / 32  # smooth: below an amplitude a block


@pytest.mark.parametrize("fixed_pattern", [0.0, 1.0])
def test_signal_to_noise_is_height_over_the_deviation_of_the_background(fixed_pattern):
    specification = replace(
        SMALL, snr=40, fixed_pattern=fixed_pattern, remaining_brightness=0.5, empty_blocks=2
    )
    pair = make_pair(specification, 8)
    dark = np.repeat(np.repeat(pair.truth.empty, 32, 0), 32, 1)
    for stack, snr in ((pair.reference, 80), (pair.cycle, 40)):
        background = stack[:, dark].astype(float)
        background = background[background < np.quantile(background, 0.999)]  # no hot pixels
        peaks = stack[(stack == maximum_filter(stack, 7)) & ~dark].astype(float)
        peaks = peaks[peaks > background.mean() + 0.3 * snr * background.std()]
        height = np.median(peaks) - background.mean()
        # spots off the voxel's centre lose some per cent of their height, dim ones are left out
        assert height / background.std() == pytest.approx(snr, rel=0.15)


@pytest.mark.parametrize("content", CONTENTS)
def test_empty_blocks_are_empty_and_apart(content, request):
    if content in FROM_FILES:
        request.getfixturevalue("shared_data")
    specification = replace(SMALL, content=content, empty_blocks=2, snr=20, spots_per_block=5)
    for seed in range(2):
        pair = make_pair(specification, seed)
        (i, j), (k, m) = np.argwhere(pair.truth.empty)
        assert max(abs(i - k), abs(j - m)) > 1
        for row, column in ((i, j), (k, m)):
            block = pair.reference[:, row * 32 : row * 32 + 32, column * 32 : column * 32 + 32]
            # as even as a background of shot and read noise
            assert block.std() < 1.05 * np.sqrt(400 + 16)


def test_more_than_one_empty_block_in_eight_is_refused():
    with pytest.raises(ValueError, match="1 block in 8"):
        make_pair(replace(SMALL, empty_blocks=3), 0)


def test_every_block_has_its_spots_unless_planted_empty():
    pair = make_pair(replace(SMALL, spots_per_block=5), 9)
    blocks = pair.reference.max(axis=0).reshape(4, 32, 4, 32).max(axis=(1, 3))
    assert np.all(blocks > np.median(pair.reference) + 1000)


def test_overlap_counts_the_area_that_both_stacks_show():
    pair = make_pair(replace(SMALL, shift_zyx=(6, 40, 0), snr=5), 10)
    # the cycle begins 40 rows below the reference's border: 1.25 blocks are not in it
    np.testing.assert_allclose(pair.truth.overlap[:, 0], [0, 0.75, 1, 1])


def test_unmatched_structure_is_in_one_stack_only():
    pair = make_pair(replace(SMALL, spots_per_block=0, dirt=3, autofluorescence=2), 11)
    assert pair.reference.max() > 5 * np.median(pair.reference)
    assert abs(np.corrcoef(pair.reference.ravel(), pair.cycle.ravel())[0, 1]) < 0.2


def test_missing_spots_are_in_one_stack_only():
    pair = make_pair(replace(SMALL, spots_per_block=4, missing_share=0.5), 12)
    least = np.median(pair.reference) + 1000
    both = (pair.reference > least) & (pair.cycle > least)
    one = (pair.reference > least) ^ (pair.cycle > least)
    assert 0.5 < both.sum() / one.sum() < 2


def test_the_camera_adds_the_same_pattern_to_both_stacks():
    specification = replace(SMALL, spots_per_block=0, fixed_pattern=0.5, shift_zyx=(0, 5, 5))
    pair = make_pair(specification, 13)
    first, second = pair.reference.mean(axis=0), pair.cycle.mean(axis=0)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.7
    without = make_pair(replace(specification, fixed_pattern=0.0), 13)
    first, second = without.reference.mean(axis=0), without.cycle.mean(axis=0)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1


def test_bright_spots_saturate():
    pair = make_pair(replace(SMALL, snr=20, saturated_share=0.2), 14)
    assert np.count_nonzero(pair.reference == pair.reference.max()) > 100
    plain = make_pair(replace(SMALL, snr=20), 14)
    assert np.count_nonzero(plain.reference == plain.reference.max()) < 10


def test_the_background_is_uneven():
    specification = replace(SMALL, spots_per_block=0, uneven_background=0.5)
    pair = make_pair(specification, 15)
    for stack in (pair.reference, pair.cycle):
        tiles = stack.mean(axis=0).reshape(8, 16, 8, 16).mean(axis=(1, 3)) - 100
        assert np.abs(tiles / 400 - 1).max() > 0.35
    assert not np.allclose(pair.reference.mean(axis=0), pair.cycle.mean(axis=0), atol=50)


def test_a_cycle_that_cannot_match_shows_other_structure():
    pair = make_pair(replace(SMALL, matches=False), 16)
    assert not pair.truth.matches
    spectra = [np.fft.rfftn(s - s.mean()) for s in (pair.reference, pair.cycle)]
    correlation = np.fft.irfftn(spectra[0] * spectra[1].conj())
    normalised = correlation / (pair.reference.std() * pair.cycle.std() * pair.cycle.size)
    assert normalised.max() < 0.2
    other = make_pair(SMALL, 16)
    np.testing.assert_array_equal(pair.reference.shape, other.cycle.shape)


def test_the_same_seed_gives_the_same_bytes():
    first, second, other = (make_pair(SMALL, seed) for seed in (17, 17, 18))
    np.testing.assert_array_equal(first.cycle, second.cycle)
    assert not np.array_equal(first.cycle, other.cycle)


def test_tuning_and_reporting_are_apart_and_cover_every_kind():
    tuning, reporting = tuning_pairs(), reporting_pairs()
    assert not {seed for _, seed in tuning} & {seed for _, seed in reporting}
    for pairs in (tuning, reporting):
        assert len({seed for _, seed in pairs}) == len(pairs)
    assert {s.kind for s, _ in tuning} == {s.kind for s, _ in reporting}
    artificial = [s for s, _ in reporting if s.content not in FROM_FILES]
    assert len(artificial) >= 60
    assert max(abs(s.rotation_degrees) for s in artificial) > 2
    assert min(s.snr for s in artificial) < 3
    assert max(abs(s.shift_zyx[1]) / s.shape[1] for s in artificial) > 0.25
    assert sum(not s.matches for s in artificial) >= 5
