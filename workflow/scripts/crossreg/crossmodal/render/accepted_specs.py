"""Tile specs in the form that today's Render web service takes, meaning the same.

The service refuses a transform list without `type`, shared transforms that refer to shared ones,
and classes under names of years ago.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from crossreg.crossmodal.render.stack_store import TILES, TRANSFORMS, ResolvedTiles
from crossreg.crossmodal.render.transform_data import PREFIX
from crossreg.io.errors import UserError

PRESENT_NAMES = {"lenscorrection.NonLinearTransform": PREFIX + "NonLinearCoordinateTransform"}
"""Old name of a class -> its present one; data and effect are the same."""

DEEPEST = 100

Entry = Mapping[str, Any]


def accepted_section(tiles: ResolvedTiles) -> ResolvedTiles:
    """Return the raw tiles of a section as the service takes them.

    What is right already stays as it is, references included. Raises UserError naming the
    tile or shared transform for a reference that leads nowhere or back to itself.
    """
    shared = tiles[TRANSFORMS]
    transforms = {name: _shared(name, entry, shared) for name, entry in shared.items()}
    specs = {tile_id: _spec(spec) for tile_id, spec in tiles[TILES].items()}
    return tiles | {TILES: specs, TRANSFORMS: transforms}


def leaves(tiles: ResolvedTiles) -> Iterator[tuple[str, Entry]]:
    """Yield (where, leaf) for each single transform of a section, `where` in words."""
    for name, entry in tiles[TRANSFORMS].items():
        yield from ((f"shared transform '{name}'", leaf) for leaf in _leaves(entry))
    for tile_id, spec in tiles[TILES].items():
        found = _leaves(spec.get("transforms") or {"type": "list"})
        yield from ((f"tile '{tile_id}'", leaf) for leaf in found)


def _leaves(entry: Entry) -> Iterator[Entry]:
    if "className" in entry:
        yield entry
    for part in entry.get("specList") or []:
        yield from _leaves(part)


def _spec(spec: dict[str, Any]) -> dict[str, Any]:
    transforms = spec.get("transforms")
    return spec if transforms is None else spec | {"transforms": _entry(transforms, is_list=True)}


def _entry(entry: Entry, is_list: bool = False) -> dict[str, Any]:
    """Return an entry of a transform list with its type, under present names."""
    new = dict(entry)
    if not new.get("type"):
        kind = "list" if is_list or "specList" in new else "ref" if "refId" in new else "leaf"
        new = {"type": kind} | {key: value for key, value in new.items() if key != "type"}
    if "className" in new:
        new["className"] = PRESENT_NAMES.get(new["className"], new["className"])
    if new.get("specList"):
        new["specList"] = [_entry(part) for part in new["specList"]]
    return new


def _shared(name: str, entry: Entry, shared: Mapping[str, Entry]) -> dict[str, Any]:
    """Return a shared transform, with those that it refers to in the place of the references."""
    resolved = _resolved(_entry(entry), shared, f"shared transform '{name}'", 0)
    return resolved if "id" in resolved or "id" not in entry else resolved | {"id": entry["id"]}


def _resolved(
    entry: dict[str, Any], shared: Mapping[str, Entry], where: str, depth: int
) -> dict[str, Any]:
    if depth > DEEPEST:
        raise UserError(f"{where}: it refers to itself; correct the stack.")
    if entry["type"] == "ref":
        target = shared.get(entry["refId"])
        if target is None:
            raise UserError(f"{where}: it refers to '{entry['refId']}', which is not there.")
        inner = {key: value for key, value in _entry(target).items() if key != "id"}
        return _resolved(inner, shared, where, depth + 1)
    if entry.get("specList"):
        parts = [_resolved(part, shared, where, depth + 1) for part in entry["specList"]]
        return entry | {"specList": parts}
    return entry
