"""CZI files of Zeiss microscopes, through the package pylibCZIrw; scenes are series."""

import functools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pylibCZIrw import czi

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import PixelSize, Plane, Series, size_or_none

GREY = {"Gray8": "uint8", "Gray16": "uint16", "Gray32Float": "float32"}
MOST_EMPTY = 100
"""How many times larger a plane may be than what was recorded of it: positions lie apart."""
# More pixels a plane than any camera or stitched field of view has.
LARGEST_PLANE = 10**10


class CziImages:
    """A CZI file. A scene of several tiles comes stitched, as the microscope placed them."""

    format = "CZI"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = czi.CziReader(str(path))
        try:
            self._scenes = self._file.scenes_bounding_rectangle or {
                None: self._file.total_bounding_rectangle
            }
            self.series = tuple(self._described())
        except BaseException:
            self._file.close()
            raise

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X) in the order of `indices`."""
        scene = list(self._scenes)[series]
        # A part of a longer acquisition keeps its numbers; the package states sizes alone.
        first = [min(index[axis] for _, index in self._held) for axis in range(3)]
        for index in indices:
            here = zip("TCZ", first, (time, channel, index), strict=True)
            place = {axis: start + number for axis, start, number in here}
            held = self._held.get((scene, tuple(place.values())), 0)
            if held * MOST_EMPTY < math.prod(self.series[series].shape_tczyx[3:]):
                raise UserError(
                    f"{self._path}: plane {index} is not in the file, or hardly a part of it: its"
                    " acquisition was stopped, or this series has fewer planes than others; save"
                    " the part that is whole."
                )
            yield self._file.read(plane=place, scene=scene)[..., 0]

    @functools.cached_property
    def _held(self) -> dict[tuple[int | None, tuple[int, ...]], int]:
        """Return (scene, (time, channel, z)) of each plane -> how many pixels the file holds of it.

        Others would be read as black. Raises UserError if a part of a plane claims to be larger
        than its place: all that it claims would be unpacked.
        """
        held: dict[tuple[int | None, tuple[int, ...]], int] = defaultdict(int)
        swollen: list[int] = []

        def note(number: int, part: Any) -> bool:
            size, place = part.physicalSize, part.logicalRect
            if size.w * size.h > place.w * place.h:
                swollen.append(number)
            elif (size.w, size.h) == (place.w, place.h):  # no reduced copy
                index = part.coordinate.to_dict()
                scene = index.get("S", 0) if None not in self._scenes else None
                held[scene, tuple(index.get(axis, 0) for axis in "TCZ")] += size.w * size.h
            return not swollen

        self._file.enumerate_subblocks(note)
        if swollen:
            raise UserError(
                f"{self._path}: part {swollen[0]} of its pixels is larger than its place; the file"
                " is damaged, copy it again."
            )
        if not held:
            raise UserError(f"{self._path}: the file holds no pixels; copy or save it again.")
        return held

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _described(self) -> Iterator[Series]:
        box = self._file.total_bounding_box
        t, c, z = (box[axis][1] - box[axis][0] if axis in box else 1 for axis in "TCZ")
        kinds = set(self._file.pixel_types.values())
        unknown = sorted(kinds - GREY.keys())
        fault = (
            f"pixels of type {unknown[0]} are not supported; save grey values" if unknown else ""
        )
        dtype = np.dtype(GREY.get(min(kinds, default=""), "uint16"))
        image = self._file.metadata["ImageDocument"]["Metadata"]
        names = _channel_names(image)
        for scene, box_yx in self._scenes.items():
            if box_yx.w * box_yx.h > LARGEST_PLANE:
                raise UserError(
                    f"{self._path}: the file claims planes of {box_yx.h} x {box_yx.w} px; it is"
                    " damaged, copy it again."
                )
            name = "" if scene is None else f"scene {scene}"
            shape = (t, c, z, box_yx.h, box_yx.w)
            yield Series(name, shape, dtype, names if len(names) == c else (), _sizes(image), fault)


def _channel_names(image: dict[str, Any]) -> tuple[str, ...]:
    try:
        channels = image["Information"]["Image"]["Dimensions"]["Channels"]["Channel"]
    except (KeyError, TypeError):
        return ()
    listed = channels if isinstance(channels, list) else [channels]
    names = tuple(str(one.get("@Name") or "") for one in listed)
    return names if all(names) else ()


def _sizes(image: dict[str, Any]) -> PixelSize:
    """Return the scaling, which CZI states in metres."""
    try:
        distances = image["Scaling"]["Items"]["Distance"]
    except (KeyError, TypeError):
        return (None, None, None)
    listed = distances if isinstance(distances, list) else [distances]
    sizes = {
        one.get("@Id"): size * 1e6
        for one in listed
        if (size := size_or_none(one.get("Value"))) is not None
    }
    return sizes.get("Z"), sizes.get("Y"), sizes.get("X")
