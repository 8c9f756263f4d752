"""All planes of two stacks together tell how the shift along z changes with the depth."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

import crossreg
from crossreg.fiducial.evidence.depth_course import (
    AllProducts,
    DepthCourse,
    all_products,
    course_of,
    likely_change,
)
from crossreg.fiducial.evidence.z_steps import ratio_of_z_steps

PLANES, MIDDLE, HALF = 24, 11.5, 11.5


def tissue(seed: int, planes: int = 60) -> np.ndarray:
    """Return structure (planes, 96, 96) at all depths, with a standard deviation of 1."""
    fine = np.random.default_rng(seed).normal(size=(planes, 96, 96))
    smooth = gaussian_filter(fine, (1.5, 1.5, 1.5))
    return np.asarray(smooth / smooth.std())


def binned(structure: np.ndarray, depths: np.ndarray, seed: int, noise: float = 0.4) -> np.ndarray:
    """Return binned and freed planes of some structure at depths (n,), with noise."""
    rows, columns = np.mgrid[:96, :96].astype(float)
    planes = np.array(
        [
            map_coordinates(structure, [np.full(rows.shape, 18 + depth), rows, columns])
            for depth in depths
        ]
    )
    noisy = planes + np.random.default_rng(seed).normal(0, noise, planes.shape)
    return np.asarray((20 * (noisy - noisy.mean(axis=0))).astype(np.int16))


def shifted_by(shift_z: float):
    """Return the function of a shift that is the same everywhere."""
    return lambda places: np.column_stack([np.full(len(places), shift_z), 0 * places])


def depths_in_cycle(shift: float, gradient: float, bend: float, planes: int = PLANES) -> np.ndarray:
    """Return the depths that planes of a cycle show, whose shift along z changes with the depth."""
    numbers = np.arange(planes)
    depths = numbers + shift
    for _ in range(30):
        u = (depths - MIDDLE) / HALF
        depths = numbers + shift + gradient * u + bend * u**2
    return np.asarray(depths)


def products_of(shift: float, gradient: float, bend: float, seed: int = 1) -> AllProducts:
    structure = tissue(seed)
    reference = binned(structure, np.arange(PLANES), 10 * seed)
    cycle = binned(structure, depths_in_cycle(shift, gradient, bend), 10 * seed + 1)
    found = all_products((reference, cycle), shifted_by(shift + bend / 3), 1.0)
    assert found
    return found


@pytest.mark.parametrize(
    ("shift", "gradient", "bend"),
    [(0.0, 0.0, 0.0), (1.3, 0.4, 0.0), (-0.6, -0.2, 0.0), (0.4, 0.0, 0.9), (-1.2, 0.3, -0.6)],
)
def test_the_course_is_found_within_its_errors(shift: float, gradient: float, bend: float) -> None:
    course = course_of(products_of(shift, gradient, bend))
    assert course
    # The shared planes have another middle than the stack.
    u = (course.middle - MIDDLE) / HALF
    scale = course.half / HALF
    expected = [(gradient + 2 * bend * u) * scale, bend * scale**2]
    assert course.away == pytest.approx(expected, abs=0.08)
    assert np.all(np.abs(course.away - expected) < 3 * course.sigma)
    assert np.all(course.sigma < 0.2)


def test_planes_that_show_nothing_in_common_leave_much_open() -> None:
    one, other = (binned(tissue(seed), np.arange(PLANES), seed) for seed in (1, 2))
    products = all_products((one, other), shifted_by(0.0), 1.0)
    assert products
    course = course_of(products)
    assert course is None or course.sigma[1] > 3


def test_few_planes_say_nothing() -> None:
    few = binned(tissue(1), np.arange(7), 1)
    assert all_products((few, few), shifted_by(0.0), 1.0) is None


@pytest.mark.parametrize(
    ("seen", "error", "bend", "sigma"),
    [
        (0.0, 0.05, (-0.05, 0.05), (0, 0.1)),
        (1.2, 0.05, (1.0, 1.4), (0.1, 0.5)),
        (0.3, 2.0, (-0.1, 0.2), (0.4, 1.0)),
    ],
    ids=("straight", "bent", "unclear"),
)
def test_a_bend_is_believed_as_far_as_planes_show_it(
    seen: float, error: float, bend: tuple[float, float], sigma: tuple[float, float]
) -> None:
    course = DepthCourse(
        MIDDLE, HALF, np.array([0.0, seen]), np.diag([0.01, error**2]), np.full(2, 0.1), 0.001, 1.0
    )
    (_, found), (_, unsure) = likely_change(course, PLANES)
    assert bend[0] <= found <= bend[1]
    assert sigma[0] <= unsure <= sigma[1]


def test_without_a_course_few_planes_bend_little() -> None:
    (many, unsure), (few, surer) = likely_change(None, PLANES), likely_change(None, 6)
    assert np.append(many, few) == pytest.approx(np.zeros(4), abs=1e-9)
    assert unsure[1] == pytest.approx(4 * surer[1])
    assert unsure[1] > 0.5


@pytest.mark.parametrize("ratio", [0.5, 2 / 3, 0.8, 1.25, 1.5, 2.0])
def test_another_z_step_is_told(ratio: float) -> None:
    structure = tissue(3, 80)
    reference = binned(structure, np.arange(20) + 10, 1)
    cycle = binned(structure, 10 + 9.5 + (np.arange(20) - 9.5) / ratio, 2)
    products = all_products((reference, cycle), shifted_by(0.0), 1.0)
    assert products
    # Steps of a half and of two are told to the nearest that is tried, or along the course.
    assert ratio_of_z_steps(products, course_of(products)) == pytest.approx(ratio, rel=0.15)


def test_planes_that_run_the_other_way_are_told() -> None:
    structure = tissue(4)
    reference, cycle = (
        binned(structure, depths, 1) for depths in (np.arange(20), np.arange(20)[::-1])
    )
    products = all_products((reference, cycle), shifted_by(0.0), 1.0)
    assert products
    assert ratio_of_z_steps(products, course_of(products)) == -1


@pytest.mark.parametrize("first", [0, 4, 9])
def test_a_short_stack_has_no_other_z_step(first: int) -> None:
    """Its planes are freed of what they share, which is another part than in the longer stack."""
    structure = tissue(5)
    reference = binned(structure, np.arange(20), 1)
    cycle = binned(structure, np.arange(first, first + 9), 2)
    products = all_products((reference, cycle), shifted_by(float(first)), 1.0)
    assert products
    assert ratio_of_z_steps(products, course_of(products)) in (1, None)


@pytest.mark.parametrize("scale", [0.97, 1.04])
def test_dense_structure_that_swells_along_z_is_followed_to_its_ends(scale: float) -> None:
    """Sub-blocks as high as the stack show next to nothing of it."""
    structure = gaussian_filter(np.random.default_rng(6).normal(size=(40, 160, 160)), 1.6)
    structure = np.exp(0.7 * structure / structure.std())
    middle = 9.5
    planes = np.arange(20)
    rows, columns = np.mgrid[:160, :160].astype(float)
    reference, cycle = (
        np.array([map_coordinates(structure, [0 * rows + 10 + z, rows, columns]) for z in depths])
        for depths in (planes, middle + (planes - middle) * scale)
    )
    noisy = [
        np.random.default_rng(seed).poisson(60 * stack + 100).astype(np.uint16)
        for seed, stack in enumerate((reference, cycle))
    ]
    found = crossreg.register(*noisy, block_size=80)
    assert found.verdict == "registered"
    ends = np.array([[0.0, 80, 80], [19.0, 80, 80]])
    # Plane z' of the cycle shows the depth middle + (z' - middle) * scale.
    expected = (ends[:, 0] - middle) * (1 - 1 / scale)
    error = found.shift_at(ends)[:, 0] - expected
    assert np.all(np.abs(error) < 0.1)
    assert np.all(np.abs(error) < 3 * found.sigma_at(ends)[:, 0])
