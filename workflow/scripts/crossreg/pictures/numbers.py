"""Numbers on a picture as one outline: hundreds of texts of matplotlib take seconds."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath, text_to_path
from matplotlib.transforms import Affine2D

ABOVE_HATCHES = 4
RIM = 2.0
"""Points of the rim around numbers, both sides together."""
OUTLINE_SIZE = 100.0
"""Size in which outlines of characters are kept; they are scaled when drawn."""


def width_of(text: str) -> float:
    """Return the width of a text as a multiple of its font size."""
    return sum(_glyph(sign)[1] for sign in text) / OUTLINE_SIZE


def texts_patch(
    texts: Sequence[str], centres: np.ndarray, size: float, transform: Affine2D, colour: str
) -> PathPatch:
    """Return the outline of texts around `centres` (n, 2: right, up), in units of `transform`.

    A rim of the opposite brightness keeps them apart from hatches.

    `size` is the font size in the same units.
    """
    middle = _glyph("0")[0].get_extents().height / 2
    parts = []
    for text, centre in zip(texts, centres, strict=True):
        at = -width_of(text) / 2 * OUTLINE_SIZE
        for sign in text:
            outline, advance = _glyph(sign)
            corner = np.array((at, -middle))
            vertices = (outline.vertices + corner) * (size / OUTLINE_SIZE) + centre
            parts.append(Path(vertices, outline.codes))
            at += advance
    path = Path.make_compound_path(*parts) if parts else Path(np.zeros((0, 2)))
    rim = withStroke(linewidth=RIM, foreground="black" if colour == "white" else "white", alpha=0.5)
    style = {"facecolor": colour, "linewidth": 0, "path_effects": [rim]}
    return PathPatch(path, transform=transform, zorder=ABOVE_HATCHES, **style)


@cache
def _glyph(sign: str) -> tuple[Path, float]:
    """Return the outline of a character and how far the next one is, in OUTLINE_SIZE."""
    font = FontProperties(size=OUTLINE_SIZE)
    advance = text_to_path.get_text_width_height_descent(sign, font, False)[0]
    return TextPath((0, 0), sign, size=OUTLINE_SIZE), advance
