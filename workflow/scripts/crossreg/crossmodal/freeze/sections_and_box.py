"""The box of all projects of a registration, and the sections that it takes."""

import math
from collections.abc import Mapping, Sequence

from crossreg.crossmodal.freeze.parameters import Parameters
from crossreg.crossmodal.freeze.records import Bounds, LayerSize, LeftOut
from crossreg.crossmodal.render.stack_store import BOX_KEYS
from crossreg.io.errors import UserError

PRACTICAL_SIDE = 65_536
"""px; larger layers open slowly in TrakEM2, and many images of that size cannot be saved."""

LARGEST_SIDE = 2**24
"""px; above, the single-precision numbers of TrakEM2's display no longer resolve one pixel."""

WITHOUT_LM = "no tile of an LM stack in the box"
WITHOUT_EM = "no tile of the EM stack in the box"
SHOWN = 10


def project_bounds(
    parameters: Parameters,
    em_bounds: Mapping[str, float],
    tile_box: Sequence[float] | None = None,
) -> Bounds:
    """Return the box of all projects, {minX, minY, maxX, maxY} in integer px, buffer included.

    Each side is what the parameters say, else the side of `tile_box` (minX, minY, maxX, maxY
    of the parameter `tile`), else the EM stack's. Raises UserError if the box is empty.
    """
    defaults = em_bounds if tile_box is None else dict(zip(BOX_KEYS, tile_box, strict=True))
    sides = {}
    for key in BOX_KEYS:
        asked = parameters.box[key]
        side = defaults[key] if asked is None else asked
        outwards = -parameters.buffersize if key.startswith("min") else parameters.buffersize
        rounded = math.floor if key.startswith("min") else math.ceil
        sides[key] = rounded(side + outwards)
    for low, high in (("minX", "maxX"), ("minY", "maxY")):
        if sides[low] >= sides[high]:
            raise UserError(
                f"the box of the projects is empty: '{low}' is {sides[low]} and '{high}' is"
                f" {sides[high]}; where a side is not given, the EM stack's bound counts."
            )
    return Bounds(minX=sides["minX"], minY=sides["minY"], maxX=sides["maxX"], maxY=sides["maxY"])


def layer_size(bounds: Bounds) -> LayerSize:
    """Return the size of the layers of all projects, px."""
    width, height = bounds["maxX"] - bounds["minX"], bounds["maxY"] - bounds["minY"]
    return LayerSize(width=width, height=height)


def layer_warning(layer: LayerSize) -> str | None:
    """Return one sentence if a layer is larger than is practical; raise UserError beyond 2^24."""
    side = max(layer["width"], layer["height"])
    size = f"the layers are {layer['width']:,} x {layer['height']:,} px"
    advice = "choose a smaller box, or scale the stacks down with apply_global_affine"
    if side > LARGEST_SIDE:
        raise UserError(f"{size}, but TrakEM2 can hold {LARGEST_SIDE:,} a side; {advice}.")
    if side > PRACTICAL_SIDE:
        return f"{size}; above {PRACTICAL_SIDE:,} a side TrakEM2 is slow: {advice}."
    return None


def selected_sections(
    parameters: Parameters, em_z: Sequence[float], lm_z: Mapping[str, Sequence[float]]
) -> list[float]:
    """Return the z of the EM sections that the parameters ask for, ascending.

    Raises UserError if a listed section is not in the EM stack, if none is left, or if none
    of them has the z of any LM section.
    """
    if parameters.sections is not None:
        absent = sorted(set(parameters.sections) - set(em_z))
        if absent:
            raise UserError(
                f"'sections' asks for z = {listed(absent)}, but '{parameters.input_stack}' has"
                f" {described_range(em_z)}."
            )
    selected = [z for z in sorted(em_z) if _is_selected(z, parameters)]
    if not selected:
        raise UserError(
            f"no section lies between 'minZ' ({parameters.min_z}) and 'maxZ' ({parameters.max_z}):"
            f" '{parameters.input_stack}' has {described_range(em_z)}."
        )
    if not set(selected) & {z for values in lm_z.values() for z in values}:
        ranges = "; ".join(f"'{stack}' has {described_range(z)}" for stack, z in lm_z.items())
        raise UserError(
            f"no EM section has the z of an LM section: '{parameters.input_stack}' has"
            f" {described_range(selected)}; {ranges}."
        )
    return selected


def left_out_without_lm(policy: str, without: Sequence[float]) -> list[LeftOut]:
    """Return the sections left out for their z being `without` LM tiles.

    Raises UserError naming them if `policy` (sectionsWithoutLM) is 'error'.
    """
    if without and policy == "error":
        raise UserError(
            f"section z = {listed(without)}: {WITHOUT_LM}; set 'sectionsWithoutLM' to 'skip' to"
            " leave out such sections."
        )
    return [LeftOut(z, WITHOUT_LM) for z in without]


def described_range(z: Sequence[float]) -> str:
    """Return how many sections there are and their range of z, in words."""
    if not z:
        return "no sections"
    if len(z) == 1:
        return f"1 section, z = {z[0]}"
    return f"{len(z)} sections, z = {min(z)} to {max(z)}"


def listed(values: Sequence[object]) -> str:
    """Return up to ten values, separated by commas, and how many more there are."""
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(str(value) for value in values[:SHOWN]) + more


def _is_selected(z: float, parameters: Parameters) -> bool:
    if parameters.sections is not None:
        return z in parameters.sections
    above = parameters.min_z is None or z >= parameters.min_z
    return above and (parameters.max_z is None or z <= parameters.max_z)
