"""The images of tiles as a project shows them: path, type, size, and grey values."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from crossreg.crossmodal.freeze.intensity import (
    FULL_RANGES,
    MOST_SAMPLES,
    sample_tiles,
    stack_intensity,
)
from crossreg.crossmodal.freeze.parameters import AUTO, Parameters
from crossreg.crossmodal.freeze.section_tiles import SectionTiles
from crossreg.crossmodal.freeze.sections_and_box import listed
from crossreg.crossmodal.freeze.tile_images import (
    GREY_8,
    GREY_16,
    ImageHeader,
    read_header,
    read_sample,
)
from crossreg.crossmodal.render.stack_store import TILES
from crossreg.crossmodal.render.tile_specs import ImageSource, Spec, image_source, local_path
from crossreg.crossmodal.trakem2.patches import Image, Slot
from crossreg.io.errors import UserError

Ranges = dict[str, list[float] | None]
"""Stack -> [min, max] for all its tiles, or None: each tile has its own."""

FLOAT_RANGE = (0.0, 1.0)
"""Shown of images of real numbers about which nothing is said."""


class ShownImages:
    """Looks up the image of one tile after the other, and collects those that are not there."""

    def __init__(self, parameters: Parameters, ranges: Ranges):
        self._parameters, self._ranges = parameters, ranges
        self._missing: list[str] = []

    def shown(self, spec: Spec, slot: Slot) -> Image | None:
        """Return the image of a tile; None if it is not there, see `check_all_there`.

        Raises UserError if the image is not of the size that the tile spec says.
        """
        source = image_source(spec, slot.where)
        path = local_path(source.url)
        if not self._parameters.check_tile_images:
            header: ImageHeader | None = header_of_spec(source)
        else:
            header = self._header(path, source, slot)
        if header is None:
            return None
        low, high = self._ranges[slot.stack] or own_range(source, header.type)
        return Image(
            file_path=rewritten(path or source.url, self._parameters.image_paths),
            type=header.type,
            width=header.width,
            height=header.height,
            min=low,
            max=high,
        )

    def check_all_there(self) -> None:
        """Raise UserError that lists up to ten of the images that are not there."""
        if self._missing:
            raise UserError(
                f"{len(self._missing)} images of tiles are no local files or are missing:"
                f" {listed(self._missing)}; make them accessible, or set 'checkTileImages' to"
                " false to take type and size from the tile specs."
            )

    def _header(self, path: str | None, source: ImageSource, slot: Slot) -> ImageHeader | None:
        try:
            header = None if path is None else read_header(path)
        except FileNotFoundError:
            header = None
        if header is None:
            self._missing.append(f"{path or source.url} ({slot.where})")
            return None
        if (header.width, header.height) != (source.width, source.height):
            raise UserError(
                f"{slot.where}: its image {path} has {header.width} x {header.height} px, but the"
                f" tile spec says {source.width} x {source.height}; correct the tile spec."
            )
        return header


def header_of_spec(source: ImageSource) -> ImageHeader:
    """Return type and size of an image as far as the tile spec tells: 16-bit if above 255."""
    pixel_type = GREY_16 if (source.max or 0) > FULL_RANGES[GREY_8][1] else GREY_8
    return ImageHeader(pixel_type, source.width, source.height)


def own_range(source: ImageSource, pixel_type: int) -> tuple[float, float]:
    """Return the grey values that a tile spec shows as black and white, else those of the type."""
    low, high = FULL_RANGES.get(pixel_type, FLOAT_RANGE)
    return (
        low if source.min is None else source.min,
        high if source.max is None else source.max,
    )


def rewritten(path: str, rules: Iterable[tuple[str, str]]) -> str:
    """Return a path as it is on the person's machine: the first rule that fits is applied."""
    for old, new in rules:
        if path.startswith(old):
            return new + path[len(old) :]
    return path


def stack_ranges(
    read: Callable[[float], SectionTiles],
    sections: Mapping[str, Sequence[float]],
    parameters: Parameters,
) -> Ranges:
    """Return the grey values to show of each stack.

    `read` returns a section, `sections` says which z each stack has. Sections and images are
    read only where percentiles may be needed; images that are not there are passed over.
    """
    sampled = {
        stack: z_values
        for stack, z_values in sections.items()
        if parameters.intensity.get(stack) == AUTO
        or (parameters.check_tile_images and stack not in parameters.intensity)
    }
    ranges: Ranges = {
        stack: None if stack in sampled else _given(parameters, stack) for stack in sections
    }
    for stack, sources in samples_of_stacks(read, sampled).items():
        ranges[stack] = _sampled_range(parameters, stack, sources)
    return ranges


def _given(parameters: Parameters, stack: str) -> list[float] | None:
    limits = parameters.intensity.get(stack)
    return None if limits is None else [float(limit) for limit in limits]


def samples_of_stacks(
    read: Callable[[float], SectionTiles], sections: Mapping[str, Sequence[float]]
) -> dict[str, list[ImageSource]]:
    """Return the images of a few tiles per stack, spread over its sections and over their tiles."""
    chosen = {stack: sample_tiles(z_values) for stack, z_values in sections.items()}
    samples: dict[str, list[ImageSource]] = {stack: [] for stack in sections}
    for z in sorted(set().union(*chosen.values())):
        section = read(z)
        for stack in (stack for stack, z_values in chosen.items() if z in z_values):
            for tile_id in sample_tiles(
                section.taken(stack), -(-MOST_SAMPLES // len(chosen[stack]))
            ):
                spec = section.tiles[stack][TILES][tile_id]
                samples[stack].append(image_source(spec, f"tile {tile_id} of stack {stack}"))
    return samples


def _sampled_range(
    parameters: Parameters, stack: str, sources: Sequence[ImageSource]
) -> list[float] | None:
    """Return the range of a stack from the images of its samples, as far as they are there."""
    found = [(source, path) for source in sources if (path := _present(source.url))]
    if not found:
        if parameters.check_tile_images or not sources:
            # Missing images are told all together, see `ShownImages`.
            return None
        raise UserError(
            f"'intensity.{stack}' is \"auto\", but none of the images is there, such as"
            f" {sources[0].url}; give it as [min, max]."
        )
    first, path = found[0]
    try:
        return stack_intensity(
            parameters.intensity.get(stack),
            (first.min, first.max),
            read_header(path).type,
            lambda: [read_sample(path) for _, path in found],
        )
    except ValueError as error:
        raise UserError(f"stack {stack}: {error}; give its 'intensity' as [min, max].") from None


def _present(url: str) -> str | None:
    """Return the path of an image if it is there."""
    path = local_path(url)
    return path if path and os.path.exists(path) else None
