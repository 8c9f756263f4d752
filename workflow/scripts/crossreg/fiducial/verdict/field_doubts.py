"""Why too little of the specimen may follow the field."""

from crossreg.fiducial.verdict.cycle_evidence import Evidence
from crossreg.fiducial.verdict.lying_still import lies_still
from crossreg.fiducial.verdict.odds import (
    CERTAIN,
    CERTAIN_IF_TURNED,
    CERTAIN_IN_ALL,
    TURN_BY_CHANCE,
    one_in,
)

LARGEST_TURN = 5.5
"""Turn (degrees) left once a cycle is turned back, up to which blocks match without fault: of
cycles turned by 6 to 8 degrees that were not turned back, one in twenty was wrong in places."""
LARGEST_SHEAR = 0.035
"""Shear (px per px) that no stage and no tissue was seen to have; wrong fields have it."""
FEW_MATCHING, TURN_OF_FEW, SHEAR_OF_FEW = 0.1, 0.7, 0.012
"""Part of the blocks that match by themselves below which they are too few to tell a turn (degrees)
or a shear (px per px) as large as these: most of the image lies far from all of them."""
FEW_BY_PLANES = 1 / 3
"""The same where planes match one by one only: 16 blocks of nuclei were 1.1 px off where 2 matched.
"""
LARGEST_OWN_MOTION = 0.1
"""Part of the sub-blocks with clear structure that may have moved by themselves: one of twenty
cells, which some three sub-blocks show. Sigma says where."""
LARGEST_UNMATCHED = 0.7
"""Part of the sub-blocks with clear structure that may not match: half of the beads of planted
cycles were others than in the reference, and those that matched were right."""
MOST_MATCHING = 0.8
"""Part of the blocks from which on all of the specimen matches, whatever else both images show."""


def doubt_of_field(evidence: Evidence) -> str:
    """Return why too little of the specimen follows the field to believe it; else empty."""
    if evidence.matching == 0 and (evidence.is_thin or evidence.log10_odds > CERTAIN_IN_ALL):
        return "no block matches by itself"
    if evidence.is_lonely and lies_still(evidence.shift_yx):
        return "what matches lies still, as dust does, and hardly a block matches by itself"
    if abs(evidence.turn) > LARGEST_TURN:
        return f"the cycle is turned by {evidence.turn:.1f} degrees, more than is followed safely"
    if evidence.is_turn_open:
        return "the cycle is turned, and too few blocks match to say exactly by how much"
    if evidence.shear > LARGEST_SHEAR:
        return "the shift changes over the image as neither a turn nor swelling tissue would do it"
    if evidence.matching < FEW_MATCHING and (
        abs(evidence.turn) > TURN_OF_FEW or evidence.shear > SHEAR_OF_FEW
    ):
        return (
            f"only {evidence.matching:.0%} of the blocks match by themselves, too few to tell how"
            " much the shift changes over the image"
        )
    if evidence.is_by_planes and evidence.matching < FEW_BY_PLANES:
        return (
            f"planes hardly differ, and only {evidence.matching:.0%} of the blocks match by"
            " themselves: the shifts of the others are unsure"
        )
    if evidence.unmatched > LARGEST_UNMATCHED and evidence.matching < MOST_MATCHING:
        return (
            f"{evidence.unmatched:.0%} of the places where both show clear structure do not match:"
            " most of the specimen has changed, or is another one"
        )
    if evidence.own_motion and evidence.own_motion.share > LARGEST_OWN_MOTION:
        seen = evidence.own_motion
        return (
            f"in {seen.blocks} of {seen.all_blocks} blocks a part of the structure moved by itself,"
            f" by up to {seen.farthest:.0f} px: there the shifts hold for the rest alone"
        )
    if evidence.log10_odds > CERTAIN_IF_TURNED and abs(evidence.turn) > TURN_BY_CHANCE:
        return (
            f"so little structure matches that a turn by {evidence.turn:.1f} degrees may be a"
            f" coincidence (1 in {one_in(evidence.log10_odds)})"
        )
    if evidence.log10_odds > CERTAIN:
        return (
            "so little structure matches that it may be a coincidence"
            f" (1 in {one_in(evidence.log10_odds)})"
        )
    return ""
