"""OME-Zarr stores, version 0.4 (Zarr 2) and 0.5 (Zarr 3): images, collections and plates.

The layout is that of the OME-NGFF specification (https://doi.org/10.1038/s41592-021-01326-w). The
package zarr reads the chunks; `guarded_store` keeps damaged ones from doing harm.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from crossreg.io.errors import UserError
from crossreg.io.files import read_json
from crossreg.io.images.guarded_store import GuardedStore
from crossreg.io.images.image_file import UNKNOWN_SIZE, PixelSize, Plane, Series, in_um

# Versions before 0.3 do not name their axes.
OLD_AXES = ("t", "c", "z", "y", "x")


class OmeZarrStore:
    """A folder that is an OME-Zarr store."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._images = list(_images(path))
        if not self._images:
            raise UserError(
                f"{path}: the store holds no OME-Zarr image ('multiscales' is nowhere in its"
                " metadata); copy it again, or write it as OME-Zarr 0.4 or 0.5."
            )
        self._arrays = [_full_resolution(path, folder, meta) for folder, meta, _ in self._images]
        self.series = tuple(
            _series(array, folder, meta, attributes, path)
            for array, (folder, meta, attributes) in zip(self._arrays, self._images, strict=True)
        )

    @property
    def format(self) -> str:
        """Return the format with the version of Zarr that it is written in."""
        return f"OME-Zarr (Zarr {self._arrays[0].metadata.zarr_format})"

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X); those that lie in one chunk along z are read together."""
        array, axes = self._arrays[series], _axes(self._images[series][1])
        in_chunk = array.chunks[axes.index("z")] if "z" in axes else 1
        with zarr.config.set({"async.concurrency": threads, "threading.max_workers": threads}):
            for _, group in itertools.groupby(indices, lambda index: index // in_chunk):
                wanted = list(group)
                planes = _read(array, axes, {"t": time, "c": channel}, wanted)
                yield from planes.astype(self.series[series].dtype, copy=False)

    def close(self) -> None:
        """Nothing is kept open."""


def _read(
    array: "zarr.Array[Any]", axes: Sequence[str], index: dict[str, int], planes: list[int]
) -> Plane:
    """Return equally spaced planes as (Z, Y, X), whatever the order of the axes."""
    step = planes[1] - planes[0] if len(planes) > 1 else 1
    if any(after - before != step for before, after in itertools.pairwise(planes)) or step < 1:
        return np.concatenate([_read(array, axes, index, [plane]) for plane in planes])
    selection = {"z": slice(planes[0], planes[-1] + 1, step), "y": slice(None), "x": slice(None)}
    kept = [axis for axis in axes if axis in selection]
    values = np.asarray(array[tuple(selection.get(axis, index.get(axis, 0)) for axis in axes)])
    values = values.transpose([kept.index(axis) for axis in "zyx" if axis in kept])
    return values if "z" in kept else values[None]


def _attributes(folder: Path) -> dict[str, Any]:
    """Return the OME metadata of a group: of zarr.json (0.5) or .zattrs (0.4); {} if none."""
    new, old = folder / "zarr.json", folder / ".zattrs"
    if new.is_file():
        content = read_json(new)
        attributes = content.get("attributes", {}) if isinstance(content, dict) else {}
        found = attributes.get("ome", {}) if isinstance(attributes, dict) else {}
    else:
        found = read_json(old) if old.is_file() else {}
    return found if isinstance(found, dict) else {}


def _images(store: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield (folder in the store, its first multiscale image, its metadata) of every image."""
    top = _attributes(store)
    for folder in _image_folders(store, top):
        attributes = top if not folder else _attributes(_inside(store, folder))
        multiscales = attributes.get("multiscales")
        if isinstance(multiscales, list) and multiscales and isinstance(multiscales[0], dict):
            yield folder, multiscales[0], attributes


def _image_folders(store: Path, top: dict[str, Any]) -> Iterator[str]:
    """Yield the folders of a store's images: itself, the fields of a plate, or a collection."""
    if "multiscales" in top:
        yield ""
    elif "plate" in top:
        for well in top["plate"].get("wells", []):
            for field in _attributes(_inside(store, well["path"])).get("well", {})["images"]:
                yield f"{well['path']}/{field['path']}"
    elif "bioformats2raw.layout" in top:
        named = _attributes(store / "OME").get("series")
        numbered = itertools.takewhile(
            lambda name: (store / name).is_dir(), map(str, itertools.count())
        )
        yield from (map(str, named) if isinstance(named, list) else numbered)


def _inside(store: Path, folder: str) -> Path:
    """Return a folder of the store; raise UserError if the metadata lead out of the store."""
    parts = Path(str(folder)).parts
    if Path(str(folder)).is_absolute() or ".." in parts:
        raise UserError(
            f"{store}: its metadata name the folder '{folder}', which is not in the store; it is"
            " damaged or not to be trusted."
        )
    return store.joinpath(*parts)


def _axes(meta: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of an image's axes in order."""
    axes = meta.get("axes") or OLD_AXES
    return tuple(str(axis["name"] if isinstance(axis, dict) else axis).lower() for axis in axes)


def _full_resolution(store: Path, folder: str, meta: dict[str, Any]) -> "zarr.Array[Any]":
    """Return the array of an image's first and largest resolution."""
    name = str(meta["datasets"][0]["path"])
    _inside(store, name)
    inside = _inside(store, f"{folder}/{name}".strip("/"))
    guarded = GuardedStore(inside)
    try:
        array = zarr.open_array(guarded, mode="r")
    except FileNotFoundError:
        raise UserError(f"{store}: the array '{name}' is missing; copy the store again.") from None
    guarded.expect(array)
    return array


def _series(
    array: "zarr.Array[Any]",
    folder: str,
    meta: dict[str, Any],
    attributes: dict[str, Any],
    store: Path,
) -> Series:
    axes = _axes(meta)
    name = str(meta.get("name") or folder)
    sizes = dict(zip(axes, array.shape, strict=False))
    if len(axes) != array.ndim or len(sizes) != len(axes) or not {"y", "x"} <= sizes.keys():
        raise UserError(
            f"{store}: its metadata name the axes {', '.join(axes)}, but the array has the shape"
            f" {array.shape}; write it again."
        )
    others = [axis for axis in axes if axis not in OLD_AXES and sizes[axis] > 1]
    fault = f"its axis '{others[0]}' is none of t, c, z, y, x" if others else ""
    t, c, z, y, x = (int(sizes.get(axis, 1)) for axis in OLD_AXES)
    dtype = np.dtype(array.dtype).newbyteorder("=")
    return Series(name, (t, c, z, y, x), dtype, _channels(attributes), _pixel_size(meta), fault)


def _channels(attributes: dict[str, Any]) -> tuple[str, ...]:
    """Return the labels that viewers show ("omero"); empty unless each channel has one."""
    omero = attributes.get("omero")
    channels = omero.get("channels", []) if isinstance(omero, dict) else []
    names = tuple(str(channel.get("label", "")) for channel in channels)
    return names if all(names) else ()


def _pixel_size(meta: dict[str, Any]) -> PixelSize:
    """Return the size of a pixel at full resolution: the product of all scales, in its unit."""
    axes = _axes(meta)
    scales = [
        transform["scale"]
        for transform in (
            *meta["datasets"][0].get("coordinateTransformations", ()),
            *meta.get("coordinateTransformations", ()),
        )
        if transform.get("type") == "scale"
    ]
    if not scales or any(len(scale) != len(axes) for scale in scales):
        return UNKNOWN_SIZE
    described = meta.get("axes") or ()
    units = {
        str(axis.get("name")).lower(): axis.get("unit")
        for axis in described
        if isinstance(axis, dict)
    }
    found = {
        axis: in_um(np.prod([scale[index] for scale in scales]), units.get(axis))
        for index, axis in enumerate(axes)
    }
    return found.get("z"), found.get("y"), found.get("x")
