"""The odds of a coincidence up to which a match is believed."""

CERTAIN = -4.0
"""Logarithm of the odds of a coincidence up to which a cycle counts as registered. They are a bound
on a probability and behave like one: of 540 planted wrong pairs of few beads (another field,
mirrored, turned by 180 degrees, transposed) the best three reached -3.2, -2.5 and -2.5. Matching
pairs of textures or dense spots reach -10 and less. So do those of spots that keep their distances:
of 411 wrong pairs of few beads the best shared two of three and reached -3."""
POSSIBLE = -2.0
"""The same, beyond which a cycle has failed: one in 50 wrong pairs is doubtful, one in 20 of those
that match in 3 to 12 beads is lost."""
CERTAIN_IF_TURNED, TURN_BY_CHANCE = -6.0, 2.0
"""The odds up to which a cycle counts as registered if what is left of its turn is larger than so
many degrees: stages hardly turn, but seven beads matched their transposed image at 4 degrees with
odds of -4.8. Of 69 matching pairs of 3 to 12 beads none is turned by 1 degree."""
CERTAIN_IN_ALL = -5.5
"""The odds up to which a cycle counts as registered although none of its blocks matches by itself:
in small images of identical beads one bead on another by chance is as high as a block that matches,
so that each block is unsure, while all of them together reach -5.8 to -13. No wrong pair was seen
below -4.8."""


def one_in(log10_odds: float) -> str:
    """Return one over the odds with one digit: 3,000."""
    exponent = int(-log10_odds)
    return f"{round(10 ** (-log10_odds - exponent)) * 10**exponent:,}"
