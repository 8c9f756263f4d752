"""Where planes lie, and how fast they change, tells another spacing."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crossreg.fiducial.evidence.plane_places import Places, placed_planes
from crossreg.fiducial.evidence.plane_products import ComparedPlanes, PlaneProducts
from crossreg.fiducial.evidence.plane_spacing import rate_of_change, ratio_of_spacings


def places(slope: float, noise: float = 0.1, count: int = 20, bend: float = 0.0) -> Places:
    """Return where planes lie whose places change by `slope` planes each, and by a bend."""
    planes = np.arange(count)
    along = np.linspace(-1, 1, count)
    away = slope * planes + bend * along**3 + np.random.default_rng(4).normal(0, noise, count)
    return Places(planes, away, np.ones(count))


@pytest.mark.parametrize("slope", [-0.2, -0.09, 0.1, 0.25])
def test_another_spacing_is_told(slope: float) -> None:
    ratio = ratio_of_spacings(places(slope), slope, is_tall=False)
    assert ratio == pytest.approx(1 / (1 + slope), rel=0.03)


@pytest.mark.parametrize("slope", [-0.2, 0.25])
def test_in_tall_stacks_what_tissue_does_not_show_is_told(slope: float) -> None:
    ratio = ratio_of_spacings(places(slope, count=40), slope, is_tall=True)
    assert ratio == pytest.approx(1 / (1 + slope), rel=0.03)


@pytest.mark.parametrize("slope", [-0.09, 0.09])
def test_in_tall_stacks_a_bend_that_the_field_follows_is_none(slope: float) -> None:
    assert ratio_of_spacings(places(slope, count=30, bend=0.5), slope, is_tall=True) == 1


@pytest.mark.parametrize("is_tall", [False, True])
@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_planes_that_change_faster_bear_another_spacing_out(rate: float, is_tall: bool) -> None:
    """Where they lie says it less surely, and too little of it."""
    shown = places(0.5 * (rate - 1), noise=0.4)
    assert ratio_of_spacings(shown, 0.0, is_tall) == 1
    assert ratio_of_spacings(shown, 0.0, is_tall, rate) == 1 / rate


@pytest.mark.parametrize(
    ("slope", "noise", "rate"),
    [(0.1, 0.4, 0.8), (0.1, 0.4, 1.5), (0.05, 0.1, 1.1), (0.1, 2.0, 1.25)],
    ids=("the other way", "another cone of light", "swelling", "unclear"),
)
def test_a_rate_that_places_do_not_follow_is_none(slope: float, noise: float, rate: float) -> None:
    assert ratio_of_spacings(places(slope, noise), 0.0, is_tall=False, rate=rate) == 1


@pytest.mark.parametrize(("gradient", "ratio"), [(-0.02, 0.8), (-0.09, 1.0)])
def test_a_rate_that_the_field_contradicts_is_none(gradient: float, ratio: float) -> None:
    """With another cone of light structure lies the other way than planes."""
    assert ratio_of_spacings(places(0.1), gradient, is_tall=False, rate=1.25) == ratio


def planes_seen(fine: np.ndarray, spacing: float, seed: int) -> np.ndarray:
    """Return 16 parts (16, 16, 30, 30) of planes 10 `spacing` apart, their light and noise."""
    random = np.random.default_rng(seed)
    light = random.uniform(0.7, 1.3, 16)[:, None, None]
    planes = fine[np.rint(10 * spacing * np.arange(16)).astype(int)]
    noisy = planes * light + random.normal(0, 0.3, planes.shape)
    parts = noisy.reshape(16, 4, 30, 4, 30).transpose(1, 3, 0, 2, 4)
    return np.asarray(parts.reshape(16, 16, 30, 30), dtype=np.float32)


@pytest.fixture(scope="module")
def fine() -> np.ndarray:
    random = np.random.default_rng(2)
    smooth = gaussian_filter(random.normal(size=(240, 120, 120)), (40.0, 2.0, 2.0))
    return np.asarray(smooth / smooth.std())


@pytest.mark.parametrize("step", [0.8, 1.0, 1.5])
def test_how_fast_planes_change_is_told(fine: np.ndarray, step: float) -> None:
    """Whatever their light and noise."""
    one, two = (
        PlaneProducts.of(planes_seen(fine, spacing, seed)) for seed, spacing in enumerate([1, step])
    )
    assert rate_of_change(ComparedPlanes(one, two, 0.0)) == pytest.approx(step, rel=0.08)


def test_a_bright_thing_in_one_part_changes_no_rate(fine: np.ndarray) -> None:
    reference, cycle = planes_seen(fine, 1.0, 1), planes_seen(fine, 1.0, 2)
    cycle[3] *= 10 * np.exp(-0.5 * ((np.arange(16) - 8) / 1.5) ** 2)[:, None, None]
    cycle[3] += 30 * planes_seen(fine, 1.5, 3)[3]
    planes = ComparedPlanes(PlaneProducts.of(reference), PlaneProducts.of(cycle), 0.0)
    assert rate_of_change(planes) == 1


def test_bright_things_in_the_cycle_alone_move_no_planes() -> None:
    random = np.random.default_rng(8)
    tissue = 20 * gaussian_filter(random.normal(size=(16, 96, 96)), (1.5, 1.5, 1.5), mode="wrap")
    tissue *= 8 / tissue.std()
    dirt = np.zeros(tissue.shape)
    for plane, row, column in ((3, 20, 30), (6, 70, 20), (4, 50, 80)):
        dirt[plane, row, column] = 1
    dirt = gaussian_filter(dirt, (4, 4, 4))
    dirt *= 1000 / dirt.max()
    noise = 10 * random.normal(size=(2, *tissue.shape))
    clean, dirty = (
        (part - part.mean(axis=0)).astype(np.int16)
        for part in (tissue + noise[0], tissue + dirt + noise[1])
    )
    placed = placed_planes((clean, dirty), lambda places_yx: np.zeros((len(places_yx), 3)))
    assert placed
    assert np.sqrt(np.mean(placed.whole.away**2)) < 0.4


@pytest.mark.parametrize(
    ("shown", "gradient"),
    [
        (places(0.05), 0.05),
        (places(0.12), -0.05),
        (places(0.12, noise=2.0), 0.1),
        (places(0.12, count=6), 0.1),
        (places(0.0, bend=1.0), 0.03),
        (places(-0.95), -0.1),
    ],
    ids=("swelling", "denied by the field", "unclear", "few planes", "bend", "all at one place"),
)
def test_what_is_not_clear_is_no_other_spacing(shown: Places, gradient: float) -> None:
    assert ratio_of_spacings(shown, gradient, is_tall=False) == 1
