"""Stacks binned 2 x 2 and freed of their background: what is registered."""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from crossreg.fiducial.correlation.band_pass import high_pass
from crossreg.fiducial.correlation.black_borders import Mask, dark_border, filled_border
from crossreg.fiducial.correlation.camera_stripes import without_stripes
from crossreg.fiducial.correlation.hot_pixels import without_hot_pixels
from crossreg.fiducial.correlation.transforms import filtered
from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, medians

Stacks = tuple[np.ndarray, np.ndarray]

BIN = 2
"""Edge (px) of a binned pixel: a spot of the usual size is still sampled well."""
PLANES_FOR_PATTERN = 8
"""Planes from which on what is equal in all of them is taken for the camera's pattern."""
PLANES_FOR_BORDER = 4
"""Planes, spread over a stack, whose mean is looked at for a dark border."""
STEPS = 10
"""Steps of the stored values in one standard deviation of the noise."""
STEP = 3
"""Bins between pixels whose differences are taken: about a spot."""
SURE, BLANK_PART = 4.0, 0.1
"""Standard errors of what pixels of a plane share with neighbours, beyond which it is structure;
and the part of the most that those of any plane share, which a blank plane cannot have."""
CLEAR_SHARE, CLEAR_PART = 0.2, 0.25
"""Part of its variance that they share, and part of the most that those of any plane do, from which
on a plane shows enough to tell that a blank one beside it is so suddenly."""
BRIGHT = 8.0
"""Standard deviations of the noise above which heights count by their logarithm only: bright
dirt, which only one stack shows, must not outweigh many spots."""
SAMPLED = 4
"""Every so many bins along both axes are looked at for medians."""
BORDER = 5
"""Bins by which a plane is mirrored at its borders: three times the scale of the background."""


class BinnedStack(NamedTuple):
    """What is registered of a stack, and the skewness of its mean.

    `planes` (Z, y, x) are binned and freed of background and, if they are many, of what all of them
    share: int16 in 1 / STEPS of the noise. `mean` (y, x) is the mean of the planes without
    background, which is just that. Its `skewness` is positive where structure is bright, negative
    where it is dark. `exposed` (Z, y, x) are the planes as they were exposed, where they are few,
    else (0, y, x).
    """

    planes: np.ndarray
    mean: np.ndarray
    skewness: float
    exposed: np.ndarray


def binned_stack(stack: np.ndarray, pool: Executor) -> BinnedStack:
    """Return a stack (Z, Y, X) binned and freed."""
    return freed_stack(binned_planes(stack, pool), pool)


def freed_stack(planes: np.ndarray, pool: Executor) -> BinnedStack:
    """Return binned planes (Z, y, x) freed; those that are given are changed (`freed_planes`)."""
    total = planes.sum(axis=0)
    mean = _high_passed(total / len(planes))
    exposed = planes[: len(planes) if len(planes) < PLANES_FOR_PATTERN else 0].copy()
    return BinnedStack(freed_planes(planes, total, pool), mean, _skewness(mean), exposed)


def stack_of_mean(mean: np.ndarray, pool: Executor) -> np.ndarray:
    """Return the mean plane (y, x) of a `BinnedStack` as a stack (1, y, x) to be registered."""
    return _in_steps(without_stripes(mean)[None], pool)


def binned_planes(stack: np.ndarray, pool: Executor) -> np.ndarray:
    """Return a stack (Z, Y, X) binned, as float32 (Z, ceil(Y / BIN), ceil(X / BIN)).

    Few planes, from which nothing is taken that all of them share, are freed of hot pixels.
    """
    shape = tuple(-(-size // BIN) for size in stack.shape[1:])
    values = np.empty((len(stack), *shape), dtype=np.float32)
    is_thin = len(stack) < PLANES_FOR_PATTERN
    some = finite(stack[evenly_chosen(len(stack), PLANES_FOR_BORDER)])
    dark = dark_border(some.mean(axis=0))

    def binned(z: int) -> np.ndarray:
        return binned_plane(without_hot_pixels(finite(stack[z])) if is_thin else stack[z], dark)

    fill_planes(values, binned, pool)
    return values


def freed_planes(values: np.ndarray, total: np.ndarray, pool: Executor) -> np.ndarray:
    """Return binned planes (Z, y, x) freed of background and of what all of them share.

    int16, in 1 / STEPS of the standard deviation of the noise (by the median of the absolute
    values, so that bright structure does not count). Heights are compressed above BRIGHT. The
    planes that are given, whose sum is `total` (y, x), are changed: they take much memory. One
    without image, which was lost or is filled, becomes 0 and takes no part.
    """
    shown = [_has_image(plane) for plane in values]
    is_freed = len(values) >= PLANES_FOR_PATTERN
    if is_freed:
        shown = _without_blank_ends(values, shown)
    pattern = total / max(sum(shown), 1) if is_freed else np.float32(0)

    def freed(z: int) -> np.ndarray:
        if not shown[z]:
            return np.zeros_like(values[z])
        plane = _high_passed(values[z] - pattern)
        return plane if is_freed else without_stripes(plane)

    fill_planes(values, freed, pool)
    return _in_steps(values, pool)


def _has_image(plane: np.ndarray) -> bool:
    """Return whether a plane (Y, X) has two values at least; the first row tells of most."""
    return any(bool(part.min() < part.max()) for part in (plane[0], plane))


def _without_blank_ends(values: np.ndarray, shown: list[bool]) -> list[bool]:
    """Return which planes of a binned stack (Z, y, x) are shown, without blank ones at its ends.

    These show nothing but noise, and the plane beside them as much as others: light was off, or
    something was in its way. Optics let a specimen fade over planes.
    """
    steps = [plane[::SAMPLED, STEP:] - plane[::SAMPLED, :-STEP] for plane in values]
    structure = np.array([np.mean(part[:, :-1] * part[:, 1:]) for part in steps])
    variance = np.array([np.mean(np.square(part)) for part in steps])
    errors, most = variance / np.sqrt(steps[0].size), structure.max()
    is_blank = (structure < SURE * errors) & (structure + SURE * errors < BLANK_PART * most)
    is_clear = (structure > CLEAR_SHARE * variance) & (structure > CLEAR_PART * most)
    if is_blank.all():
        return shown
    first, last = int(is_blank.argmin()), len(values) - int(is_blank[::-1].argmin())
    start = first if is_clear[first] else 0
    stop = last if is_clear[last - 1] else len(values)
    return [is_shown and start <= z < stop for z, is_shown in enumerate(shown)]


def weighted_planes(stack: np.ndarray, weights: np.ndarray, pool: Executor) -> np.ndarray:
    """Return a binned and freed stack (Z, y, x) whose planes are weighted (Z,)."""
    values = _expanded(stack / np.float32(STEPS))
    values *= weights.astype(np.float32)[:, None, None]
    return _in_steps(values, pool)


def changed_planes(
    stack: np.ndarray, changed: Callable[[np.ndarray], np.ndarray], pool: Executor
) -> np.ndarray:
    """Return a binned and freed stack (Z, y, x) each plane of which is changed.

    Heights stay in parts of the noise that the planes had before.
    """
    result = np.empty_like(stack)

    def whole(z: int) -> np.ndarray:
        plane = changed(_expanded(stack[z] / np.float32(STEPS)))
        return np.asarray(np.rint(_compressed(plane) * STEPS))

    fill_planes(result, whole, pool)
    return result


def without_shared(stack: np.ndarray, pool: Executor) -> np.ndarray:
    """Return a binned stack (Z, y, x) of a few planes freed of what all of them share."""
    values = _expanded(stack / np.float32(STEPS))
    values -= values.mean(axis=0)
    return _in_steps(values, pool)


def shown_planes(stack: np.ndarray) -> np.ndarray:
    """Return which planes (Z,) of a binned and freed stack (Z, y, x) have an image."""
    return np.asarray(stack[:, ::SAMPLED, ::SAMPLED].any(axis=(1, 2)))


def shown_range(stack: np.ndarray) -> tuple[int, int]:
    """Return the first plane of a binned and freed stack that has an image, and one after the last.

    All of them where none has.
    """
    shown = np.flatnonzero(shown_planes(stack))
    return (int(shown[0]), int(shown[-1]) + 1) if len(shown) else (0, len(stack))


def shown_in_both(stacks: Stacks, shift_z: float) -> Stacks:
    """Return two binned stacks (Z, y, x), reference and cycle `shift_z` planes apart.

    A plane that meets one without image, in the other stack, is without image, too, and between
    two planes it is in part: what one of them cuts must not be longer than what the other cuts.
    """
    shown = [shown_planes(stack) for stack in stacks]
    if all(planes.all() for planes in shown):
        return stacks
    result = []
    for stack, other, shift in zip(stacks, shown[::-1], (-shift_z, shift_z), strict=True):
        met = np.interp(np.arange(len(stack)) + shift, np.arange(len(other)), other)
        result.append(np.rint(stack * met[:, None, None].astype(np.float32)).astype(np.int16))
    return result[0], result[1]


def _in_steps(values: np.ndarray, pool: Executor) -> np.ndarray:
    """Return high-passed values (Z, y, x) as int16, compressed, in parts of their noise."""
    shown = np.flatnonzero(shown_planes(values))[::2]
    if not len(shown):
        return np.zeros(values.shape, dtype=np.int16)
    sample = np.abs(values[shown, ::SAMPLED, ::SAMPLED])
    noise = float(medians(sample.ravel(), 0)) / NORMAL_MEDIAN or float(sample.max())
    result = np.empty(values.shape, dtype=np.int16)
    fill_planes(result, lambda z: np.rint(_compressed(values[z] / noise) * STEPS), pool)
    return result


def fill_planes(target: np.ndarray, plane: Callable[[int], np.ndarray], pool: Executor) -> None:
    """Write the planes (Y, X) that a function gives for each z into a stack (Z, Y, X)."""

    def write(z: int) -> None:
        target[z] = plane(z)

    for _ in pool.map(write, range(len(target))):
        pass


def _compressed(values: np.ndarray) -> np.ndarray:
    """Return values with those above BRIGHT compressed: continuous, and so is the slope."""
    bright = values > BRIGHT
    values[bright] = BRIGHT * (1 + np.log(values[bright] / BRIGHT))
    result: np.ndarray = np.maximum(values, -BRIGHT, out=values)
    return result


def _expanded(values: np.ndarray) -> np.ndarray:
    """Return what `_compressed` made these values of."""
    bright = values > BRIGHT
    values[bright] = BRIGHT * np.exp(values[bright] / BRIGHT - 1)
    return values


def binned_plane(plane: np.ndarray, dark: Mask | None = None) -> np.ndarray:
    """Return a plane (Y, X) binned, the last row and column repeated where the size is odd.

    A border without image is filled, be it the `dark` one (Y, X) of its stack.
    """
    plane = filled_border(finite(plane), dark)
    if any(size % BIN for size in plane.shape):
        plane = np.pad(plane, [(0, -size % BIN) for size in plane.shape], mode="edge")
    rows = plane[::2] + plane[1::2]
    result: np.ndarray = (rows[:, ::2] + rows[:, 1::2]) * np.float32(1 / BIN**2)
    return result


def finite(values: np.ndarray) -> np.ndarray:
    """Return values as float32, those that are not finite as 0."""
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float32)
    return np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)


def _skewness(values: np.ndarray) -> float:
    """Return the skewness of values: their third central moment over the cube of their spread."""
    centred = values.astype(float) - values.mean(dtype=float)
    squares = np.square(centred)
    spread = float(np.sqrt(np.mean(squares)))
    # Not centred**3: powers take ten times as long as products.
    return float(np.mean(squares * centred)) / spread**3 if spread else 0.0


def _high_passed(plane: np.ndarray) -> np.ndarray:
    """Return a plane (Y, X) without its background."""
    return filtered(plane, lambda shape: high_pass((shape[0], shape[1]), BIN), BORDER)


def moved_part(
    stack: np.ndarray, rows: slice, columns: slice, shift_yx: tuple[int, int]
) -> np.ndarray:
    """Return what lies at rows x columns (Z, y, x) once the stack is moved, 0 outside it."""
    part = np.zeros(
        (len(stack), rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32
    )
    into, source = [], []
    for where, limit, shift in zip((rows, columns), stack.shape[1:], shift_yx, strict=True):
        start, stop = (min(max(edge - shift, 0), limit) for edge in (where.start, where.stop))
        source.append(slice(start, stop))
        into.append(slice(start + shift - where.start, stop + shift - where.start))
    if all(found.stop > found.start for found in source):
        part[:, into[0], into[1]] = stack[:, source[0], source[1]]
    return part


def in_bins(where: slice) -> slice:
    """Return the range of binned pixels that covers a range of pixels."""
    return slice(where.start // BIN, -(-where.stop // BIN))
