"""Pictures of sections show every tile, its true displacement, and name wrong sections."""

import numpy as np
import pytest
from matplotlib.quiver import Quiver

from crossreg.pictures.sections import LowResolution, section_figure, stack_figure

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
        tiles("EM", np.zeros(2)),
        tiles("EM", MOVED),
        (image, image, image) if with_images else None,
    )
    arrows = [part for axes in figure.axes for part in axes.collections if isinstance(part, Quiver)]
    assert len(arrows) == 1
    assert np.column_stack([arrows[0].U, arrows[0].V]) == pytest.approx(np.tile(MOVED, (3, 1)))
    named = {text.get_text() for text in figure.axes[0].texts}
    assert named == {"LM", "EM0", "EM1", "EM2"}
    assert [len(axes.images) for axes in figure.axes] == ([1, 1, 0] if with_images else [0, 0, 0])


def test_wrong_sections_are_named_in_every_panel() -> None:
    sections = [f"{n:05d}" for n in range(30)]
    values = {"rotation [degrees]": np.zeros(30), "scale": np.ones(30)}
    figure = stack_figure("EM", sections, values, wrong=["00007"])
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [["00007"]] * 2
