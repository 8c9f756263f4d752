"""Images (C, Z, Y, X) written a few planes at a time: OME-Zarr 0.4 and OME-TIFF, with pyramids.

Each level of a pyramid has half the rows and columns of the one before; planes stay.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from crossreg.io.files import TEMPORARY_PREFIX, whole

SMALLEST_LEVEL = 256
"""Rows or columns at which a pyramid ends: what fits a screen."""
TILE = 256
"""Rows and columns of a chunk or tile."""
CHUNK_PLANES = 16
"""Planes of a chunk, which are also written at once."""
COLOURS = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF", "FFFFFF")
"""Colours that viewers give to the channels, one after another."""


@dataclass(frozen=True)
class Description:
    """What an image file says of itself: shape (C, Z, Y, X), names, um of a plane and a pixel."""

    name: str
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    channels: tuple[str, ...]
    pixel_size_um: tuple[float, float, float]

    @property
    def levels(self) -> int:
        """Return how many levels the pyramid has, the full image included."""
        smallest, levels = min(self.shape[2:]), 1
        while smallest > SMALLEST_LEVEL:
            smallest, levels = smallest // 2, levels + 1
        return levels

    def shape_of(self, level: int) -> tuple[int, int, int, int]:
        """Return the shape of a level of the pyramid."""
        channels, planes, *plane = self.shape
        for _ in range(level):
            plane = [size // 2 for size in plane]
        return channels, planes, plane[0], plane[1]


def halved(planes: np.ndarray) -> np.ndarray:
    """Return planes (n, Y, X) with the means of 2 x 2 pixels; an odd last row or column is left."""
    rows, columns = planes.shape[1] // 2 * 2, planes.shape[2] // 2 * 2
    parts = [planes[:, y:rows:2, x:columns:2] for y in (0, 1) for x in (0, 1)]
    if planes.dtype.kind == "f":
        return np.asarray(sum(part / 4 for part in parts), planes.dtype)
    wide = np.promote_types(planes.dtype, np.int64 if planes.dtype.kind == "i" else np.uint32)
    total = parts[0].astype(wide)
    for part in parts[1:]:
        total += part
    return ((total + 2) // 4).astype(planes.dtype)


def write_ome_zarr(path: Path, about: Description, slabs: Iterable[np.ndarray]) -> None:
    """Write an OME-Zarr store (NGFF 0.4), whole or not at all.

    `slabs` are planes (n, Y, X), CHUNK_PLANES at a time, of one channel after another; only the
    last slab of a channel may have fewer.
    """
    import numcodecs
    import zarr

    with _whole_folder(path) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=2)
        arrays = [
            group.create_array(
                str(level),
                shape=about.shape_of(level),
                chunks=(1, min(CHUNK_PLANES, about.shape[1]), TILE, TILE),
                dtype=about.dtype,
                compressors=numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE),
                chunk_key_encoding={"name": "v2", "separator": "/"},
                fill_value=0,
            )
            for level in range(about.levels)
        ]
        windows = [_Window() for _ in about.channels]
        for channel, first, slab in _placed(about, slabs):
            for array in arrays:
                array[channel, first : first + len(slab)] = slab
                last, slab = slab, halved(slab)
            windows[channel].add(last)
        group.attrs.update(_ngff(about, windows))


def write_ome_tiff(path: Path, about: Description, slabs: Iterable[np.ndarray]) -> None:
    """Write an OME-TIFF file with a pyramid in sub-IFDs, whole or not at all; see write_ome_zarr.

    The next smaller level waits in a file of a quarter of the size until the full one is written.
    """
    size_z, size_y, size_x = about.pixel_size_um
    metadata = {
        "axes": "CZYX",
        "Name": about.name,
        "Channel": {"Name": list(about.channels)},
        **{"PhysicalSizeZ": size_z, "PhysicalSizeY": size_y, "PhysicalSizeX": size_x},
        **{f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"},
    }
    options: dict[str, Any] = {
        "tile": (TILE, TILE),
        "dtype": about.dtype,
        "compression": "zlib",
        "compressionargs": {"level": 1},
        "photometric": "minisblack",
    }
    with (
        whole(path) as temporary,
        _waiting(path, about) as smaller,
        tifffile.TiffWriter(temporary, bigtiff=True, ome=True) as tiff,
    ):
        full = _tiles(_full_planes(about, slabs, smaller))
        subifds = about.levels - 1
        tiff.write(full, shape=about.shape, subifds=subifds, metadata=metadata, **options)
        for level in range(1, about.levels):
            shape = about.shape_of(level)
            tiles = _tiles(_smaller_planes(smaller, level))
            tiff.write(tiles, shape=shape, subfiletype=1, metadata=None, **options)


@contextlib.contextmanager
def _waiting(path: Path, about: Description) -> Iterator[np.ndarray | None]:
    """Yield an array in a file for the second level of a pyramid; None if there is none."""
    if about.levels == 1:
        yield None
        return
    place = path.with_name(f"{TEMPORARY_PREFIX}{path.name}.smaller")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield np.memmap(place, about.dtype, "w+", shape=about.shape_of(1))
    finally:
        place.unlink(missing_ok=True)


def _full_planes(
    about: Description, slabs: Iterable[np.ndarray], smaller: np.ndarray | None
) -> Iterator[np.ndarray]:
    for channel, first, slab in _placed(about, slabs):
        if smaller is not None:
            smaller[channel, first : first + len(slab)] = halved(slab)
        yield from slab


def _smaller_planes(smaller: np.ndarray | None, level: int) -> Iterator[np.ndarray]:
    assert smaller is not None
    for channel in smaller:
        for plane in channel:
            planes = np.asarray(plane)[None]
            for _ in range(level - 1):
                planes = halved(planes)
            yield planes[0]


def _tiles(planes: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the tiles of planes (Y, X), by rows; those at the edges are filled up with 0."""
    for plane in planes:
        for y in range(0, plane.shape[0], TILE):
            for x in range(0, plane.shape[1], TILE):
                tile = plane[y : y + TILE, x : x + TILE]
                missing = [(0, TILE - size) for size in tile.shape]
                yield np.pad(tile, missing) if tile.shape != (TILE, TILE) else tile


def _placed(
    about: Description, slabs: Iterable[np.ndarray]
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (channel, first plane, slab), the next slab being made while one is written."""
    channel, first = 0, 0
    with ThreadPoolExecutor(1) as pool:
        source = iter(slabs)
        coming = pool.submit(next, source, None)
        while (slab := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield channel, first, slab
            first += len(slab)
            if first == about.shape[1]:
                channel, first = channel + 1, 0


@contextlib.contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; move it to `path` when the block succeeds."""
    temporary = path.with_name(TEMPORARY_PREFIX + path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


class _Window:
    """The range of grey values that a viewer shows first."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf

    def add(self, planes: np.ndarray) -> None:
        """Take some planes of the smallest level into account; 0 is mostly what is not shown."""
        shown = planes[planes != 0]
        if shown.size:
            self.low = min(self.low, float(shown.min()))
            self.high = max(self.high, float(shown.max()))

    def as_json(self) -> dict[str, float]:
        """Return the window as NGFF has it."""
        low, high = (self.low, self.high) if self.low <= self.high else (0.0, 1.0)
        return {"min": 0.0, "max": high, "start": low, "end": high}


def _ngff(about: Description, windows: list[_Window]) -> dict[str, Any]:
    """Return the attributes of the store: axes, levels with their scales, channels."""
    size_z, size_y, size_x = about.pixel_size_um
    datasets = []
    for level in range(about.levels):
        step = 2**level
        scale = [1.0, size_z, size_y * step, size_x * step]
        # The centre of the first pixel of a level lies amid the pixels it is the mean of.
        move = [0.0, 0.0, size_y * (step - 1) / 2, size_x * (step - 1) / 2]
        transforms = [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": move},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    channels = [
        {
            "label": name,
            "color": COLOURS[number % len(COLOURS)],
            "window": window.as_json(),
            "active": True,
        }
        for number, (name, window) in enumerate(zip(about.channels, windows, strict=True))
    ]
    image = {"version": "0.4", "name": about.name, "type": "mean", "axes": axes}
    return {
        "multiscales": [image | {"datasets": datasets}],
        "omero": {"version": "0.4", "name": about.name, "channels": channels},
    }
