"""Which saved patch is which frozen one: deleted, added and duplicated tiles."""

import re
from collections.abc import Callable, Iterable, Sequence

from crossreg.crossmodal.check.checked_section import Pair, finding_of_patch
from crossreg.crossmodal.check.finding import ERROR, WARNING, Finding
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.project_xml import PATCH_MARK, patch_mark
from crossreg.crossmodal.trakem2.saved_project import SavedPatch, SavedProject

START_AGAIN = "undo it in TrakEM2, or register the section again from the project as created"


def paired(
    saved: SavedProject, frozen: FrozenSection, report: Callable[[Finding], None]
) -> list[Pair]:
    """Return each frozen patch with its saved one; report those without a partner.

    A copy (Duplicate in TrakEM2: a new oid, our mark lost) stands for a tile that is gone, if
    it is the only one and all else is as it was.
    """
    known = {patch.oid: patch for patch in frozen.patches}
    found: dict[int, SavedPatch] = {}
    surplus: list[SavedPatch] = []
    for one in saved.patches:
        mark = patch_mark(frozen.frozen, frozen.section, one.oid)
        ours = one.oid in known and one.props.get(PATCH_MARK) == mark
        if ours and one.oid not in found:
            found[one.oid] = one
        else:
            surplus.append(one)
    for oid, patch in known.items():
        if oid not in found:
            copy = _only_copy(patch, surplus, frozen)
            if copy is None:
                texts = ("the tile", "no such tile", START_AGAIN)
                report(finding_of_patch(ERROR, "tile_deleted", frozen, patch, *texts))
            else:
                found[oid] = copy
                surplus.remove(copy)
                report(_replaced(patch, copy, frozen))
    for one in surplus:
        report(_surplus(one, frozen, found))
    return [(patch, found[oid]) for oid, patch in known.items() if oid in found]


def _only_copy(
    patch: Patch, surplus: Sequence[SavedPatch], frozen: FrozenSection
) -> SavedPatch | None:
    """Return the one surplus patch that can only be a copy of `patch`, None if there is none."""
    twins = [one for one in frozen.patches if same_image(one, patch)]
    copies = [one for one in surplus if same_image(patch, one)]
    layer = next(layer.oid for layer in frozen.layers if layer.index == patch.layer)
    if len(twins) == 1 and len(copies) == 1 and copies[0].layer == layer:
        return copies[0]
    return None


def same_image(one: Patch | SavedPatch, other: Patch | SavedPatch) -> bool:
    """Return whether two patches show images of the same name, size and type."""
    return image_of(one) == image_of(other)


def image_of(patch: Patch | SavedPatch) -> str:
    """Return the image of a patch in words: file name, size and type."""
    name = file_name(patch.file_path)
    return f"image {name}, {patch.o_width} x {patch.o_height} px, type {patch.type}"


def file_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return re.split(r"[\\/]", path)[-1]


def _replaced(patch: Patch, copy: SavedPatch, frozen: FrozenSection) -> Finding:
    found = f"only a copy of it with oid {copy.oid}, which is all the same as the tile"
    texts = (
        f"the tile with oid {patch.oid}",
        found,
        "no action needed: the copy is taken for the tile",
    )
    return finding_of_patch(WARNING, "tile_replaced", frozen, patch, *texts)


def _surplus(saved: SavedPatch, frozen: FrozenSection, present: Iterable[int]) -> Finding:
    """Return the error about a patch that was not in the project as created."""
    name = file_name(saved.file_path)
    twins = [one for one in frozen.patches if file_name(one.file_path) == name]
    found = f"a further tile with oid {saved.oid} and image {name}"
    if not twins:
        texts = ("no such tile", found, "delete it in TrakEM2")
        return Finding(ERROR, "tile_added", frozen.section, *texts, title=saved.title)
    twin = next((one for one in twins if one.oid in set(present)), twins[0])
    advice = (
        f"keep the tile with oid {twin.oid} and delete this one in TrakEM2; if this one stands"
        f" where it belongs, delete the tile with oid {twin.oid} instead"
    )
    return finding_of_patch(ERROR, "tile_duplicated", frozen, twin, "the tile once", found, advice)
