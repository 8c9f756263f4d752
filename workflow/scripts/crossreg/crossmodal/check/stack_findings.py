"""What only the sections together tell: models without scale, sections unlike the others."""

from collections.abc import Sequence
from dataclasses import replace

from crossreg.crossmodal.check.findings import WARNING, Finding
from crossreg.crossmodal.check.motion_summary import RIGID, SCALED, outlier_scores
from crossreg.crossmodal.check.sections import Section

RIGID_ONLY = "rigid_only"


def compared(sections: Sequence[Section]) -> list[Section]:
    """Return the sections with their scores, and with warnings that the others give rise to.

    What an earlier comparison found of this is replaced.
    """
    motions = {one.section: one.motion for one in sections if one.motion is not None}
    scores = dict(zip(motions, outlier_scores(list(motions.values())), strict=True))
    any_scale = any(one.model == SCALED for one in sections)
    found = []
    for one in sections:
        others = tuple(finding for finding in one.further if finding.kind != RIGID_ONLY)
        rigid = (_rigid_warning(one.section),) if any_scale and one.model == RIGID else ()
        found.append(replace(one, further=(*others, *rigid), score=scores.get(one.section)))
    return found


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
