"""What to do about each kind of finding, for people who did not write the program."""

from crossreg.fiducial.summary import Finding

ADVICE = {
    "missing": "If there is a stack, mend it or put it there: the next run registers it. If it was"
    " never taken, or is lost, there is nothing to do: all other results are complete. The target"
    " check_images looks at all files.",
    "failed": "Look at 'before and after': is it the same field of view, in focus, the right"
    " channel? If not, put the right stack in its place and run again. If it is lost, there is"
    " nothing to do: no shift is given, its spots are marked as failed, and nothing else is"
    " touched.",
    "doubtful": "Look at 'before and after' and the blocks in detail before you use its shifts: if"
    " both colours come together all over the image, it is right.",
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
