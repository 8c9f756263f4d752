"""The shift in XY between two projections."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from crossreg.fiducial.block_grid import Block
from crossreg.fiducial.correlation.binned_stacks import binned_plane
from crossreg.fiducial.evidence.deformation import turn_and_shear
from crossreg.fiducial.evidence.odds_under_field import odds_of_images
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.global_shift.flattened import flattened
from crossreg.fiducial.global_shift.image_correlation import correlated
from crossreg.fiducial.global_shift.probes import probed_shift
from crossreg.fiducial.global_shift.turn_search import searched_turn
from crossreg.fiducial.global_shift.voting import in_the_plane, voted_field
from crossreg.fiducial.threads import threads_of
from crossreg.fiducial.turn import Turn
from crossreg.fiducial.verdict import CERTAIN

SAMPLE_POINTS = 24
"""Points along each axis of the image over which the field through the voters' shifts is averaged,
where the cycle shows them."""
TURNED = 3.5
"""Turn (degrees) from which on a cycle is turned back before blocks are compared: a sub-block of 40
px turned by so much is off by 1 px at its edges."""
TURNED_UNSEEN = 1.5
"""The same where no blocks agree, so that nothing else tells of a turn."""
MOST_TURNS, SETTLED = 3, 0.3
"""Times that a cycle is turned back at most, and the turn (degrees) that may be left."""


@dataclass(frozen=True)
class GlobalShift:
    """The shift of a cycle: what is added to its positions to reach the reference.

    `shift_yx` in px (rows, columns); `error` is the normalised rms difference at the shift
    (0 for equal images, near 1 for unrelated ones) and `diffphase` the phase of the correlation
    there, 0 for images without negative contrast: both as in
    `skimage.registration.phase_cross_correlation`. `height` is that of the whole image's peak in
    standard deviations of the correlation, `log10_odds` the logarithm of the odds that the match is
    a coincidence. `turn` (degrees) is by how much the cycle has to be turned back before its blocks
    can be compared; 0 where it is turned so little that they can.
    """

    shift_yx: tuple[float, float]
    error: float
    diffphase: float
    height: float = float("nan")
    log10_odds: float = float("nan")
    turn: float = 0.0


def global_shift(
    reference: np.ndarray,
    cycle: np.ndarray,
    *,
    align_by_block: bool = True,
    block_size: int = 256,
    threads: int = 1,
) -> GlobalShift:
    """Return the shift between two projections (Y, X), to a fraction of a pixel.

    With `align_by_block` the answer is the mean over the common part of the images of a smooth
    field through the shifts of blocks of at most `block_size` px; with too few blocks that agree
    it is the shift of the whole images.
    """
    with threads_of(threads) as pool, threadpool_limits(1, user_api="blas"):
        images = flattened(reference), flattened(cycle)
        voting = block_size if align_by_block else 0
        found = _match(images, Turn(0.0, reference.shape), voting, pool)
        turn, least = found.turn_left, TURNED
        if found.log10_odds > CERTAIN or (voting and found.field is None):
            turn, least = searched_turn(*images, pool), TURNED_UNSEEN
        for _ in range(MOST_TURNS if abs(turn) > least else 0):
            turned = _match(images, Turn(turn, reference.shape), voting, pool)
            if turned.log10_odds > CERTAIN:
                break
            found, turn = turned, turn + turned.turn_left
            if abs(found.turn_left) < SETTLED:
                break
    return found.global_shift()


@dataclass(frozen=True)
class _Match:
    """How two flattened images match, the cycle turned back beforehand.

    `shift_yx` (px) is that of the cycle turned back at its middle, `field` goes through the blocks
    that voted, if there are enough. `similarity` is the cosine between the images there, `height`
    that of the peak.
    """

    turn: Turn
    shift_yx: np.ndarray
    field: SmoothField | None
    similarity: float
    height: float
    log10_odds: float

    @property
    def turn_left(self) -> float:
        """Return by how many degrees the field turns what has been turned back."""
        return turn_and_shear(self.shifts_at, self.turn.image_shape)[0] if self.field else 0.0

    def shifts_at(self, places_yx: np.ndarray) -> np.ndarray:
        """Return the shifts (n, 2) of the cycle turned back at places (n, 2) of the reference."""
        if self.field is None:
            return np.broadcast_to(self.shift_yx, places_yx.shape)
        return self.field.shift_at(in_the_plane(places_yx))[:, 1:]

    def global_shift(self) -> GlobalShift:
        """Return the mean shift over what both images show."""
        shift = self.shift_yx
        if self.field is not None or self.turn:
            last = np.array(self.turn.image_shape) - 1
            whole = Block(0, 0, *(slice(0, size) for size in self.turn.image_shape))
            points = whole.sample_points_yx(SAMPLE_POINTS)
            shifts = self.turn.total(points, self.shifts_at(points))
            seen = np.all((points - shifts >= 0) & (points - shifts <= last), axis=1)
            shift = shifts[seen].mean(axis=0) if seen.any() else shift
        error = float(np.sqrt(max(0.0, 1 - self.similarity**2)))
        return GlobalShift(
            (float(shift[0]), float(shift[1])),
            error, 0.0, self.height, self.log10_odds, self.turn.degrees,
        )  # fmt: skip


def _match(
    images: tuple[np.ndarray, np.ndarray], turn: Turn, voting: int, pool: Executor
) -> _Match:
    """Return how two flattened images match once the cycle is turned back.

    `voting` is the largest edge (px) of the blocks that vote; 0 if none shall.
    """
    reference, cycle = images[0], turn.turned_back(images[1])
    start = probed_shift(reference, cycle, pool)
    correlation = correlated(reference, cycle)
    whole = correlation.peak(start)
    shift = correlation.unwrapped(whole, start)
    field = (
        voted_field(reference, cycle, shift, correlation.pattern, voting, pool) if voting else None
    )
    found = _Match(turn, shift, field, correlation.similarity(whole.index), whole.height, 0.0)
    binned = binned_plane(reference), binned_plane(cycle)
    odds = odds_of_images(binned, found.shifts_at, turn=turn.degrees, pool=pool)
    return replace(found, log10_odds=odds)
