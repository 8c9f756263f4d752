"""Raw tile specs of Render: their transforms, corners and images, and the specs of new tiles.

A tile spec is a dict as JSON has it; it is read here and never changed in place. `shared` is the
transformIdToSpecMap that its references point into. `where` names the tile in messages.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.render.image_boxes import render_bounds
from crossreg.crossmodal.render.stack_store import BOX_KEYS
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import (
    affine_of,
    affine_transform,
    apply,
    check_known,
    is_affine,
)
from crossreg.io.errors import UserError

Spec = Mapping[str, Any]

DEFAULT_MESH_CELL_SIZE = 64.0

# Deeper than any real stack; a longer chain would exhaust Python's own stack.
MAX_DEPTH = 100

FILE_URL = re.compile(r"file:(?://(?:localhost)?(?=/))?", re.IGNORECASE)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")


class SplitTransforms(NamedTuple):
    """The transforms of a tile as a TrakEM2 patch holds them.

    `keep` leading entries of the spec list, which resolve to `transforms`, come before the
    trailing run of affine entries, whose product is `affine`.
    """

    keep: int
    transforms: tuple[Transform, ...]
    affine: Affine


class ImageSource(NamedTuple):
    """What a tile spec says about its image; None where it says nothing."""

    url: str
    width: int
    height: int
    min: float | None
    max: float | None


def split_transforms(spec: Spec, shared: Spec, where: str) -> SplitTransforms:
    """Return the transforms of a tile, split after the last entry that is not affine.

    Raises UserError naming `where` for a class that TrakEM2 does not know, an interpolated
    entry, or a reference that is missing or leads back to itself.
    """
    resolved = [_resolved(entry, shared, where, ()) for entry in spec_list(spec)]
    for leaves in resolved:
        check_known(leaves, where)
    keep = len(resolved)
    while keep and all(is_affine(leaf) for leaf in resolved[keep - 1]):
        keep -= 1
    kept = tuple(leaf for leaves in resolved[:keep] for leaf in leaves)
    folded = [leaf for leaves in resolved[keep:] for leaf in leaves]
    return SplitTransforms(keep, kept, affine_of(folded))


def spec_list(spec: Spec) -> list[Any]:
    """Return the entries of a tile's transform list as they are; none where there is no list."""
    return (spec.get("transforms") or {}).get("specList") or []


def _resolved(
    entry: Spec, shared: Spec, where: str, above: tuple[str, ...]
) -> tuple[Transform, ...]:
    """Return the leaves of an entry, references and lists resolved; `above` are open ids."""
    if len(above) > MAX_DEPTH:
        raise UserError(f"{where}: its transforms are nested too deeply; flatten them.")
    kind = entry.get("type") or (
        "list" if "specList" in entry else "ref" if "refId" in entry else "leaf"
    )
    if kind == "ref":
        name = str(entry.get("refId"))
        if name in above:
            raise UserError(f"{where}: the transform '{name}' refers to itself; correct the stack.")
        if name not in shared:
            raise UserError(f"{where}: the transform '{name}' is not in the stack; upload it.")
        return _resolved(shared[name], shared, where, (*above, name))
    if kind == "list":
        entries = entry.get("specList") or []
        parts = [_resolved(part, shared, where, (*above, "")) for part in entries]
        return tuple(leaf for leaves in parts for leaf in leaves)
    if kind != "leaf" or "className" not in entry:
        raise UserError(
            f"{where}: a transform of type '{kind}' cannot be shown in TrakEM2; replace it by"
            " the transforms that it stands for."
        )
    return (Transform(str(entry["className"]), str(entry.get("dataString") or "")),)


def image_corners(width: float, height: float) -> Points:
    """Return the corners (0, 0), (w, 0), (w, h), (0, h) of an image, (4, 2) in px."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)


def tile_corners(spec: Spec, shared: Spec, where: str) -> Points:
    """Return the corners of a tile in the frame of its stack, (4, 2) in px."""
    split = split_transforms(spec, shared, where)
    width, height = tile_size(spec, where)
    return affine.apply(split.affine, apply(split.transforms, image_corners(width, height)))


def tile_bounds(spec: Spec, shared: Spec, where: str) -> tuple[int, int, int, int]:
    """Return minX, minY, maxX, maxY of a tile as Render derives them."""
    split = split_transforms(spec, shared, where)
    width, height = tile_size(spec, where)
    cell = float(spec.get("meshCellSize") or DEFAULT_MESH_CELL_SIZE)
    try:
        return render_bounds(split.transforms, split.affine, width, height, cell)
    except ValueError as error:
        raise UserError(f"{where}: {error}; correct the stack.") from None


def tile_box(spec: Spec, shared: Spec, where: str) -> tuple[float, float, float, float]:
    """Return minX, minY, maxX, maxY of a tile: as it says, else derived from its transforms."""
    if all(isinstance(spec.get(key), int | float) for key in BOX_KEYS):
        left, top, right, bottom = (float(spec[key]) for key in BOX_KEYS)
    else:
        left, top, right, bottom = map(float, tile_bounds(spec, shared, where))
    return left, top, right, bottom


def overlap(first: Sequence[float], second: Sequence[float]) -> bool:
    """Return whether two closed boxes (minX, minY, maxX, maxY) share a point."""
    return all(
        first[axis] <= second[axis + 2] and second[axis] <= first[axis + 2] for axis in (0, 1)
    )


def tile_size(spec: Spec, where: str) -> tuple[int, int]:
    """Return width and height of a tile's image in px; UserError if the spec has none."""
    sizes = []
    for key in ("width", "height"):
        value = spec.get(key)
        if not isinstance(value, int | float) or value < 1 or value != int(value):
            raise UserError(
                f"{where}: {key} is {value!r}, but a whole number of px is needed;"
                " correct the tile spec."
            )
        sizes.append(int(value))
    return sizes[0], sizes[1]


def image_source(spec: Spec, where: str) -> ImageSource:
    """Return image, size and intensity of a tile, from the spec or else its first channel."""
    channel: Spec = next(iter(spec.get("channels") or []), {})
    levels = spec.get("mipmapLevels") or channel.get("mipmapLevels") or {}
    url = (levels.get(min(levels, key=int)) or {}).get("imageUrl") if levels else None
    if not url:
        raise UserError(f"{where}: the tile spec names no image; add its mipmapLevels.")
    limits = [_first(spec.get(key), channel.get(key)) for key in ("minIntensity", "maxIntensity")]
    return ImageSource(url, *tile_size(spec, where), *limits)


def _first(*values: Any) -> float | None:
    return next((float(value) for value in values if value is not None), None)


def local_path(url: str) -> str | None:
    """Return the absolute path of an image, None if the url is no absolute local file.

    A file: url is unquoted (%20); a plain path is taken letter by letter.
    """
    match = FILE_URL.match(url)
    if match:
        path = unquote(url[match.end() :])
        path = path[1:] if re.match(r"/[A-Za-z]:[\\/]", path) else path
    elif SCHEME.match(url):
        return None
    else:
        path = url
    return path if ABSOLUTE.match(path) else None


def registered_spec(spec: Spec, keep: int, added: Sequence[Transform], matrix: Affine) -> Spec:
    """Return a new tile spec: `keep` entries as they were, `added` ones, then `matrix`.

    The derived bounds are left out, since they would be stale; all else is as it was.
    """
    return _with_transforms(spec, spec_list(spec)[:keep], (*added, affine_transform(matrix)))


def appended_spec(spec: Spec, added: Sequence[Transform]) -> Spec:
    """Return a new tile spec: all its entries as they were, then the `added` transforms."""
    return _with_transforms(spec, spec_list(spec), added)


def without_box(spec: Spec) -> dict[str, Any]:
    """Return a tile spec without its box, which the place of the stack derives."""
    return {key: value for key, value in spec.items() if key not in BOX_KEYS}


def _with_transforms(spec: Spec, kept: Sequence[Any], added: Sequence[Transform]) -> Spec:
    new = without_box(spec)
    written = [
        {"type": "leaf", "className": leaf.class_name, "dataString": leaf.data} for leaf in added
    ]
    holder = new.get("transforms") or {"type": "list"}
    new["transforms"] = {**holder, "specList": [*kept, *written]}
    return new
