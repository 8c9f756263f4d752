"""Which tiles of a section are in its project: those whose box overlaps the box of all projects."""

from dataclasses import dataclass

from crossreg.crossmodal.freeze.parameters import Parameters
from crossreg.crossmodal.freeze.records import Bounds, box_sides
from crossreg.crossmodal.render.stack_store import (
    BOX_KEYS,
    TILES,
    TRANSFORMS,
    ResolvedTiles,
    StackStore,
)
from crossreg.crossmodal.render.tile_specs import overlap, tile_box


@dataclass(frozen=True)
class SectionTiles:
    """The tiles of a section."""

    z: float
    tiles: dict[str, ResolvedTiles]
    """Stack -> raw tiles, in the order of the layers: those taken of LM, all of EM."""
    outside: tuple[str, ...]
    """Tile ids of EM tiles that are in no project."""

    @property
    def em_stack(self) -> str:
        """The stack whose tiles a person moves."""
        return list(self.tiles)[-1]

    def taken(self, stack: str) -> list[str]:
        """Return the ids of the tiles of a stack in the project, sorted."""
        outside = set(self.outside) if stack == self.em_stack else set()
        return sorted(self.tiles[stack][TILES].keys() - outside)

    @property
    def has_lm(self) -> bool:
        """Whether any LM stack has a tile here."""
        return any(self.taken(stack) for stack in self.tiles if stack != self.em_stack)


def read_tiles(store: StackStore, parameters: Parameters, bounds: Bounds, z: float) -> SectionTiles:
    """Return the tiles of section `z`; LM stacks without such a section have none."""
    limits = box_sides(bounds)
    box = dict(zip(BOX_KEYS, map(float, limits), strict=True))
    tiles = {stack: store.section_box(stack, z, box) for stack in parameters.lm_stacks}
    em = store.section(parameters.input_stack, z)
    tiles[parameters.input_stack] = em
    outside = (
        tile_id
        for tile_id, spec in em[TILES].items()
        if not overlap(tile_box(spec, em[TRANSFORMS], f"tile {tile_id}"), limits)
    )
    return SectionTiles(z, tiles, tuple(sorted(outside)))
