"""What is wrong or remarkable about how the tiles of a section were moved."""

from collections.abc import Callable, Iterator, Sequence

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import IDENTITY, Affine, Parts, Points
from crossreg.crossmodal.check.checked_section import (
    CONFIRMED_START,
    TO_CONFIRM,
    Pair,
    Policy,
    finding_of_patch,
)
from crossreg.crossmodal.check.finding import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.motion import common_motion as motion
from crossreg.crossmodal.check.motion.common_motion import MOVED, CommonMotion, largest_distance
from crossreg.crossmodal.check.motion.registered_tile import (
    RegisteredTile,
    checked_tile,
    placed_corners,
    stacked_corners,
)
from crossreg.crossmodal.check.patch_findings import added_transforms, class_names
from crossreg.crossmodal.check.patch_pairs import START_AGAIN
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.render.image_boxes import Box, patch_box
from crossreg.crossmodal.render.stack_store import z_of_stem
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.saved_project import SavedPatch, SavedProject

STAYS = "a tile that stays"


def common_motion_of(
    saved: SavedProject,
    pairs: Sequence[Pair],
    frozen: FrozenSection,
    policy: Policy,
    report: Callable[[Finding], None],
) -> Affine:
    """Return the map that all LM patches were moved by, if the policy lets us correct it."""
    lm = [pair for pair in pairs if not frozen.is_em(pair[0])]
    before = [patch.corners for patch, _ in lm]
    after = [_saved_corners(*pair) for pair in lm]
    common = motion.common_motion(before, after)
    resized = (saved.layer_width, saved.layer_height) != (frozen.width, frozen.height)
    if common is None:
        for (patch, _), old, new in zip(lm, before, after, strict=True):
            distance = largest_distance(old, new)
            if distance > MOVED:
                texts = (STAYS, f"moved by {distance:.6g} px", START_AGAIN)
                report(finding_of_patch(ERROR, "lm_moved", frozen, patch, *texts))
        return IDENTITY
    if common.is_still:
        if resized:
            report(_resized(saved, frozen, bool(lm)))
        return IDENTITY
    if len(lm) == 1 and not (common.is_translation and resized) and policy.common_motion != "any":
        distance = largest_distance(before[0], after[0])
        found = f"moved by {distance:.6g} px, the only LM tile of its section"
        advice = f"{START_AGAIN}: one tile does not tell whether the EM moved with it"
        report(finding_of_patch(ERROR, "lm_moved", frozen, lm[0][0], STAYS, found, advice))
        return IDENTITY
    return _corrected(common, resized, frozen, policy, report)


def _resized(saved: SavedProject, frozen: FrozenSection, has_lm: bool) -> Finding:
    where = "the LM tiles did not move" if has_lm else "no LM tile tells whether all tiles moved"
    found = f"{saved.layer_width:g} x {saved.layer_height:g} px, and {where}"
    expected = f"a layer of {frozen.width} x {frozen.height} px"
    advice = "check the registration: the canvas was resized"
    return Finding(WARNING, "layer_resized", frozen.section, expected, found, advice)


def _corrected(
    common: CommonMotion,
    resized: bool,
    frozen: FrozenSection,
    policy: Policy,
    report: Callable[[Finding], None],
) -> Affine:
    """Return the common motion if the policy allows to correct it; report it in any case."""
    canvas = common.is_translation and resized
    values = ", ".join(f"{value:.9g}" for value in common.matrix)
    found = f"all of them moved by ({values})" + (" and a resized layer" if resized else "")
    expected = "LM tiles that stay"
    if policy.common_motion == "any" or (policy.common_motion == "canvas" and canvas):
        texts = (expected, found, "no action needed: all tiles were moved back by it")
        report(Finding(WARNING, "common_motion", frozen.section, *texts))
        return common.matrix
    advice = f"{START_AGAIN}; or set common_motion: any to move all tiles back by it"
    report(Finding(ERROR, "common_motion", frozen.section, expected, found, advice))
    return IDENTITY


def _saved_corners(patch: Patch, saved: SavedPatch) -> Points:
    return placed_corners(patch, saved.matrix, (), _saved_box(patch, saved, ()))


def _saved_box(patch: Patch, saved: SavedPatch, added: tuple[Transform, ...]) -> Box:
    """Return the box that TrakEM2 gives a saved patch; it depends on the mesh, too."""
    if not added and saved.mres == patch.mres:
        return patch.box
    transforms = (*patch.transforms, *added)
    return patch_box(transforms, patch.o_width, patch.o_height, saved.mres)


def registered_tiles(
    pairs: Sequence[Pair],
    frozen: FrozenSection,
    common: Affine,
    report: Callable[[Finding], None],
) -> list[RegisteredTile]:
    """Return the EM tiles, moved back by the inverse of the common motion."""
    correction = affine.invert(common)
    tiles = []
    for patch, saved in pairs:
        if not frozen.is_em(patch):
            continue
        added = added_transforms(patch, saved) or ()
        if added:
            classes = (class_names(one.transforms) for one in (patch, saved))
            texts = (*classes, "no action needed: accepted")
            report(finding_of_patch(NOTE, "transform_added", frozen, patch, *texts))
        box = _saved_box(patch, saved, added)
        matrix = affine.compose(correction, saved.matrix)
        tiles.append(checked_tile(patch, matrix, added, box))
    return tiles


def motion_findings(
    tiles: Sequence[RegisteredTile], frozen: FrozenSection, policy: Policy
) -> Iterator[Finding]:
    """Yield what is remarkable about how the EM tiles moved since the project was created."""
    unmoved = [tile for tile in tiles if tile.moved <= MOVED]
    if tiles and len(unmoved) == len(tiles):
        yield _nothing_moved(frozen, policy)
        return
    for tile in unmoved:
        texts = ("a registered tile", "a tile that did not move", "check whether it was forgotten")
        yield finding_of_patch(NOTE, "tile_unmoved", frozen, tile.patch, *texts)
    usable = [tile for tile in tiles if not affine.is_singular(tile.motion)]
    parts = [tile.parts for tile in usable]
    for tile, part in zip(usable, parts, strict=True):
        if part.mirrored:
            texts = ("a tile that is not mirrored", "a mirrored tile", "flip it back in TrakEM2")
            yield finding_of_patch(WARNING, "mirrored", frozen, tile.patch, *texts)
    yield from _unlike_the_section(usable, parts, frozen)
    yield from _extreme(usable, parts, frozen)


def _nothing_moved(frozen: FrozenSection, policy: Policy) -> Finding:
    """Return what a save without any move means: a confirmed start, or an accident."""
    expected, found = "registered EM tiles", "none that moved"
    if frozen.start:
        texts = (
            expected,
            f"{found} from the start of this section",
            "no action needed: saving confirms it",
        )
        return Finding(NOTE, CONFIRMED_START, frozen.section, *texts)
    z = z_of_stem(frozen.section)
    if z in policy.confirmed_sections:
        texts = (expected, found, "no action needed: confirmed_sections names the section")
        return Finding(NOTE, "confirmed", frozen.section, *texts)
    advice = (
        "register the section and save it; if it is right as it is, add its z to confirmed_sections"
    )
    return Finding(WARNING, TO_CONFIRM, frozen.section, expected, found, advice)


def _unlike_the_section(
    tiles: Sequence[RegisteredTile], parts: Sequence[Parts], frozen: FrozenSection
) -> Iterator[Finding]:
    """Yield the tiles whose motion is unlike that of the others in scale, rotation or position."""
    for one in motion.deviations(parts):
        name = one.property.replace("_", " in ")
        expected = f"a {name} within {one.limit} of the section's median {one.median:.4g}"
        texts = (expected, f"{one.value:.4g}", "check this tile in TrakEM2")
        kind = f"{one.property.partition('_')[0]}_off"
        yield finding_of_patch(WARNING, kind, frozen, tiles[one.index].patch, *texts)
    before, after = stacked_corners(tiles)
    for index, distance, limit in motion.displaced(before, after, [t.motion for t in tiles]):
        expected = f"a tile within {limit:.4g} px of where the motion of the others puts it"
        texts = (expected, f"one {distance:.4g} px away", "check this tile in TrakEM2")
        yield finding_of_patch(WARNING, "position_off", frozen, tiles[index].patch, *texts)


def _extreme(
    tiles: Sequence[RegisteredTile], parts: Sequence[Parts], frozen: FrozenSection
) -> Iterator[Finding]:
    """Yield the tiles that are hardly meant so whatever the others did."""
    low, high = motion.LIKELY_SCALE
    size = frozen.width, frozen.height
    for tile, part in zip(tiles, parts, strict=True):
        if not low <= part.scale <= high:
            expected = f"a tile scaled by {low:g} to {high:g}"
            texts = (expected, f"one scaled by {part.scale:.4g}", "check this tile in TrakEM2")
            yield finding_of_patch(WARNING, "scale_extreme", frozen, tile.patch, *texts)
        away = motion.distance_outside(tile.corners, *size)
        was_there = not motion.distance_outside(tile.patch.corners, *size)
        if away > 0 and was_there:
            expected = f"a tile that touches the layer of {frozen.width} x {frozen.height} px"
            texts = (expected, f"one {away:.6g} px beside it", "check this tile in TrakEM2")
            yield finding_of_patch(WARNING, "outside_layer", frozen, tile.patch, *texts)
