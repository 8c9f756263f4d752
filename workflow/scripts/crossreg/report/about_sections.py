"""What the report says about sections that a person registers: a verdict, a row per section."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from crossreg.crossmodal.check.checked_section import LandmarkFit, Section
from crossreg.crossmodal.check.finding import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.landmarks.landmark_findings import in_px
from crossreg.crossmodal.trakem2.project_files import MISSING, UNTOUCHED

MOST_FINDINGS = 5
"""Findings of a section that the page names; its own report has all."""
LEVELS = (ERROR, WARNING, NOTE)
ORDER = ("bad", "fair", "good", "waiting", "unsaved")
"""Classes of a section's cell in the order of the rows."""


def verdict(sections: Sequence[Section]) -> dict[str, Any]:
    """Return the counts that the page opens with, and what it says: parts of a sentence.

    A part is a text and the sections it is about. Distances are NaN where no tile was measured.
    """
    total, saved = len(sections), sum(one.saved for one in sections)
    faulty = [one for one in sections if one.faulty]
    suspicious = [one for one in sections if one.suspicious and not one.to_confirm]
    asking = [one for one in sections if one.to_confirm and not one.faulty]
    untouched = [one for one in sections if level(one) == "unsaved"]
    started = [one for one in sections if level(one) == "waiting"]
    missing = [one for one in sections if one.state == MISSING]
    kinds = (
        (faulty, "has errors", "have errors"),
        (missing, "has lost its project", "have lost their projects"),
        (by_look(suspicious), "deserves a look", "deserve a look"),
        (
            asking,
            "was saved without a move and asks to be confirmed",
            "were saved without a move and ask to be confirmed",
        ),
        (untouched, "is not saved yet", "are not saved yet"),
        (started, "has a start that nobody confirmed yet", "have starts that nobody confirmed yet"),
    )
    if saved < total:
        beginning = f"{saved} of {total} sections are saved"
    else:
        beginning = f"All {total} sections are saved" if total > 1 else "The section is saved"
    parts: list[tuple[str, Sequence[Any]]] = [(beginning, [])]
    for found, one, many in kinds:
        if found:
            parts.append((f"{len(found)} {one if len(found) == 1 else many}", found))
    moved = [one.motion for one in sections if one.motion is not None]
    open_ones = (*suspicious, *asking, *untouched, *started)
    return {
        "parts": parts,
        "level": "bad" if faulty or missing else "fair" if open_ones else "good",
        "sections": total,
        "saved": saved,
        "untouched": sum(one.state == UNTOUCHED for one in sections),
        "started": len(started),
        "missing": len(missing),
        "errors": len(faulty),
        "warnings": sum(one.has_warnings for one in sections),
        "apart": sum(one.apart for one in sections),
        "tiles": sum(one.tiles for one in moved),
        "largest_px": max((one.moved_px for one in moved), default=math.nan),
        "largest_nm": max((one.moved_nm for one in moved), default=math.nan),
        "median_px": statistics.median(one.moved_px for one in moved) if moved else math.nan,
    }


def rows(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Return a row per section, those that need a look first, those not saved yet last.

    A row has the section, its state in words, the class of its cell (one of ORDER), its start and
    landmarks in words, the worst findings as pairs of level and text, and how many more there are.
    """
    return [
        {
            "section": one,
            "state": state(one),
            "level": level(one),
            "start": one.start_in_words,
            "landmarks": landmarks_in_words(one.landmarks),
            "findings": findings_in_words(one.all_findings)[:MOST_FINDINGS],
            "more": max(0, len(one.all_findings) - MOST_FINDINGS),
        }
        for one in sorted(by_look(sections), key=lambda one: ORDER.index(level(one)))
    ]


def by_look(sections: Sequence[Section]) -> list[Section]:
    """Return the sections, those first that deserve a look more: warnings, then the score."""

    def urgency(one: Section) -> tuple[int, float]:
        score = one.score or 0.0
        warnings = sum(finding.level == WARNING for finding in one.all_findings)
        return -warnings, -score if one.apart else 0.0

    return sorted(sections, key=urgency)


def level(section: Section) -> str:
    """Return the class of a section's cell, one of ORDER."""
    if section.faulty or section.state == MISSING:
        return "bad"
    if section.suspicious:
        return "fair"
    if section.saved:
        return "good"
    return "waiting" if section.start else "unsaved"


def state(section: Section) -> str:
    """Return in words what became of a section."""
    first = {UNTOUCHED: "not saved yet", MISSING: "project is gone"}.get(section.state, "saved")
    remarks = {
        "with errors": section.faulty,
        "with warnings": section.has_warnings,
        "unlike the others": section.apart,
        "asks to be confirmed": section.to_confirm,
    }
    return ", ".join([first, *(remark for remark, is_so in remarks.items() if is_so)])


def landmarks_in_words(fit: LandmarkFit | None) -> str:
    """Return how many landmarks a section has and how well they fit; '' without any."""
    if fit is None:
        return ""
    words = f"{len(fit.landmarks)}, residual up to {in_px(max(fit.distances))}"
    left_out = fit.median_left_out
    return words if math.isnan(left_out) else f"{words}, left out {in_px(left_out)}"


def findings_in_words(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return level and sentence of each finding, the worst first, without the place of them all."""
    return [
        (finding.level, _without_place(finding))
        for finding in sorted(findings, key=lambda finding: LEVELS.index(finding.level))
    ]


def _without_place(finding: Finding) -> str:
    """Return the sentence of a finding without the section or folder that it begins with."""
    start = f"section {finding.section}" if finding.section else "the folder of projects"
    return finding.sentence().removeprefix(start).lstrip(" ,:")
