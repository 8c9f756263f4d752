"""One affine map for all tiles of a stack."""

import math
from typing import Any

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine
from crossreg.crossmodal.render.stack_store import RESOLUTIONS, TILES, ResolvedTiles
from crossreg.crossmodal.render.tile_specs import appended_spec
from crossreg.crossmodal.render.transforms import affine_transform
from crossreg.io.errors import UserError


def appended_to_all(tiles: ResolvedTiles, matrix: Affine) -> ResolvedTiles:
    """Return the tiles of a section with one affine after all their transforms.

    Boxes are left out, since they hold no longer; references stay references.
    """
    last = (affine_transform(matrix),)
    return tiles | {TILES: {name: appended_spec(one, last) for name, one in tiles[TILES].items()}}


def scaled_version(version: dict[str, Any], matrix: Affine) -> dict[str, Any]:
    """Return a stack's version with its resolution (nm/px) divided by the scale of `matrix`.

    The scale is the square root of the determinant's absolute value; z stays. Raises UserError
    if the matrix is not finite or has no inverse.
    """
    area = abs(affine.determinant(matrix))
    if not all(map(math.isfinite, matrix)) or area == 0.0:
        raise UserError(
            f"the affine {matrix} (M00, M10, M01, M11, B0, B1) cannot be undone; its numbers must"
            " be finite and its determinant must not be 0."
        )
    scale = math.sqrt(area)
    given = [key for key in RESOLUTIONS[:2] if version.get(key) is not None]
    return version | {key: version[key] / scale for key in given}
