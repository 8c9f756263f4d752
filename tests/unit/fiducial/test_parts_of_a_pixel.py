"""Shifts by a part of a pixel or plane are neither drawn to whole ones nor to where none is."""

import numpy as np
import pytest
from scipy.ndimage import fourier_shift, gaussian_filter

import crossreg

MARGIN = 12
PLACES_YX = np.array([(32.0, 40), (32, 120), (64, 80), (96, 40), (96, 120)])


def registered(
    planes: int, shift_zyx: tuple[float, float, float], height: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean errors of the field in the middle plane, and sigma there, both (3,).

    The specimen is dense soft tissue, `height` planes high, moved in Fourier space: exactly.
    """
    rng = np.random.default_rng(planes)
    size = (planes + 2 * MARGIN, 128 + 2 * MARGIN, 160 + 2 * MARGIN)
    soft = gaussian_filter(rng.normal(size=size), (height, 3, 3), mode="wrap")
    tissue = gaussian_filter(np.exp(1.1 * soft / soft.std()), (1.2, 1.4, 1.4), mode="wrap")
    moved = np.fft.ifftn(fourier_shift(np.fft.fftn(tissue), -np.array(shift_zyx))).real
    inner = (slice(MARGIN, -MARGIN),) * 3
    photons = (2000 / tissue.max() * np.clip(image[inner], 0, None) for image in (tissue, moved))
    stacks = [rng.poisson(expected + 50).astype(np.uint16) for expected in photons]
    found = crossreg.register(*stacks, block_size=64)
    positions = np.insert(PLACES_YX, 0, planes / 2, axis=1)
    errors = found.shift_at(positions) - shift_zyx
    return errors.mean(axis=0), found.sigma_at(positions).mean(axis=0)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.6])
def test_no_shift_is_drawn_to_whole_planes_or_pixels(part: float) -> None:
    errors, _ = registered(40, (part, 0.0, -part))
    assert np.abs(errors).max() < 0.02


@pytest.mark.parametrize("planes", [6, 7, 9])
@pytest.mark.parametrize("shift_z", [0.5, 0.8, 1.5])
def test_stacks_flatter_than_their_structure_show_z_or_say_how_little(
    planes: int, shift_z: float
) -> None:
    errors, sigma = registered(planes, (shift_z, 0.0, 0.0))
    assert abs(errors[0]) < 0.35 * shift_z
    assert abs(errors[0]) < 2.5 * sigma[0]
    assert sigma[0] < 0.3
