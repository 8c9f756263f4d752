"""What is said of a cycle, and the evidence that it rests on."""

from crossreg.fiducial.verdict.cycle_evidence import (
    Break,
    Evidence,
    Jump,
    SeenAtRest,
    SeenOwnMotion,
    Slip,
)
from crossreg.fiducial.verdict.judging import judged
from crossreg.fiducial.verdict.lying_still import is_where_dust_is, lies_still, may_be_whole
from crossreg.fiducial.verdict.odds import CERTAIN, POSSIBLE
from crossreg.fiducial.verdict.verdicts import DOUBTFUL, FAILED, REGISTERED, Verdict

__all__ = [
    "CERTAIN",
    "DOUBTFUL",
    "FAILED",
    "POSSIBLE",
    "REGISTERED",
    "Break",
    "Evidence",
    "Jump",
    "SeenAtRest",
    "SeenOwnMotion",
    "Slip",
    "Verdict",
    "is_where_dust_is",
    "judged",
    "lies_still",
    "may_be_whole",
]
