"""Comparing a saved project with what was frozen: findings, and the tiles as registered."""

from collections.abc import Iterator
from dataclasses import replace

from crossreg.crossmodal.check.checked_section import Policy, Section
from crossreg.crossmodal.check.finding import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.motion.motion_findings import (
    common_motion_of,
    motion_findings,
    registered_tiles,
)
from crossreg.crossmodal.check.patch_findings import moved_folders, patch_errors, patch_notes
from crossreg.crossmodal.check.patch_pairs import paired
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.trakem2.project_reading import (
    BrokenXmlError,
    read_project,
    recovered_project,
)
from crossreg.crossmodal.trakem2.project_xml import FROZEN_ATTRIBUTE, SECTION_ATTRIBUTE
from crossreg.crossmodal.trakem2.saved_project import SavedProject
from crossreg.io.errors import UserError

OTHER_CONFIGURATION = "other_configuration"
"""Kind of the finding about a project of another registration."""

SHOWN_DIGITS = 12
"""Of the 64 of a hash: enough to tell two configurations apart."""


def check_project(
    data: bytes, name: str, frozen: FrozenSection, policy: Policy | None = None
) -> Section:
    """Return the findings about the file `name` with the bytes `data`; never raises UserError."""
    policy = policy or Policy()
    try:
        return check_saved(read_project(data, name), frozen, policy)
    except BrokenXmlError as error:
        return _broken(data, name, frozen, policy, error)
    except UserError as error:
        advice = "save the project again in TrakEM2, or start from the project as created"
        return Section(frozen.section, (_unreadable(frozen, error, advice),))


def _broken(
    data: bytes, name: str, frozen: FrozenSection, policy: Policy, error: BrokenXmlError
) -> Section:
    """Return what is found in a project that is no XML any more, as TrakEM2 itself saves some.

    The patches count only if the policy says so; that they can be recovered is said in any case.
    """
    try:
        saved = recovered_project(data, name)
    except UserError:
        advice = "start from the project as created; nothing in this file can be recovered"
        return Section(frozen.section, (_unreadable(frozen, error, advice),))
    recovered = check_saved(saved, frozen, policy)
    count = len(recovered.tiles)
    if policy.unreadable_projects != "recover":
        advice = (
            f"the places of {count} EM tiles in it can be recovered: set"
            " unreadable_projects: recover, or start from the project as created"
        )
        return Section(frozen.section, (_unreadable(frozen, error, advice),))
    found = f"broken XML ({str(error).rstrip('.')}), of which {count} EM tiles were recovered"
    advice = "compare the pictures of this section; TrakEM2 cannot open this file any more"
    finding = Finding(WARNING, "recovered", frozen.section, "a TrakEM2 project", found, advice)
    return replace(recovered, findings=(finding, *recovered.findings))


def _unreadable(frozen: FrozenSection, error: UserError, advice: str) -> Finding:
    found = str(error).rstrip(".")
    return Finding(ERROR, "unreadable", frozen.section, "a TrakEM2 project", found, advice)


def check_saved(saved: SavedProject, frozen: FrozenSection, policy: Policy) -> Section:
    """Return the findings about a project and the EM tiles as registered."""
    findings = list(_other_project(saved, frozen))
    if findings:
        return Section(frozen.section, tuple(findings))
    pairs = paired(saved, frozen, findings.append)
    sound = []
    for pair in pairs:
        own = list(patch_errors(*pair, frozen, policy))
        findings += own
        if not own:
            sound.append(pair)
        findings += patch_notes(*pair, frozen)
    findings += moved_folders(pairs, frozen)
    common = common_motion_of(saved, sound, frozen, policy, findings.append)
    tiles = registered_tiles(sound, frozen, common, findings.append)
    findings += motion_findings(tiles, frozen, policy)
    findings += _annotations(saved, frozen)
    return Section(frozen.section, tuple(findings), tuple(tiles), common)


def _other_project(saved: SavedProject, frozen: FrozenSection) -> Iterator[Finding]:
    """Yield an error if the project was not created for this section and configuration."""
    marks = (
        (OTHER_CONFIGURATION, "frozen configuration", FROZEN_ATTRIBUTE, frozen.frozen),
        ("other_section", "section", SECTION_ATTRIBUTE, frozen.section),
    )
    for kind, what, attribute, expected in marks:
        found = saved.attributes.get(attribute)
        if found != expected:
            if found and kind == OTHER_CONFIGURATION:
                expected, found = expected[:SHOWN_DIGITS], found[:SHOWN_DIGITS]
            yield Finding(
                ERROR,
                kind,
                frozen.section,
                f"{what} {expected}",
                f"{what} {found}" if found else f"a project without {attribute}",
                "put the project that was created for this section in its place",
            )


def _annotations(saved: SavedProject, frozen: FrozenSection) -> Iterator[Finding]:
    if saved.annotations:
        items = sorted(saved.annotations.items())
        found = ", ".join(f"{count} {name}" for name, count in items)
        advice = "no action needed: they stay in the project and are ignored on import"
        yield Finding(NOTE, "annotations", frozen.section, "images only", found, advice)
