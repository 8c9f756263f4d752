"""What a person should know of a frozen configuration before opening the projects."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossreg.crossmodal.freeze.frozen import read_section
from crossreg.crossmodal.freeze.intensity import FULL_RANGES
from crossreg.crossmodal.freeze.records import Frozen, StartedFrom
from crossreg.crossmodal.freeze.sections_and_box import layer_warning, listed
from crossreg.crossmodal.freeze.tile_images import GREY_16
from crossreg.crossmodal.trakem2.patches import Patch, overhang
from crossreg.io.plurals import counted

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
    x, y = patch.corners.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return math.sqrt(area / (patch.o_width * patch.o_height))


def _lines(frozen: Frozen, figures: dict[str, StackFigures]) -> Iterator[str]:
    layer, bounds = frozen.layer, frozen.bounds
    yield (
        f"'{frozen.name}': {counted(len(frozen.sections), 'section')}; layers of"
        f" {layer['width']} x {layer['height']} px, x from {bounds['minX']} to {bounds['maxX']},"
        f" y from {bounds['minY']} to {bounds['maxY']}."
    )
    for stack, found in figures.items():
        role = "EM" if stack == frozen.input_stack else "LM"
        scale = f"{np.median(found.scales):.4g}" if found.scales else "unknown"
        yield (
            f"{role} stack '{stack}': {counted(len(found.scales), 'tile')}, median scale"
            f" {scale}, grey values {_grey_values(frozen.intensity.get(stack))}."
        )
    starts = frozen.start_from
    if starts:
        yield _starts_in_words(frozen, starts)
    for one in frozen.left_out:
        yield f"Section z = {one.z} is left out: {one.reason}."


def _starts_in_words(frozen: Frozen, starts: StartedFrom) -> str:
    """Return the sentence that says where the EM of each section starts."""
    givers = [z for z in starts.saved if z not in starts.unlike]
    own: list[float] = []
    between: list[float] = []
    copied: list[float] = []
    for z in (entry.z for entry in frozen.sections):
        if z in starts.saved:
            own.append(z)
        else:
            (between if givers[0] < z < givers[-1] else copied).append(z)
    parts = (
        (own, "as saved there"),
        (between, "between the saved ones next to it"),
        (copied, "as the nearest saved one"),
    )
    said = "; ".join(
        f"{counted(len(zs), 'section')} {how} (z = {listed([f'{z:g}' for z in zs])})"
        for zs, how in parts
        if zs
    )
    return f"The EM starts from '{starts.name}': {said}."


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
            f"tiles of '{em_stack}' that reach beyond the box of the projects: {em.beyond}; a"
            f" 'buffersize' of {needed} would contain all."
        )
    for stack, found in figures.items():
        if found.dark:
            yield (
                f"16-bit tiles of '{stack}' shown from 0 to 65535, which will look black:"
                f" {found.dark}; give its 'intensity'."
            )
    if starts := frozen.start_from:
        for z in starts.unlike:
            yield (
                f"the section z = {z:g} of '{starts.name}' is unlike its neighbours, or was saved"
                " without a move: no other section starts from it; look at it again."
            )
        for one in starts.left_out:
            yield (
                f"the section z = {one.z:g} of '{starts.name}' has errors there and counts as not"
                f" registered: {one.reason}."
            )
        for one in starts.warned:
            yield (
                f"the section z = {one.z:g} of '{starts.name}' is taken as it was saved, but its"
                f" check there warns: {one.reason}."
            )
    if not all(frozen.resolution):
        yield f"'{em_stack}' has no resolution; the projects say 1 nm a pixel."
