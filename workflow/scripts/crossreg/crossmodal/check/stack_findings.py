"""What only the sections together tell: models without scale, sections unlike the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.finding import WARNING, Finding
from crossreg.crossmodal.check.motion.motion_summary import (
    LEAST_SPREAD,
    RIGID,
    SCALED,
    WRONG_SECTION,
    SectionMotion,
    outlier_scores,
)

RIGID_ONLY, EXCHANGED = "rigid_only", "landmarks_inverse"
KINDS = (RIGID_ONLY, EXCHANGED)

MUCH_NEARER = 0.25
"""The inverse of a motion is the right one if it is off the others by less than this fraction."""


def compared(sections: Sequence[Section]) -> list[Section]:
    """Return the sections with their scores, and with warnings that the others give rise to.

    What an earlier comparison found of this is replaced.
    """
    motions = {one.section: one.motion for one in sections if one.motion is not None}
    scores = dict(zip(motions, outlier_scores(list(motions.values())), strict=True))
    any_scale = any(one.model == SCALED for one in sections)
    found = []
    for one in sections:
        others = tuple(finding for finding in one.further if finding.kind not in KINDS)
        rigid = (_rigid_warning(one.section),) if any_scale and one.model == RIGID else ()
        exchanged = (_exchanged_warning(one.section),) if _looks_exchanged(one, motions) else ()
        further = (*others, *rigid, *exchanged)
        found.append(replace(one, further=further, score=scores.get(one.section)))
    return found


def _looks_exchanged(section: Section, motions: Mapping[str, SectionMotion]) -> bool:
    """Return whether landmarks shift a section against the others, which agree, by as much."""
    own = motions.get(section.section)
    shifts = np.array([(m.shift_x, m.shift_y) for m in motions.values() if m is not own])
    if section.landmarks is None or own is None or len(shifts) < 2:
        return False
    others = np.median(shifts, axis=0)
    scatter = float(np.median(np.hypot(*(shifts - others).T)))
    inverse = np.hypot(others[0] + own.shift_x, others[1] + own.shift_y)
    as_given = np.hypot(others[0] - own.shift_x, others[1] - own.shift_y)
    clear = as_given > max(WRONG_SECTION * scatter, LEAST_SPREAD["shift_x"])
    return bool(clear and inverse < MUCH_NEARER * as_given)


def _exchanged_warning(section: str) -> Finding:
    return Finding(
        WARNING,
        EXCHANGED,
        section,
        "a motion like that of the other sections",
        "one that is their inverse",
        "check whether EM and LM were exchanged in BigWarp: moving is the EM",
    )


def _rigid_warning(section: str) -> Finding:
    # The dialog of "Align layers manually with landmarks" proposes "Rigid", which drops the scale.
    return Finding(
        WARNING,
        RIGID_ONLY,
        section,
        "a scale as other sections have",
        "every tile turned and none scaled, as the model Rigid of the landmark dialog does",
        "align it again with Similarity or Affine, unless its scale is meant to be exactly 1",
    )
