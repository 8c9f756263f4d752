"""What to do about each kind of finding, for people who did not write the program."""

from collections.abc import Sequence

from crossreg.fiducial.field.motion_file import MOTIONS
from crossreg.fiducial.summary.cycle_summary import CycleSummary, Finding
from crossreg.fiducial.verdict import REGISTERED
from crossreg.io.plurals import counted

MANY_BORROWED, FEW_BORROWED = 0.25, 0.1
"""Part of a cycle's blocks that is borrowed, from which on others could tell more of it, and up to
which it is one of these."""
FEWEST_SHOWN = 3
"""Cycles of few borrowed blocks from which on they tell enough."""

ADVICE = {
    "missing": "If there is a stack, mend it or put it there: the next run registers it. If it was"
    " never taken, or is lost, there is nothing to do: all other results are complete. The target"
    " check_images looks at all files.",
    "failed": "Look at 'before and after': is it the same field of view, in focus, the right"
    " channel? If not, put the right stack in its place and run again. If it is lost, there is"
    " nothing to do: no shift is given, its spots are marked as failed, and nothing else is"
    " touched.",
    "doubtful": "Look at 'before and after' before you use its shifts: where both colours come"
    " together all over the image they are right in rows and columns, and along z where they do so"
    " from the side (ZY, ZX), too. docs/outputs.md says what to do about each reason.",
    "unusual": "The fiducials of these blocks are lost in this cycle (bleached, moved, covered)."
    " Their shifts come from the surroundings with a larger sigma: leave out spots whose sigma is"
    " above what you need.",
    "jump": "The stage has slipped, or the file is of another place: where 'before and after'"
    " overlaps after the local shifts, there is nothing to do.",
    "tolerance": "Leave out spots whose sigma is above the tolerance (register_localizations"
    " writes it for every spot), or live with the larger error there.",
}
"""Kind of a finding -> what to do."""


def advice_on(findings: list[Finding]) -> list[str]:
    """Return what to do about each of a cycle's findings."""
    return [ADVICE[finding.kind] for finding in findings]


def advice_on_motion(summaries: Sequence[CycleSummary], motion: str) -> str:
    """Return what is to be said of how far cycles may deform, in one sentence; empty if nothing is.

    `motion` is the value of that key: smooth, rigid, or a file that was learned from cycles.
    """
    if motion not in MOTIONS:
        return f"How far a cycle may deform was learned from others, in the file {motion}."
    known = [one for one in summaries if one.verdict == REGISTERED and one.blocks]
    weak = [one for one in known if one.share_borrowed >= MANY_BORROWED]
    shown = [one for one in known if one.share_borrowed <= FEW_BORROWED]
    if motion == "rigid" or not weak or len(shown) < FEWEST_SHOWN:
        return ""
    return (
        f"A quarter or more of the blocks is borrowed in {counted(len(weak), 'cycle')}, such as ROI"
        f" {weak[0].roi}, {weak[0].cycle}, while {len(shown)} others are well measured: the target"
        " learn_motion learns from these how far cycles deform, and the key 'motion' lets sigma"
        " follow that."
    )
