"""From stacks to the frozen configuration of a registration."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossreg.crossmodal import affine
from crossreg.crossmodal.freeze.canonical import sha256
from crossreg.crossmodal.freeze.frozen import Freezer, freezing
from crossreg.crossmodal.freeze.parameters import Parameters
from crossreg.crossmodal.freeze.records import Bounds, Frozen, LeftOut, section_record
from crossreg.crossmodal.freeze.section_tiles import SectionTiles, read_tiles
from crossreg.crossmodal.freeze.sections_and_box import (
    WITHOUT_EM,
    layer_size,
    layer_warning,
    left_out_without_lm,
    project_bounds,
    selected_sections,
)
from crossreg.crossmodal.freeze.shown_images import ShownImages, stack_ranges
from crossreg.crossmodal.freeze.starts import Start, Starts
from crossreg.crossmodal.render.stack_store import (
    TILES,
    TRANSFORMS,
    StackStore,
    section_stem,
    source_metadata,
)
from crossreg.crossmodal.render.tile_specs import tile_box
from crossreg.crossmodal.trakem2.patches import Patch, Slot, overhang, patch_of_tile, started
from crossreg.crossmodal.trakem2.project_xml import Layer
from crossreg.crossmodal.trakem2.projects import (
    PROJECT_FORM,
    first_patch_oid,
    project_bytes,
    project_layers,
)
from crossreg.io.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What all sections of a registration share."""

    name: str
    parameters: Parameters
    stacks: dict[str, dict[str, Any]]
    """Stack -> its metadata as answered."""
    bounds: Bounds
    sections: tuple[float, ...]
    """The z asked for, ascending."""
    sections_of: dict[str, list[float]]
    """Stack -> those of them that it has."""
    layers: tuple[Layer, ...]

    @property
    def origin(self) -> tuple[float, float]:
        """Upper left corner of the projects in the frame of the stacks."""
        return self.bounds["minX"], self.bounds["minY"]


def freeze(
    folder: Path,
    name: str,
    parameters: Parameters,
    store: StackStore,
    info: dict[str, Any],
    *,
    allow_loading: bool = False,
    starts: Starts | None = None,
) -> Frozen:
    """Return the frozen configuration after it was made in `folder`, one section at a time.

    `starts` are the motions that EM tiles have in the projects as created; None: the stage's.

    `allow_loading` takes stacks that are still being written. Nothing appears in `folder` if
    anything is wrong with the stacks or their images, or if the place of the stacks would not
    take the EM tiles back: UserError.
    """
    plan = make_plan(name, parameters, store, allow_loading)
    ranges = stack_ranges(
        lambda z: read_tiles(store, parameters, plan.bounds, z), plan.sections_of, parameters
    )
    images = ShownImages(parameters, ranges)
    without_em: list[float] = []
    without_lm: list[float] = []
    with freezing(folder) as freezer:
        for section in (read_tiles(store, parameters, plan.bounds, z) for z in plan.sections):
            if not section.taken(section.em_stack):
                without_em.append(section.z)
            elif not section.has_lm:
                without_lm.append(section.z)
            else:
                # What the place would refuse on import has to be known before the handwork.
                store.accepted(section.tiles[section.em_stack])
                start = starts.of_section(section.z) if starts else None
                _freeze_section(freezer, plan, section, images, start)
        images.check_all_there()
        left_out = [LeftOut(z, WITHOUT_EM) for z in without_em]
        left_out += left_out_without_lm(parameters.sections_without_lm, without_lm)
        if not freezer.entries:
            raise UserError(
                f"no section has tiles in the box of the projects, {plan.bounds}; correct the box."
            )
        head = Frozen(
            name=name,
            owner=parameters.owner,
            project=parameters.project,
            input_stack=parameters.input_stack,
            lm_stacks=parameters.lm_stacks,
            request=parameters.request,
            bounds=plan.bounds,
            layer=layer_size(plan.bounds),
            layers=plan.layers,
            intensity=ranges,
            stacks=plan.stacks,
            left_out=tuple(sorted(left_out, key=lambda one: one.z)),
            info=info,
            project_form=PROJECT_FORM,
            start_from=starts.record() if starts else None,
        )
        return freezer.finish(head, project_bytes)


def make_plan(
    name: str, parameters: Parameters, store: StackStore, allow_loading: bool = False
) -> Plan:
    """Return the box, the layers and the sections to take; UserError if they cannot be."""
    stacks = {stack: source_metadata(store, stack, allow_loading) for stack in parameters.stacks}
    em = parameters.input_stack
    z_values = {stack: store.z_values(stack) for stack in parameters.stacks}
    lm_z = {stack: z_values[stack] for stack in parameters.lm_stacks}
    sections = selected_sections(parameters, z_values[em], lm_z)
    for z in sections:
        section_stem(z)
    tile = None if parameters.tile is None else _box_of(parameters.tile, em, store)
    bounds = project_bounds(parameters, store.bounds(em), tile)
    layer_warning(layer_size(bounds))
    sections_of = {stack: sorted(set(z) & set(sections)) for stack, z in z_values.items()}
    layers = project_layers(parameters.stacks)
    return Plan(name, parameters, stacks, bounds, tuple(sections), sections_of, layers)


def _box_of(tile_id: str, stack: str, store: StackStore) -> tuple[float, float, float, float]:
    """Return the box of a tile, looking for it in one section after the other."""
    for z in store.z_values(stack):
        section = store.section(stack, z)
        if tile_id in section[TILES]:
            return tile_box(section[TILES][tile_id], section[TRANSFORMS], f"tile {tile_id}")
    raise UserError(f"'tile' asks for the tile '{tile_id}', which is not in '{stack}'.")


def _freeze_section(
    freezer: Freezer,
    plan: Plan,
    section: SectionTiles,
    images: ShownImages,
    start: Start | None,
) -> None:
    patches = section_patches(section, plan, images, start)
    kind = start.kind if start else None
    record = section_record(section.z, section.tiles, patches, section.outside, kind)
    tiles = {stack: len(section.taken(stack)) for stack in section.tiles}
    size = layer_size(plan.bounds)
    em_patches = [patch for patch in patches if patch.stack == section.em_stack]
    sticks_out = sum(overhang(patch, size["width"], size["height"]) > 0 for patch in em_patches)
    unuid = f"crossreg.{sha256([plan.name, record])[:32]}"
    freezer.add_section(record, unuid, tiles, sticks_out)
    log.debug("section z = %s: %s", section.z, tiles)


def section_patches(
    section: SectionTiles, plan: Plan, images: ShownImages, start: Start | None = None
) -> list[Patch]:
    """Return the patches of a section, by layer and tile id; without those that lack an image."""
    patches = []
    to_project = affine.translation(-plan.origin[0], -plan.origin[1])
    oid = first_patch_oid(plan.layers)
    for layer in plan.layers:
        stack = layer.stack
        shared = section.tiles[stack][TRANSFORMS]
        for tile_id in section.taken(stack):
            spec = section.tiles[stack][TILES][tile_id]
            slot = Slot(oid, stack, tile_id, layer.index)
            image = images.shown(spec, slot)
            if image is not None:
                patch = patch_of_tile(slot, spec, shared, image, plan.origin)
                if start is not None and stack == section.em_stack:
                    motion = start.of_tile(tile_id)
                    patch = started(
                        patch, affine.compose(to_project, motion, affine.invert(to_project))
                    )
                patches.append(patch)
            oid += 1
    return patches
