"""Why shifts along z may be wrong."""

from crossreg.fiducial.verdict.cycle_evidence import Break, Evidence, Jump

JUMP_SEEN = 1.6
"""Ratio of z steps up to which planes lie near enough to where they are expected that a jump can be
told; a stage that slipped by some planes is like a ratio of 0.67 or 0.8 on the whole."""


def doubt_of_depth(evidence: Evidence) -> str:
    """Return why shifts along z may be wrong; else empty."""
    if evidence.is_of_mean:
        return (
            "the shift along z is not known: only the mean of all planes matches, as where the"
            " focus is so deep that planes hardly differ"
        )
    if evidence.z_ratio < 0:
        return "the planes of the cycle run the other way along z than those of the reference"
    is_far = not 1 / JUMP_SEEN < evidence.z_ratio < JUMP_SEEN
    # Planes that jump tell more, and look out of focus to those that they do not meet.
    if evidence.is_z_open and not is_far and not evidence.jump:
        return (
            "the shift along z is not known: one of the two stacks seems to be focused beside what"
            " the other shows, and has little but its blurred light"
        )
    if evidence.slip:
        return (
            f"the stage seems to have slipped sideways by about {evidence.slip.by:.0f} px just"
            f" before plane {evidence.slip.plane} of the cycle (of the kept ones, counted from 0),"
            " or in the reference: shifts are off on either side"
        )
    if evidence.jump and not is_far:
        return _said_of_jump(evidence.jump)
    if evidence.plane_break and not is_far:
        return _said_of_break(evidence.plane_break)
    if evidence.z_ratio != 1:
        return (
            f"{evidence.z_ratio:.2g} planes of the cycle correspond to one of the reference:"
            " their z steps differ, or the specimen has swollen or shrunk by as much, or is seen"
            " with a wider or narrower cone of light"
        )
    return ""


def _said_of_jump(jump: Jump) -> str:
    """Return what a user should know of a jump along z."""
    count = max(round(abs(jump.by)), 1)
    planes = "a plane seems" if count == 1 else f"about {count} planes seem"
    here, there = ("missing", "doubled") if jump.by > 0 else ("doubled", "missing")
    return (
        f"{planes} to be {here} just before plane {jump.plane} of the cycle (of the kept ones,"
        f" counted from 0), or {there} in the reference: shifts along z are off on either side"
    )


def _said_of_break(seen: Break) -> str:
    """Return what a user should know where planes do not follow each other as elsewhere."""
    here = f"plane {seen.plane} of the cycle (of the kept ones, counted from 0)"
    if seen.is_repeated:
        return (
            f"{here} differs too little from the one before: planes seem to be doubled there, or"
            " missing in the reference: shifts are off on either side"
        )
    return (
        f"{here} differs too much from the one before: the stage seems to have slipped just there,"
        " or planes are missing, or doubled in the reference: shifts are off on either side"
    )
