"""What other cycles show of how far they deform makes a cycle of little evidence honest."""

import numpy as np
import pytest

from crossreg.fiducial.field.domain import Domain
from crossreg.fiducial.field.motion import SMOOTH, Deformation, LearnedMotion, Motion, learned_from
from crossreg.fiducial.field.motion_file import check_size, read_motion, write_motion
from crossreg.fiducial.field.smooth_field import SmoothField, fit
from crossreg.fiducial.field.tried_kinds import AMPLITUDES
from crossreg.io.errors import UserError

SIZE = 640
DOMAIN = Domain((SIZE, SIZE), 9)
LENGTHS = np.array([40.0, 65.0, 120.0, 250.0])
NOISE = 0.08
SIZE_UM = {"xy": 0.1, "z": 0.25}


def waves(random: np.random.Generator, amplitude: float, length: float):
    """Return a random field (n, 3) of positions (n, 3): a standard deviation and a length, px."""
    vectors = random.normal(size=(3, 200, 2)) / length
    phases, sizes = random.uniform(0, 2 * np.pi, (3, 200)), random.normal(size=(3, 200))

    def shift(at: np.ndarray) -> np.ndarray:
        each = [
            np.cos(at[:, 1:] @ vector.T + phase) @ size
            for vector, phase, size in zip(vectors, phases, sizes, strict=True)
        ]
        return amplitude * np.sqrt(2 / 200) * np.column_stack(each)

    return shift


def in_plane(yx: np.ndarray) -> np.ndarray:
    return np.column_stack([np.full(len(yx), 4.0), yx])


def measured(truth, places: np.ndarray, seed: int, motion: Motion = SMOOTH) -> SmoothField:
    noise = np.random.default_rng(seed).normal(0, NOISE, places.shape)
    return fit(DOMAIN, places, truth(places) + noise, np.full(places.shape, NOISE), motion=motion)


def shown_by_others(amplitude: float, length: float, seed: int) -> list[Deformation]:
    """Return what six cycles show that are measured all over the image."""
    random = np.random.default_rng(seed)
    fields = [
        measured(
            waves(random, amplitude, length),
            in_plane(random.uniform(0, SIZE, (90, 2))),
            seed + number,
        )
        for number in range(6)
    ]
    return [field.deformation for field in fields]


def seen_in_two_places(seed: int) -> np.ndarray:
    """Return the places (8, 3) of a cycle that shows hardly anything."""
    random = np.random.default_rng(seed)
    middles = np.repeat([[0.3, 0.3], [0.7, 0.6]], 4, axis=0) * SIZE
    return in_plane(middles + random.uniform(-60, 60, middles.shape))


def far_errors(field: SmoothField, truth, places: np.ndarray) -> np.ndarray:
    """Return errors in units of sigma along y and x, farther than 96 px from the places."""
    grid = (np.arange(8) + 0.5) * SIZE / 8
    asked = in_plane(np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2))
    apart = np.linalg.norm(asked[:, None] - places, axis=2).min(axis=1)
    asked = asked[apart > 96]
    shift, sigma = field.at(asked)
    return ((shift - truth(asked)) / sigma)[:, 1:]


def test_few_places_of_a_cycle_that_deforms_like_others_are_no_longer_sure_and_wrong() -> None:
    learned = Motion(learned=learned_from(shown_by_others(1.0, 150.0, seed=0)))
    before, after = [], []
    for seed in range(24):
        truth = waves(np.random.default_rng(100 + seed), 1.0, 150.0)
        places = seen_in_two_places(seed)
        before.append(far_errors(measured(truth, places, seed), truth, places))
        after.append(far_errors(measured(truth, places, seed, learned), truth, places))
    wild = [np.mean(np.abs(np.concatenate(errors)) > 3) for errors in (before, after)]
    assert wild[0] > 0.02
    assert wild[1] < wild[0] / 3


def test_a_cycle_that_moves_more_than_others_is_not_held_back() -> None:
    learned = Motion(learned=learned_from(shown_by_others(0.05, 250.0, seed=1)))
    asked = in_plane(np.array([[40.0, 600.0], [600.0, 40.0]]))
    for seed in range(5):
        truth, places = waves(np.random.default_rng(seed), 0.5, 250.0), seen_in_two_places(seed)
        alone, with_others = (
            measured(truth, places, seed, motion).at(asked)[1] for motion in (SMOOTH, learned)
        )
        assert np.all(with_others > 0.9 * alone)


def test_what_a_cycle_shows_does_not_hold_what_was_learned() -> None:
    truth, places = waves(np.random.default_rng(3), 1.0, 150.0), seen_in_two_places(3)
    learned = Motion(learned=learned_from(shown_by_others(1.0, 150.0, seed=2)))
    alone, with_others = (measured(truth, places, 3, motion) for motion in (SMOOTH, learned))
    assert np.array_equal(alone.deformation.weights_zyx, with_others.deformation.weights_zyx)
    assert not np.allclose(alone.at(places)[1], with_others.at(places)[1], rtol=1e-6)


def weights(length: int, amplitude: int) -> np.ndarray:
    found = np.zeros((4, len(AMPLITUDES)))
    found[length, amplitude] = 1.0
    return found


def learned(cycles: int = 9) -> LearnedMotion:
    return LearnedMotion(LENGTHS, AMPLITUDES, weights(0, 0), weights(2, 4), cycles)


def test_larger_amplitudes_are_never_less_likely_and_a_fifth_of_the_prior_stays_even() -> None:
    prior = np.exp(learned().log_prior(1, LENGTHS, AMPLITUDES))
    assert np.all(np.diff(prior, axis=1) >= 0)
    assert prior[0] == pytest.approx(0.2 / prior.size)
    assert prior[2] == pytest.approx(np.where(AMPLITUDES >= 0.5, 0.8, 0.0) + 0.2 / prior.size)
    assert np.ptp(learned().log_prior(0, LENGTHS, AMPLITUDES)[1:]) == 0
    few = np.exp(learned(cycles=1).log_prior(2, LENGTHS, AMPLITUDES))
    assert few[2, -1] - few[0, 0] == pytest.approx(0.8 / 6)


def test_other_lengths_take_what_the_nearest_one_has() -> None:
    prior = np.exp(learned().log_prior(1, [134.0, 250.0], AMPLITUDES))
    assert prior[0, -1] - prior[1, -1] == pytest.approx(0.8)


def test_the_mean_is_that_of_all_cycles_of_rows_and_columns() -> None:
    one = Deformation(LENGTHS, AMPLITUDES, np.stack([weights(0, 0), weights(1, 1), weights(1, 2)]))
    two = Deformation(
        np.array([134.2, 250.0]),
        AMPLITUDES,
        np.stack([weights(0, 0), weights(1, 3), weights(1, 3)])[:, :2],
    )
    found = learned_from([one, two])
    assert found.cycles == 2
    assert found.lengths.tolist() == [40, 65, 120, 134, 250]
    assert found.weights_xy[1, 1] == found.weights_xy[1, 2] == 0.25
    assert found.weights_xy[4, 3] == 0.5
    assert found.weights_z[0, 0] == found.weights_z[3, 0] == 0.5


def written(folder, **changed):
    path = folder / "motion.json"
    counts = {"cycles": 9, "rois": 2, "pixel_size_um": SIZE_UM}
    write_motion(path, counts | learned().content | changed)
    return path


def test_a_file_gives_back_what_was_written(tmp_path) -> None:
    found = LearnedMotion.read(read_motion(written(tmp_path)))
    for axis in range(3):
        ours = learned().log_prior(axis, LENGTHS, AMPLITUDES)
        assert np.allclose(found.log_prior(axis, LENGTHS, AMPLITUDES), ours)
    assert found.cycles == 9


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"cycles": 0}, "'cycles' must be a whole number"),
        ({"rois": "two"}, "'rois' must be a whole number"),
        ({"pixel_size_um": {"xy": 0.1}}, "'pixel_size_um' must hold two numbers above 0"),
        ({"pixel_size_um": {"xy": 0.1, "z": 0}}, "'pixel_size_um' must hold two numbers above 0"),
        ({"length_px": []}, "'length_px' must be a list of numbers above 0"),
        ({"amplitude": [0, -1]}, "'amplitude' must be a list of numbers, none negative"),
        ({"weights_z": [[1.0]]}, "'weights_z' must hold 4 lists of 7 numbers"),
        ({"weights_xy": (-weights(0, 0)).tolist()}, "'weights_xy' must hold 4 lists"),
        ({"weights_xy": (2 * weights(0, 0)).tolist()}, "of sum 1"),
        ({"format": "crossreg-motion/9"}, "of another version (crossreg-motion/9)"),
    ],
)
def test_faulty_files_are_refused_in_one_sentence(tmp_path, changed, told) -> None:
    path = written(tmp_path, **changed)
    with pytest.raises(UserError) as fault:
        read_motion(path)
    assert str(fault.value).startswith(f"{path}: ")
    assert told in str(fault.value)
    assert str(fault.value).endswith(".")


@pytest.mark.parametrize("text", ["[]", "{}", '{"weights_xy": 1}', "motion", ""])
def test_other_files_are_refused(tmp_path, text) -> None:
    path = tmp_path / "motion.json"
    path.write_text(text)
    with pytest.raises(UserError, match="motion.json: "):
        read_motion(path)


def test_a_file_of_other_pixels_is_refused(tmp_path) -> None:
    path = written(tmp_path)
    check_size(path, {"xy": 0.102, "z": 0.25})
    for sizes in ({"xy": 0.2, "z": 0.25}, {"xy": 0.1, "z": 0.5}):
        with pytest.raises(UserError, match="it was learned where a .* is .* um, and here it is"):
            check_size(path, sizes)
