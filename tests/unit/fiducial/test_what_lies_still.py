"""What the camera adds to both images is not taken for the specimen."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter, shift

import reference_projection
import register_global
from crossreg.fiducial.correlation.black_borders import dark_border, filled_border
from crossreg.fiducial.correlation.camera_stripes import without_stripes
from crossreg.fiducial.global_shift.specimen import shared_by_planes, shift_of_specimen
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.io.cycle_tables import read_global_row
from crossreg.workflow_support.for_scripts.script_main import run
from fiducial_images import drawn, spot_positions

SIZE, BLOCK = 256, 64
HEIGHT, NOISE = 200.0, 12.0
NEAR, FAR = (3.0, -2.0), (20.0, -13.0)


def pattern(kind: str, seed: int = 0) -> np.ndarray:
    """Return what a camera adds to every plane (Y, X), about as high as a spot."""
    random = np.random.default_rng(seed)
    if kind == "pixels":
        return 0.5 * HEIGHT * random.standard_normal((SIZE, SIZE))
    if kind == "rows":
        return np.broadcast_to(0.3 * HEIGHT * random.standard_normal((SIZE, 1)), (SIZE, SIZE))
    if kind == "columns":
        return pattern("rows", seed).T
    if kind == "hot pixels":
        return np.where(random.random((SIZE, SIZE)) < 1e-3, 10 * HEIGHT, 0.0)
    if kind == "texture":
        smooth = gaussian_filter(random.standard_normal((SIZE, SIZE)), 1.3)
        return 0.6 * HEIGHT * smooth / smooth.std()
    dust = np.zeros((SIZE, SIZE))
    dust[tuple(random.integers(0, SIZE, (2, 100)))] = 2 * HEIGHT * 2 * np.pi * 1.5**2
    return gaussian_filter(dust, 1.5)


def pair(planes: int, shift_yx: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    shape = (planes, SIZE, SIZE)
    positions = spot_positions((max(planes, 4), SIZE, SIZE), 60 * planes + 240, seed=4)
    if planes == 1:
        positions[:, 0] = 0
    moved = positions - (0, *shift_yx)
    return drawn(shape, positions, NOISE, 5) + 400, drawn(shape, moved, NOISE, 6) + 400


def registered(reference: np.ndarray, cycle: np.ndarray) -> tuple[LocalShifts, np.ndarray]:
    """Return the local result, and the total shifts (n, 2) of the blocks."""
    images = [np.rint(np.maximum(image, 0)).astype(np.uint16) for image in (reference, cycle)]
    reference, cycle = images
    projections = [image.max(0) for image in images]
    start = shift_of_specimen(
        projections, lambda: shared_by_planes(images), block_size=2 * BLOCK
    ).shift_yx
    found = local_shifts(prepare_reference(reference, block_size_xy=BLOCK), cycle, start)
    return found, (found.shift_zyx[..., 1:] + start).reshape(-1, 2)


@pytest.mark.parametrize("shift_yx", [NEAR, FAR], ids=("near", "far"))
@pytest.mark.parametrize("planes", [3, 5, 12])
@pytest.mark.parametrize("kind", ["pixels", "rows", "columns", "hot pixels", "texture", "dust"])
def test_stacks_are_freed_of_what_all_their_planes_share(
    kind: str, planes: int, shift_yx: tuple[float, float]
) -> None:
    found, total = registered(*(stack + pattern(kind) for stack in pair(planes, shift_yx)))
    assert found.verdict.name == "registered", found.verdict.reason
    assert np.sqrt(np.mean((total - shift_yx) ** 2)) < 0.25


@pytest.mark.parametrize("shift_yx", [(1.2, -0.9), NEAR, FAR], ids=("close", "near", "far"))
@pytest.mark.parametrize("kind", ["pixels", "rows", "columns", "hot pixels", "texture", "dust"])
def test_a_single_plane_is_right_or_says_that_it_may_not_be(
    kind: str, shift_yx: tuple[float, float]
) -> None:
    found, total = registered(*(stack + pattern(kind) for stack in pair(1, shift_yx)))
    if found.verdict.name == "registered":
        assert np.sqrt(np.mean((total - shift_yx) ** 2)) < 0.25
    else:
        assert "still" in found.verdict.reason


@pytest.mark.parametrize("planes", [1, 2, 5])
@pytest.mark.parametrize("shift_yx", [(0.0, 0.0), (1.2, -0.9), FAR], ids=("rest", "close", "far"))
def test_without_a_pattern_nothing_lies_still(planes: int, shift_yx: tuple[float, float]) -> None:
    found, total = registered(*pair(planes, shift_yx))
    assert found.verdict.name == "registered", found.verdict.reason
    assert np.abs(total - shift_yx).max() < 0.35


@pytest.mark.parametrize("planes", [1, 5, 12])
@pytest.mark.parametrize("shift_yx", [(0.8, -0.5), NEAR], ids=("close", "near"))
@pytest.mark.parametrize("kind", ["round", "frame", "vignette"])
def test_a_border_that_stays_with_the_camera_does_not_draw_the_shifts(
    kind: str, shift_yx: tuple[float, float], planes: int
) -> None:
    rows, columns = np.indices((SIZE, SIZE))
    away = np.hypot(rows - SIZE / 2, columns - SIZE / 2) / (SIZE / 2)
    light = {
        "round": away < 0.9,
        "frame": (rows > 20) & (rows < SIZE - 14) & (columns > 30),
        "vignette": 1 / (1 + away**2) ** 2,
    }[kind]
    found, total = registered(*(light * stack for stack in pair(planes, shift_yx)))
    assert found.verdict.name == "registered", found.verdict.reason
    assert np.sqrt(np.mean((total - shift_yx) ** 2)) < 0.15


@pytest.mark.parametrize("planes", [1, 5, 12])
@pytest.mark.parametrize("shift_yx", [(0.8, -0.5), NEAR, FAR], ids=("close", "near", "far"))
@pytest.mark.parametrize("kind", ["round", "frame"])
def test_a_dark_border_full_of_noise_does_not_draw_the_shifts(
    kind: str, shift_yx: tuple[float, float], planes: int
) -> None:
    rows, columns = np.indices((SIZE, SIZE))
    lit = {
        "round": np.hypot(rows - 140, columns - 120) < 100,
        "frame": (rows > 50) & (rows < 215) & (columns > 20) & (columns < 210),
    }[kind]
    random = np.random.default_rng(3)
    found, total = registered(
        *(lit * stack + random.normal(100, NOISE, stack.shape) for stack in pair(planes, shift_yx))
    )
    assert found.verdict.name == "registered", found.verdict.reason
    sigma = found.sigma_zyx[..., 1:].reshape(-1, 2)
    assert np.max(np.abs(total - shift_yx) / sigma) < 4
    measured = found.status.ravel() == "measured"
    assert np.sqrt(np.mean((total[measured] - shift_yx) ** 2)) < 0.2


@pytest.mark.parametrize("planes", [1, 12])
@pytest.mark.parametrize("outline", ["half", "corner", "island", "triangle"])
def test_a_dark_border_of_any_outline_does_not_draw_the_shifts_of_faint_tissue(
    outline: str, planes: int
) -> None:
    rows, columns = np.indices((SIZE, SIZE))
    lit = {
        "half": columns < SIZE / 2,
        "corner": (rows > 120) & (columns > 130),
        "island": (rows > 60) & (rows < 180) & (columns > 30) & (columns < 150),
        "triangle": rows + columns < SIZE,
    }[outline]
    random = np.random.default_rng(7)
    wide = SIZE + 20
    tissue = gaussian_filter(random.standard_normal((planes, wide, wide)), (1, 3, 3))
    tissue = 40 + 20 * tissue / tissue.std()
    shift_yx = (2.4, -4.1)
    found, total = registered(
        *(
            lit * shift(tissue, (0, *moved), order=3)[:, 10:-10, 10:-10]
            + random.normal(100, NOISE, (planes, SIZE, SIZE))
            for moved in ((0, 0), np.negative(shift_yx))
        )
    )
    assert found.verdict.name == "registered", found.verdict.reason
    sigma = found.sigma_zyx[..., 1:].reshape(-1, 2)
    assert np.max(np.abs(total - shift_yx) / sigma) < 4
    measured = found.status.ravel() == "measured"
    assert np.sqrt(np.mean((total[measured] - shift_yx) ** 2)) < 0.6


def lit_part(outline: str) -> np.ndarray:
    """Return where light falls (Y, X) behind a mask of the camera."""
    rows, columns = np.indices((SIZE, SIZE))
    if outline == "hole":
        return np.hypot(rows - 120, columns - 140) > 60
    if outline == "band":
        return np.abs(columns - 130) > 30
    if outline == "triangle":
        return rows + 0.8 * columns > 220
    return gaussian_filter(np.random.default_rng(5).normal(size=(SIZE, SIZE)), 20) > 0


def behind_mask(outline: str, stacks: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """Return stacks of which a part is lit but faintly."""
    random = np.random.default_rng(3)
    light = 0.15 + 0.85 * lit_part(outline)
    return [light * (stack + 200) + random.normal(100, NOISE, stack.shape) for stack in stacks]


@pytest.mark.parametrize("outline", ["hole", "band", "triangle", "blots"])
@pytest.mark.parametrize("shift_yx", [(3.4, -2.3), (-4.2, 3.1)], ids=("near", "farther"))
def test_the_outline_of_what_is_lit_faintly_does_not_draw_a_single_plane(
    shift_yx: tuple[float, float], outline: str
) -> None:
    found, total = registered(*behind_mask(outline, pair(1, shift_yx)))
    assert found.verdict.name == "registered", found.verdict.reason
    sigma = found.sigma_zyx[..., 1:].reshape(-1, 2)
    assert np.max(np.abs(total - shift_yx) / sigma) < 5
    measured = found.status.ravel() == "measured"
    assert np.sqrt(np.mean((total[measured] - shift_yx) ** 2)) < 0.15


@pytest.mark.parametrize("outline", ["hole", "band", "triangle"])
def test_another_specimen_behind_the_same_mask_is_not_registered(outline: str) -> None:
    reference, cycle = pair(1, NEAR)
    found, _ = registered(*behind_mask(outline, (reference, cycle[:, ::-1])))
    assert found.verdict.name != "registered"


def test_a_border_is_filled_and_a_black_background_is_left_alone() -> None:
    random = np.random.default_rng(1)
    image = random.normal(100, 3, (64, 64)).astype(np.float32)
    bordered = image.copy()
    bordered[:10] = 0
    filled = filled_border(bordered, None)
    assert np.abs(filled[:10].mean(axis=1) - 100).max() < 2
    assert 2.5 < filled[:10].std() < 3.5
    assert np.array_equal(filled[10:], image[10:])
    spots = drawn((1, 64, 64), spot_positions((1, 64, 64), 30, 2), 0, 3)[0].astype(np.float32)
    spots = np.maximum(spots - np.median(spots) - 5, 0)
    assert (spots[0] == 0).any()
    assert np.array_equal(filled_border(spots, dark_border(spots)), spots)


def test_stripes_are_taken_off_and_spots_are_kept() -> None:
    spots = drawn((1, 256, 256), spot_positions((1, 256, 256), 60, 2), 0, 3)[0].astype(np.float32)
    spots -= np.median(spots)
    random = np.random.default_rng(2)
    stripes = random.normal(0, 50, (256, 1)) + random.normal(0, 50, 256)
    freed = without_stripes((spots + stripes).astype(np.float32))
    assert np.abs((freed - freed.mean()) - (spots - spots.mean())).max() < 0.05 * spots.max()


@pytest.mark.parametrize("shift_yx", [NEAR, FAR, (0.0, 0.0)], ids=("near", "far", "at rest"))
@pytest.mark.parametrize("planes", [3, 5, 12])
def test_the_global_shift_is_that_of_the_specimen(
    planes: int, shift_yx: tuple[float, float]
) -> None:
    stacks = [stack + pattern("texture") for stack in pair(planes, shift_yx)]
    projections = [stack.max(0) for stack in stacks]
    found = shift_of_specimen(projections, lambda: shared_by_planes(stacks))
    assert np.abs(np.subtract(found.shift_yx, shift_yx)).max() < 0.2


def test_nothing_is_taken_off_one_or_two_planes() -> None:
    assert list(shared_by_planes([np.zeros((2, 64, 64)), np.zeros((9, 64, 64))])) == []


def test_the_row_of_a_cycle_says_where_the_specimen_is(tmp_path: Path) -> None:
    stacks = [stack + pattern("texture") for stack in pair(5, FAR)]
    words = []
    for name, stack in zip(("reference", "cycle"), stacks, strict=True):
        image = np.rint(np.maximum(stack, 0)).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.tif", image, metadata={"axes": "ZYX"})
        words += [f"--{name}", str(tmp_path / f"{name}.tif")]
    projection, table = str(tmp_path / "projection.npy"), tmp_path / "cycle.ecsv"
    of_reference = [*words[:2], "--output", projection]
    assert run(reference_projection.parser(), reference_projection.main, of_reference) == 0
    words += ["--reference-projection", projection, "--roi=1", "--label=RT1", f"--output={table}"]
    assert run(register_global.parser(), register_global.main, words) == 0
    row = read_global_row(table)
    assert (row["shift_x"], row["shift_y"]) == pytest.approx(FAR, abs=0.2)


def test_large_images_are_looked_at_in_the_middle_first() -> None:
    random = np.random.default_rng(8)
    scene = np.zeros((3, 1300, 1300))
    scene[tuple(random.integers(0, size, 4000) for size in scene.shape)] = 3e4
    scene = gaussian_filter(scene, (0.7, 1.5, 1.5)) + 100
    still = gaussian_filter(random.standard_normal((1200, 1200)), 1.3)
    still *= 600 / still.std()
    stacks = [
        random.poisson(np.maximum(part + still + 1500, 0))
        for part in (scene[:, 50:1250, 50:1250], scene[:, 30:1230, 63:1263])
    ]
    found = shift_of_specimen([part.max(0) for part in stacks], lambda: shared_by_planes(stacks))
    assert found.shift_yx == pytest.approx((-20.0, 13.0), abs=0.2)
