"""CZI files of Zeiss microscopes, through the package pylibCZIrw; scenes are series."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pylibCZIrw import czi

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import PixelSize, Plane, Series, size_or_none

GREY = {"Gray8": "uint8", "Gray16": "uint16", "Gray32Float": "float32"}
MOST_EMPTY = 100
"""How many times more planes, or pixels of a plane, there may be than were recorded of them."""
# More pixels a plane than any camera or stitched field of view has.
LARGEST_PLANE = 10**10


@dataclass
class Scene:
    """What a file holds of a scene: pixels by (time, channel, z), and numbers on further axes."""

    pixels: dict[tuple[int, int, int], int] = field(default_factory=lambda: defaultdict(int))
    others: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    kinds: set[str] = field(default_factory=set)

    @property
    def first(self) -> tuple[int, int, int]:
        """Return the first time, channel and z: a part of an acquisition keeps its numbers."""
        t, c, z = (min(index[axis] for index in self.pixels) for axis in range(3))
        return t, c, z

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Return how many times, channels and z there are, from the first to the last."""
        last = (max(index[axis] for index in self.pixels) for axis in range(3))
        t, c, z = (end - start + 1 for end, start in zip(last, self.first, strict=True))
        return t, c, z

    @property
    def fault(self) -> str:
        """Return why no stack can be taken from the scene; empty if one can."""
        unknown = sorted(self.kinds - GREY.keys())
        if unknown:
            return f"pixels of type {unknown[0]} are not supported; save grey values"
        several = sorted(axis for axis, numbers in self.others.items() if len(numbers) > 1)
        return f"its axis '{several[0]}' is not read here; save one stack a file" if several else ""


class CziImages:
    """A CZI file. A scene of several tiles comes stitched, as the microscope placed them."""

    format = "CZI"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = czi.CziReader(str(path))
        try:
            self._boxes = self._file.scenes_bounding_rectangle or {
                None: self._file.total_bounding_rectangle
            }
            self._scenes = self._held()
            self.series = tuple(self._described())
        except BaseException:
            self._file.close()
            raise

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X) in the order of `indices`."""
        name = list(self._boxes)[series]
        scene, size = self._scenes[name], math.prod(self.series[series].shape_tczyx[3:])
        first_t, first_c, first_z = scene.first
        for index in indices:
            numbers = {"T": first_t + time, "C": first_c + channel, "Z": first_z + index}
            held = scene.pixels.get((numbers["T"], numbers["C"], numbers["Z"]), 0)
            if held * MOST_EMPTY < size:
                raise UserError(
                    f"{self._path}: plane {index} is not in the file, or hardly a part of it: its"
                    " acquisition was stopped; save the part that is whole."
                )
            yield self._file.read(plane=numbers, scene=name)[..., 0]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _held(self) -> dict[int | None, Scene]:
        """Return what the file holds of each scene: what it lacks would be read as black.

        Raises UserError if a part of a plane claims to be larger than its place: all that it claims
        would be unpacked.
        """
        scenes: dict[int | None, Scene] = {name: Scene() for name in self._boxes}
        swollen: list[int] = []

        def note(number: int, part: Any) -> bool:
            size, box = part.physicalSize, part.logicalRect
            if size.w * size.h > box.w * box.h:
                swollen.append(number)
            elif (size.w, size.h) == (box.w, box.h):  # no reduced copy
                index = part.coordinate.to_dict()
                scene = scenes.get(None) or scenes.setdefault(index.pop("S", 0), Scene())
                t, c, z = (index.pop(axis, 0) for axis in "TCZ")
                scene.pixels[t, c, z] += size.w * size.h
                scene.kinds.add(part.pixelType.name)
                for axis, number_there in index.items():
                    scene.others[axis].add(number_there)
            return not swollen

        self._file.enumerate_subblocks(note)
        if swollen:
            raise UserError(
                f"{self._path}: part {swollen[0]} of its pixels is larger than its place; the file"
                " is damaged, copy it again."
            )
        return scenes

    def _described(self) -> Iterator[Series]:
        image = self._file.metadata["ImageDocument"]["Metadata"]
        all_names = _channel_names(image)
        for name, box in self._boxes.items():
            scene = self._scenes[name]
            if not scene.pixels:
                raise UserError(f"{self._path}: a scene holds no pixels; copy the file again.")
            t, c, z = scene.sizes
            few = t * c * z > MOST_EMPTY * len(scene.pixels)
            if few or not 0 < box.w * box.h <= LARGEST_PLANE:
                raise UserError(
                    f"{self._path}: the file claims {t * c * z} planes of {box.h} x {box.w} px, but"
                    f" holds {len(scene.pixels)}; it is damaged, copy it again."
                )
            first = scene.first[1]
            names = all_names[first : first + c]
            kinds = [np.dtype(GREY[kind]) for kind in scene.kinds if kind in GREY]
            yield Series(
                "" if name is None else f"scene {name}",
                (t, c, z, box.h, box.w),
                np.result_type(*kinds) if kinds else np.dtype("uint16"),
                names if len(names) == c else (),
                _sizes(image),
                scene.fault,
            )


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
