"""The verdict that the evidence on a cycle supports."""

from crossreg.fiducial.verdict.camera_doubts import doubt_of_copies_and_camera
from crossreg.fiducial.verdict.cycle_evidence import Evidence
from crossreg.fiducial.verdict.depth_doubts import doubt_of_depth
from crossreg.fiducial.verdict.field_doubts import doubt_of_field
from crossreg.fiducial.verdict.lying_still import lies_still
from crossreg.fiducial.verdict.odds import POSSIBLE
from crossreg.fiducial.verdict.verdicts import DOUBTFUL, FAILED, REGISTERED, Verdict


def judged(evidence: Evidence) -> Verdict:
    """Return the verdict that the evidence supports: the first of all reasons counts."""
    for name, reason in ((FAILED, _why_failed(evidence)), (DOUBTFUL, _why_doubtful(evidence))):
        if reason:
            return Verdict(name, reason)
    return Verdict(REGISTERED)


def _why_failed(evidence: Evidence) -> str:
    """Return why a cycle has failed; empty if it has not."""
    if evidence.log10_odds > POSSIBLE:
        return "the cycle does not match the reference better than unrelated images would by chance"
    if evidence.is_inverted:
        return (
            "the structure of one of the two is dark: its grey values are inverted, or all of it is"
            " far out of focus"
        )
    if evidence.is_pattern and not evidence.is_copy and lies_still(evidence.shift_yx):
        return (
            "what matches lies still and is narrower than optics allow: a pattern of the camera,"
            " not the specimen"
        )
    return ""


def _why_doubtful(evidence: Evidence) -> str:
    """Return why a cycle is doubtful; empty if it is not."""
    return (
        doubt_of_copies_and_camera(evidence) or doubt_of_depth(evidence) or doubt_of_field(evidence)
    )
