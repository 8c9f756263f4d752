"""The shift in XY between two projections."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from crossreg.fiducial.block_grid import Block, block_grid, centre_yx, seen_by_both
from crossreg.fiducial.correlation.band_pass import band_pass, window
from crossreg.fiducial.correlation.binned_stacks import binned_plane
from crossreg.fiducial.correlation.black_borders import filled_border
from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.correlation.camera_stripes import without_stripes
from crossreg.fiducial.correlation.hot_pixels import without_hot_pixels
from crossreg.fiducial.correlation.peak import sub_pixel_peak
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.evidence.deformation import turn_and_shear
from crossreg.fiducial.evidence.odds_under_field import odds_of_images
from crossreg.fiducial.field import smooth_field
from crossreg.fiducial.field.consensus import agreeing_blocks
from crossreg.fiducial.field.smooth_field import Domain, SmoothField
from crossreg.fiducial.global_shift.probes import probed_shift
from crossreg.fiducial.global_shift.turn_search import searched_turn
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median
from crossreg.fiducial.turn import Turn
from crossreg.fiducial.verdict import CERTAIN

FLATTENED = 34
"""Edge (px) of the box whose mean is taken off every pixel: ten spots wide."""
ENOUGH = 2**18
"""Pixels of an image, spread over it, that are looked at for its noise."""
CLIP = 8.0
"""Standard deviations of the noise above which pixels are cut off: a few very bright spots or
pieces of dirt must not outweigh all others."""
BEYOND_OPTICS = 0.4
"""Frequency (cycles per px) from which on spots show nothing: what two images share there is
the camera's pattern, which is the same at all frequencies."""


@dataclass(frozen=True)
class Voters:
    """The blocks that vote: their largest edge (px), and when their vote counts.

    A peak of `least_height` (standard deviations) is a vote, the heavier the higher; `quorum`
    blocks have to agree, with `majority` of all votes.
    """

    edge: int
    least_height: float
    quorum: int
    majority: float


VOTERS = (Voters(64, 8.0, 8, 0.6), Voters(128, 5.0, 4, 0.0))
"""In the order in which they are asked. Rotation blurs the peak of a larger block, so larger blocks
are cut into parts that vote; of many small ones some agree by chance, or are but little sure."""
EXPECTED_HEIGHT = 4.0
"""Height (standard deviations) from which on a peak counts within PROBE_REACH of where a field
expects it: noise reaches it in 1 of 1,000 such places."""
PEAK_WIDTH = 1.5
"""Width (px) of a peak: over its height (standard deviations) it is the peak's uncertainty."""
VOTER_FLOOR = 0.05
"""Uncertainty (px) that a voter's shift has at least: its structure is rarely in its middle."""
SAMPLE_POINTS = 24
"""Points along each axis of the image over which the field through the voters' shifts is averaged,
where the cycle shows them."""
PROBE_REACH = 2.0
"""How far (px) a peak may lie from where the probes or a field expect it."""
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


@dataclass(frozen=True)
class _Peak:
    """A peak of a correlation: its shift (2,), its height in standard deviations, its place."""

    shift_yx: np.ndarray
    height: float
    index: tuple[int, ...]


@dataclass(frozen=True)
class _Correlation:
    """The correlation of two images over circular shifts, without what a camera's pattern adds.

    `spectra` are those of the two images, band-passed. The cycle was moved by `moved_yx` px
    beforehand. `pattern` is the variance of the camera's pattern that the images share.
    """

    values: np.ndarray
    spectra: tuple[np.ndarray, np.ndarray]
    moved_yx: tuple[int, int]
    pattern: float

    @cached_property
    def spread(self) -> float:
        """Return the standard deviation of the correlation; 0 where one of the images is empty."""
        if not all(spectrum.any() for spectrum in self.spectra):
            return 0.0
        return float(np.sqrt(np.vdot(self.values, self.values) / self.values.size))

    def peak(self, near: np.ndarray | None = None) -> _Peak:
        """Return the highest peak, of those within PROBE_REACH of the circular shift `near`."""
        if self.spread == 0:
            return _Peak(np.zeros(2), 0.0, (0, 0))
        values, size = self.values, np.array(self.values.shape)
        if near is None:
            index = np.array(np.unravel_index(np.argmax(values), values.shape))
        else:
            lowest = np.ceil(near - PROBE_REACH).astype(int)
            steps = np.floor(near + PROBE_REACH).astype(int) - lowest + 1
            rows, columns = (at + np.arange(n) for at, n in zip(lowest, steps, strict=True))
            around = values[rows[:, None] % size[0], columns % size[1]]
            index = (lowest + np.unravel_index(np.argmax(around), around.shape)) % size
        place = int(index[0]), int(index[1])
        shift = sub_pixel_peak(values, place)
        shift = np.where(shift >= size / 2, shift - size, shift)
        return _Peak(shift + self.moved_yx, float(values[place]) / self.spread, place)

    def unwrapped(self, peak: _Peak, near: np.ndarray | None = None) -> np.ndarray:
        """Return the shift (2,) of a peak: of those that the circular map cannot tell apart.

        It is the one closest to `near`, or else the one under which what both images show of the
        specimen has most in common.
        """
        size = np.array(self.values.shape)
        if near is not None:
            result: np.ndarray = peak.shift_yx + size * np.rint((near - peak.shift_yx) / size)
            return result
        reference, cycle = (images_of(one, self.values.shape) for one in self.spectra)
        wraps = itertools.product((0, -1, 1), repeat=2)
        candidates = [peak.shift_yx + size * wrap for wrap in wraps]
        whole = [np.rint(candidate).astype(int) for candidate in candidates]
        return candidates[np.argmax([np.vdot(reference, _moved(cycle, one)) for one in whole])]

    def similarity(self, index: tuple[int, ...]) -> float:
        """Return the cosine between the images, pattern included, at a place of the map."""
        # All from the half spectra: the columns between the first and the last count twice.
        size, (reference, cycle) = self.values.shape, self.spectra
        counts = np.full(reference.shape[1], 2.0, dtype=np.float32)
        counts[[0, -1] if size[1] % 2 == 0 else 0] = 1
        norm = np.prod([float(counts @ np.square(np.abs(one)).sum(axis=0)) for one in self.spectra])
        rows, columns = (
            np.exp(2j * np.pi * np.arange(n) * at / whole).astype(np.complex64)
            for n, at, whole in zip(reference.shape, index, size, strict=True)
        )
        cosine = float((rows @ (reference * np.conj(cycle)) @ (columns * counts)).real)
        return float(cosine / np.sqrt(norm)) if norm else 0.0


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
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        images = _flattened(reference), _flattened(cycle)
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
        return self.field.shift_at(_in_the_plane(places_yx))[:, 1:]

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
    images: tuple[np.ndarray, np.ndarray], turn: Turn, voting: int, pool: ThreadPoolExecutor
) -> _Match:
    """Return how two flattened images match once the cycle is turned back.

    `voting` is the largest edge (px) of the blocks that vote; 0 if none shall.
    """
    reference, cycle = images[0], turn.turned_back(images[1])
    start = probed_shift(reference, cycle, pool)
    correlation = _correlated(reference, cycle)
    whole = correlation.peak(start)
    shift = correlation.unwrapped(whole, start)
    field = _vote(reference, cycle, shift, correlation.pattern, voting, pool) if voting else None
    found = _Match(turn, shift, field, correlation.similarity(whole.index), whole.height, 0.0)
    binned = binned_plane(reference), binned_plane(cycle)
    odds = odds_of_images(binned, found.shifts_at, turn=turn.degrees, pool=pool)
    return replace(found, log10_odds=odds)


def _flattened(image: np.ndarray) -> np.ndarray:
    """Return the image without border, hot pixels, background and stripes, its peaks cut off."""
    image = np.asarray(image, dtype=np.float32)
    if np.isnan(image).any():
        image = np.nan_to_num(image, nan=float(np.nanmedian(image)))
    image = without_hot_pixels(filled_border(image))
    image = without_stripes(image - _background(image))
    step = max(1, int(np.sqrt(image.size / ENOUGH)))
    noise = median(np.abs(image[::step, ::step])) / NORMAL_MEDIAN
    return np.minimum(image, CLIP * noise, out=image) if noise > 0 else image


def _background(image: np.ndarray) -> np.ndarray:
    """Return the mean of the pixels around each one of an image (Y, X), from pairs of pixels."""
    rows, columns = image.shape
    even = np.pad(image, ((0, rows % 2), (0, columns % 2)), mode="edge")
    pairs = even[::2] + even[1::2]
    pairs = (pairs[:, ::2] + pairs[:, 1::2]) / 4
    background = box_mean(pairs, FLATTENED // 2, "symmetric")
    result: np.ndarray = background.repeat(2, axis=0)[:rows].repeat(2, axis=1)[:, :columns]
    return result


def _correlated(
    reference: np.ndarray,
    cycle: np.ndarray,
    moved_yx: tuple[int, int] = (0, 0),
    pattern: float | None = None,
) -> _Correlation:
    """Return the correlation of two flattened images (Y, X) as `_all_correlated` does."""
    return _all_correlated(reference[None], cycle[None], moved_yx, pattern)[0]


def _all_correlated(
    references: np.ndarray,
    cycles: np.ndarray,
    moved_yx: tuple[int, int] = (0, 0),
    pattern: float | None = None,
) -> list[_Correlation]:
    """Return the correlations of n pairs of flattened images, each (n, Y, X).

    `moved_yx` is by how much the cycle has been moved beforehand. `pattern` is the variance of
    the camera's pattern, where larger images have shown it; else that of all pairs together.
    """
    shape = references.shape[1:]
    one, two = (
        spectra_of(images * window(shape), shape) * band_pass(shape)
        for images in (references, cycles)
    )
    cross = one * np.conj(two)
    phase = _pattern_phase(shape, moved_yx)
    energy = _energy_of_window(shape) / np.prod(shape)  # as the spectra are scaled
    if pattern is None:
        pattern = _pattern_power(cross.mean(axis=0), shape, phase) / energy
    if pattern:
        cross -= np.float32(pattern * energy) * _squared_band_pass(shape) * phase
    values = images_of(cross, shape)
    return [
        _Correlation(*found, moved_yx, pattern)
        for found in zip(values, zip(one, two, strict=True), strict=True)
    ]


@lru_cache(maxsize=16)
def _energy_of_window(shape: tuple[int, int]) -> float:
    return float(np.square(window(shape)).sum())


@lru_cache(maxsize=16)
def _squared_band_pass(shape: tuple[int, int]) -> np.ndarray:
    squared: np.ndarray = np.square(band_pass(shape))
    return squared


@lru_cache(maxsize=16)
def _pattern_phase(shape: tuple[int, int], moved_yx: tuple[int, int]) -> np.ndarray:
    """Return the phases of the shift that a camera's fixed pattern has, once the cycle is moved."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    phase = np.exp(2j * np.pi * (rows * moved_yx[0] + columns * moved_yx[1]))
    return phase.astype(np.complex64)


def _pattern_power(cross: np.ndarray, shape: tuple[int, int], phase: np.ndarray) -> float:
    """Return what a camera's fixed pattern adds to all frequencies of a cross spectrum.

    A white pattern adds one positive number, with the phase of the shift that the cycle has been
    moved by. The number is read off where optics transmit nothing, before the band-pass.
    """
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    beyond = np.hypot(rows, columns) > BEYOND_OPTICS
    shared = float(np.vdot(phase * beyond, cross).real)
    return max(shared / float(np.sum(_squared_band_pass(shape), where=beyond)), 0.0)


def _vote(
    reference: np.ndarray,
    cycle: np.ndarray,
    whole_yx: np.ndarray,
    pattern: float,
    block_size: int,
    pool: ThreadPoolExecutor,
) -> SmoothField | None:
    """Return a smooth field through the blocks that agree, after a first guess of their shift.

    Where too few of the smallest blocks agree, larger ones, which more noise leaves their peaks,
    are asked; None if they do not agree either.
    """
    base = np.rint(whole_yx).astype(int)
    images = reference, _moved(cycle, base)
    for voters in VOTERS:
        size = -(-block_size // -(-block_size // voters.edge))
        field = _voted_field(images, base, size, voters, pattern, pool)
        if field is not None:
            return field
    return None


def _voted_field(
    images: tuple[np.ndarray, np.ndarray],
    base: np.ndarray,
    size: int,
    voters: Voters,
    pattern: float,
    pool: ThreadPoolExecutor,
) -> SmoothField | None:
    """Return the field through the shifts of blocks of `size` px; None if the vote fails.

    The cycle has been moved by `base` (2,) px beforehand. Blocks that agree give a first field;
    the field that is returned goes through all blocks with a peak where the first one expects it.
    """
    reference, moved = images
    blocks = block_grid(reference.shape, size)
    centres = _in_the_plane([centre_yx(block.rows, block.columns) for block in blocks])

    def correlated(alike: list[Block]) -> list[_Correlation]:
        one, two = (
            np.stack([image[block.rows, block.columns] for block in alike])
            for image in (reference, moved)
        )
        return _all_correlated(one, two, (int(base[0]), int(base[1])), pattern)

    def fitted(peaks: list[_Peak], chosen: np.ndarray) -> SmoothField:
        shifts = _in_the_plane([peak.shift_yx for peak in peaks])[chosen]
        heights = np.array([peak.height for peak in peaks])[chosen]
        sigma = np.hypot(PEAK_WIDTH / heights, VOTER_FLOOR)
        sigmas = np.repeat(sigma[:, None], 3, axis=1)
        domain = Domain(reference.shape, planes=1)
        return smooth_field.fit(domain, centres[chosen], shifts, sigmas, pool, rough=True)

    correlations = list(itertools.chain(*pool.map(correlated, _alike(blocks))))
    peaks = [correlation.peak() for correlation in correlations]
    votes = np.array([max(peak.height - voters.least_height, 0) for peak in peaks])
    shifts = _in_the_plane([peak.shift_yx for peak in peaks])
    agree = agreeing_blocks(centres[:, 1:] - centres[:, 1:].mean(axis=0), shifts, votes)
    if agree.sum() < voters.quorum or votes[agree].sum() < voters.majority * votes.sum():
        return None
    first = fitted(peaks, agree)
    expected = first.shift_at(centres)[:, 1:] - base
    peaks = [one.peak(near) for one, near in zip(correlations, expected, strict=True)]
    found = np.array([peak.height >= EXPECTED_HEIGHT for peak in peaks])
    return fitted(peaks, found) if found.sum() >= voters.quorum else first


def _alike(blocks: list[Block]) -> list[list[Block]]:
    """Return blocks in lists of one row and one size: what is transformed at once."""

    def size(block: Block) -> tuple[int, int, int]:
        width = block.columns.stop - block.columns.start
        return block.i, block.rows.stop - block.rows.start, width

    return [list(alike) for _, alike in itertools.groupby(blocks, size)]


def _in_the_plane(values_yx: np.ndarray | list[Any]) -> np.ndarray:
    """Return values (n, 2) as (n, 3) with z = 0."""
    return np.column_stack([np.zeros(len(values_yx)), values_yx])


def _moved(image: np.ndarray, shift_yx: np.ndarray) -> np.ndarray:
    """Return a copy of an image (Y, X) moved by whole pixels; what comes in is 0."""
    moved = np.zeros_like(image)
    both = [
        seen_by_both(slice(0, size), size, size, int(shift))
        for size, shift in zip(image.shape, shift_yx, strict=True)
    ]
    moved[both[0][0], both[1][0]] = image[both[0][1], both[1][1]]
    return moved
