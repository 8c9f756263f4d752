"""What a place for stacks made of an uploaded section: the comparison after reading it back."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from crossreg.crossmodal.render.stack_store import BOX_KEYS, TILES, TRANSFORMS, ResolvedTiles

KEPT = """
    tileId z width height minIntensity maxIntensity meshCellSize layout sectionId stageX stageY
    mipmapLevels imageUrl maskUrl channels transforms specList className dataString refId id a b
    lambda
"""
"""Keys that the service has to return; it drops keys that it does not know, without a word."""


LABELS = "labels"


def section_differences(sent: ResolvedTiles, answered: ResolvedTiles) -> Iterator[str]:
    """Yield each difference that matters between a section as sent and as read back.

    Numbers are compared as numbers, also inside text (1 = 1.0). Boxes are not compared, since
    the place derives them, nor are shared transforms that no tile refers to.
    """
    for tile_id in sorted(sent[TILES].keys() | answered[TILES].keys()):
        where = f"tile '{tile_id}'"
        if tile_id not in answered[TILES]:
            yield f"{where} is missing"
        elif tile_id not in sent[TILES]:
            yield f"{where} was not sent"
        else:
            yield from _differences(sent[TILES][tile_id], answered[TILES][tile_id], where)
    needed = set(_references(sent[TILES])) | set(_references(sent[TRANSFORMS]))
    for transform_id, spec in sent[TRANSFORMS].items():
        where = f"shared transform '{transform_id}'"
        if transform_id in answered[TRANSFORMS]:
            yield from _differences(spec, answered[TRANSFORMS][transform_id], where)
        elif transform_id in needed:
            yield f"{where} is missing"


def _differences(sent: Any, answered: Any, where: str) -> Iterator[str]:
    if sent == answered:
        return
    if isinstance(sent, dict) and isinstance(answered, dict):
        for key in sent.keys() - set(BOX_KEYS):
            if (
                key == LABELS
                and isinstance(sent[key], list)
                and isinstance(answered.get(key), list)
            ):
                # The service keeps them as a set: in any order, each one once.
                if set(map(str, sent[key])) != set(map(str, answered[key])):
                    yield f"{where}, {key}: sent {sent[key]!r}, came back {answered[key]!r}"
            elif answered.get(key) is not None:
                yield from _differences(sent[key], answered[key], f"{where}, {key}")
            elif sent[key] is not None and (key in KEPT.split() or key.isdigit()):
                yield f"{where}, {key}: dropped"
    elif isinstance(sent, list) and isinstance(answered, list):
        if len(sent) != len(answered):
            yield f"{where}: {len(sent)} entries were sent, {len(answered)} came back"
        for index, (one, other) in enumerate(zip(sent, answered, strict=False)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif sent is not None and not _same(sent, answered):
        yield f"{where}: sent {sent!r}, came back {answered!r}"


def _same(sent: Any, answered: Any) -> bool:
    """Return whether two scalars hold the same words and the same numbers."""
    words = zip_longest(str(sent).split(), str(answered).split())
    return sent == answered or all(_same_word(one, other) for one, other in words)


def _same_word(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _references(value: Any) -> Iterator[str]:
    """Yield the ids of all shared transforms that `value` refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("refId"), str):
            yield value["refId"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
