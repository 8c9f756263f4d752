"""Shifts at which what matches may lie still on the camera."""

import math

WHOLE = 0.2
"""Distance (px) from a shift by whole pixels, below which images may have been moved by these."""
WHOLE_SIGMAS = 3.0
"""The same in standard errors of the shift, where so much differs that it draws what lies still."""
STILL, MOVED = 0.5, 2.0
"""Shift (px) below which what matches may lie still, and above which the specimen has moved."""


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
