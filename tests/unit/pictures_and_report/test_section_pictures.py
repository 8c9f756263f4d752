"""Pictures of sections show every tile, its true displacement, and name wrong sections."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.quiver import Quiver
from PIL import Image

from crossreg.crossmodal import affine
from crossreg.crossmodal.render.tile_specs import image_corners
from crossreg.pictures.drawing.canvas import save_png
from crossreg.pictures.drawing.layout import OUTLIER_COLOUR
from crossreg.pictures.of_sections.low_resolution import (
    LONGEST_SIDE,
    LowResolution,
    TileImage,
    as_low_resolution,
    box_around,
    drawn,
    unit_of,
)
from crossreg.pictures.of_sections.section_figures import (
    ARROW_COLOUR,
    Residuals,
    magnification,
    section_figure,
    stack_figure,
)

CORNERS = np.array([(0, 0), (100, 0), (100, 80), (0, 80)], dtype=float)
MOVED = np.array((12.0, -5.0))


def tiles(prefix: str, shift: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{prefix}{n}": CORNERS + np.array((110 * n, 0)) + shift for n in range(3)}


@pytest.mark.parametrize("with_images", [False, True])
def test_arrows_are_the_planted_displacement_and_tiles_are_named(with_images: bool) -> None:
    image = LowResolution(np.zeros((8, 32), np.uint8), (0, 320, 0, 80))
    figure = section_figure(
        "Section 00042",
        {"LM": CORNERS * (3.2, 1)},
        {"Before": tiles("EM", np.zeros(2)), "After": tiles("EM", MOVED)},
        (image, image, image) if with_images else None,
    )
    arrows = [part for axes in figure.axes for part in axes.collections if isinstance(part, Quiver)]
    assert len(arrows) == 1
    assert np.column_stack([arrows[0].U, arrows[0].V]) == pytest.approx(np.tile(MOVED, (3, 1)))
    named = {text.get_text() for text in figure.axes[0].texts}
    assert named == {"LM", "EM0", "EM1", "EM2"}
    assert [len(axes.images) for axes in figure.axes] == ([1, 1, 0] if with_images else [0, 0, 0])


def test_a_start_and_landmarks_get_panels_of_their_own() -> None:
    states = {
        "Before": tiles("EM", np.zeros(2)),
        "Start": tiles("EM", MOVED / 2),
        "After": tiles("EM", MOVED),
    }
    vectors = np.array([(0.5, 0.0), (0.0, -0.25), (0.1, 0.1)])
    fit = Residuals(np.array([(10.0, 10), (200, 20), (300, 70)]), vectors, np.arange(3) == 1)
    figure = section_figure("Section 00042", {"LM": CORNERS * (3.2, 1)}, states, residuals=fit)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:4] == ["Before", "Start", "After", "Displacement, at most 13.0 px"]
    assert titles[4] == "Landmarks: off by 0.5 px, arrows x 50"
    displaced, left = (
        part for axes in figure.axes for part in axes.collections if isinstance(part, Quiver)
    )
    assert np.column_stack([displaced.U, displaced.V]) == pytest.approx(np.tile(MOVED, (3, 1)))
    assert np.column_stack([left.U, left.V]) == pytest.approx(50 * vectors)
    orange = to_rgba(OUTLIER_COLOUR)
    assert [tuple(colour) == orange for colour in left.get_facecolor()] == [False, True, False]


@pytest.mark.parametrize(
    ("value", "length", "factor"),
    [(0.0, 10.0, 1), (30.0, 10.0, 1), (4.0, 10.0, 2), (0.3, 10.0, 20)],
)
def test_residuals_are_magnified_as_far_as_they_fit(value, length, factor) -> None:
    assert magnification(value, length) == pytest.approx(factor)


def test_wrong_sections_are_named_in_every_panel() -> None:
    sections = [f"{n:05d}" for n in range(30)]
    values = {"rotation [degrees]": np.zeros(30), "scale": np.ones(30)}
    figure = stack_figure("EM", sections, values, wrong=["00007"])
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [["00007"]] * 2


@pytest.mark.parametrize(
    "matrix",
    [
        (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
        (0.8, 0.6, -0.6, 0.8, 5000.0, -300.0),
        (-1.5, 0.2, 0.1, 0.7, 40.0, 7000.0),
    ],
    ids=["still", "turned", "mirrored"],
)
def test_what_an_image_shows_is_drawn_where_its_transform_sends_it(matrix: tuple) -> None:
    rows, columns = np.mgrid[:1200, :1800] + 0.5
    place = np.array([[1210.3, 402.8]])
    spot = np.exp(-((columns - place[0, 0]) ** 2 + (rows - place[0, 1]) ** 2) / (2 * 25.0**2))
    corners = affine.apply(matrix, image_corners(1800, 1200))
    box = box_around([corners])
    image = TileImage(100 + 50 * spot, (100.0, 150.0)).reduced(2)
    drawing = drawn([(image, corners)], box)
    assert max(drawing.shape) == LONGEST_SIDE
    seen = np.nan_to_num(drawing)
    centre = np.array([(np.indices(seen.shape)[axis] * seen).sum() / seen.sum() for axis in (1, 0)])
    world = (centre + 0.5) * unit_of(box) + (box[0], box[2])
    np.testing.assert_allclose(world, affine.apply(matrix, place)[0], atol=0.2 * unit_of(box))
    assert seen.max() == pytest.approx(1.0, abs=0.02)


def test_structures_shine_whether_they_are_bright_or_dark() -> None:
    bright = np.zeros((60, 60))
    bright[20:30, 30:45] = 1.0
    box = (0.0, 60.0, 0.0, 60.0)
    (first,), (second,) = as_low_resolution([bright], box), as_low_resolution([1 - bright], box)
    np.testing.assert_array_equal(first.pixels, 255 * bright)
    np.testing.assert_array_equal(second.pixels, first.pixels)


def test_names_too_long_for_their_tile_keep_their_end() -> None:
    before = {f"EM_session_{n}_tile": c for n, c in enumerate(tiles("", np.zeros(2)).values())}
    figure = section_figure("Section 00042", {"LM": CORNERS * (33, 1)}, {"Before": before})
    written = [text.get_text() for text in figure.axes[0].texts if text.get_text() != "LM"]
    assert len(written) == 3
    assert all(text.startswith("…") for text in written)
    assert all(name.endswith(text[1:]) for name, text in zip(before, written, strict=True))


def test_what_no_tile_covers_is_black() -> None:
    drawing = np.full((50, 50), 0.9)
    drawing[10:20, 10:20] = 0.1
    drawing[:5] = np.nan
    (image,) = as_low_resolution([drawing], (0.0, 50.0, 0.0, 50.0))
    assert not image.pixels[:5].any()


def test_arrows_keep_their_colour_beside_images(tmp_path) -> None:
    random = np.random.default_rng(1)
    box = (0.0, 330.0, -20.0, 100.0)
    images = [LowResolution(random.integers(0, 255, (300, 820), np.uint8), box) for _ in range(3)]
    states = {"Before": tiles("EM", np.zeros(2)), "After": tiles("EM", MOVED)}
    figure = section_figure("Section 00042", {"LM": CORNERS * (3.2, 1)}, states, images)
    save_png(figure, tmp_path / "picture.png")
    pixels = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB")).astype(int)
    colour = [int(ARROW_COLOUR[place : place + 2], 16) for place in (1, 3, 5)]
    assert np.abs(pixels - colour).max(axis=-1).min() < 20
