"""Writing a whole stack: section by section, each read back, COMPLETE only when all is there.

A stack carries a mark in its `versionNotes` that says who may continue it. Stopping anywhere
and running again gives the same tiles.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from crossreg.crossmodal.registered.read_back import section_differences
from crossreg.crossmodal.render.stack_store import (
    COMPLETE,
    LOADING,
    READ_ONLY,
    TILES,
    ResolvedTiles,
    StackStore,
    checked_stack_name,
    required_metadata,
)
from crossreg.io.errors import UserError
from crossreg.io.plurals import counted

log = logging.getLogger(__name__)

NOTES = "versionNotes"
NOT_INHERITED = ("createTimestamp", "materializedBoxRootPath")
"""What a service writes itself, and a folder of images that belongs to the input stack."""


@dataclass(frozen=True)
class Written:
    """What was written: numbers of sections and tiles, and the z of removed old sections."""

    place: str
    stack: str
    sections: int
    tiles: int
    removed: tuple[float, ...]

    def sentence(self) -> str:
        """Return for a person what was written."""
        return (
            f"{self.place}: stack '{self.stack}' is complete:"
            f" {counted(self.sections, 'section')}, {counted(self.tiles, 'tile')}."
        )


def frozen_mark(name: str, sha256: str) -> str:
    """Return the mark of a stack that is made from the frozen configuration `name`."""
    return f"crossreg {name} {sha256}"


def marked_version(metadata: dict[str, Any], mark: str) -> dict[str, Any]:
    """Return the version for a stack made from the one with `metadata`; `mark` ends its notes."""
    version = metadata["currentVersion"]
    notes = "\n".join(filter(None, [version.get(NOTES), mark]))
    return {key: version[key] for key in version if key not in NOT_INHERITED} | {NOTES: notes}


def is_marked(metadata: dict[str, Any], mark: str) -> bool:
    """Return whether `mark` is the last line of the notes of a stack's current version.

    Earlier lines are those of the stacks that it was made from.
    """
    notes = (metadata.get("currentVersion") or {}).get(NOTES) or ""
    return notes.splitlines()[-1:] == [mark]


def write_stack(
    store: StackStore,
    stack: str,
    version: dict[str, Any],
    mark: str,
    sections: Iterable[tuple[float, ResolvedTiles]],
    inputs: Collection[str] = (),
    overwrite: bool = False,
    hierarchical: dict[str, Any] | None = None,
) -> Written:
    """Return what was written after `stack` holds exactly `sections` and is COMPLETE.

    `version` is the new current version; its notes hold the line `mark`. `sections` yields
    (z, raw tiles), one at a time; sections without tiles leave none. `inputs` names the stacks
    of `store` that must not change. A stack that exists is continued if it has the mark, and
    refused otherwise unless `overwrite`, which removes it with all its shared transforms first.
    `hierarchical` is the hierarchicalData of the stack that it is made from, None for none.

    Raises UserError; the stack then stays LOADING, or as it was if nothing could be written.
    """
    check_output_name(stack, inputs)
    _check_continuable(store, stack, mark, overwrite)
    sections = iter(sections)
    first = next(sections, None)
    if first is None:
        raise UserError(f"{store.place}: there is no section to write to stack '{stack}'.")
    replaced = _open(store, stack, version, mark, hierarchical)
    digests: dict[float, str] = {}
    tiles = 0
    for z, section in chain([first], sections):
        if z in digests:
            raise UserError(f"{store.place}: stack '{stack}': section z = {z} comes twice.")
        digest = _write_section(store, stack, z, section)
        if digest is not None:
            digests[z] = digest
            tiles += len(section[TILES])
    old = [z for z in store.z_values(stack) if z not in digests]
    for z in old:
        store.delete_section(stack, z)
    _complete(store, stack, digests)
    removed = sorted({*old, *(z for z in replaced if z not in digests)})
    return Written(store.place, stack, len(digests), tiles, tuple(removed))


def check_output_name(stack: str, inputs: Collection[str]) -> None:
    """Raise UserError if `stack` is one of the input stacks, which are never written to."""
    checked_stack_name(stack)
    for name in inputs:
        if name.casefold() == stack.casefold():
            raise UserError(
                f"the output stack '{stack}' is the input stack '{name}' (small and capital letters"
                " are the same here); give the output another name."
            )


def _check_continuable(store: StackStore, stack: str, mark: str, overwrite: bool) -> None:
    metadata = store.metadata(stack)
    if metadata is not None and metadata.get("state") == READ_ONLY:
        raise UserError(
            f"{store.place}: the stack '{stack}' is {READ_ONLY}; set it to {COMPLETE} if it may be"
            " written, or give the output another name."
        )
    if metadata is not None and not is_marked(metadata, mark) and not overwrite:
        raise UserError(
            f"{store.place}: the stack '{stack}' exists and was not made by this configuration;"
            " give the output another name, or replace it by overwrite: true (--overwrite of a"
            " command)."
        )


def _open(
    store: StackStore,
    stack: str,
    version: dict[str, Any],
    mark: str,
    hierarchical: dict[str, Any] | None,
) -> list[float]:
    """Return the z of a stack that was overwritten; leave the new one in state LOADING, marked.

    Nothing of the old stack is left: its shared transforms would stay with the service.
    """
    metadata = store.metadata(stack)
    replaced: list[float] = []
    if metadata is not None and not is_marked(metadata, mark):
        replaced = store.z_values(stack)
        store.remove(stack)
        metadata = None
    if metadata is None or metadata.get("state") != LOADING:
        store.create(stack, version, hierarchical)
    metadata = required_metadata(store, stack)
    if metadata.get("state") != LOADING or not is_marked(metadata, mark):
        raise UserError(
            f"{store.place}: the stack '{stack}' was created but has the state"
            f" {metadata.get('state')} or lost its {NOTES}; nothing was uploaded."
        )
    return replaced


def _write_section(store: StackStore, stack: str, z: float, tiles: ResolvedTiles) -> str | None:
    """Return a hash of a section as the place answers it after the upload; None: no tiles."""
    tiles = store.accepted(tiles)
    store.delete_section(stack, z)
    if not tiles[TILES]:
        return None
    store.upload_section(stack, z, tiles)
    # Before the section is read back: a change in between is found, now or in the end.
    digest = store.digest(stack, z)
    answered = store.section(stack, z)
    differences = list(section_differences(tiles, answered))
    if differences:
        raise UserError(
            f"{store.place}: stack '{stack}': section z = {z} came back different from what was"
            f" uploaded ({len(differences)} times; first: {differences[0]}); nothing was completed."
        )
    log.debug("section z = %s: %d tiles written to '%s'", z, len(tiles[TILES]), stack)
    return digest


def _complete(store: StackStore, stack: str, digests: dict[float, str]) -> None:
    """Set the stack to COMPLETE if it holds exactly the sections that were read back.

    A later section that has a tile id or a shared transform in common with an earlier one
    takes it away or changes it: only a second look at all sections finds that.
    """
    present = store.z_values(stack)
    if present != sorted(digests):
        raise UserError(
            f"{store.place}: stack '{stack}' has {counted(len(present), 'section')}, but"
            f" {len(digests)} were written; nothing was completed, is another program"
            " writing to it?"
        )
    for z, digest in digests.items():
        if store.digest(stack, z) != digest:
            raise UserError(
                f"{store.place}: stack '{stack}': section z = {z} changed after it was written;"
                " tile ids and ids of shared transforms must be unique in a stack, and nobody else"
                " may write to it."
            )
    store.complete(stack)
    state = required_metadata(store, stack).get("state")
    if state != COMPLETE:
        raise UserError(f"{store.place}: stack '{stack}' has the state {state}, not {COMPLETE}.")
