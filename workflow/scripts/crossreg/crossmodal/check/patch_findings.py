"""What is wrong or remarkable about single patches of a saved project."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.check.checked_section import Pair, Policy, finding_of_patch
from crossreg.crossmodal.check.finding import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.motion.common_motion import MOVED, largest_distance
from crossreg.crossmodal.check.patch_pairs import START_AGAIN, image_of
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.render.image_boxes import patch_box
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import apply, check_known
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.saved_project import SavedPatch
from crossreg.io.errors import UserError

# Points a side at which two lists of coordinate transforms must agree.
GRID = 9


def patch_errors(
    patch: Patch, saved: SavedPatch, frozen: FrozenSection, policy: Policy
) -> Iterator[Finding]:
    """Yield the errors that keep a patch from being used."""
    layer_oids = {layer.oid: layer for layer in frozen.layers}
    expected = next(layer for layer in frozen.layers if layer.index == patch.layer)
    if saved.layer != expected.oid:
        other = layer_oids.get(saved.layer)
        found = f"layer {other.stack}" if other else f"a new layer with oid {saved.layer}"
        texts = (f"layer {expected.stack}", found, "move it back in TrakEM2")
        yield finding_of_patch(ERROR, "tile_on_other_layer", frozen, patch, *texts)
    image, now = image_of(patch), image_of(saved)
    if image != now:
        texts = (image, now, "open the project where the images are as they were, and save again")
        yield finding_of_patch(ERROR, "image_changed", frozen, patch, *texts)
    if affine.is_singular(saved.matrix):
        texts = ("a matrix that can be inverted", f"{saved.matrix}", START_AGAIN)
        yield finding_of_patch(ERROR, "singular_matrix", frozen, patch, *texts)
    yield from _transform_errors(patch, saved, frozen, policy)


def _transform_errors(
    patch: Patch, saved: SavedPatch, frozen: FrozenSection, policy: Policy
) -> Iterator[Finding]:
    """Yield errors about coordinate transforms; those that may be added give a note instead."""
    expected, found = class_names(patch.transforms), class_names(saved.transforms)
    if saved.has_ct_id and not saved.transforms:
        texts = (expected, "only a ct_id", "save with the coordinate transforms in the file")
        yield finding_of_patch(ERROR, "ct_id_only", frozen, patch, *texts)
        return
    added = added_transforms(patch, saved)
    if added is None or (added and not frozen.is_em(patch)):
        kind = "transform_changed" if added is None else "lm_transformed"
        yield finding_of_patch(ERROR, kind, frozen, patch, expected, found, START_AGAIN)
    elif added and policy.new_transforms != "accept":
        advice = "remove it in TrakEM2, or set new_transforms: accept"
        yield finding_of_patch(ERROR, "transform_added", frozen, patch, expected, found, advice)
    elif added:
        try:
            check_known(added, f"tile {patch.tile_id}")
            patch_box((*patch.transforms, *added), patch.o_width, patch.o_height, saved.mres)
        except (UserError, ValueError) as error:
            texts = ("a usable transform", str(error).rstrip("."), "remove it in TrakEM2")
            yield finding_of_patch(ERROR, "transform_unusable", frozen, patch, *texts)


def added_transforms(patch: Patch, saved: SavedPatch) -> tuple[Transform, ...] | None:
    """Return the transforms added after the frozen ones, None if those are not there any more."""
    count = len(patch.transforms)
    head, added = saved.transforms[:count], saved.transforms[count:]
    return added if _same_effect(patch, head) else None


def _same_effect(patch: Patch, transforms: tuple[Transform, ...]) -> bool:
    """Return whether `transforms` are the frozen ones of `patch`, up to the format of numbers."""
    if transforms == patch.transforms:
        return True
    if [one.class_name for one in transforms] != [one.class_name for one in patch.transforms]:
        return False
    x, y = np.linspace(0, patch.o_width, GRID), np.linspace(0, patch.o_height, GRID)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    try:
        now = apply(transforms, points)
    except ValueError:
        return False
    return largest_distance(apply(patch.transforms, points), now) <= MOVED


def class_names(transforms: Iterable[Transform]) -> str:
    """Return the classes of coordinate transforms in words."""
    names = [transform.class_name.rsplit(".", 1)[-1] for transform in transforms]
    return f"coordinate transforms {', '.join(names)}" if names else "no coordinate transform"


def patch_notes(patch: Patch, saved: SavedPatch, frozen: FrozenSection) -> Iterator[Finding]:
    """Yield notes about what is ignored on import."""
    notes = (
        ("hidden", saved.visible, "visible", "hidden"),
        ("unlocked", saved.locked or frozen.is_em(patch), "locked", "unlocked"),
        ("retitled", saved.title == patch.title, f"title {patch.title}", f"title {saved.title}"),
        (
            "contrast",
            (saved.min, saved.max) == (patch.min, patch.max),
            f"contrast {patch.min:g} to {patch.max:g}",
            f"{saved.min:g} to {saved.max:g}",
        ),
        ("opacity", saved.opacity == 1.0, "opacity 1", f"opacity {saved.opacity:g}"),
        ("mask", not saved.has_mask, "no mask", "a mask"),
        ("filter", not saved.filters, "no image filter", f"filter {', '.join(saved.filters)}"),
    )
    for kind, same, expected, found in notes:
        if not same:
            advice = "no action needed: it is ignored on import"
            yield finding_of_patch(NOTE, kind, frozen, patch, expected, found, advice)


def moved_folders(pairs: Sequence[Pair], frozen: FrozenSection) -> Iterator[Finding]:
    """Yield a warning for each folder of images that became another one."""
    seen = set()
    for patch, saved in pairs:
        old, new = patch.file_path.replace("\\", "/"), saved.file_path.replace("\\", "/")
        is_tail = not new.startswith("/") and old.endswith("/" + new)
        folders = (old.rpartition("/")[0], new.rpartition("/")[0])
        if old != new and not is_tail and folders[0] != folders[1] and folders not in seen:
            seen.add(folders)
            advice = "make sure that these are the same images"
            texts = (f"image folder {folders[0]}", folders[1] or "the project's own", advice)
            yield finding_of_patch(WARNING, "image_folder", frozen, patch, *texts)
