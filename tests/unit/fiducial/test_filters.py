"""Own transforms and filters, which start in no time, do what SciPy's do."""

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
import scipy.special

from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.correlation.interpolation import interpolated
from crossreg.fiducial.correlation.transforms import fast_length, filtered, images_of, spectra_of
from crossreg.fiducial.global_shift.probes import _at_least
from crossreg.fiducial.local_shift.confidence import _students_t


def image(shape=(45, 52)):
    return np.random.default_rng(0).normal(500, 100, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(45, 52), (48, 60)])
def test_spectra_are_those_of_scipy_over_the_root_of_the_number_of_samples(shape):
    images = np.stack([image(), image()[::-1]])
    spectra = spectra_of(images, shape)
    assert spectra.dtype == np.complex64
    assert np.allclose(
        spectra, scipy.fft.rfft2(images, s=shape) / np.sqrt(np.prod(shape)), atol=1e-2
    )
    found = images_of(spectra, shape)
    assert found.dtype == np.float32
    assert np.allclose(found[:, :45, :52], images, atol=1e-2)


def test_fast_lengths_are_those_of_scipy():
    lengths = range(1, 2500)
    assert [fast_length(size) for size in lengths] == [
        scipy.fft.next_fast_len(size, real=True) for size in lengths
    ]


def test_a_filter_mirrors_the_image_at_its_borders():
    def blur(shape):
        rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
        return np.exp(-2 * (np.pi * 1.5) ** 2 * (rows**2 + columns**2)).astype(np.float32)

    expected = scipy.ndimage.gaussian_filter(image(), 1.5, truncate=8)
    assert np.allclose(filtered(image(), blur, 12), expected, atol=0.01)


@pytest.mark.parametrize("size", [1, 5, 16, 17])
@pytest.mark.parametrize(
    ("beyond", "mode"), [("symmetric", "reflect"), ("wrap", "wrap"), ("constant", "constant")]
)
def test_a_box_mean_is_that_of_scipy(size, beyond, mode):
    expected = scipy.ndimage.uniform_filter(image(), size, mode=mode)
    assert np.allclose(box_mean(image(), size, beyond), expected, atol=1e-2)


@pytest.mark.parametrize("shape", [(45, 52), (1, 52), (45, 1)])
def test_places_between_pixels_have_what_scipy_finds_there(shape):
    random = np.random.default_rng(1)
    rows, columns = (random.uniform(-2, size + 1, 500) for size in shape)
    rows[:4], columns[:4] = (0, shape[0] - 1, 0, shape[0] - 1), (0, 0, shape[1] - 1, shape[1] - 1)
    expected = scipy.ndimage.map_coordinates(image(shape), [rows, columns], order=1, cval=7)
    assert np.allclose(interpolated(image(shape), rows, columns, 7), expected, atol=1e-2)


@pytest.mark.parametrize("degrees", [2, 3, 10, 47])
def test_quantiles_of_students_t(degrees):
    expected = scipy.special.stdtrit(degrees, 0.99)
    assert _students_t(degrees, 0.99) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("count", "expected"), [(0, 2.0), (1, 0.3), (5, 2.0), (12, 8.0)])
def test_the_chance_that_a_poisson_variable_is_as_large(count, expected):
    chance = scipy.special.pdtrc(count - 1, expected) if count else 1.0
    assert _at_least(count, expected) == pytest.approx(chance, abs=1e-12)
