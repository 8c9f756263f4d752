"""The global shift of the specimen where a pattern of the camera may outshine it.

What all planes of a stack share is the camera's: its pattern, dust, hot pixels. Projections show it
too, and it lies still. A shift near zero, or one that may be a coincidence, is looked for anew in
projections without it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from crossreg.fiducial.block_grid import middle_of
from crossreg.fiducial.correlation.still_outlines import MOVED, projections_without_outlines
from crossreg.fiducial.correlation.still_waves import projections_without_waves
from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.global_shift.shift_of_projections import GlobalShift, global_shift
from crossreg.fiducial.verdict import CERTAIN

FEWEST_PLANES = 3
"""Planes from which on a specimen differs enough between them."""
SAMPLED_PLANES = 8
"""Planes, spread over a stack, that are looked at for what all of them share: enough, and fast."""
NEAR_REST = 3.0
"""Shift (px) up to which what matches may lie still."""
ELSEWHERE = 1.0
"""Distance (px) from which on two shifts contradict each other."""

MIDDLE = 1024
"""Edge (px) of the middle of larger images that is looked at first, which most often does."""

Images = Sequence[NDArray[np.number]]


def shift_of_specimen(
    projections: Images,
    shared: Callable[[], Images],
    *,
    align_by_block: bool = True,
    block_size: int = 256,
    threads: int = 1,
) -> GlobalShift:
    """Return the shift between the maxima (Y, X) along z of two stacks, as `global_shift` does.

    `shared` returns what all planes of each of the two stacks share, or nothing where they are too
    few; it is asked only if need be.
    """

    def found(images: Images) -> GlobalShift:
        return global_shift(
            *images, align_by_block=align_by_block, block_size=block_size, threads=threads
        )

    first = _without(projections_without_waves, NEAR_REST, projections, found, found(projections))
    if np.hypot(*first.shift_yx) > NEAR_REST and first.log10_odds <= CERTAIN:
        return first

    def is_believed(second: GlobalShift) -> bool:
        is_elsewhere = np.hypot(*np.subtract(second.shift_yx, first.shift_yx)) > ELSEWHERE
        return bool(is_elsewhere and second.log10_odds <= CERTAIN)

    off = shared()
    if not off:
        return _without(projections_without_outlines, MOVED, projections, found, first)
    freed = [np.subtract(*both, dtype=np.float32) for both in zip(projections, off, strict=True)]
    middle = tuple(middle_of(size, MIDDLE) for size in freed[0].shape)
    second = found([image[middle] for image in freed])
    if is_believed(second) and max(freed[0].shape) > MIDDLE:
        second = found(freed)
    return second if is_believed(second) else first


def _without(
    freed_of: Callable[[Images, tuple[float, float] | None], list[NDArray[np.float32]] | None],
    rest: float,
    projections: Images,
    found: Callable[[Images], GlobalShift],
    first: GlobalShift,
) -> GlobalShift:
    """Return the shift of projections freed of what lies still on the camera, if there is any.

    `first` is their shift as they are. Up to a shift of `rest` px what lies still cannot be told
    from a specimen: then what is left must match elsewhere.
    """
    is_sure = first.log10_odds <= CERTAIN and not first.turn
    has_moved = is_sure and np.hypot(*first.shift_yx) > rest
    # More threads would add up in another order, and change the last digits.
    with threadpool_limits(1, user_api="blas"):
        freed = freed_of(projections, first.shift_yx if has_moved else None)
    if freed is None:
        return first
    second = found(freed)
    is_elsewhere = np.hypot(*np.subtract(second.shift_yx, first.shift_yx)) > ELSEWHERE
    is_better = not is_sure or has_moved or is_elsewhere or second.turn != first.turn
    return second if is_better and second.log10_odds <= CERTAIN else first


def sampled_planes(planes: range) -> list[int]:
    """Return which planes are averaged to see what all of them share; none if there are too few."""
    if len(planes) < FEWEST_PLANES:
        return []
    return [planes[int(place)] for place in evenly_chosen(len(planes), SAMPLED_PLANES)]


def shared_by_planes(stacks: Images) -> Images:
    """Return what all planes of each stack (Z, Y, X) share; nothing where one has too few."""
    chosen = [sampled_planes(range(len(stack))) for stack in stacks]
    if not all(chosen):
        return ()
    return [
        stack[planes].mean(axis=0, dtype=np.float32)
        for stack, planes in zip(stacks, chosen, strict=True)
    ]
