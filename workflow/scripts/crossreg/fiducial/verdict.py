"""The verdict on a cycle: registered, doubtful with its reason, or failed."""

from dataclasses import dataclass

REGISTERED, DOUBTFUL, FAILED = VERDICTS = ("registered", "doubtful", "failed")
CERTAIN = -4.4
"""Logarithm of the odds of a coincidence up to which a cycle counts as registered. Of 480 planted
wrong pairs of few beads (another field, mirrored, turned by 180 degrees, transposed) the best
reached -4.3; matching pairs of textures or dense spots reach -30 and less."""
POSSIBLE = -2.8
"""The same, beyond which a cycle has failed: of 75 pairs that match in two beads or more, none was
beyond."""


@dataclass(frozen=True)
class Verdict:
    """What is said of a cycle: one of VERDICTS, and why in one sentence (empty if registered)."""

    name: str
    reason: str = ""


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against a cycle's registration.

    `log10_odds` is the logarithm of the odds that the match is a coincidence.
    """

    log10_odds: float


def judged(evidence: Evidence) -> Verdict:
    """Return the verdict that the evidence supports."""
    if evidence.log10_odds > POSSIBLE:
        return Verdict(
            FAILED,
            "the cycle does not match the reference better than unrelated images would by chance",
        )
    if evidence.log10_odds > CERTAIN:
        return Verdict(
            DOUBTFUL,
            "so little structure matches that it may be a coincidence"
            f" (1 in {_round_number(evidence.log10_odds)})",
        )
    return Verdict(REGISTERED)


def _round_number(log10_odds: float) -> str:
    """Return one over the odds with one digit: 3,000."""
    exponent = int(-log10_odds)
    return f"{round(10 ** (-log10_odds - exponent)) * 10**exponent:,}"
