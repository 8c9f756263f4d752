"""What the report says about sections that a person registers: the verdict, and a row a section."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from crossreg.crossmodal.check.findings import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.section_results import SectionResult
from crossreg.crossmodal.freeze.frozen import MISSING, UNTOUCHED

MOST_FINDINGS = 5
"""Findings of a section that the page names; its own report has all."""
LEVELS = (ERROR, WARNING, NOTE)


def verdict(results: Sequence[SectionResult]) -> dict[str, Any]:
    """Return the counts that the page opens with, and what it says: parts of a sentence.

    A part is a text and the sections it is about. Distances are NaN where no tile was measured.
    """
    total, saved = len(results), sum(one.saved for one in results)
    faulty = [one for one in results if one.errors]
    suspicious = [one for one in results if one.suspicious]
    untouched = [one for one in results if one.status == UNTOUCHED and not one.start]
    started = [one for one in results if one.status == UNTOUCHED and one.start]
    missing = [one for one in results if one.status == MISSING]
    kinds = (
        (faulty, "has errors", "have errors"),
        (missing, "has lost its project", "have lost their projects"),
        (suspicious, "deserves a look", "deserve a look"),
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
    moved = [one for one in results if not math.isnan(one.moved_px)]
    return {
        "parts": parts,
        "level": "bad" if faulty or missing else "fair" if suspicious or untouched else "good",
        "sections": total,
        "saved": saved,
        "untouched": len(untouched),
        "missing": len(missing),
        "errors": len(faulty),
        "warnings": sum(one.warnings > 0 for one in results),
        "apart": sum(one.apart for one in results),
        "tiles": sum(one.tiles for one in moved),
        "largest_px": max((one.moved_px for one in moved), default=math.nan),
        "largest_nm": max((one.moved_nm for one in moved), default=math.nan),
        "median_px": statistics.median(one.moved_px for one in moved) if moved else math.nan,
    }


def rows(results: Sequence[SectionResult]) -> list[dict[str, Any]]:
    """Return a row a section, those that need a look first, those not saved yet last.

    A row has the result, its state in words, the class of its cell (bad, fair, good, unsaved), the
    worst findings as pairs of level and text, and how many more there are.
    """
    return [
        {
            "result": one,
            "state": state(one),
            "level": level(one),
            "findings": findings_in_words(one.findings)[:MOST_FINDINGS],
            "more": max(0, len(one.findings) - MOST_FINDINGS),
        }
        for one in sorted(
            results, key=lambda one: ("bad", "fair", "good", "unsaved").index(level(one))
        )
    ]


def level(result: SectionResult) -> str:
    """Return the class of a section's cell: bad, fair, good, or unsaved."""
    if result.errors or result.status == MISSING:
        return "bad"
    if result.suspicious:
        return "fair"
    return "good" if result.saved else "unsaved"


def state(result: SectionResult) -> str:
    """Return in words what became of a section."""
    first = {UNTOUCHED: "not saved yet", MISSING: "project is gone"}.get(result.status, "saved")
    remarks = {
        "with errors": result.errors,
        "with warnings": result.warnings,
        "unlike the others": result.apart,
    }
    return ", ".join([first, *(remark for remark, is_so in remarks.items() if is_so)])


def findings_in_words(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return level and sentence of each finding, the worst first, without the place of them all."""
    return [
        (finding.level, _without_place(finding))
        for finding in sorted(findings, key=lambda finding: LEVELS.index(finding.level))
    ]


def _without_place(finding: Finding) -> str:
    """Return the sentence of a finding without the section or folder that it begins with."""
    place = f"section {finding.section}" if finding.section else "the folder of projects"
    return finding.sentence().removeprefix(place).lstrip(" ,:")
