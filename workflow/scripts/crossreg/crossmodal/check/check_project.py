"""Comparing a saved project with what was frozen: findings, and the tiles as registered."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import IDENTITY, Affine, Points
from crossreg.crossmodal.check import motion
from crossreg.crossmodal.check.findings import ERROR, NOTE, WARNING, Finding, has_errors
from crossreg.crossmodal.check.motion import MOVED, CommonMotion, largest_distance
from crossreg.crossmodal.render.tile_specs import Spec, image_corners, registered_spec
from crossreg.crossmodal.render.transforms import Box, Transform, apply, check_known, patch_box
from crossreg.crossmodal.trakem2.patches import Patch, patch_corners, project_points, to_stack
from crossreg.crossmodal.trakem2.project_xml import (
    FROZEN_ATTRIBUTE,
    PATCH_MARK,
    SECTION_ATTRIBUTE,
    Layer,
    patch_mark,
)
from crossreg.crossmodal.trakem2.saved_project import SavedPatch, SavedProject, read_project
from crossreg.io.errors import UserError

# Points a side at which two lists of coordinate transforms must agree.
GRID = 9

START_AGAIN = "undo it in TrakEM2, or register the section again from the project as created"


@dataclass(frozen=True)
class FrozenSection:
    """What was frozen of one section."""

    section: str
    """Stem of the section."""
    frozen: str
    """Fingerprint that the projects carry."""
    width: int
    height: int
    layers: tuple[Layer, ...]
    patches: tuple[Patch, ...]

    @classmethod
    def from_records(
        cls, stem: str, frozen: str, configuration: Mapping[str, Any], section: Mapping[str, Any]
    ) -> "FrozenSection":
        """Return the section from the content of frozen.json and of the section's file."""
        size = configuration["layer"]
        layers = (Layer(one["index"], one["stack"], one["oid"]) for one in configuration["layers"])
        patches = tuple(map(Patch.from_record, section["patches"]))
        return cls(stem, frozen, size["width"], size["height"], tuple(layers), patches)

    def is_em(self, patch: Patch) -> bool:
        """Return whether a person was to move the patch: it is on the last layer."""
        return patch.layer == self.layers[-1].index


@dataclass(frozen=True)
class Policy:
    """What to do about accidents; see the keys of `trakem2` in the configuration."""

    common_motion: str = "canvas"
    new_transforms: str = "error"


@dataclass(frozen=True)
class RegisteredTile:
    """An EM tile as registered, after the correction by the common motion."""

    patch: Patch
    matrix: Affine
    """In the frame of the project, to be used with `box`."""
    added: tuple[Transform, ...]
    """Coordinate transforms that the person added after the frozen ones."""
    box: Box
    motion: Affine
    """The affine map from the frozen to the registered corners, in the frame of the project."""
    moved: float
    """Largest distance of a corner from where it was frozen, px."""

    def corners(self) -> Points:
        """Return the registered corners in the frame of the project, (4, 2) in px."""
        return _corners(self.patch, self.matrix, self.added, self.box)

    def spec(self, frozen_spec: Spec, origin: tuple[float, float]) -> dict:
        """Return the new tile spec from the frozen one; `origin` is (minX, minY) as frozen."""
        matrix = to_stack(self.matrix, self.box, origin)
        return registered_spec(frozen_spec, self.patch.keep, self.added, matrix)


@dataclass(frozen=True)
class CheckedSection:
    """The findings of a section, and its EM tiles as far as they can be used."""

    section: str
    findings: tuple[Finding, ...]
    tiles: tuple[RegisteredTile, ...] = ()
    common_motion: Affine = IDENTITY
    """What all LM patches were moved by and the EM tiles were corrected for."""

    @property
    def faulty(self) -> bool:
        """Whether the section must not be imported."""
        return has_errors(self.findings)


Pair = tuple[Patch, SavedPatch]


def check_project(
    data: bytes, name: str, frozen: FrozenSection, policy: Policy | None = None
) -> CheckedSection:
    """Return the findings about the file `name` with the bytes `data`; never raises UserError."""
    try:
        saved = read_project(data, name)
    except UserError as error:
        advice = "save the project again in TrakEM2, or start from the project as created"
        found = str(error).rstrip(".")
        finding = Finding(ERROR, "unreadable", frozen.section, "a TrakEM2 project", found, advice)
        return CheckedSection(frozen.section, (finding,))
    return check_saved(saved, frozen, policy or Policy())


def check_saved(saved: SavedProject, frozen: FrozenSection, policy: Policy) -> CheckedSection:
    """Return the findings about a project and the EM tiles as registered."""
    findings = list(_other_project(saved, frozen))
    if findings:
        return CheckedSection(frozen.section, tuple(findings))
    pairs = _pairs(saved, frozen, findings.append)
    sound = []
    for pair in pairs:
        own = list(_patch_errors(*pair, frozen, policy))
        findings += own
        if not own:
            sound.append(pair)
        findings += _patch_notes(*pair, frozen)
    findings += _folders(pairs, frozen)
    common = _common_motion(saved, sound, frozen, policy, findings.append)
    tiles = _registered(sound, frozen, common, findings.append)
    findings += _motions(tiles, frozen)
    findings += _annotations(saved, frozen)
    return CheckedSection(frozen.section, tuple(findings), tuple(tiles), common)


def _finding(
    level: str, kind: str, frozen: FrozenSection, expected: str, found: str, advice: str
) -> Finding:
    return Finding(level, kind, frozen.section, expected, found, advice)


def _of_patch(level: str, kind: str, frozen: FrozenSection, patch: Patch, *texts: str) -> Finding:
    """Return a finding about a patch; `texts` are expected, found and advice."""
    return Finding(level, kind, frozen.section, *texts, patch.stack, patch.tile_id, patch.title)


def _other_project(saved: SavedProject, frozen: FrozenSection) -> Iterator[Finding]:
    """Yield an error if the project was not created for this section and configuration."""
    marks = (
        ("other_configuration", "frozen configuration", FROZEN_ATTRIBUTE, frozen.frozen),
        ("other_section", "section", SECTION_ATTRIBUTE, frozen.section),
    )
    for kind, what, attribute, expected in marks:
        found = saved.attributes.get(attribute)
        if found != expected:
            yield _finding(
                ERROR,
                kind,
                frozen,
                f"{what} {expected}",
                f"{what} {found}" if found else f"a project without {attribute}",
                "put the project that was created for this section in its place",
            )


def _pairs(
    saved: SavedProject, frozen: FrozenSection, report: Callable[[Finding], None]
) -> list[Pair]:
    """Return each frozen patch with its saved one; report those without a partner."""
    known = {patch.oid: patch for patch in frozen.patches}
    found: dict[int, SavedPatch] = {}
    for patch in saved.patches:
        mark = patch_mark(frozen.frozen, frozen.section, patch.oid)
        ours = patch.oid in known and patch.props.get(PATCH_MARK) == mark
        if ours and patch.oid not in found:
            found[patch.oid] = patch
        else:
            report(_surplus(patch, frozen))
    for oid, patch in known.items():
        if oid not in found:
            texts = ("the tile", "no such tile", START_AGAIN)
            report(_of_patch(ERROR, "tile_deleted", frozen, patch, *texts))
    return [(patch, found[oid]) for oid, patch in known.items() if oid in found]


def _surplus(saved: SavedPatch, frozen: FrozenSection) -> Finding:
    """Return the error about a patch that was not in the project as created."""
    name = _file_name(saved.file_path)
    twin = next((one for one in frozen.patches if _file_name(one.file_path) == name), None)
    found = f"a further tile with oid {saved.oid} and image {name}"
    advice = "delete it in TrakEM2"
    if twin is None:
        return Finding(
            ERROR, "tile_added", frozen.section, "no such tile", found, advice, title=saved.title
        )
    return _of_patch(ERROR, "tile_duplicated", frozen, twin, "the tile once", found, advice)


def _patch_errors(
    patch: Patch, saved: SavedPatch, frozen: FrozenSection, policy: Policy
) -> Iterator[Finding]:
    layer_oids = {layer.oid: layer for layer in frozen.layers}
    expected = next(layer for layer in frozen.layers if layer.index == patch.layer)
    if saved.layer != expected.oid:
        other = layer_oids.get(saved.layer)
        found = f"layer {other.stack}" if other else f"a new layer with oid {saved.layer}"
        texts = (f"layer {expected.stack}", found, "move it back in TrakEM2")
        yield _of_patch(ERROR, "tile_on_other_layer", frozen, patch, *texts)
    image, now = _image(patch), _image(saved)
    if image != now:
        texts = (image, now, "open the project where the images are as they were, and save again")
        yield _of_patch(ERROR, "image_changed", frozen, patch, *texts)
    if affine.is_singular(saved.matrix):
        texts = ("a matrix that can be inverted", f"{saved.matrix}", START_AGAIN)
        yield _of_patch(ERROR, "singular_matrix", frozen, patch, *texts)
    yield from _transform_errors(patch, saved, frozen, policy)


def _transform_errors(
    patch: Patch, saved: SavedPatch, frozen: FrozenSection, policy: Policy
) -> Iterator[Finding]:
    """Yield errors about coordinate transforms; those that may be added give a note instead."""
    expected, found = _classes(patch.transforms), _classes(saved.transforms)
    if saved.has_ct_id and not saved.transforms:
        texts = (expected, "only a ct_id", "save with the coordinate transforms in the file")
        yield _of_patch(ERROR, "ct_id_only", frozen, patch, *texts)
        return
    added = _added(patch, saved)
    if added is None:
        yield _of_patch(ERROR, "transform_changed", frozen, patch, expected, found, START_AGAIN)
    elif added and not frozen.is_em(patch):
        yield _of_patch(ERROR, "lm_transformed", frozen, patch, expected, found, START_AGAIN)
    elif added and policy.new_transforms != "accept":
        advice = "remove it in TrakEM2, or set new_transforms: accept"
        yield _of_patch(ERROR, "transform_added", frozen, patch, expected, found, advice)
    elif added:
        try:
            check_known(added, f"tile {patch.tile_id}")
            patch_box((*patch.transforms, *added), patch.o_width, patch.o_height, saved.mres)
        except (UserError, ValueError) as error:
            texts = ("a usable transform", str(error).rstrip("."), "remove it in TrakEM2")
            yield _of_patch(ERROR, "transform_unusable", frozen, patch, *texts)


def _added(patch: Patch, saved: SavedPatch) -> tuple[Transform, ...] | None:
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


def _classes(transforms: Iterable[Transform]) -> str:
    names = [transform.class_name.rsplit(".", 1)[-1] for transform in transforms]
    return f"coordinate transforms {', '.join(names)}" if names else "no coordinate transform"


def _image(patch: Patch | SavedPatch) -> str:
    name = _file_name(patch.file_path)
    return f"image {name}, {patch.o_width} x {patch.o_height} px, type {patch.type}"


def _file_name(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


def _patch_notes(patch: Patch, saved: SavedPatch, frozen: FrozenSection) -> Iterator[Finding]:
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
    )
    for kind, same, expected, found in notes:
        if not same:
            advice = "nothing: it is ignored on import"
            yield _of_patch(NOTE, kind, frozen, patch, expected, found, advice)


def _folders(pairs: Sequence[Pair], frozen: FrozenSection) -> Iterator[Finding]:
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
            yield _of_patch(WARNING, "image_folder", frozen, patch, *texts)


def _common_motion(
    saved: SavedProject,
    pairs: Sequence[Pair],
    frozen: FrozenSection,
    policy: Policy,
    report: Callable[[Finding], None],
) -> Affine:
    """Return the map that all LM patches were moved by, if the policy lets us correct it."""
    lm = [pair for pair in pairs if not frozen.is_em(pair[0])]
    before = [patch_corners(patch) for patch, _ in lm]
    after = [_saved_corners(*pair) for pair in lm]
    common = motion.common_motion(before, after)
    resized = (saved.layer_width, saved.layer_height) != (frozen.width, frozen.height)
    if common is None:
        for (patch, _), old, new in zip(lm, before, after, strict=True):
            distance = largest_distance(old, new)
            if distance > MOVED:
                texts = ("a tile that stays", f"moved by {distance:.6g} px", START_AGAIN)
                report(_of_patch(ERROR, "lm_moved", frozen, patch, *texts))
        return IDENTITY
    if common.is_still:
        if resized:
            report(_resized(saved, frozen, bool(lm)))
        return IDENTITY
    return _corrected(common, resized, frozen, policy, report)


def _resized(saved: SavedProject, frozen: FrozenSection, has_lm: bool) -> Finding:
    where = "the LM tiles did not move" if has_lm else "no LM tile tells whether all tiles moved"
    found = f"{saved.layer_width:g} x {saved.layer_height:g} px, and {where}"
    expected = f"a layer of {frozen.width} x {frozen.height} px"
    advice = "check the registration: the canvas was resized"
    return _finding(WARNING, "layer_resized", frozen, expected, found, advice)


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
    if policy.common_motion == "any" or (policy.common_motion == "canvas" and canvas):
        advice = "nothing: all tiles were moved back by it"
        report(_finding(WARNING, "common_motion", frozen, "LM tiles that stay", found, advice))
        return common.matrix
    advice = f"{START_AGAIN}; or set common_motion: any to move all tiles back by it"
    report(_finding(ERROR, "common_motion", frozen, "LM tiles that stay", found, advice))
    return IDENTITY


def _saved_corners(patch: Patch, saved: SavedPatch) -> Points:
    return _corners(patch, saved.matrix, (), _saved_box(patch, saved, ()))


def _corners(patch: Patch, matrix: Affine, added: tuple[Transform, ...], box: Box) -> Points:
    corners = image_corners(patch.o_width, patch.o_height)
    return project_points(matrix, (*patch.transforms, *added), box, corners)


def _saved_box(patch: Patch, saved: SavedPatch, added: tuple[Transform, ...]) -> Box:
    """Return the box that TrakEM2 gives a saved patch; it depends on the mesh, too."""
    if not added and saved.mres == patch.mres:
        return patch.box
    transforms = (*patch.transforms, *added)
    return patch_box(transforms, patch.o_width, patch.o_height, saved.mres)


def _registered(
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
        added = _added(patch, saved) or ()
        if added:
            texts = (_classes(patch.transforms), _classes(saved.transforms), "nothing: accepted")
            report(_of_patch(NOTE, "transform_added", frozen, patch, *texts))
        box = _saved_box(patch, saved, added)
        matrix = affine.compose(correction, saved.matrix)
        before, after = patch_corners(patch), _corners(patch, matrix, added, box)
        moved = largest_distance(before, after)
        tiles.append(RegisteredTile(patch, matrix, added, box, affine.fit(before, after), moved))
    return tiles


def _motions(tiles: Sequence[RegisteredTile], frozen: FrozenSection) -> Iterator[Finding]:
    """Yield what is remarkable about how the EM tiles moved."""
    unmoved = [tile for tile in tiles if tile.moved <= MOVED]
    if tiles and len(unmoved) == len(tiles):
        texts = ("registered EM tiles", "none that moved", "register the section, and save it")
        yield _finding(WARNING, "nothing_moved", frozen, *texts)
        return
    for tile in unmoved:
        texts = ("a registered tile", "a tile that did not move", "check whether it was forgotten")
        yield _of_patch(NOTE, "tile_unmoved", frozen, tile.patch, *texts)
    usable = [tile for tile in tiles if not affine.is_singular(tile.motion)]
    parts = [affine.split(tile.motion) for tile in usable]
    for tile, part in zip(usable, parts, strict=True):
        if part.mirrored:
            texts = ("a tile that is not mirrored", "a mirrored tile", "flip it back in TrakEM2")
            yield _of_patch(WARNING, "mirrored", frozen, tile.patch, *texts)
    for one in motion.deviations(parts):
        name = one.property.replace("_", " in ")
        expected = f"a {name} within {one.limit} of the section's median {one.median:.4g}"
        texts = (expected, f"{one.value:.4g}", "check this tile in TrakEM2")
        kind = f"{one.property.partition('_')[0]}_off"
        yield _of_patch(WARNING, kind, frozen, usable[one.index].patch, *texts)


def _annotations(saved: SavedProject, frozen: FrozenSection) -> Iterator[Finding]:
    if saved.annotations:
        items = sorted(saved.annotations.items())
        found = ", ".join(f"{count} {name}" for name, count in items)
        advice = "nothing: they stay in the project and are ignored on import"
        yield _finding(NOTE, "annotations", frozen, "images only", found, advice)
