"""The sections of the output stack: which ones are taken, and their new tile specs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.finding import ERROR, WARNING
from crossreg.crossmodal.check.saved_sections import saved_phrase
from crossreg.crossmodal.freeze.records import Frozen, FrozenSection
from crossreg.crossmodal.render.stack_store import TILES, ResolvedTiles
from crossreg.crossmodal.render.tile_specs import Spec, without_box
from crossreg.crossmodal.trakem2.project_files import MISSING
from crossreg.io.errors import UserError

REGISTERED, KEEP, SKIP, STOP = "registered", "keep", "skip", "error"

MOST_TOLD = 20
"""Errors, and warnings, that the import repeats."""
MOST_NAMED = 10
"""Sections that a sentence names before it says how many more there are."""


@dataclass(frozen=True)
class ImportPolicy:
    """What to do about incomplete work; see the keys of `trakem2` in the configuration."""

    missing_sections: str = STOP
    faulty_sections: str = STOP
    outside_bounds: str = SKIP

    def fate(self, section: Section) -> str:
        """Return what becomes of a section: 'registered', 'keep', 'skip', or 'error'."""
        if section.faulty:
            return self.faulty_sections
        return REGISTERED if section.saved else self.missing_sections


def refuse_incomplete(name: str, sections: Sequence[Section], policy: ImportPolicy) -> None:
    """Raise UserError, naming the registration `name`, if any section has to stop the import."""
    stopping = [one for one in sections if policy.fate(one) == STOP]
    faulty = [one.section for one in stopping if one.faulty]
    unsaved = [one for one in stopping if not one.faulty]
    missing = [one.section for one in unsaved if one.state == MISSING]
    reasons = []
    if unsaved:
        reasons.append(
            f"not saved: {_listed([one.section for one in unsaved])}: save them in TrakEM2, or set"
            " missing_sections"
        )
    if missing:
        reasons.append(f"no project: {_listed(missing)}: trakem2_projects creates them anew")
    if faulty:
        reasons.append(
            f"with errors: {_listed(faulty)}: see trakem2_check and correct them, or set"
            " faulty_sections"
        )
    if reasons:
        raise UserError(
            f"'{name}': {saved_phrase([one.state for one in sections])}; {'; '.join(reasons)};"
            " the output stack was left as it was."
        )


def repeated_warnings(sections: Iterable[Section], policy: ImportPolicy) -> list[str]:
    """Return what the check warned of in the sections that are taken, as far as it is few.

    The first warning of each kind of every section comes before further tiles of the same kind.
    """
    firsts: list[str] = []
    others: list[str] = []
    for one in sections:
        if policy.fate(one) == SKIP:
            continue
        seen = set()
        for finding in one.all_findings:
            if finding.level == WARNING:
                (others if finding.kind in seen else firsts).append(finding.sentence())
                seen.add(finding.kind)
        if one.apart:
            firsts.append(
                f"section {one.section}: its motion is unlike that of the other sections (score"
                f" {one.score:.3g}); look at its picture."
            )
    return _as_far_as_few([*firsts, *others], "warnings")


def errors_that_stop(sections: Iterable[Section], policy: ImportPolicy) -> list[str]:
    """Return the errors of the sections that stop the import, in the check's own sentences."""
    found = [
        finding.sentence()
        for one in sections
        if policy.fate(one) == STOP
        for finding in one.all_findings
        if finding.level == ERROR
    ]
    return _as_far_as_few(found, "errors")


def _as_far_as_few(sentences: list[str], what: str) -> list[str]:
    """Return the first sentences, and how many more there are."""
    more = len(sentences) - MOST_TOLD
    told = sentences[:MOST_TOLD]
    return [*told, f"{more} more {what}: see the table of trakem2_check."] if more > 0 else told


def outcome(sections: Sequence[Section], policy: ImportPolicy) -> str:
    """Return a sentence on how many sections were saved, taken, kept and skipped."""
    fates = Counter(map(policy.fate, sections))
    phrase = saved_phrase([one.state for one in sections])
    return (
        f"{phrase}; {fates[REGISTERED]} imported, {fates[KEEP]} kept unchanged,"
        f" {fates[SKIP]} left out."
    )


def new_sections(
    sections: Iterable[tuple[FrozenSection, Section]], frozen: Frozen, policy: ImportPolicy
) -> Iterator[tuple[float, ResolvedTiles]]:
    """Yield (z, raw tiles) for the output stack, one section at a time.

    Raises UserError at a section that has to stop the import.
    """
    for one, section in sections:
        refuse_incomplete(frozen.name, [section], policy)
        fate = policy.fate(section)
        if fate != SKIP:
            specs = _kept(one) if fate == KEEP else _registered(section, one, frozen.origin)
            if policy.outside_bounds == KEEP:
                specs |= _unchanged(one.outside, one.em_tiles)
            yield section.z, one.em_tiles | {TILES: specs}


def _registered(
    section: Section, frozen: FrozenSection, origin: tuple[float, float]
) -> dict[str, Spec]:
    specs = frozen.em_tiles[TILES]
    return {
        tile.patch.tile_id: tile.spec(specs[tile.patch.tile_id], origin) for tile in section.tiles
    }


def _kept(frozen: FrozenSection) -> dict[str, Spec]:
    tile_ids = [patch.tile_id for patch in frozen.patches if frozen.is_em(patch)]
    return _unchanged(tile_ids, frozen.em_tiles)


def _unchanged(tile_ids: Sequence[str], frozen_tiles: ResolvedTiles) -> dict[str, Spec]:
    """Return frozen tile specs without the boxes, which the place of the stack derives."""
    return {tile_id: without_box(frozen_tiles[TILES][tile_id]) for tile_id in tile_ids}


def _listed(stems: Sequence[str]) -> str:
    named = ", ".join(stems[:MOST_NAMED])
    more = len(stems) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
