"""A sheet of paper on which Pillow draws images, texts, frames and arrows, in inches.

A picture of some twenty panels takes matplotlib a second and Pillow a tenth of it.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from crossreg.io.files import whole
from crossreg.pictures.drawing.layout import DPI, FONT_SIZE
from crossreg.pictures.drawing.palettes import rgb

POINTS_PER_INCH = 72
FINER = 4
"""Times that slanted lines are drawn larger and then reduced, which smooths their edges."""
SHARP = 3
"""Magnification from which on pixels are shown as squares."""
LINE_SPACING = 1.3
VEIL = 0.55
"""How much of what is behind a text its ground hides."""
COLOUR_STEP = 2
"""Grey values by which colours of a saved picture may be off before its palette is chosen."""
COMPRESSION = 4
"""Of zlib: 6 takes as long again as all else of saving and makes a tenth fewer bytes."""
WHITE, BLACK, GREY = "#ffffff", "#000000", "#595959"
HATCHES = {"borrowed": (1,), "failed": (1, -1), "missing": ()}
"""Directions of the lines that hatch blocks of a status; dots where there is none."""
HATCH_STEP = 7
"""Pixels from line to line."""


@dataclass(frozen=True)
class Box:
    """A rectangle on the paper in inches, counted from the left and from the top."""

    left: float
    top: float
    width: float
    height: float

    @property
    def px(self) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom (exclusive) in pixels."""
        left, top = round(self.left * DPI), round(self.top * DPI)
        right, bottom = (self.left + self.width) * DPI, (self.top + self.height) * DPI
        return left, top, max(round(right), left + 1), max(round(bottom), top + 1)

    def part(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """Return the rectangle between fractions of the width and of the height."""
        return Box(
            self.left + left * self.width,
            self.top + top * self.height,
            (right - left) * self.width,
            (bottom - top) * self.height,
        )


class Paper:
    """A white sheet with a title; `texts` keeps the pixels that each text covers."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height = width, height
        self.image = Image.new("RGB", (round(width * DPI), round(height * DPI)), WHITE)
        self._draw = ImageDraw.Draw(self.image)
        self.texts: list[tuple[str, tuple[float, float, float, float]]] = []
        self.text((0.15, 0.1), title, size=FONT_SIZE + 2, bold=True)

    def note(self, text: str) -> None:
        """Write what is to be known of the picture below its title."""
        self.text((0.15, 0.38), text)

    def text(
        self,
        point: tuple[float, float],
        text: str,
        *,
        size: float = FONT_SIZE,
        bold: bool = False,
        colour: str = BLACK,
        anchor: str = "la",
        rim: str = "",
        ground: str = "",
    ) -> None:
        """Write a text at a point (left, top in inches), `size` in points.

        `anchor` is Pillow's: l, m, r (left, middle, right), then a, m, s, d (top, middle, base
        line, bottom). `ground` is a colour behind the text, `rim` one around the letters of a
        number: these are neither bold nor on a ground.
        """
        at = (point[0] * DPI, point[1] * DPI)
        if rim:
            self._stamp(
                at, _Stamp.of(text, round(size * DPI / POINTS_PER_INCH), colour, anchor, rim)
            )
            return
        style: dict[str, Any] = {
            "font": _font(round(size * DPI / POINTS_PER_INCH), bold),
            "anchor": anchor,
            "spacing": size * (LINE_SPACING - 1),
            "align": {"l": "left", "m": "center", "r": "right"}[anchor[0]],
        }
        box = self._draw.textbbox(at, text, **style)
        self.texts.append((text, box))
        if ground:
            self._veil((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), ground)
        self._draw.text(at, text, fill=colour, **style)

    def upright_text(self, point: tuple[float, float], text: str) -> None:
        """Write a text that is read from below, its middle at a point."""
        font = _font(round(FONT_SIZE * DPI / POINTS_PER_INCH), False)
        left, top, right, bottom = font.getbbox(text)
        mask = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
        ImageDraw.Draw(mask).text((1 - left, 1 - top), text, fill=255, font=font)
        mask = mask.rotate(90, expand=True)
        at = (round(point[0] * DPI - mask.width / 2), round(point[1] * DPI - mask.height / 2))
        self.image.paste(rgb(BLACK), (*at, at[0] + mask.width, at[1] + mask.height), mask)
        self.texts.append((text, (*at, at[0] + mask.width, at[1] + mask.height)))

    def pixels(self, box: Box, values: np.ndarray) -> None:
        """Draw an image (rows, columns) or (rows, columns, 3) of uint8 so that it fills a box."""
        left, top, right, bottom = box.px
        size = (right - left, bottom - top)
        small = min(size[0] / values.shape[1], size[1] / values.shape[0])
        how = Image.Resampling.NEAREST if small >= SHARP else Image.Resampling.HAMMING
        drawn = Image.fromarray(np.ascontiguousarray(values)).resize(size, how)
        self.image.paste(drawn.convert("RGB"), (left, top))

    def squares(self, box: Box, colours: np.ndarray) -> None:
        """Draw colours (n_i, n_j, 3) of uint8 as rectangles that fill a box."""
        left, top, right, bottom = box.px
        drawn = Image.fromarray(colours).resize(
            (right - left, bottom - top), Image.Resampling.NEAREST
        )
        self.image.paste(drawn, (left, top))

    def frame(self, box: Box, colour: str = BLACK, width: int = 1) -> None:
        """Draw the outline of a box, the line around it."""
        left, top, right, bottom = box.px
        self._draw.rectangle(
            (left - width, top - width, right + width - 1, bottom + width - 1),
            outline=colour,
            width=width,
        )

    def inner_frame(self, box: Box, colour: str, width: int) -> None:
        """Draw the outline of a box, the line inside it."""
        left, top, right, bottom = box.px
        self._draw.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=width)

    def filled(self, box: Box, colour: str) -> None:
        """Fill a box with a colour."""
        left, top, right, bottom = box.px
        self._draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: str, width: int = 1
    ) -> None:
        """Draw a line between two points in inches."""
        self._draw.line([round(at * DPI) for at in (*start, *end)], fill=colour, width=width)

    def veiled_line(self, box: Box, colour: str, alpha: float) -> None:
        """Draw a thin box half transparent, such as a line of a grid over an image."""
        self._veil(box.px, colour, alpha)

    def dashed_frame(self, box: Box, colour: str) -> None:
        """Draw the outline of a box in dashes, the line inside it."""
        left, top, right, bottom = box.px
        for start in range(left, right, 7):
            end = min(start + 4, right - 1)
            for y in (top, bottom - 1):
                self._draw.line((start, y, end, y), fill=colour)
        for start in range(top, bottom, 7):
            end = min(start + 4, bottom - 1)
            for x in (left, right - 1):
                self._draw.line((x, start, x, end), fill=colour)

    def polygons(self, shapes: Sequence[np.ndarray], colour: str, rim: str = "") -> None:
        """Draw polygons, each with corners (n, 2: left, top in inches), with smooth edges."""
        for shape in shapes:
            corners = shape * DPI
            low = np.floor(corners.min(axis=0)).astype(int) - 2
            size = np.ceil(corners.max(axis=0)).astype(int) + 3 - low
            fine = [tuple(at) for at in (corners - low) * FINER]
            for width, fill in ((FINER, rim), (0, colour)) if rim else ((0, colour),):
                mask = Image.new("L", tuple(size * FINER))
                drawn = ImageDraw.Draw(mask)
                drawn.polygon(fine, fill=255)
                if width:
                    drawn.line([*fine, fine[0], fine[1]], fill=255, width=2 * width, joint="curve")
                mask = mask.resize(tuple(size), Image.Resampling.BOX)
                self.image.paste(rgb(fill), (*low, *(low + size)), mask)

    def hatched(self, box: Box, status: str) -> None:
        """Hatch a box as blocks of a status are."""
        left, top, right, bottom = box.px
        y, x = np.mgrid[top:bottom, left:right]
        ways, middle = HATCHES[status], HATCH_STEP / 2
        if ways:
            distance = np.min([np.abs((x + way * y) % HATCH_STEP - middle) for way in ways], axis=0)
        else:
            distance = np.hypot(x % HATCH_STEP - middle, y % HATCH_STEP - middle)
        mask = Image.fromarray((np.clip(1.3 - distance, 0, 1) * 200).astype(np.uint8))
        self.image.paste(rgb(GREY), (left, top, right, bottom), mask)

    def save(self, path: Path | str) -> None:
        """Write the sheet as PNG with a palette, which takes a third of the bytes.

        The palette covers all colours, rare ones too: an arrow keeps its colour beside an image.
        """
        few = with_palette(self.image)
        with whole(path) as temporary:
            few.save(temporary, format="PNG", compress_level=COMPRESSION)

    def _stamp(self, at: tuple[float, float], stamp: "_Stamp") -> None:
        """Put a stamp where its anchor lies at a point in pixels."""
        left, top = (round(place) for place in at)
        place = (left + stamp.left, top + stamp.top)
        self.image.paste(stamp.image, place, stamp.image)
        box = (*place, place[0] + stamp.image.width, place[1] + stamp.image.height)
        self.texts.append((stamp.text, box))

    def _veil(
        self, px: tuple[float, float, float, float], colour: str, alpha: float = VEIL
    ) -> None:
        """Mix a colour into what a rectangle of pixels shows."""
        left, top, right, bottom = (round(at) for at in px)
        box = (left, top, right, bottom)
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), round(255 * alpha))
        self.image.paste(rgb(colour), box, mask)


@dataclass(frozen=True)
class _Stamp:
    """A number with a rim, half transparent at its edges, and where it lies from its anchor (px).

    Maps of many blocks hold the same few numbers again and again.
    """

    text: str
    image: Image.Image
    left: int
    top: int

    @classmethod
    @cache
    def of(cls, text: str, px: int, colour: str, anchor: str, rim: str) -> "_Stamp":
        """Return the stamp of a text in letters of `px`."""
        style: dict[str, Any] = {"font": _font(px, False), "anchor": anchor, "stroke_width": 1}
        drawn = ImageDraw.Draw(Image.new("RGBA", (1, 1)))
        box = drawn.textbbox((0, 0), text, **style)
        left, top, right, bottom = (int(np.floor(at)) for at in box)
        # Of the rim's colour where it is transparent, so that edges are not darker.
        image = Image.new("RGBA", (right - left + 1, bottom - top + 1), (*rgb(rim), 0))
        drawn = ImageDraw.Draw(image)
        drawn.text((-left, -top), text, fill=colour, stroke_fill=rim, **style)
        return cls(text, image, left, top)


def with_palette(image: Image.Image) -> Image.Image:
    """Return an RGB image with a palette of 256 colours that covers all of its colours.

    Pillow finds them among colours that differ by more than COLOUR_STEP, each of them once, instead
    of among all pixels: that takes half the time.
    """
    levels = 256 // COLOUR_STEP
    red, green, blue = (np.asarray(band) // COLOUR_STEP for band in image.split())
    number = (red.astype(np.int32) * levels + green) * levels + blue
    occurs = np.zeros(levels**3, dtype=bool)
    occurs[number] = True
    (numbers,) = np.nonzero(occurs)
    # From 0 to 255 at both ends, so that white stays white.
    steps = np.stack(np.unravel_index(numbers, (levels,) * 3), axis=-1) * 255 // (levels - 1)
    colours = Image.fromarray(steps[np.newaxis].astype(np.uint8)).quantize(
        256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    place = np.zeros(levels**3, dtype=np.uint8)
    place[numbers] = np.asarray(colours)[0]
    few = Image.fromarray(place[number])
    few.putpalette(colours.getpalette() or [])
    return few


def text_width(text: str) -> float:
    """Return the width of a line of text of the usual size in inches."""
    return float(_font(round(FONT_SIZE * DPI / POINTS_PER_INCH), False).getlength(text)) / DPI


@cache
def _font(px: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which matplotlib brings along; found without importing it."""
    found = importlib.util.find_spec("matplotlib")
    folder = Path(next(iter(found.submodule_search_locations or [])) if found else "")
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(folder / "mpl-data" / "fonts" / "ttf" / name), px)
