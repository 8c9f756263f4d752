"""What kind of value each part of a raw tile spec must be, before anything computes with it."""

from collections.abc import Iterator, Mapping
from typing import Any

NUMBERS = (
    *("minX", "minY", "maxX", "maxY", "width", "height"),
    *("minIntensity", "maxIntensity", "meshCellSize"),
)
TEXTS = ("refId", "className", "dataString", "type")

MOST_LEVELS = 50
"""Lists in lists; real ones have one or two."""

MOST_TRANSFORMS = 10_000
"""Of one tile, references resolved; a few nested references could otherwise stand for 2^50."""


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def spec_fault(spec: Mapping[str, Any]) -> str | None:
    """Return what is of the wrong kind in a tile spec, in a few words; None: nothing."""
    for key in NUMBERS:
        if spec.get(key) is not None and not is_number(spec[key]):
            return f"{key} is {_shown(spec[key])}, which is no number"
    channels = spec.get("channels") or []
    if not isinstance(channels, list) or not all(isinstance(one, dict) for one in channels):
        return "channels is no list of objects"
    faults = (_levels_fault(part.get("mipmapLevels")) for part in (spec, *channels))
    fault = next(filter(None, faults), None)
    transforms = spec.get("transforms")
    return fault or (None if transforms is None else transform_fault(transforms))


def transform_fault(entry: Any, level: int = 0) -> str | None:
    """Return what is of the wrong kind in an entry of a transform list; None: nothing."""
    if not isinstance(entry, dict):
        return f"a transform is {_shown(entry)}, which is no object"
    if level > MOST_LEVELS:
        return "its transforms are nested too deeply"
    for key in TEXTS:
        if not isinstance(entry.get(key, ""), str | None):
            return f"the {key} of a transform is {_shown(entry[key])}, which is no text"
    entries = entry.get("specList") or []
    if not isinstance(entries, list):
        return f"a specList is {_shown(entries)}, which is no list"
    faults = (transform_fault(part, level + 1) for part in entries)
    return next(filter(None, faults), None)


class TransformCounter:
    """Counts the transforms that entries stand for, each shared one worked out once."""

    def __init__(self, shared: Mapping[str, Any]):
        self._shared = shared
        self._counts: dict[str, int] = {}

    def count(self, entry: Mapping[str, Any]) -> int:
        """Return how many transforms an entry stands for; endless references count as none."""
        name = entry.get("refId")
        if name is not None:
            if name not in self._counts:
                self._counts[name] = 0
                self._counts[name] = self.count(self._shared.get(name) or {})
            return self._counts[name]
        return 1 + sum(self.count(part) for part in entry.get("specList") or [])


def too_many_transforms(tiles: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of tiles whose transforms stand for more than MOST_TRANSFORMS."""
    counter = TransformCounter(shared)
    for tile_id, spec in tiles.items():
        if counter.count(spec.get("transforms") or {}) > MOST_TRANSFORMS:
            yield tile_id


def _levels_fault(levels: Any) -> str | None:
    if levels is None:
        return None
    if not isinstance(levels, dict) or not all(key.isdecimal() for key in levels):
        return "mipmapLevels is no object of levels (0, 1, ...)"
    for level in levels.values():
        if level is not None and not isinstance(level, dict):
            return f"a mipmap level is {_shown(level)}, which is no object"
        for key in ("imageUrl", "maskUrl"):
            url = (level or {}).get(key)
            if not isinstance(url, str | None):
                return f"its {key} is {_shown(url)}, which is no text"
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
