"""Pictures show what was planted: images overlap, weak blocks are hatched."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

import fiducial_images
from crossreg.fiducial.blocks import block_grid
from crossreg.pictures.before_after import before_after_figure, overlaid_states
from crossreg.pictures.canvas import DPI, HATCHES, round_length, save_png
from crossreg.pictures.cycle import Blocks, Cycle
from crossreg.pictures.details import detail_rows, details_figure
from crossreg.pictures.preprocessing import preprocessing_figure
from crossreg.pictures.previews import (
    Preview,
    blocks_to_detail,
    load_preview,
    save_preview,
    slab_of,
    stack_preview,
)
from crossreg.pictures.quality_maps import quality_maps_figure
from crossreg.pictures.shift_maps import shift_maps_figure
from crossreg.pictures.warp import between_blocks, moved

BLOCK = 64
GLOBAL_YX, RESIDUAL_ZYX = (7.0, -9.0), (1.5, 0.4, -0.8)
BAD, FAILED_CONFIDENCE = (0, 1), 1.0
SHAPES = {
    "square": (12, 192, 192),
    "wide": (12, 128, 640),
    "tall": (12, 640, 128),
    "uneven": (12, 150, 170),
    "one plane": (1, 192, 192),
}
LARGEST_FILE = 1_000_000


def cycle_and_previews(shape: tuple[int, int, int]) -> tuple[Cycle, Preview, Preview]:
    """Return a cycle with a planted shift and one borrowed block, and the two previews."""
    area = shape[1] * shape[2] / 4000
    positions = fiducial_images.spot_positions(shape, int(area * 3), 1)
    residual = np.array(RESIDUAL_ZYX) * (shape[0] > 1, 1, 1)
    reference = fiducial_images.drawn(shape, positions, 3, 1)
    cycle = fiducial_images.drawn(shape, positions - residual - (0, *GLOBAL_YX), 3, 2)
    grid = block_grid(shape[1:], BLOCK)
    size = (grid[-1].i + 1, grid[-1].j + 1)
    confidence, status = np.full(size, 5.0), np.full(size, "measured", dtype="<U8")
    confidence[BAD], status[BAD] = FAILED_CONFIDENCE, "borrowed"
    blocks = Blocks(
        size_px=BLOCK,
        shift_zyx=np.broadcast_to(residual, (*size, 3)).astype(np.float32),
        confidence=confidence,
        quality=np.full((*size, 3), 0.3),
        status=status,
        threshold=2.0,
    )
    result = Cycle("001", "RT1", "RT27", 0.1, 0.25, GLOBAL_YX, blocks)
    slab = slab_of(reference.max(axis=0), BLOCK)
    return (
        result,
        stack_preview(reference, slab, full=True),
        stack_preview(cycle, slab, GLOBAL_YX, blocks_to_detail(grid, confidence)),
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_overlap_grows_with_each_step_in_all_projections(shape: tuple[int, int, int]) -> None:
    states = overlaid_states(*cycle_and_previews(shape))
    for name in ("xy", "zx", "zy") if shape[0] > 1 else ("xy",):
        images = [getattr(views, name).astype(float) for _, views, _ in states]
        apart = [((image[..., 0] - image[..., 1]) ** 2).sum() for image in images]
        assert apart[2] < apart[0] / 2
        assert apart[2] < apart[1]
    correlations = [similarity for *_, similarity in states]
    assert correlations[2] > correlations[1]
    assert correlations[2] > 0.5 > 0.2 > correlations[0]


def test_details_overlap_after_the_local_shift() -> None:
    cycle, reference, image = cycle_and_previews(SHAPES["uneven"])
    rows = detail_rows(cycle, reference, image)
    assert f"block {BAD}" in rows[0][0]
    assert "borrowed" in rows[0][0]
    for _, pairs in rows:
        apart = [np.abs(one.astype(float) - two).sum() for one, two in pairs]
        assert apart[2] < apart[1] < apart[0] or apart[0] == 0


def test_the_bad_block_and_no_other_is_hatched_and_outlined() -> None:
    cycle, _, image = cycle_and_previews(SHAPES["square"])
    for axes in shift_maps_figure(cycle, image).axes[:1]:
        assert hatched(axes, "borrowed") == [BAD]
    figure = quality_maps_figure(cycle, image)
    outlined = [
        tuple(np.rint((patch.get_y(), patch.get_x())).astype(int))
        for axes in figure.axes
        if axes.get_title(loc="left") == "Confidence"
        for patch in axes.patches
        if isinstance(patch, Rectangle)
    ]
    assert outlined == [BAD]


def hatched(axes, status: str) -> list[tuple[int, int]]:
    return [
        (round(patch.get_y() + 0.5), round(patch.get_x() + 0.5))
        for patch in axes.patches
        if isinstance(patch, Rectangle) and patch.get_hatch() == HATCHES[status]
    ]


def failed(cycle: Cycle) -> Cycle:
    nothing = np.full_like(cycle.blocks.shift_zyx, np.nan)
    status = np.full(cycle.blocks.status.shape, "failed")
    return replace(
        cycle, blocks=replace(cycle.blocks, shift_zyx=nothing, quality=nothing, status=status)
    )


def test_a_failed_cycle_says_so_and_hatches_all_blocks() -> None:
    cycle, reference, image = cycle_and_previews(SHAPES["square"])
    cycle = failed(cycle)
    titles = [title for title, *_ in overlaid_states(cycle, reference, image)]
    assert titles == ["Raw", "After the global shift", "No local shift: the cycle failed"]
    assert len(hatched(shift_maps_figure(cycle, image).axes[0], "failed")) == 9
    details_figure(cycle, reference, image)
    quality_maps_figure(cycle, image)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_pictures_are_small_and_hold_all_their_text(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    cycle, reference, image = cycle_and_previews(shape)
    figures = [
        before_after_figure(cycle, reference, image),
        details_figure(cycle, reference, image),
        shift_maps_figure(cycle, image),
        quality_maps_figure(cycle, image),
        preprocessing_figure(cycle, reference, image),
    ]
    for number, figure in enumerate(figures):
        path = tmp_path / f"{number}.png"
        save_png(figure, path)
        assert path.stat().st_size < LARGEST_FILE
        with Image.open(path) as picture:
            expected = np.array(figure.get_size_inches()) * DPI
            assert np.abs(picture.size - expected).max() <= 1
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert min(box.x0, box.y0) > 0
        assert box.x1 < width
        assert box.y1 < height


def test_a_preview_comes_back_from_its_file(tmp_path: Path) -> None:
    _, reference, _ = cycle_and_previews(SHAPES["uneven"])
    save_preview(tmp_path / "preview.npz", reference)
    again = load_preview(tmp_path / "preview.npz")
    assert all(
        np.array_equal(value, getattr(again, name)) for name, value in vars(reference).items()
    )


def test_a_field_between_blocks_has_their_values_at_their_centres() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(3, 4, 2))
    centres = (np.array([10.0, 30.0, 45.0]), np.array([10.0, 30.0, 50.0, 70.0]))
    assert between_blocks(values, centres, centres) == pytest.approx(values)


def test_an_image_is_moved_by_what_is_added_to_its_positions() -> None:
    image = np.zeros((9, 9))
    image[4, 4] = 1
    assert np.argwhere(moved(image, (2, -1))).tolist() == [[6, 3]]


@pytest.mark.parametrize(("longest", "length"), [(9.9, 5), (10, 10), (0.3, 0.2), (49, 20)])
def test_scale_bars_have_round_lengths(longest: float, length: float) -> None:
    assert round_length(longest) == pytest.approx(length)
