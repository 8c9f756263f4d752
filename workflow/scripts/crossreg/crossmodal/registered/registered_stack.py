"""The sections of the output stack: which ones are taken, and their new tile specs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crossreg.crossmodal.check.findings import WARNING
from crossreg.crossmodal.check.saved_sections import SavedSection, saved_phrase
from crossreg.crossmodal.freeze.frozen import SAVED, Frozen
from crossreg.crossmodal.render.stack_store import TILES, ResolvedTiles
from crossreg.crossmodal.render.tile_specs import DERIVED_KEYS, Spec
from crossreg.io.errors import UserError

REGISTERED, KEEP, SKIP, STOP = "registered", "keep", "skip", "error"

MOST_WARNINGS = 20
MOST_NAMED = 10
"""Sections that a sentence names before it says how many more there are."""


@dataclass(frozen=True)
class ImportPolicy:
    """What to do about incomplete work; see the keys of `trakem2` in the configuration."""

    missing_sections: str = STOP
    faulty_sections: str = STOP
    outside_bounds: str = SKIP

    def fate(self, section: SavedSection) -> str:
        """Return what becomes of a section: 'registered', 'keep', 'skip', or 'error'."""
        if section.checked.faulty:
            return self.faulty_sections
        return REGISTERED if section.status == SAVED else self.missing_sections


@dataclass(frozen=True)
class Verdict:
    """What is to become of one section."""

    stem: str
    status: str
    faulty: bool
    fate: str
    warnings: tuple[str, ...]
    """What deserves a look before the stack is used, one sentence each."""


def verdict(section: SavedSection, policy: ImportPolicy) -> Verdict:
    """Return the verdict on a section under a policy."""
    fate = policy.fate(section)
    warnings = tuple(
        one.sentence() for one in section.checked.findings if one.level == WARNING and fate != SKIP
    )
    return Verdict(section.stem, section.status, section.checked.faulty, fate, warnings)


def refuse_incomplete(name: str, verdicts: Sequence[Verdict]) -> None:
    """Raise UserError, naming the registration `name`, if any section has to stop the import."""
    stopping = [one for one in verdicts if one.fate == STOP]
    faulty = [one.stem for one in stopping if one.faulty]
    unsaved = [one.stem for one in stopping if not one.faulty]
    reasons = []
    if unsaved:
        reasons.append(
            f"not saved: {_listed(unsaved)}: save them in TrakEM2, or set missing_sections"
        )
    if faulty:
        reasons.append(
            f"with errors: {_listed(faulty)}: see trakem2_check and correct them, or set"
            " faulty_sections"
        )
    if reasons:
        raise UserError(
            f"'{name}': {saved_phrase([one.status for one in verdicts])}; {'; '.join(reasons)};"
            " the output stack was left as it was."
        )


def repeated_warnings(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what the check warned of in the sections that are taken, the first ones in full."""
    warnings = [warning for one in verdicts for warning in one.warnings]
    more = len(warnings) - MOST_WARNINGS
    told = warnings[:MOST_WARNINGS]
    return [*told, f"{more} more warnings: see the table of trakem2_check."] if more > 0 else told


def outcome(verdicts: Sequence[Verdict]) -> str:
    """Return a sentence on how many sections were saved, taken, kept and skipped."""
    fates = Counter(one.fate for one in verdicts)
    phrase = saved_phrase([one.status for one in verdicts])
    return (
        f"{phrase}; {fates[REGISTERED]} imported, {fates[KEEP]} kept unchanged,"
        f" {fates[SKIP]} left out."
    )


def new_sections(
    sections: Iterator[SavedSection], frozen: Frozen, policy: ImportPolicy
) -> Iterator[tuple[float, ResolvedTiles]]:
    """Yield (z, raw tiles) for the output stack, one section at a time.

    Raises UserError at a section that has to stop the import.
    """
    bounds = frozen["bounds"]
    for section in sections:
        refuse_incomplete(frozen["name"], [verdict(section, policy)])
        fate = policy.fate(section)
        if fate != SKIP:
            frozen_tiles = section.record["resolvedTiles"][frozen["inputStack"]]
            origin = (bounds["minX"], bounds["minY"])
            specs = _registered(section, frozen_tiles, origin)
            if fate == KEEP:
                specs = _kept(section, frozen_tiles, frozen["inputStack"])
            if policy.outside_bounds == KEEP:
                specs |= _unchanged(section.record["outside"], frozen_tiles)
            yield section.z, frozen_tiles | {TILES: specs}


def _registered(
    section: SavedSection, frozen_tiles: ResolvedTiles, origin: tuple[float, float]
) -> dict[str, Spec]:
    return {
        tile.patch.tile_id: tile.spec(frozen_tiles[TILES][tile.patch.tile_id], origin)
        for tile in section.checked.tiles
    }


def _kept(section: SavedSection, frozen_tiles: ResolvedTiles, em_stack: str) -> dict[str, Spec]:
    patches = section.record["patches"]
    tile_ids = [patch["tileId"] for patch in patches if patch["stack"] == em_stack]
    return _unchanged(tile_ids, frozen_tiles)


def _unchanged(tile_ids: Sequence[str], frozen_tiles: ResolvedTiles) -> dict[str, Spec]:
    """Return frozen tile specs without the boxes, which the place of the stack derives."""
    return {
        tile_id: {
            key: value
            for key, value in frozen_tiles[TILES][tile_id].items()
            if key not in DERIVED_KEYS
        }
        for tile_id in tile_ids
    }


def _listed(stems: Sequence[str]) -> str:
    named = ", ".join(stems[:MOST_NAMED])
    more = len(stems) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
