"""The pairs of another hand hold what they say."""

from dataclasses import replace

import numpy as np
import pytest
from calibration import calibration, errors_of
from other_motion import OtherMotion, drift_waves
from other_pairs import make_other_pair

MOTION = OtherMotion(
    shape=(20, 96, 96),
    shift_zyx=(1.0, -4.0, 3.0),
    rotation_degrees=1.0,
    twist_degrees=0.4,
    bend=(0.8, 0.4),
    walk_yx=(0.8, -0.5),
    waves=drift_waves(60, np.random.default_rng(1))[0],
    phases=drift_waves(60, np.random.default_rng(2))[1],
    drift=0.6,
)


def test_the_way_back_is_the_inverse_of_the_way_to_the_cycle():
    back = MOTION.to_reference()
    voxels = np.indices(MOTION.shape).reshape(3, -1).T[::97]
    inside = np.all((voxels > 4) & (voxels < np.array(MOTION.shape) - 5), axis=1)
    found = back.reshape(3, -1).T[::97]
    np.testing.assert_allclose(MOTION.to_cycle(found)[inside], voxels[inside], atol=0.02)


def test_the_drift_has_the_size_that_is_asked_for():
    still = replace(
        MOTION,
        shift_zyx=(0, 0, 0),
        rotation_degrees=0,
        twist_degrees=0,
        bend=(0, 0),
        walk_yx=(0, 0),
    )
    places = np.random.default_rng(3).uniform(0, 3000, (4000, 3))
    np.testing.assert_allclose(still.shift_at(places).std(axis=0), [0.3, 0.6, 0.6], rtol=0.25)


@pytest.mark.parametrize("family", ["beads", "filaments"])
def test_a_blanked_part_shows_nothing(family):
    pair = make_other_pair(family, 1001)
    rows = np.arange(pair.reference.shape[1])
    empty = pair.reference[:, rows > pair.blanked_from + 12]
    seen = pair.reference[:, rows < pair.blanked_from - 12]
    assert np.quantile(seen, 0.999) - np.median(seen) > 3 * (
        np.quantile(empty, 0.999) - np.median(empty)
    )


def test_right_errors_are_honest_and_small_sigmas_are_not():
    random = np.random.default_rng(4)
    error = random.normal(0, 0.1, (1000, 3))
    assert calibration(error, np.full((1000, 3), 0.1))[-1] == "pass"
    assert calibration(error, np.full((1000, 3), 0.05))[-1] == "FAIL"
    assert calibration(error, np.full((1000, 3), 0.3))[-1] == "FAIL"


@pytest.mark.slow
def test_errors_of_a_pair_are_small_where_both_stacks_show_structure():
    found = errors_of(("beads", 1000))
    assert np.sqrt(np.mean(found["measured"].error ** 2, axis=0)).max() < 0.15
