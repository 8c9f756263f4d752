"""Why what matches may not be the specimen, or not as it was exposed."""

import math

from crossreg.fiducial.verdict.cycle_evidence import Evidence, SeenAtRest
from crossreg.fiducial.verdict.lying_still import MOVED, is_where_dust_is, lies_still

LARGEST_CONTRADICTION = 10.0
"""Distance (px) of the global shift from the whole field, beyond which the two contradict."""
LARGEST_UNMATCHED_DUST = 0.25
"""Part of the sub-blocks with clear structure that may not match where what matches may be dust on
the camera: 0.4 and more of planted cycles of another field that share nothing but dust."""
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
MISSED_AT_REST = 1.0
"""Distance (px) of the global shift from a field that lies still, beyond which the same is said."""


def doubt_of_copies_and_camera(evidence: Evidence) -> str:
    """Return why what matches may not be the specimen, or not as it was exposed; else empty."""
    if evidence.is_copy:
        return (
            "both stacks are one exposure, down to the noise of the camera: a file was copied, or"
            " stands in the sheet twice"
        )
    if 0 < evidence.copied < 1 or (evidence.copied and lies_still(evidence.shift_yx)):
        return (
            f"{evidence.copied:.0%} of the planes are alike to within their noise, which two"
            " exposures never are: a file, or a part of it, was copied, or a pattern of the camera"
            " that lies still hides the specimen"
        )
    if lies_still(evidence.shift_yx) and (
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
    if evidence.planes_differ:
        return (
            "only what all planes share matches, as dust or a pattern of the camera would, while"
            " what differs from plane to plane is not the same: it may be another specimen"
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
        return "a tenth of the pixels, or more, have the highest value: the images are saturated"
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
