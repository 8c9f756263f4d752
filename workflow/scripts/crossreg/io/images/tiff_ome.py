"""OME metadata of TIFF files: names, sizes, and which plane lies in which file of a set.

The files of a set share one description: each holds a copy of it, or names the file that holds it
(a companion). A file stands for what lies in it; only where the planes of one stack lie in several
files are the others needed, too.

https://docs.openmicroscopy.org/ome-model/6.3.1/ome-tiff/specification.html
"""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile
from lxml import etree

from crossreg.io.errors import UserError
from crossreg.io.files import read_text
from crossreg.io.images.image_file import SeriesMetadata, in_um

MOST_PLANES = 10**7
"""More than any set has: a list of them all is made."""
# An element of lxml, or the root.
Element = Any


@dataclass(frozen=True)
class TiffFileOfSet:
    """One file of a set.

    `uuid` is its identity, where it has one; `is_only`: its own metadata name no other file.
    """

    path: Path
    pages: int
    uuid: str | None
    is_only: bool

    def other(self, part: Element) -> str | None:
        """Return the name of the other file in which a part of the planes lies; None if here."""
        uuid = part.find("{*}UUID")
        if uuid is None or self.is_only:
            return None
        name = _base_name(uuid.get("FileName", ""))
        is_own = name == self.path.name or (uuid.text or "").strip() == self.uuid
        return None if is_own else name


def series_metadata(text: str) -> list[SeriesMetadata]:
    """Return what OME metadata say of their images, in order."""
    found: list[SeriesMetadata] = []
    for pixels in _parsed(text).iterfind("{*}Image/{*}Pixels"):
        sizes = [
            in_um(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
            for axis in "ZYX"
        ]
        channels = tuple(part.get("Name", "") for part in pixels.iterfind("{*}Channel"))
        name = pixels.getparent().get("Name", "")
        found.append((name, channels, (sizes[0], sizes[1], sizes[2])))
    return found


def text_of_file(text: str, path: Path, pages: int) -> str:
    """Return the OME metadata of what lies in a file of `pages` pages, whose own text is `text`.

    That is `text` itself unless it speaks of other files, or of this one by another name. Of a
    stack whose planes lie in several files, all are named. Raises UserError if the
    text is cut off, or if a file that is needed is not beside this one.
    """
    try:
        root = _parsed(text)
        uuid, reference = root.get("UUID"), root.find("{*}BinaryOnly")
        if reference is not None:
            root = _parsed(_companion(reference, path))
            # The reader takes the file that it opens for the one that the text is of.
            root.attrib.pop("UUID", None)
            if uuid is not None:
                root.set("UUID", uuid)
        for pixels in root.iterfind("{*}Image/{*}Pixels"):
            _sizes(pixels)
        named = {one.text for one in root.iterfind("{*}Image/{*}Pixels/{*}TiffData/{*}UUID")}
        is_only = reference is None and len(named) == 1 and (uuid is None or uuid in named)
        if reference is None and named <= {uuid}:
            return text
        _leave_out_others(root, TiffFileOfSet(path, pages, uuid, is_only))
    except (etree.XMLSyntaxError, ValueError):
        raise UserError(
            f"{path}: its OME metadata are cut off or do not fit its planes, so that channels and"
            " planes cannot be told apart; copy or save it again."
        ) from None
    if root.find("{*}Image") is None:
        raise UserError(
            f"{path}: its OME metadata are those of other files; was it renamed? Give it its name"
            " back."
        )
    return str(etree.tostring(root, encoding="unicode")).rstrip()


def _parsed(text: str) -> Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.fromstring(text.encode(), parser)


def _companion(reference: Element, path: Path) -> str:
    """Return the metadata of the file that `reference` names: a companion, or a TIFF of the set."""
    name = reference.get("MetadataFile", "")
    companion = _beside(name, path)
    if companion is None:
        raise UserError(
            f"{path}: its OME metadata lie in the file '{name}', which is not beside it; copy it"
            " there."
        )
    if name.lower().endswith((".tif", ".tiff", ".tf2", ".tf8", ".btf")):
        with tifffile.TiffFile(companion) as file:
            text = file.pages.first.description or ""
    else:
        text = read_text(companion)
    if _parsed(text).find("{*}BinaryOnly") is not None:
        raise UserError(f"{companion}: it holds no OME metadata itself; copy it again.")
    return text


def _beside(name: str, path: Path) -> Path | None:
    """Return the file of this name in the folder of `path`; None if there is none."""
    beside = path.parent / _base_name(name)
    return beside if "\0" not in name and beside.is_file() else None


def _base_name(name: str) -> str:
    """Return a file's name without folders, which are those of the microscope's computer."""
    return name.replace("\\", "/").rpartition("/")[2]


def _leave_out_others(root: Element, file: TiffFileOfSet) -> None:
    """Leave out of the metadata what lies in other files, wherever this one holds whole stacks."""
    for image in list(root.iterfind("{*}Image")):
        pixels = image.find("{*}Pixels")
        parts = [] if pixels is None else pixels.findall("{*}TiffData")
        own = [part for part in parts if file.other(part) is None]
        others = {name for part in parts if (name := file.other(part)) is not None}
        if not others:
            _drop_names(own)
            continue
        planes = _Planes.of(pixels)
        pages = planes.in_file(own, file.pages)
        if not pages:
            root.remove(image)
        elif planes.are_stacks(pages):
            planes.keep(pages)
        else:
            _check_beside(others, file.path)
            for uuid in pixels.iterfind("{*}TiffData/{*}UUID"):
                uuid.set("FileName", _base_name(uuid.get("FileName", "")))


def _drop_names(parts: list[Element]) -> None:
    """Let planes be those of the file that is read, whatever it was called when it was written."""
    for part in parts:
        for uuid in part.findall("{*}UUID"):
            part.remove(uuid)


def _sizes(pixels: Element) -> dict[str, int]:
    """Return how many times, channels and planes an image claims; raise ValueError for nonsense."""
    sizes = {axis: int(pixels.get(f"Size{axis}", 0)) for axis in "TCZ"}
    if min(sizes.values()) < 1 or math.prod(sizes.values()) > MOST_PLANES:
        raise ValueError(sizes)
    return sizes


def _check_beside(names: set[str], path: Path) -> None:
    """Raise UserError unless these files are in the folder of `path`."""
    missing = sorted(name for name in names if _beside(name, path) is None)
    if missing:
        raise UserError(
            f"{path}: its planes continue in the file '{missing[0]}', which is not beside it; copy"
            " it there, or save the image in one file."
        )


@dataclass(frozen=True)
class _Planes:
    """The planes of an image, numbered in its order of dimensions."""

    pixels: Element
    axes: str  # fastest first, as "CZT"
    sizes: tuple[int, ...]  # in that order
    samples: int  # of a pixel: a colour image has several

    @classmethod
    def of(cls, pixels: Element) -> "_Planes":
        channel = pixels.find("{*}Channel")
        samples = int(channel.get("SamplesPerPixel", 1)) if channel is not None else 1
        axes = pixels.get("DimensionOrder", "")[2:]
        if sorted(axes) != ["C", "T", "Z"] or samples < 1:
            raise ValueError(axes)
        sizes = _sizes(pixels)
        sizes["C"] //= samples
        return cls(pixels, axes, tuple(sizes[axis] for axis in axes), samples)

    def in_file(self, parts: list[Element], pages: int) -> dict[int, int]:
        """Return plane -> page, for these parts of the planes and a file of so many pages."""
        found: dict[int, int] = {}
        for part in parts:
            page = int(part.get("IFD", 0))
            stated = part.get("PlaneCount") or part.get("NumPlanes")
            count = int(stated) if stated else (1 if part.get("IFD") else pages)
            index = {axis: int(part.get(f"First{axis}", 0)) for axis in self.axes}
            first = self._number(index)
            fits = first + count <= math.prod(self.sizes) and page + count <= pages
            if min(page, count, *index.values()) < 0 or not fits:
                raise ValueError(part.attrib)
            found |= {first + step: page + step for step in range(count)}
        if len(set(found.values())) < len(found):
            raise ValueError("a page is said to be two planes")
        return found

    def are_stacks(self, own: dict[int, int]) -> bool:
        """Return whether these planes are whole stacks: all z of some channels at some times."""
        times, channels = self._times_and_channels(own)
        return len(own) == len(times) * len(channels) * self.sizes[self.axes.index("Z")]

    def keep(self, own: dict[int, int]) -> None:
        """Let the image be these planes, and no others."""
        times, channels = self._times_and_channels(own)
        kept = {"T": times, "C": channels}
        described = self.pixels.findall("{*}Channel")
        for index, channel in enumerate(described):
            if index not in channels:
                self.pixels.remove(channel)
        namespace = self.pixels.tag.rpartition("}")[0] + "}" if "}" in self.pixels.tag else ""
        for tag in ("TiffData", "Plane"):
            for element in self.pixels.findall(f"{{*}}{tag}"):
                self.pixels.remove(element)
        self.pixels.set("SizeT", str(len(times)))
        self.pixels.set("SizeC", str(len(channels) * self.samples))
        for number, page in sorted(own.items()):
            part = etree.SubElement(self.pixels, f"{namespace}TiffData")
            part.attrib.update({"IFD": str(page), "PlaneCount": "1"})
            for axis, value in self._index(number).items():
                part.set(f"First{axis}", str(kept[axis].index(value) if axis in kept else value))

    def _times_and_channels(self, own: dict[int, int]) -> tuple[list[int], list[int]]:
        indices = [self._index(number) for number in own]
        times, channels = ({index[axis] for index in indices} for axis in "TC")
        return sorted(times), sorted(channels)

    def _number(self, index: dict[str, int]) -> int:
        steps = itertools.accumulate((1, *self.sizes[:-1]), lambda before, size: before * size)
        return sum(index[axis] * step for axis, step in zip(self.axes, steps, strict=True))

    def _index(self, number: int) -> dict[str, int]:
        index: dict[str, int] = {}
        for axis, size in zip(self.axes, self.sizes, strict=True):
            number, index[axis] = divmod(number, size)
        return index
