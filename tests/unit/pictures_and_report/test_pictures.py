"""Pictures show what was planted: images overlap, weak blocks are hatched."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

import fiducial_images
from crossreg.fiducial.block_grid import block_grid
from crossreg.pictures.drawing.layout import OUTLIER_COLOUR, round_length, round_steps
from crossreg.pictures.drawing.palettes import STOPS, coloured, rgb
from crossreg.pictures.drawing.paper import Paper, with_palette
from crossreg.pictures.drawing.warp import between_blocks, moved
from crossreg.pictures.of_cycles.before_after import before_after_picture, overlaid_states
from crossreg.pictures.of_cycles.block_maps import block_maps
from crossreg.pictures.of_cycles.details import detail_rows, details_picture
from crossreg.pictures.of_cycles.precision_maps import precision_maps_picture
from crossreg.pictures.of_cycles.preprocessing import preprocessing_picture
from crossreg.pictures.of_cycles.previews import Preview, load_preview, save_preview
from crossreg.pictures.of_cycles.quality_maps import quality_maps_picture
from crossreg.pictures.of_cycles.shift_maps import (
    ARROW_COLOURS,
    arrow,
    draw_arrows,
    shift_maps_picture,
)
from crossreg.pictures.of_cycles.shown_cycle import Blocks, Cycle, in_detail
from crossreg.pictures.of_cycles.stack_previews import blocks_to_detail, slab_of, stack_preview

BLOCK = 64
GLOBAL_YX, RESIDUAL_ZYX = (7.0, -9.0), (1.5, 0.4, -0.8)
BAD, FAILED_CONFIDENCE = (0, 1), 1.0
SIGMA_PX = 0.1
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
        sigma_zyx=np.full((*size, 3), SIGMA_PX),
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


def blocks_with(paper: Paper, colour: str, number: int) -> list[tuple[int, int]]:
    """Return the blocks of a map of a picture of a square stack in which pixels have a colour."""
    image = np.asarray(paper.image).astype(int)
    # The maps of "square" lie as `block_maps` puts them: found by their black frames.
    maps = frames_of(image)
    left, top, right, bottom = maps[number]
    inside = image[top:bottom, left:right]
    hit = np.abs(inside - rgb(colour)).max(axis=2) < 8
    cells = np.array_split(np.arange(hit.shape[0]), 3), np.array_split(np.arange(hit.shape[1]), 3)
    blocks = ((i, j) for i in range(3) for j in range(3))
    return [(i, j) for i, j in blocks if hit[np.ix_(cells[0][i], cells[1][j])].any()]


def frames_of(image: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return what the square black frames of a picture enclose, row by row."""
    black = (image == 0).all(axis=2)
    found = []
    for y, x in np.argwhere(black[:-1, :-1] & black[1:, :-1] & black[:-1, 1:] & ~black[1:, 1:]):
        width = int(np.argmin(black[y, x:])) if not black[y, x:].all() else 0
        height = int(np.argmin(black[y:, x])) if not black[y:, x].all() else 0
        if min(width, height) > 200:
            found.append((x + 1, y + 1, x + width - 1, y + height - 1))
    return found


def test_the_bad_block_and_no_other_is_hatched_and_outlined() -> None:
    cycle, _, image = cycle_and_previews(SHAPES["square"])
    plain = replace(cycle, blocks=replace(cycle.blocks, status=np.full((3, 3), "measured")))
    pictures = [shift_maps_picture(one, image).image for one in (cycle, plain)]
    shifts = [np.asarray(picture).astype(int) for picture in pictures]
    left, top, right, bottom = frames_of(shifts[0])[0]
    changed = np.abs(shifts[0] - shifts[1]).max(axis=2)[top:bottom, left:right] > 0
    cells = np.array_split(np.arange(bottom - top), 3), np.array_split(np.arange(right - left), 3)
    for i, j in np.ndindex(3, 3):
        assert changed[np.ix_(cells[0][i], cells[1][j])].any() == ((i, j) == BAD)
    assert blocks_with(quality_maps_picture(cycle, image), OUTLIER_COLOUR, 3) == [BAD]
    assert any("borrowed" in text for text, _ in shift_maps_picture(cycle, image).texts)


def test_blocks_beyond_the_tolerance_are_outlined_and_errors_are_in_nm() -> None:
    cycle, _, image = cycle_and_previews(SHAPES["square"])
    in_detail(cycle).sigma_zyx[2, 1, 1] = 0.4
    picture = precision_maps_picture(replace(cycle, tolerance_nm=(30.0, 100.0)), image)
    texts = [text for text, _ in picture.texts]
    assert "40" in texts  # 0.4 px of 100 nm
    assert texts.count("10") >= 17  # rows and columns of the other blocks
    assert texts.count("25") == 9  # 0.1 kept planes of 250 nm
    assert blocks_with(picture, OUTLIER_COLOUR, 1) == [(2, 1)]
    assert blocks_with(picture, OUTLIER_COLOUR, 2) == []


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
    assert titles == ["Raw: the cycle failed, no shift is given"]
    # Without a local step, too, nothing is moved.
    lost = replace(cycle, blocks=None, shift_yx=(np.nan, np.nan))
    assert [title for title, *_ in overlaid_states(lost, reference, image)] == titles
    told = [text for text, _ in shift_maps_picture(cycle, image).texts]
    assert "The cycle failed: no shift is given for any block" in told
    assert any("failed" in text for text, _ in precision_maps_picture(cycle, image).texts)
    told = " ".join(text for text, _ in details_picture(cycle, reference, image).texts)
    assert "Raw" in told and "After" not in told
    # What was tried: the confidence that each block reached, and nothing else.
    titles = [text for text, _ in quality_maps_picture(cycle, image).texts]
    assert "Confidence" in titles
    assert not any(text.startswith("NRMSE in") for text in titles)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_pictures_are_small_and_hold_all_their_text(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    cycle, reference, image = cycle_and_previews(shape)
    papers = [
        before_after_picture(cycle, reference, image),
        details_picture(cycle, reference, image),
        shift_maps_picture(cycle, image),
        precision_maps_picture(cycle, image),
        quality_maps_picture(cycle, image),
        preprocessing_picture(cycle, reference, image),
    ]
    for number, paper in enumerate(papers):
        path = tmp_path / f"{number}.png"
        paper.save(path)
        assert path.stat().st_size < LARGEST_FILE
        with Image.open(path) as picture:
            assert picture.size == paper.image.size
        assert len(paper.texts) > 1
        for text, (left, top, right, bottom) in paper.texts:
            assert min(left, top) > 0, text
            assert right < paper.image.width, text
            assert bottom < paper.image.height, text


@pytest.mark.parametrize("palette", STOPS)
def test_colours_are_those_that_matplotlib_gives(palette: str) -> None:
    values = np.linspace(0, 1, 101)
    theirs = mpl.colormaps[palette](values)[:, :3] * 255
    assert np.abs(coloured(2 * values - 3, palette, (-3, -1)) - theirs).max() < 12
    assert tuple(coloured(np.array([np.nan]), palette, (0, 1))[0]) == (217, 217, 217)


def test_an_arrow_points_where_positions_go() -> None:
    paper = Paper(2, 2, "")
    paper.polygons([arrow(np.array((1.0, 1.0)), np.array((0.6, 0.0)))], "#ff0000")
    red = np.asarray(paper.image)[..., 1] < 128
    rows, columns = np.nonzero(red)
    assert (columns.min(), columns.max()) == pytest.approx((70, 130), abs=1)
    # The head, which is wider, is at the end.
    assert red[:, 122].sum() > 2 * red[:, 80].sum()
    assert rows.mean() == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((-0.5, 0.5), [-0.4, -0.2, 0, 0.2, 0.4]),
        ((0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ((0, 61), range(0, 61, 10)),
    ],
)
def test_steps_of_a_scale_are_round(ends: tuple[float, float], expected: Iterable[float]) -> None:
    assert round_steps(*ends) == pytest.approx(list(expected))


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


def test_blocks_at_the_edge_have_their_true_size_and_arrows_stay_inside() -> None:
    """Of 150 x 170 px in blocks of 64 the last are 22 px high and 42 px wide."""
    cycle, _, image = cycle_and_previews(SHAPES["uneven"])
    maps = block_maps("title", "note", 1, cycle, image)
    corner, full, box = maps.block_box(0, 2, 2), maps.block_box(0, 0, 0), maps.box(0)
    assert corner.height / full.height == pytest.approx(22 / 64)
    assert corner.width / full.width == pytest.approx(42 / 64)
    assert corner.left + corner.width == pytest.approx(box.left + box.width)
    draw_arrows(maps, 0, cycle, image)
    yellow = np.array(rgb(ARROW_COLOURS["measured"]))
    rows, columns = np.nonzero((np.asarray(maps.paper.image) == yellow).all(axis=-1))
    left, top, right, bottom = box.px
    assert len(rows)
    assert top <= rows.min() and rows.max() < bottom
    assert left <= columns.min() and columns.max() < right


def test_palette_of_a_saved_picture_keeps_white_rare_colours_and_shades() -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((60, 300, 3), 255, dtype=np.uint8)
    pixels[:20] = np.linspace(0, 255, 300).astype(np.uint8)[:, np.newaxis]
    pixels[20:40] = rng.integers(0, 256, (20, 300, 1)) * np.array([1, 0, 1])
    pixels[50, 7] = (0, 200, 30)
    saved = np.asarray(with_palette(Image.fromarray(pixels)).convert("RGB")).astype(int)
    assert (saved[59] == 255).all()
    assert np.abs(saved - pixels).max() <= 6


def test_picture_of_few_colours_is_saved_as_it_is_but_for_one_grey_value() -> None:
    pixels = np.zeros((40, 256, 3), dtype=np.uint8)
    pixels[:, :100] = (1, 254, 3)
    saved = with_palette(Image.fromarray(pixels)).convert("RGB")
    assert np.abs(np.asarray(saved).astype(int) - pixels).max() <= 1
