"""The box that Render derives for a tile whose transforms are affine models."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crossreg.errors import UserError

PREFIX = "mpicbg.trakem2.transform."
MOST_LEVELS = 20
"""Lists and references nested deeper than this refer to themselves."""

Affine = tuple[float, float, float, float, float, float]
"""m00, m10, m01, m11, m02, m12: x' = m00 x + m01 y + m02, y' = m10 x + m11 y + m12."""


def tile_bounds(spec: dict[str, Any], shared: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return minX, minY, maxX, maxY (px) that Render derives for a tile.

    Render takes the extremes over the image's border, which it samples up to w - 1 along x at
    y = 0 and h, and up to h - 1 along y at x = 0 and w; affine maps have theirs at the ends.
    The corner is truncated, the size rounded up. `shared` holds the section's shared transforms.

    Raises UserError naming the tile if a transform is no affine model or cannot be read.
    """
    try:
        width, height = float(spec["width"]), float(spec["height"])
        points = [(x, y) for x in (0.0, width - 1) for y in (0.0, height)]
        points += [(x, y) for x in (0.0, width) for y in (0.0, height - 1)]
        for m00, m10, m01, m11, m02, m12 in _affines(spec.get("transforms") or {}, shared):
            points = [(m00 * x + m01 * y + m02, m10 * x + m11 * y + m12) for x, y in points]
        (min_x, max_x), (min_y, max_y) = (_limits(values) for values in zip(*points, strict=True))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"tile '{spec.get('tileId')}': its box cannot be derived ({reason}); give the tile"
            " minX, minY, maxX and maxY, or correct it."
        ) from None
    return min_x, min_y, max_x, max_y


def _limits(values: Sequence[float]) -> tuple[int, int]:
    low = int(min(values))
    return low, low + math.ceil(max(values) - min(values))


def _affines(entry: dict[str, Any], shared: dict[str, Any], level: int = 0) -> Iterator[Affine]:
    """Yield the affine maps of an entry of a transform list, references and lists resolved."""
    if level > MOST_LEVELS:
        raise ValueError("its transforms refer to themselves")
    if "refId" in entry:
        if entry["refId"] not in shared:
            raise ValueError(f"there is no shared transform '{entry['refId']}'")
        yield from _affines(shared[entry["refId"]], shared, level + 1)
    elif "className" in entry:
        yield _affine(entry["className"], entry["dataString"])
    elif entry.get("type") == "interpolated":
        raise ValueError("it has an interpolated transform")
    else:
        for part in entry.get("specList", []):
            yield from _affines(part, shared, level + 1)


def _affine(class_name: str, data: str) -> Affine:
    read = READERS.get(class_name)
    if read is None:
        raise ValueError(f"'{class_name}' is no affine model")
    try:
        return read(*map(float, data.split()))
    except TypeError:
        raise ValueError(f"'{data}' has too few or too many numbers") from None


READERS: dict[str, Callable[..., Affine]] = {
    PREFIX + "AffineModel2D": lambda m00, m10, m01, m11, m02, m12: (m00, m10, m01, m11, m02, m12),
    PREFIX + "TranslationModel2D": lambda x, y: (1.0, 0.0, 0.0, 1.0, x, y),
    PREFIX + "RigidModel2D": lambda theta, x, y: _similarity(
        math.cos(theta), math.sin(theta), x, y
    ),
    PREFIX + "SimilarityModel2D": lambda scos, ssin, x, y: _similarity(scos, ssin, x, y),
}


def _similarity(scos: float, ssin: float, x: float, y: float) -> Affine:
    return scos, ssin, -ssin, scos, x, y
