"""What a person should know of a frozen configuration before opening the projects."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossreg.crossmodal.freeze.frozen import read_section
from crossreg.crossmodal.freeze.intensity import FULL_RANGES
from crossreg.crossmodal.freeze.records import Frozen
from crossreg.crossmodal.freeze.sections_and_box import layer_warning
from crossreg.crossmodal.freeze.tile_images import GREY_16
from crossreg.crossmodal.trakem2.patches import Patch, overhang, patch_corners

PRACTICAL_SCALE = (0.5, 2.0)
"""Scale 1 in a project should be the resolution of the EM images."""


@dataclass
class StackFigures:
    """What is found about the tiles of one stack, section by section."""

    scales: list[float] = field(default_factory=list)
    dark: int = 0
    """16-bit tiles shown from 0 to 65535, which look black."""
    beyond: int = 0
    overhang: float = 0.0


def frozen_summary(folder: Path, frozen: Frozen) -> tuple[list[str], list[str]]:
    """Return the lines of a report on the frozen configuration in `folder`, and warnings."""
    figures = _figures(folder, frozen)
    return list(_lines(frozen, figures)), list(_warnings(frozen, figures))


def _figures(folder: Path, frozen: Frozen) -> dict[str, StackFigures]:
    layer = frozen.layer
    figures = {one.stack: StackFigures() for one in frozen.layers}
    for entry in frozen.sections:
        for patch in read_section(folder, frozen, entry).patches:
            stack = figures[patch.stack]
            stack.scales.append(scale_of(patch))
            full = (patch.min, patch.max) == FULL_RANGES[GREY_16]
            stack.dark += patch.type == GREY_16 and full
            beyond = overhang(patch, layer["width"], layer["height"])
            stack.beyond += beyond > 0
            stack.overhang = max(stack.overhang, beyond)
    return figures


def scale_of(patch: Patch) -> float:
    """Return how much larger a tile is in the project than its image, as a ratio of lengths."""
    x, y = patch_corners(patch).T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return math.sqrt(area / (patch.o_width * patch.o_height))


def _lines(frozen: Frozen, figures: dict[str, StackFigures]) -> Iterator[str]:
    layer, bounds = frozen.layer, frozen.bounds
    yield (
        f"'{frozen.name}': {len(frozen.sections)} sections; layers of"
        f" {layer['width']} x {layer['height']} px, x from {bounds['minX']} to {bounds['maxX']},"
        f" y from {bounds['minY']} to {bounds['maxY']}."
    )
    for stack, found in figures.items():
        role = "EM" if stack == frozen.input_stack else "LM"
        scale = f"{np.median(found.scales):.4g}" if found.scales else "unknown"
        yield (
            f"{role} stack '{stack}': {len(found.scales)} tiles, median scale {scale}, grey values"
            f" {_grey_values(frozen.intensity.get(stack))}."
        )
    starts = frozen.start_from
    if starts:
        yield (
            f"The EM starts from '{starts.name}': {len(starts.saved)} sections as they were"
            " saved there, the others between them."
        )
    for one in frozen.left_out:
        yield f"Section z = {one.z} is left out: {one.reason}."


def _grey_values(limits: Sequence[float] | None) -> str:
    return "as each tile says" if limits is None else f"{limits[0]:g} to {limits[1]:g}"


def _warnings(frozen: Frozen, figures: dict[str, StackFigures]) -> Iterator[str]:
    em_stack = frozen.input_stack
    em = figures[em_stack]
    large = layer_warning(frozen.layer)
    if large:
        yield large
    scale = float(np.median(em.scales))
    low, high = PRACTICAL_SCALE
    if not low <= scale <= high:
        yield (
            f"the median scale of '{em_stack}' is {scale:.4g}, so the projects do not show the EM"
            f" images at their own resolution; between {low} and {high} is practical: scale all"
            " stacks with apply_global_affine, and freeze those under another name."
        )
    if em.beyond:
        needed = math.ceil((frozen.request["buffersize"] or 0) + em.overhang)
        yield (
            f"{em.beyond} tiles of '{em_stack}' reach beyond the box of the projects; a"
            f" 'buffersize' of {needed} would contain them."
        )
    for stack, found in figures.items():
        if found.dark:
            yield (
                f"{found.dark} 16-bit tiles of '{stack}' are shown from 0 to 65535 and will look"
                " black; give its 'intensity'."
            )
    if starts := frozen.start_from:
        for z in starts.unlike:
            yield (
                f"the section z = {z:g} of '{starts.name}' is unlike its neighbours, or was saved"
                " without a move: no other section starts from it; look at it again."
            )
    if not all(frozen.resolution):
        yield f"'{em_stack}' has no resolution; the projects say 1 nm a pixel."
