"""One affine map for all tiles of a stack."""

import math
from collections.abc import Sequence
from typing import Any

from crossreg.crossmodal.render.stack_store import BOX_KEYS, TILES, ResolvedTiles
from crossreg.io.errors import UserError

AFFINE_CLASS = "mpicbg.trakem2.transform.AffineModel2D"
RESOLUTIONS = ("stackResolutionX", "stackResolutionY")


def appended_to_all(tiles: ResolvedTiles, matrix: Sequence[float]) -> ResolvedTiles:
    """Return the tiles of a section with one affine after all their transforms.

    `matrix` is (M00, M10, M01, M11, B0, B1): x' = M00 x + M01 y + B0, y' = M10 x + M11 y + B1.
    Boxes are left out, since they hold no longer; references stay references.
    """
    leaf = {
        "type": "leaf",
        "className": AFFINE_CLASS,
        "dataString": " ".join(repr(float(value)) for value in matrix),
    }
    moved = {tile_id: _with_last(spec, leaf) for tile_id, spec in tiles[TILES].items()}
    return tiles | {TILES: moved}


def scaled_version(version: dict[str, Any], matrix: Sequence[float]) -> dict[str, Any]:
    """Return a stack's version with its resolution (nm/px) divided by the scale of `matrix`.

    The scale is the square root of the determinant's absolute value; z stays. Raises UserError
    if the matrix is not finite or has no inverse.
    """
    m00, m10, m01, m11 = matrix[:4]
    determinant = abs(m00 * m11 - m01 * m10)
    if not all(math.isfinite(value) for value in matrix) or determinant == 0.0:
        raise UserError(
            f"the affine {tuple(matrix)} (M00, M10, M01, M11, B0, B1) cannot be undone; its"
            " numbers must be finite and its determinant must not be 0."
        )
    scale = math.sqrt(determinant)
    given = [key for key in RESOLUTIONS if version.get(key) is not None]
    return version | {key: version[key] / scale for key in given}


def _with_last(spec: dict[str, Any], leaf: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in BOX_KEYS}
    transforms = kept.get("transforms") or {"type": "list"}
    entries = transforms.get("specList") or []
    return kept | {"transforms": transforms | {"specList": [*entries, leaf]}}
