"""Whether a cycle's stage slipped sideways between two planes, so that its planes do not line up.

Whole planes are compared with those of the reference that they meet. Tissue that leans or bends
moves smoothly from plane to plane; a stage that slips makes all planes from one on jump.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import evenly_cut, middle_of, seen_by_both
from crossreg.fiducial.correlation.band_pass import gaussian, window
from crossreg.fiducial.correlation.binned_stacks import BIN, Stacks, moved_part, shown_planes
from crossreg.fiducial.correlation.peak import sub_pixel_peak
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.evidence.robust_fit import step_beside_parabola
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median, medians
from crossreg.fiducial.verdict import Break, Slip

Floats = NDArray[np.float64]

COARSER = 2
"""Bins along both axes that are summed: a slip of a pixel shows in such coarse samples."""
SAMPLE = COARSER * BIN
"""Edge (px) of a coarse sample."""
MIDDLE = 512
"""Edge (bins) of the middle of the image that is looked at."""
PART, GROUPS, MOST_PARTS = 48, 4, 16
"""Edge (bins) of the parts that are compared, the groups of them that show a slip independently of
each other, and how many there are at most."""
SMOOTHED = 1.2
"""Gaussian scale (coarse samples) that correlations are smoothed by, so that their peaks can be
told between samples."""
REACH = 5
"""Distance (coarse samples) from the field within which planes are looked for."""
FEWEST_PLANES = 3
"""Planes on each side of a slip at least."""
AROUND = 10
"""Planes on each side of a slip that are looked at: tissue bends like a parabola over so many."""
LEAST_SLIP = 1.0
"""Slip (px) at least."""
BELIEVED = 5.0
"""Standard errors of a slip from which on it is believed."""
BESIDE = 4
"""Planes on each side whose medians are compared."""
SHOWN, SHOWN_BY_EACH = 0.6, 0.4
"""Part of a slip that lies between these medians, and that each group of parts shows at least."""
SMALL_SLIP, SAME_PLACE, TOLD_FROM = 1.5, 1, 10
"""Slip (px) below which planes have to break, too, the planes from there within which, and the
planes of a stack from which on that is told: of 16 parts of a real volume three feigned slips of
about 1 px."""
SUDDEN = 0.5
"""Part of a slip that lies between two neighbouring planes: tissue leans over several."""
HEIGHT = 5.0
"""Height of a peak (standard deviations of noise) from which on a plane is found."""
MOST_WEIGHT = 3.0
"""Weight of a plane at most, relative to the median: a few with bright things must not rule."""


@dataclass(frozen=True)
class _Found:
    """Where n planes of the cycle lie: `away_yx` (n, 2) px from the field, and `weights` (n,)."""

    planes: NDArray[np.intp]
    away_yx: Floats
    weights: Floats


def slip_of_planes(stacks: Stacks, shifts_zyx_at: ShiftsAt) -> Slip | None:
    """Return the slip between planes of the second of two binned stacks (Z, y, x), if any.

    `shifts_zyx_at` gives the shifts (n, 3) of the field at positions (n, 2) px of its middle plane.
    """
    reference, cycle = stacks
    rows_of_parts, columns_of_parts = map(_parts, reference.shape[1:])
    parts = [(rows, columns) for rows in rows_of_parts for columns in columns_of_parts]
    parts = [parts[number] for number in evenly_chosen(len(parts), MOST_PARTS)]
    middles = np.array([[BIN * (part.start + part.stop) / 2 for part in both] for both in parts])
    shifts = shifts_zyx_at(middles)
    base = round(median(shifts[:, 0]))
    seen, of_cycle = seen_by_both(slice(0, len(reference)), len(reference), len(cycle), base)
    fixed, moved = reference[seen], cycle[of_cycle]
    shown = np.flatnonzero(shown_planes(fixed) & shown_planes(moved))
    if len(shown) < 2 * FEWEST_PLANES:
        return None
    maps = np.array(
        [
            _correlations(fixed[shown], moved[shown], rows, columns, shift)
            for (rows, columns), shift in zip(parts, shifts[:, 1:], strict=True)
        ]
    )
    planes = shown + of_cycle.start
    whole = _found(maps.sum(axis=0), planes)
    slip = _likeliest_slip(whole)
    if slip is None:
        return None
    groups = [_found(maps[first::GROUPS].sum(axis=0), planes) for first in range(GROUPS)]
    shows = [_shows(group, *slip) for group in groups if len(group.planes)]
    if not shows or not all(shows):
        return None
    plane, by = slip
    return Slip(plane, _jump(whole, int(np.searchsorted(whole.planes, plane)), by))


def believed_slip(slip: Slip | None, plane_break: Break | None, planes: int) -> Slip | None:
    """Return a slip that was seen, if it is large, or planes stop following each other there.

    Of few planes it is not told whether they do.
    """
    if slip is None or slip.by >= SMALL_SLIP or planes < TOLD_FROM:
        return slip
    is_there = plane_break is not None and abs(plane_break.plane - slip.plane) <= SAME_PLACE
    return slip if is_there else None


def _correlations(
    fixed: NDArray[np.int16],
    moved: NDArray[np.int16],
    rows: slice,
    columns: slice,
    shift_yx: Floats,
) -> Floats:
    """Return the correlations (Z, y, x) of planes in one part, over -REACH to REACH samples."""
    offset = np.rint(shift_yx / BIN).astype(int)
    pair = [moved_part(fixed, rows, columns, (0, 0))]
    pair.append(moved_part(moved, rows, columns, (int(offset[0]), int(offset[1]))))
    # Of each stack, what all of its planes share was taken off: these are not those that meet.
    pair = [_coarse(part - part.mean(axis=0)) for part in pair]
    shape = pair[0].shape[1:]
    one, two = (spectra_of(part * window(shape), shape) for part in pair)
    maps = images_of(one * np.conj(two) * gaussian(shape, SMOOTHED), shape)
    near = [np.arange(-REACH, REACH + 1) % size for size in shape]
    return maps[:, near[0][:, None], near[1]].astype(float)


def _coarse(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a part (Z, y, x) summed over COARSER bins, the last odd ones left out.

    What is dark is left out: taking off what all planes share leaves dark ghosts of bright planes
    in the others, and these stay where they are.
    """
    rows, columns = (size // COARSER for size in part.shape[1:])
    part = part[:, : rows * COARSER, : columns * COARSER]
    # Sums over axes of a few samples take ten times as long.
    along_y = sum((part[:, start::COARSER] for start in range(1, COARSER)), part[:, ::COARSER])
    summed = sum(
        (along_y[..., start::COARSER] for start in range(1, COARSER)), along_y[..., ::COARSER]
    )
    np.maximum(summed, 0, out=summed)
    summed -= summed.mean(axis=(1, 2), keepdims=True)
    return summed


def _found(maps: Floats, planes: NDArray[np.intp]) -> _Found:
    """Return the planes (Z,) whose correlations (Z, y, x) have a clear peak, and where it is."""
    flat = maps.reshape(len(maps), -1)
    noise = medians(np.abs(flat - medians(flat, 1)[:, None]), 1) / NORMAL_MEDIAN
    inner = maps[:, 1:-1, 1:-1]
    rows, columns = np.unravel_index(inner.reshape(len(maps), -1).argmax(axis=1), inner.shape[1:])
    heights = inner[np.arange(len(maps)), rows, columns] / np.where(noise > 0, noise, np.inf)
    clear = np.flatnonzero(heights > HEIGHT)
    tops = [sub_pixel_peak(maps[n], (int(rows[n]) + 1, int(columns[n]) + 1)) for n in clear]
    away = SAMPLE * (np.array(tops).reshape(-1, 2) - REACH)
    if not len(clear):
        return _Found(planes[clear], away, heights[clear])
    weights = np.minimum(heights[clear] / median(heights[clear]), MOST_WEIGHT)
    return _Found(planes[clear], away, weights)


def _likeliest_slip(found: _Found) -> tuple[int, Floats] | None:
    """Return (plane, by (2,) px) of the slip with the most standard errors; None if none has."""
    best, most = None, BELIEVED
    steps = np.diff(found.away_yx, axis=0)
    sudden = 1 + np.flatnonzero(np.hypot(*steps.T) > SUDDEN * LEAST_SLIP)
    last = len(found.planes) - FEWEST_PLANES
    for first in sudden[(sudden >= FEWEST_PLANES) & (sudden <= last)].tolist():
        by, errors = _step(found, first)
        size = float(np.hypot(*by))
        sureness = float(np.hypot(*(by / errors)))
        is_sudden = steps[first - 1] @ by > SUDDEN * size**2
        is_kept = _jump(found, first, by) > SHOWN * size
        if size > LEAST_SLIP and is_sudden and is_kept and sureness > most:
            best, most = (int(found.planes[first]), by), sureness
    return best


def _jump(found: _Found, first: int, by: Floats) -> float:
    """Return by how much (px) planes beside the `first` after a slip differ along it."""
    along = found.away_yx @ (by / np.hypot(*by))
    return median(along[first : first + BESIDE]) - median(along[max(first - BESIDE, 0) : first])


def _shows(group: _Found, plane: int, by: Floats) -> bool:
    """Return whether a group of parts shows a slip, too; one that shows little is no witness."""
    first = int(np.searchsorted(group.planes, plane))
    if min(first, len(group.planes) - first) < FEWEST_PLANES:
        return True
    return _jump(group, first, by) > SHOWN_BY_EACH * float(np.hypot(*by))


def _step(found: _Found, first: int) -> tuple[Floats, Floats]:
    """Return (step, its standard error), both (2,) px, before the `first` of planes.

    It is fitted together with a parabola to the planes around.
    """
    near = slice(max(first - AROUND, 0), first + AROUND)
    plane = int(found.planes[first])
    step, errors = zip(
        *(
            step_beside_parabola(found.planes[near], plane, away, found.weights[near])
            for away in found.away_yx[near].T
        ),
        strict=True,
    )
    return np.array(step), np.array(errors)


def _parts(size: int) -> list[slice]:
    """Return the parts of an axis of `size` bins, in the middle, that are compared."""
    middle = middle_of(size, MIDDLE)
    return evenly_cut(middle, max(1, round((middle.stop - middle.start) / PART)))
