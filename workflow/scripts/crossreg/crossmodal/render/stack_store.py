"""What a place for stacks can do, and the names and numbers that all places share.

A place is a Render web service (`render_service`) or a folder (`folder_store`).
`stack_places.open_store` chooses.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Protocol

from crossreg.crossmodal.render.tile_shape import (
    MOST_TRANSFORMS,
    is_number,
    spec_fault,
    too_many_transforms,
    transform_fault,
)
from crossreg.io.errors import UserError

TILES = "tileIdToSpecMap"
TRANSFORMS = "transformIdToSpecMap"
LOADING = "LOADING"
COMPLETE = "COMPLETE"
READ_ONLY = "READ_ONLY"
OFFLINE = "OFFLINE"
STATISTICS = "stackBounds"
BOX_KEYS = ("minX", "minY", "maxX", "maxY")
RESOLUTIONS = ("stackResolutionX", "stackResolutionY", "stackResolutionZ")

STACK_NAME = r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*"
STEM = r"[0-9]{5,}(\.[0-9]+)?"

ResolvedTiles = dict[str, dict[str, Any]]
"""Raw tiles as the service exchanges them: {TILES: {id: spec}, TRANSFORMS: {id: spec}}."""


class StackStore(Protocol):
    """A place for stacks. Every method raises UserError in a sentence that names place and stack.

    `place` names it in messages and is accepted by `stack_places.open_store`.
    """

    place: str

    def hint(self) -> str:
        """Return what to do where a stack is not found."""

    def metadata(self, stack: str) -> dict[str, Any] | None:
        """Return the full metadata of a stack as the place answers it; None: no such stack."""

    def z_values(self, stack: str) -> list[float]:
        """Return the z of all sections that have tiles, ascending."""

    def bounds(self, stack: str) -> dict[str, float]:
        """Return {minX, minY, minZ, maxX, maxY, maxZ} of a stack that is COMPLETE, in px."""

    def section(self, stack: str, z: float) -> ResolvedTiles:
        """Return all tiles of a section, raw, references kept; without tiles where none are."""

    def digest(self, stack: str, z: float) -> str:
        """Return a hash of all that the place keeps of a section."""

    def section_box(self, stack: str, z: float, box: dict[str, float]) -> ResolvedTiles:
        """Return the tiles of a section whose box overlaps `box` ({minX, minY, maxX, maxY}, px).

        Both boxes are closed: tiles that only touch `box` belong to it.
        """

    def create(
        self, stack: str, version: dict[str, Any], hierarchical: dict[str, Any] | None = None
    ) -> None:
        """Open a stack for writing: state LOADING, `version` as its current version.

        A stack that exists gets a new version and keeps its tiles. `hierarchical` is the
        hierarchicalData of the stack that it is made from, if that has any.
        """

    def remove(self, stack: str) -> None:
        """Remove a stack with all its tiles and shared transforms; nothing if there is none."""

    def accepted(self, tiles: ResolvedTiles) -> ResolvedTiles:
        """Return the tiles of a section in the form that the place takes, meaning the same.

        Raises UserError naming the tile if it takes them in no form.
        """

    def delete_section(self, stack: str, z: float) -> None:
        """Delete all tiles of a section of a stack that is LOADING; nothing if there are none."""

    def upload_section(self, stack: str, z: float, tiles: ResolvedTiles) -> None:
        """Add tiles to a section of a stack that is LOADING; a tile of the same id is replaced.

        The place derives minX, minY, maxX and maxY of every tile.
        """

    def complete(self, stack: str) -> None:
        """Set a stack's state to COMPLETE."""


def no_tiles() -> ResolvedTiles:
    """Return an empty section."""
    return {TILES: {}, TRANSFORMS: {}}


def required_metadata(store: StackStore, stack: str) -> dict[str, Any]:
    """Return the full metadata of a stack; raise UserError if there is no such stack."""
    metadata = store.metadata(stack)
    if metadata is None:
        raise UserError(f"{store.place}: there is no stack '{stack}'; {store.hint()}.")
    return metadata


def source_metadata(store: StackStore, stack: str, allow_loading: bool = False) -> dict[str, Any]:
    """Return the metadata of a stack whose tiles are all there; raise UserError if they are not.

    A stack that somebody is still writing (LOADING) is taken only with `allow_loading`.
    """
    metadata = required_metadata(store, stack)
    state = metadata.get("state")
    if state == LOADING and not allow_loading:
        raise UserError(
            f"{store.place}: the stack '{stack}' is {LOADING}: it is being written, or its writing"
            f" stopped; set it to {COMPLETE} when all its tiles are there, or allow_loading: true."
        )
    if state == OFFLINE:
        raise UserError(
            f"{store.place}: the stack '{stack}' is {OFFLINE}: its tiles are not in the service;"
            " load it again."
        )
    return metadata


def checked_metadata(metadata: Any, source: str) -> dict[str, Any]:
    """Return `metadata`; raise UserError naming `source` unless it is what a stack answers."""
    if not isinstance(metadata, dict) or not isinstance(metadata.get("currentVersion"), dict):
        raise UserError(f"{source}: not a stack's metadata; it needs an object 'currentVersion'.")
    version = metadata["currentVersion"]
    statistics = metadata.get("stats") or {}
    bounds = statistics.get(STATISTICS) if isinstance(statistics, dict) else statistics
    faulty = {
        "stackId": not isinstance(metadata.get("stackId") or {}, dict),
        "currentVersionNumber": not is_number(metadata.get("currentVersionNumber", 0)),
        "versionNotes": not isinstance(version.get("versionNotes") or "", str),
        f"stats.{STATISTICS}": bool(bounds) and not _are_bounds(bounds),
    } | {key: version.get(key) is not None and not is_number(version[key]) for key in RESOLUTIONS}
    wrong = [key for key, is_faulty in faulty.items() if is_faulty]
    if wrong:
        raise UserError(f"{source}: '{wrong[0]}' of the stack is of the wrong kind; correct it.")
    return metadata


def _are_bounds(value: Any) -> bool:
    keys = (*BOX_KEYS, "minZ", "maxZ")
    return isinstance(value, dict) and all(is_number(value.get(key)) for key in keys)


def read_sections(
    store: StackStore, stack: str, zmin: float | None = None, zmax: float | None = None
) -> Iterator[tuple[float, ResolvedTiles]]:
    """Yield (z, raw tiles) of the sections from `zmin` to `zmax`, both included, ascending."""
    for z in store.z_values(stack):
        if (zmin is None or z >= zmin) and (zmax is None or z <= zmax):
            yield z, store.section(stack, z)


def checked_stack_name(name: str) -> str:
    """Return `name`; raise UserError unless it can name a stack of Render, and a folder."""
    if not re.fullmatch(STACK_NAME, name):
        raise UserError(
            f"'{name}' cannot name a stack; use letters and digits, with single '_' between them."
        )
    return name


def section_stem(z: float) -> str:
    """Return the file name of a section without suffix: 42 -> '00042', 42.5 -> '00042.5'.

    Raises UserError if z is negative or not finite.
    """
    if not 0 <= z < float("inf"):
        raise UserError(f"z = {z}: a section's z must be a number from 0 up; renumber the stack.")
    _, _, decimals = format(Decimal(repr(float(z))), "f").partition(".")
    return f"{int(z):05d}" + (f".{decimals}" if float(z) != int(z) else "")


def z_of_stem(stem: str) -> float | None:
    """Return the z whose stem is `stem`, or None if it is the stem of no section."""
    if not re.fullmatch(STEM, stem):
        return None
    return float(stem) if section_stem(float(stem)) == stem else None


def check_section(tiles: ResolvedTiles, z: float, source: str) -> None:
    """Raise UserError unless `tiles` is the raw content of section `z`; `source` names it."""
    if not isinstance(tiles, dict) or not all(
        isinstance(tiles.get(part), dict) for part in (TILES, TRANSFORMS)
    ):
        raise UserError(f"{source}: not a section; it needs objects '{TILES}' and '{TRANSFORMS}'.")
    for tile_id, spec in tiles[TILES].items():
        if not isinstance(spec, dict):
            raise UserError(f"{source}: tile '{tile_id}' is not an object; correct it.")
        if str(spec.get("tileId")) != tile_id:
            raise UserError(f"{source}: tile '{tile_id}' has the tileId {spec.get('tileId')!r}.")
        if not is_number(spec.get("z")) or spec["z"] != z:
            raise UserError(
                f"{source}: tile '{tile_id}' has z {spec.get('z')!r}, but the section is z = {z}."
            )
        if fault := spec_fault(spec):
            raise UserError(f"{source}: tile '{tile_id}': {fault}; correct the tile spec.")
    for name, transform in tiles[TRANSFORMS].items():
        if fault := transform_fault(transform):
            raise UserError(f"{source}: shared transform '{name}': {fault}; correct it.")
    for tile_id in too_many_transforms(tiles[TILES], tiles[TRANSFORMS]):
        raise UserError(
            f"{source}: tile '{tile_id}' has more than {MOST_TRANSFORMS} transforms, references"
            " resolved; correct the stack."
        )
