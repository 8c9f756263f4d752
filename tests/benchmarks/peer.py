"""The peer's sequence, written over public libraries, to compare accuracy, time and memory with.

Per plane a photutils `Background2D`, a clip at cumulative cut-offs, a spline shift of the whole
stack by the global XY shift, one `phase_cross_correlation` a block, and for the quality three
projections of the spline-shifted block.
"""

from dataclasses import dataclass

import numpy as np
from astropy.stats import SigmaClip
from numpy.typing import NDArray
from photutils.background import Background2D, MedianBackground
from scipy import ndimage
from skimage.exposure import rescale_intensity
from skimage.registration import phase_cross_correlation

BOX = 64  # px, of the background
FILTER = 3  # boxes, of the median filter over the background
MOST_CLIPPED = 90.0  # per cent of a box; the default refuses images dense with signal
BACKGROUND_SIGMA = 3.0
CUT_OFFS_3D = (0.9, 0.9999)
CUT_OFFS_2D = (0.999, 0.9999999)
CUT_OFFS_PROJECTION = (0.5, 0.9999)
UPSAMPLE_FACTOR = 100


@dataclass(frozen=True)
class PeerShifts:
    """Residual shifts (n_i, n_j, 3) in z, y, x after the global shift; quality likewise or None."""

    shift_zyx: NDArray[np.float64]
    quality: NDArray[np.float64] | None


def without_background(image: NDArray) -> NDArray[np.float64]:
    """Return an image (Y, X) less its background."""
    background = Background2D(
        image,
        (min(BOX, image.shape[0]), min(BOX, image.shape[1])),
        exclude_percentile=MOST_CLIPPED,
        filter_size=FILTER,
        sigma_clip=SigmaClip(sigma=BACKGROUND_SIGMA),
        bkg_estimator=MedianBackground(),
    )
    return image - background.background


def clipped(image: NDArray, cut_offs: tuple[float, float]) -> NDArray[np.float64]:
    """Return an image of any dimension clipped at two quantiles and rescaled to 0..1."""
    low, high = np.quantile(image, cut_offs)
    if high <= low:
        return np.zeros(image.shape)
    return rescale_intensity(image, in_range=(low, high), out_range=(0.0, 1.0))


def prepare(stack: NDArray) -> NDArray[np.float64]:
    """Return a stack (Z, Y, X) ready for the local correlation."""
    flat = np.stack([without_background(plane) for plane in stack.astype(float)])
    return clipped(flat, CUT_OFFS_3D)


def global_shift(reference: NDArray, cycle: NDArray) -> NDArray[np.float64]:
    """Return the XY shift (2,) between two projections (Y, X): one correlation."""
    images = [clipped(without_background(i.astype(float)), CUT_OFFS_2D) for i in (reference, cycle)]
    shift, _, _ = phase_cross_correlation(*images, upsample_factor=UPSAMPLE_FACTOR)
    return shift


def local_shifts(
    prepared_reference: NDArray,
    cycle: NDArray,
    global_shift_yx: NDArray,
    block_size_xy: int,
    *,
    with_quality: bool = True,
) -> PeerShifts:
    """Return the shifts of the blocks of a raw cycle stack (Z, Y, X)."""
    moved = ndimage.shift(prepare(cycle), (0, *global_shift_yx))
    grid = tuple(length // block_size_xy for length in moved.shape[1:])
    shifts, quality = np.empty((*grid, 3)), np.empty((*grid, 3))
    for i, j in np.ndindex(grid):
        rows, columns = (slice(k * block_size_xy, (k + 1) * block_size_xy) for k in (i, j))
        one, other = prepared_reference[:, rows, columns], moved[:, rows, columns]
        shifts[i, j], _, _ = phase_cross_correlation(one, other, upsample_factor=UPSAMPLE_FACTOR)
        if with_quality:
            quality[i, j] = block_quality(one, other, shifts[i, j])
    return PeerShifts(shifts, quality if with_quality else None)


def block_quality(
    reference: NDArray, cycle: NDArray, shift_zyx: NDArray
) -> tuple[float, float, float]:
    """Return the NRMSE of the projections xy, zy, zx of a block (Z, y, x) at its shift."""
    errors = []
    for axis in (0, 2, 1):
        one = clipped(reference.sum(axis=axis), CUT_OFFS_PROJECTION)
        # once a projection, as the peer does it
        moved = ndimage.shift(cycle, shift_zyx)
        other = clipped(moved.sum(axis=axis), CUT_OFFS_PROJECTION)
        norm = np.linalg.norm(one)
        errors.append(float(np.linalg.norm(one - other) / norm) if norm > 0 else float("nan"))
    return tuple(errors)
