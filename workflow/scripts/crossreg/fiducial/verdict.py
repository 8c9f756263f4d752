"""The verdict on a cycle: registered, doubtful with its reason, or failed."""

import math
from dataclasses import dataclass

REGISTERED, DOUBTFUL, FAILED = ("registered", "doubtful", "failed")
CERTAIN = -4.0
"""Logarithm of the odds of a coincidence up to which a cycle counts as registered. They are a bound
on a probability and behave like one: of 540 planted wrong pairs of few beads (another field,
mirrored, turned by 180 degrees, transposed) the best three reached -3.2, -2.5 and -2.5. Matching
pairs of textures or dense spots reach -10 and less."""
POSSIBLE = -2.0
"""The same, beyond which a cycle has failed: one in 50 wrong pairs is doubtful, one in 20 of those
that match in 3 to 12 beads is lost."""
LARGEST_TURN = 5.5
"""Turn (degrees) left once a cycle is turned back, up to which blocks match without fault: of
cycles turned by 6 to 8 degrees that were not turned back, one in twenty was wrong in places."""
CERTAIN_IF_TURNED, TURN_BY_CHANCE = -6.0, 2.0
"""The odds up to which a cycle counts as registered if what is left of its turn is larger than so
many degrees: stages hardly turn, but seven beads matched their transposed image at 4 degrees with
odds of -4.8. Of 69 matching pairs of 3 to 12 beads none is turned by 1 degree."""
CERTAIN_IN_ALL = -5.5
"""The odds up to which a cycle counts as registered although none of its blocks matches by itself:
in small images of identical beads one bead on another by chance is as high as a block that matches,
so that each block is unsure, while all of them together reach -5.8 to -13. No wrong pair was seen
below -4.8."""
LARGEST_SHEAR = 0.035
"""Shear (px per px) that no stage and no tissue was seen to have; wrong fields have it."""
FEW_MATCHING, TURN_OF_FEW, SHEAR_OF_FEW = 0.1, 0.7, 0.012
"""Part of the blocks that match by themselves below which they are too few to tell a turn (degrees)
or a shear (px per px) as large as these: most of the image lies far from all of them."""
LARGEST_CONTRADICTION = 10.0
"""Distance (px) of the global shift from the whole field, beyond which the two contradict."""
LARGEST_OWN_MOTION = 0.1
"""Part of the sub-blocks with clear structure that may have moved by themselves: one of twenty
cells, which some three sub-blocks show. Sigma says where."""
LARGEST_UNMATCHED = 0.7
"""Part of the sub-blocks with clear structure that may not match: half of the beads of planted
cycles were others than in the reference, and those that matched were right."""
MOST_MATCHING = 0.8
"""Part of the blocks from which on all of the specimen matches, whatever else both images show."""
LARGEST_UNMATCHED_DUST = 0.25
"""The same where what matches may be dust on the camera: 0.4 and more of planted cycles of another
field that share nothing but dust."""
WHOLE = 0.2
"""Distance (px) from a shift by whole pixels, below which images may have been moved by these."""
WHOLE_SIGMAS = 4.0
"""The same in standard errors of the shift, where so much differs that it draws what lies still."""
JUMP_SEEN = 1.6
"""Ratio of z steps up to which planes lie near enough to where they are expected that a jump can be
told; a stage that slipped by some planes is like a ratio of 0.67 or 0.8 on the whole."""
AT_REST = 0.1
"""Shift (px) below which what shows the same in all planes may be the camera's pattern: planted
ones stay below 0.02."""
LARGEST_UNLIKE_AT_REST, LARGEST_UNLIKE_GRAIN = 0.2, 0.025
"""Part of the structure of single planes at rest that may differ, and the same of thin stacks where
what they share is grain, and what differs is not: of 13 planes of other specimens behind grain that
matched it was 0.03 to 0.75, of 32 behind dust 0.18 to 0.6; where a third of the spots came off and
others came 0.2 to 0.39, which cannot be told from dust. The first also holds for thin stacks that
match only in what all planes share: of 14 of other specimens behind dust 13 had 0.21 to 0.88."""
LARGEST_UNLIKE_MOVED_GRAIN = 0.1
"""The same of single planes that match at a shift by whole pixels: there planted grain that was
moved by these before it was registered left 0.14 to 0.68."""
GRAIN = 1.2
"""Skewness of what both share up to which it is grain, dark as often as bright: of planted grain
0.9 at most, of specimens at rest, real ones and planted ones, 1.8 to 13."""
UNLIKE_DRAWS = 0.4
"""Shift (px), over the root of that part, up to which the rest may draw what lies still."""
STILL, MOVED = 0.5, 2.0
"""Shift (px) below which what matches may lie still, and above which the specimen has moved."""
MISSED_AT_REST = 1.0
"""Distance (px) of the global shift from a field that lies still, beyond which the same is said."""


@dataclass(frozen=True)
class Verdict:
    """What is said of a cycle: REGISTERED, DOUBTFUL or FAILED, and why.

    The reason is one sentence, empty if registered.
    """

    name: str
    reason: str = ""


@dataclass(frozen=True)
class Jump:
    """From kept `plane` of the cycle on, its planes lie `by` planes further in the reference.

    Positive where planes of the cycle are missing, negative where some are doubled.
    """

    plane: int
    by: float


@dataclass(frozen=True)
class Slip:
    """From kept `plane` of the cycle on, its planes lie `by` px beside where those before lie."""

    plane: int
    by: float


@dataclass(frozen=True)
class Break:
    """Before kept `plane` of the cycle its planes differ otherwise than those of the reference.

    They differ more where the stage slipped, sideways or along z, or less, where it `is_repeated`.
    """

    plane: int
    is_repeated: bool


@dataclass(frozen=True)
class SeenOwnMotion:
    """Structure that moved by itself in some `blocks` of `all_blocks`, by `farthest` px at most.

    `share` is its part in all sub-blocks with clear structure.
    """

    share: float
    blocks: int
    all_blocks: int
    farthest: float


@dataclass(frozen=True)
class SeenAtRest:
    """Part of the structure of thin stacks that is `unlike`, its own skewness, and the rest's.

    They match at rest, or where whole pixels may have moved them. `is_a_plane`: one of them is no
    stack.
    """

    unlike: float
    skewness: float
    own_skewness: float
    is_a_plane: bool


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against a cycle's registration.

    `log10_odds` is the logarithm of the odds that the match is a coincidence; `shift_yx` (px) is
    the shift in the middle of the image, `global_shift_yx` that of the projections or given, and
    `contradiction` (px) how far it is from the field where that comes nearest. `own_motion` is what
    moved by itself, `unmatched` the part of the clear structure that does not match, where noise is
    taken for as small as it may be if what matches may be dust; `matching` is the part of the
    blocks that match by themselves. `z_ratio` is how many planes of the cycle follow each other for
    one of the reference, `jump` where planes of the one are missing in the other, `slip` where the
    stage moved sideways while it imaged one of them, `plane_break` where planes of the one stop
    following each other as those of the other do, `turn` (degrees)
    and `shear` (px per px) how the field turns and shears the image, beyond the turn by which the
    cycle was turned back before it was compared; `is_turn_open`: that turn is known roughly only,
    and too few blocks match to make it exact. `is_z_open`: planes that are alike do not tell the
    shift along z; `is_lonely`: but one block matches by itself, or none,
    of several; `is_same_in_planes`: only what all planes of thin stacks share matches;
    `is_of_mean`: the same of stacks of many planes; `is_thin`: the stacks have too few planes to be
    freed of what all of them share, and `may_be_dust`: what matches lies where dust would, too;
    `at_rest`: how thin stacks at rest differ; `is_pattern`: what both share at no shift is narrower
    than optics allow; `is_partly_still`: a part of what they show lies still while the rest has
    moved; `is_inverted`: structure is bright in the one and dark in the other; `is_copy`: both
    stacks are one exposure; `copied`: part of the planes that are alike to within their noise;
    `is_saturated`: about half of the pixels of the cycle have its highest value.
    """

    log10_odds: float
    shift_yx: tuple[float, float] = (0.0, 0.0)
    global_shift_yx: tuple[float, float] = (0.0, 0.0)
    contradiction: float = 0.0
    own_motion: SeenOwnMotion | None = None
    unmatched: float = 0.0
    matching: float = 1.0
    z_ratio: float = 1.0
    jump: Jump | None = None
    slip: Slip | None = None
    plane_break: Break | None = None
    turn: float = 0.0
    shear: float = 0.0
    is_turn_open: bool = False
    is_z_open: bool = False
    is_same_in_planes: bool = False
    is_of_mean: bool = False
    is_thin: bool = False
    may_be_dust: bool = False
    is_lonely: bool = False
    at_rest: SeenAtRest | None = None
    is_pattern: bool = False
    is_partly_still: bool = False
    is_inverted: bool = False
    is_copy: bool = False
    copied: float = 0.0
    is_saturated: bool = False


def lies_still(shift_yx: tuple[float, float]) -> bool:
    """Return whether what matches at a shift (px) has not moved with respect to the camera."""
    return math.hypot(*shift_yx) < STILL


def is_where_dust_is(*shifts_yx: tuple[float, float]) -> bool:
    """Return whether what has one of these shifts (px) may lie still on a camera.

    It may have lain still, too, until the images were moved by whole pixels.
    """
    return any(
        lies_still(shift) or math.hypot(*(part - round(part) for part in shift)) < WHOLE
        for shift in shifts_yx
    )


def may_be_whole(shift_yx: tuple[float, float], sigma_yx: tuple[float, float]) -> bool:
    """Return whether a shift (px) with such standard errors may be one by whole pixels."""
    parts = ((part - round(part)) / sigma for part, sigma in zip(shift_yx, sigma_yx, strict=True))
    return math.hypot(*parts) < WHOLE_SIGMAS


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
    if evidence.is_pattern and not evidence.is_copy and _lies_still(evidence):
        return (
            "what matches lies still and is narrower than optics allow: a pattern of the camera,"
            " not the specimen"
        )
    return ""


def _why_doubtful(evidence: Evidence) -> str:
    """Return why a cycle is doubtful; empty if it is not."""
    return (
        _doubt_of_copies_and_camera(evidence)
        or _doubt_of_depth(evidence)
        or _doubt_of_field(evidence)
    )


def _doubt_of_copies_and_camera(evidence: Evidence) -> str:
    """Return why what matches may not be the specimen, or not as it was exposed; else empty."""
    if evidence.is_copy:
        return (
            "both stacks are one exposure, down to the noise of the camera: a file was copied, or"
            " stands in the sheet twice"
        )
    if 0 < evidence.copied < 1 or (evidence.copied and _lies_still(evidence)):
        return (
            f"{evidence.copied:.0%} of the planes are alike to within their noise, which two"
            " exposures never are: a file, or a part of it, was copied, or a pattern of the camera"
            " that lies still hides the specimen"
        )
    if _lies_still(evidence) and (
        math.hypot(*evidence.global_shift_yx) > MOVED or evidence.contradiction > MISSED_AT_REST
    ):
        row, column = evidence.global_shift_yx
        return (
            "what matches lies still, as dust on the camera does, while the projections say that"
            f" the specimen moved by ({row:.1f}, {column:.1f}) px"
        )
    if evidence.is_same_in_planes and math.hypot(*evidence.shift_yx) < AT_REST:
        return (
            "what matches lies still and is the same in all planes, as a pattern of the camera is:"
            " a specimen in a deep focus that has not moved at all would look like it"
        )
    if evidence.is_partly_still:
        return (
            "a part of what both show lies still, as dust or a pattern of the camera does, while"
            " the rest moves: the shifts may be those of either"
        )
    if evidence.at_rest and (
        _may_be_grain(evidence.at_rest, evidence.shift_yx)
        or (evidence.is_same_in_planes and evidence.at_rest.unlike > LARGEST_UNLIKE_AT_REST)
    ):
        return (
            "what matches lies still, or where whole pixels moved it, while"
            f" {evidence.at_rest.unlike:.0%} of what both show differs: it may be a pattern of the"
            " camera, and so few planes do not tell which"
        )
    if evidence.may_be_dust and evidence.unmatched > LARGEST_UNMATCHED_DUST:
        return (
            "what matches lies still, or where whole pixels moved it, as dust or a pattern of the"
            f" camera would, while {evidence.unmatched:.0%} of the places where both show clear"
            " structure do not match"
        )
    if evidence.contradiction > LARGEST_CONTRADICTION:
        (row, column), (total_row, total_column) = evidence.global_shift_yx, evidence.shift_yx
        return (
            f"the global shift, ({row:.1f}, {column:.1f}) px, contradicts the local ones, which"
            f" make it ({total_row:.1f}, {total_column:.1f}) px in all: do not use it alone"
        )
    if evidence.is_saturated:
        return "about half of the pixels have the highest value: the images are saturated"
    return ""


def _doubt_of_depth(evidence: Evidence) -> str:
    """Return why shifts along z may be wrong; else empty."""
    if evidence.is_of_mean:
        return (
            "the shift along z is not known: only the mean of all planes matches, as where the"
            " focus is so deep that planes hardly differ"
        )
    if evidence.z_ratio < 0:
        return "the planes of the cycle run the other way along z than those of the reference"
    is_far = not 1 / JUMP_SEEN < evidence.z_ratio < JUMP_SEEN
    if evidence.is_z_open and not is_far:
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
            " their z steps differ, or the specimen has swollen or shrunk by as much"
        )
    return ""


def _doubt_of_field(evidence: Evidence) -> str:
    """Return why too little of the specimen follows the field to believe it; else empty."""
    if evidence.matching == 0 and (evidence.is_thin or evidence.log10_odds > CERTAIN_IN_ALL):
        return "no block matches by itself"
    if evidence.is_lonely and _lies_still(evidence):
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
            f" coincidence (1 in {_round_number(evidence.log10_odds)})"
        )
    if evidence.log10_odds > CERTAIN:
        return (
            "so little structure matches that it may be a coincidence"
            f" (1 in {_round_number(evidence.log10_odds)})"
        )
    return ""


def _may_be_grain(seen: SeenAtRest, shift_yx: tuple[float, float]) -> bool:
    """Return whether thin stacks may share but grain at a shift (px), which the rest draws."""
    if not is_where_dust_is(shift_yx):
        return False
    if not lies_still(shift_yx):
        return seen.skewness < GRAIN and seen.unlike > LARGEST_UNLIKE_MOVED_GRAIN
    if seen.skewness < GRAIN <= seen.own_skewness:
        largest = LARGEST_UNLIKE_GRAIN
    elif seen.is_a_plane or seen.skewness < GRAIN:
        largest = LARGEST_UNLIKE_AT_REST
    else:
        return False
    return seen.unlike > largest and math.hypot(*shift_yx) < UNLIKE_DRAWS * math.sqrt(seen.unlike)


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


def _lies_still(evidence: Evidence) -> bool:
    """Return whether what matches has not moved with respect to the camera."""
    return lies_still(evidence.shift_yx)


def _round_number(log10_odds: float) -> str:
    """Return one over the odds with one digit: 3,000."""
    exponent = int(-log10_odds)
    return f"{round(10 ** (-log10_odds - exponent)) * 10**exponent:,}"
