"""Stacks in a folder, by the rules of the Render web service.

`<folder>/<stack>/stack.json` is what the service answers for the stack,
`<folder>/<stack>/<stem>.json` the raw tiles of a section.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crossreg.crossmodal.render.stack_store import (
    BOX_KEYS,
    COMPLETE,
    LOADING,
    STATISTICS,
    TILES,
    TRANSFORMS,
    ResolvedTiles,
    check_section,
    checked_metadata,
    checked_stack_name,
    no_tiles,
    required_metadata,
    section_stem,
    z_of_stem,
)
from crossreg.crossmodal.render.tile_specs import overlap, tile_box
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, write_json
from crossreg.io.registration_folders import check_outside

STACK_FILE = "stack.json"


class FolderStore:
    """Stacks in a folder; see `stack_store.StackStore`.

    `owner` and `project` are written into the metadata of stacks that are created here.
    """

    def __init__(self, folder: Path | str, owner: str | None = None, project: str | None = None):
        self.folder = Path(folder)
        self.place = f"folder:{folder}"
        self._owner, self._project = owner, project

    def metadata(self, stack: str) -> dict[str, Any] | None:
        """See StackStore."""
        path = self._stack_folder(stack) / STACK_FILE
        if not path.is_file():
            return None
        return checked_metadata(read_json(path), str(path))

    def z_values(self, stack: str) -> list[float]:
        """See StackStore."""
        required_metadata(self, stack)
        values = []
        for path in self._stack_folder(stack).glob("*.json"):
            if path.name == STACK_FILE or path.name.startswith("."):
                continue
            z = z_of_stem(path.stem)
            if z is None:
                raise UserError(
                    f"{path}: not the name of a section (as 00042.json or 00042.5.json); rename or"
                    " remove the file."
                )
            values.append(z)
        return sorted(values)

    def bounds(self, stack: str) -> dict[str, float]:
        """See StackStore."""
        metadata = required_metadata(self, stack)
        if metadata.get("state") != COMPLETE:
            raise UserError(
                f"{self.place}: stack '{stack}' has the state {metadata.get('state')}; its bounds"
                f" are known when it is {COMPLETE}."
            )
        return (metadata.get("stats") or {}).get(STATISTICS) or self._bounds_of_tiles(stack)

    def section(self, stack: str, z: float) -> ResolvedTiles:
        """See StackStore."""
        required_metadata(self, stack)
        path = self._section_file(stack, z)
        if not path.is_file():
            return no_tiles()
        tiles = read_json(path)
        check_section(tiles, z, str(path))
        result: ResolvedTiles = tiles
        return result

    def digest(self, stack: str, z: float) -> str:
        """See StackStore."""
        path = self._section_file(stack, z)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

    def section_box(self, stack: str, z: float, box: dict[str, float]) -> ResolvedTiles:
        """See StackStore. Shared transforms come all, needed by the tiles or not."""
        tiles = self.section(stack, z)
        shared = tiles[TRANSFORMS]
        taken = {
            tile_id: spec
            for tile_id, spec in tiles[TILES].items()
            if overlap(_box(spec, shared), [box[key] for key in BOX_KEYS])
        }
        return {TILES: taken, TRANSFORMS: shared if taken else {}}

    def hint(self) -> str:
        """See StackStore."""
        return "check its name"

    def accepted(self, tiles: ResolvedTiles) -> ResolvedTiles:
        """See StackStore: a folder takes everything as it is."""
        return tiles

    def remove(self, stack: str) -> None:
        """See StackStore. Files that are no sections stay."""
        folder = self._stack_folder(stack)
        if self.metadata(stack) is not None:
            for z in self.z_values(stack):
                self._section_file(stack, z).unlink(missing_ok=True)
            (folder / STACK_FILE).unlink(missing_ok=True)

    def create(
        self, stack: str, version: dict[str, Any], hierarchical: dict[str, Any] | None = None
    ) -> None:
        """See StackStore."""
        folder = self._stack_folder(stack)
        if folder.is_symlink():
            raise UserError(f"{folder}: this is a link; nothing is written to where it points.")
        check_outside(folder)
        metadata = self.metadata(stack)
        if metadata is None:
            if folder.exists() and any(folder.iterdir()):
                raise UserError(f"{folder}: not empty, but without {STACK_FILE}; use another name.")
            identity = {"owner": self._owner, "project": self._project, "stack": stack}
            given = {key: value for key, value in identity.items() if value is not None}
            metadata = {"stackId": given, "currentVersionNumber": -1}
        metadata["state"] = LOADING
        if hierarchical is not None:
            metadata["hierarchicalData"] = hierarchical
        metadata["currentVersion"] = version
        metadata["currentVersionNumber"] = metadata.get("currentVersionNumber", -1) + 1
        metadata.pop("stats", None)
        write_json(folder / STACK_FILE, metadata)

    def delete_section(self, stack: str, z: float) -> None:
        """See StackStore."""
        self._check_loading(stack)
        self._section_file(stack, z).unlink(missing_ok=True)

    def upload_section(self, stack: str, z: float, tiles: ResolvedTiles) -> None:
        """See StackStore. Boxes that a tile brings are kept."""
        self._check_loading(stack)
        check_section(tiles, z, f"{self.place}: stack '{stack}'")
        present = self.section(stack, z)
        shared = present[TRANSFORMS] | tiles[TRANSFORMS]
        with_boxes = {
            tile_id: spec | dict(zip(BOX_KEYS, _box(spec, shared), strict=True))
            for tile_id, spec in tiles[TILES].items()
        }
        merged = {TILES: present[TILES] | with_boxes, TRANSFORMS: shared}
        if merged[TILES]:
            write_json(self._section_file(stack, z), merged, indent=None)

    def complete(self, stack: str) -> None:
        """See StackStore. The bounds are computed from all tiles."""
        metadata = required_metadata(self, stack)
        metadata["state"] = COMPLETE
        metadata["stats"] = {STATISTICS: self._bounds_of_tiles(stack)}
        write_json(self._stack_folder(stack) / STACK_FILE, metadata)

    def _stack_folder(self, stack: str) -> Path:
        return self.folder / checked_stack_name(stack)

    def _section_file(self, stack: str, z: float) -> Path:
        return self._stack_folder(stack) / f"{section_stem(z)}.json"

    def _check_loading(self, stack: str) -> None:
        state = required_metadata(self, stack).get("state")
        if state != LOADING:
            raise UserError(
                f"{self.place}: stack '{stack}' has the state {state}; only a stack that is"
                f" {LOADING} can be changed."
            )

    def _bounds_of_tiles(self, stack: str) -> dict[str, float]:
        """Return the bounds of all tiles, reading one section after the other."""
        total: dict[str, float] = {}
        for z in self.z_values(stack):
            tiles = self.section(stack, z)
            boxes = [_box(spec, tiles[TRANSFORMS]) for spec in tiles[TILES].values()]
            if boxes:
                union = _union(boxes) | {"minZ": z, "maxZ": z}
                total = _wider(total, union) if total else union
        if not total:
            raise UserError(f"{self.place}: stack '{stack}' has no tiles, so it has no bounds.")
        return total


def _box(spec: dict[str, Any], shared: dict[str, Any]) -> tuple[float, ...]:
    return tile_box(spec, shared, f"tile '{spec.get('tileId')}'")


def _union(boxes: Iterable[tuple[float, ...]]) -> dict[str, float]:
    left, top, right, bottom = zip(*boxes, strict=True)
    limits = (min(left), min(top), max(right), max(bottom))
    return {key: float(limit) for key, limit in zip(BOX_KEYS, limits, strict=True)}


def _wider(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {key: (min if key.startswith("min") else max)(one[key], other[key]) for key in one}
