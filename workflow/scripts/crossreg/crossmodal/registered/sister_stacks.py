"""Stacks of the same sections as the EM, such as other channels, with the same motion."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine
from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.motion.motion_table import TileMap, nearest_holding
from crossreg.crossmodal.freeze.records import Frozen, FrozenSection
from crossreg.crossmodal.registered.sections_to_import import KEEP, MOST_NAMED, SKIP, ImportPolicy
from crossreg.crossmodal.render.stack_store import (
    RESOLUTIONS,
    TILES,
    TRANSFORMS,
    ResolvedTiles,
    StackStore,
    checked_stack_name,
    source_metadata,
)
from crossreg.crossmodal.render.tile_specs import (
    Spec,
    appended_spec,
    tile_corners,
    without_box,
)
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import affine_transform
from crossreg.io.errors import UserError


@dataclass
class Sister:
    """A stack that gets the motion of the EM."""

    source: str
    output: str
    metadata: dict[str, Any]
    scale: tuple[float, float]
    """px of the EM a px of this stack, in x and y."""
    moved: int = 0
    """Tiles so far that got the motion of an EM tile."""
    left_out: int = 0
    """Tiles so far that no EM tile covers."""
    absent: list[float] = field(default_factory=list)
    """z so far of sections of the EM that the stack does not have."""

    def remarks(self) -> Iterator[str]:
        """Yield what is to be told when it is written, one sentence each."""
        if self.absent:
            z = ", ".join(f"{z:g}" for z in self.absent[:MOST_NAMED])
            more = f" and {len(self.absent) - MOST_NAMED} more" if self.absent[MOST_NAMED:] else ""
            yield f"'{self.source}' has no tiles in the sections z = {z}{more} of the EM."
        if self.left_out:
            yield f"'{self.source}': {self.left_out} tiles lie on no EM tile; left out."


def sister(
    store: StackStore, source: str, output: str, frozen: Frozen, allow_loading: bool = False
) -> Sister:
    """Return a sister stack; raise UserError if it is not there, or still being written.

    `allow_loading` takes one that is being written all the same. Where both stacks say their
    resolution, motions are scaled from one to the other.
    """
    metadata = source_metadata(store, source, allow_loading)
    em = frozen.em_metadata["currentVersion"]
    own = metadata["currentVersion"]
    x, y = (own[key] / em[key] if own.get(key) and em.get(key) else 1.0 for key in RESOLUTIONS[:2])
    return Sister(source, output, metadata, (x, y))


def check_names(pairs: Sequence[tuple[str, str]], frozen: Frozen, output: str) -> None:
    """Raise UserError if two stacks of an import would be one."""
    inputs = [frozen.input_stack, *frozen.lm_stacks, *(source for source, _ in pairs)]
    outputs = [output, *(name for _, name in pairs)]
    for index, name in enumerate(outputs):
        checked_stack_name(name)
        others = [one.casefold() for one in (*inputs, *outputs[:index])]
        if name.casefold() in others:
            raise UserError(
                f"sister_stacks: '{name}' is an input or another output of this import; give each"
                " output a name of its own."
            )


def moved_sections(
    one: Sister,
    store: StackStore,
    sections: Iterable[tuple[FrozenSection, Section]],
    frozen: Frozen,
    policy: ImportPolicy,
) -> Iterator[tuple[float, ResolvedTiles]]:
    """Yield (z, raw tiles) of a sister for its output stack, one section at a time.

    A tile moves as the EM tile of the same tileId, else as the EM tile that covers its centre;
    one that none covers is left out or kept as it is, by `outside_bounds`. Raises UserError in
    the end if no tile of any section moved, though some could have.
    """
    registered = 0
    for _, section in sections:
        fate = policy.fate(section)
        if fate == SKIP:
            continue
        tiles = store.section(one.source, section.z)
        if not tiles[TILES]:
            one.absent.append(section.z)
        if fate == KEEP:
            yield section.z, tiles | {TILES: {k: without_box(v) for k, v in tiles[TILES].items()}}
            continue
        registered += 1
        maps = [TileMap(tile, frozen.origin) for tile in section.tiles]
        yield section.z, tiles | {TILES: _moved(one, tiles, maps, policy)}
    if registered and not one.moved:
        raise UserError(
            f"sister_stacks: no tile of '{one.source}' lies on a tile of '{frozen.input_stack}';"
            " is it a stack of the same sections, in the same frame?"
        )


def _moved(
    one: Sister, tiles: ResolvedTiles, maps: Sequence[TileMap], policy: ImportPolicy
) -> dict[str, Spec]:
    by_id = {each.tile.patch.tile_id: each for each in maps}
    outlines = [each.outline(registered=False) for each in maps]
    moved: dict[str, Spec] = {}
    for tile_id, spec in tiles[TILES].items():
        found = by_id.get(tile_id)
        if found is None:
            corners = tile_corners(spec, tiles[TRANSFORMS], f"tile {tile_id}") * one.scale
            index = nearest_holding(corners.mean(axis=0), outlines)
            found = None if index is None else maps[index]
        if found is not None:
            one.moved += 1
            moved[tile_id] = appended_spec(spec, motion_transforms(found, one.scale))
        elif policy.outside_bounds == KEEP:
            moved[tile_id] = without_box(spec)
        else:
            one.left_out += 1
    return moved


def motion_transforms(one: TileMap, scale: tuple[float, float]) -> tuple[Transform, ...]:
    """Return the motion of a tile as transforms that follow those of a sister's tile.

    `scale` is px of the EM a px of the sister. An affine motion is one transform; what a person
    added to the tile stands between two affine ones.
    """
    to_em: Affine = (scale[0], 0.0, 0.0, scale[1], 0.0, 0.0)
    from_em = affine.invert(to_em)
    if not one.tile.added:
        return (affine_transform(affine.compose(from_em, one.affine, to_em)),)
    patch, there = one.tile.patch, affine.translation(*one.origin)
    stage = affine.compose(affine.invert(patch.start), patch.matrix)
    to_image = affine.compose(
        affine.translation(patch.box.x, patch.box.y),
        affine.invert(stage),
        affine.invert(there),
        to_em,
    )
    from_image = affine.compose(
        from_em,
        there,
        one.tile.matrix,
        affine.translation(-one.tile.box.x, -one.tile.box.y),
    )
    return affine_transform(to_image), *one.tile.added, affine_transform(from_image)
