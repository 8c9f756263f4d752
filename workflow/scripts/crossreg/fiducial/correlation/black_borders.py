"""Borders without image: what cameras, masks, field stops and earlier registrations leave black."""

import zlib

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median, medians

LEAST_EDGE = 0.05
"""Part of the image's edge that a border takes at least."""
SUDDEN = 0.5
"""Beside a border the image is at least so many times as bright as elsewhere (lowest tenth of the
pixels there): images whose background has been taken off fade into black instead."""
REACH = 8.0
"""Gaussian scale (px) over which the image beside a border is averaged to fill it."""
FAINT = 1e-3
"""Weight of the image's median in the fill: it counts far from the image only."""
FRAME = 4
"""Width (px) of the frame along the edges of an image that is looked at for a dark border."""
PIECE = 16
"""Length (px) of the pieces of that frame."""
SMOOTHING = 5
"""Edge (px) of the box over which noise is averaged to tell a dark border from the image."""
ABOVE = 5.0
"""Standard deviations of the noise, averaged over that box, that the image lies above a dark
border: faint images do so by less than the noise of one pixel."""
FLAT = 2.0
"""Times its noise that a dark border varies at most: planted ones 0.8 to 1.7 times, dark columns of
a camera 2.9, the dark beside real tissue 43 times."""
RIM = 0.125
"""Part of the usual height of the image up to which the rim of a dark border still belongs to it:
where bright images end, averages over the box are above the noise far beyond."""
SOFT = 3
"""Width (px) of the rim, on either side of where a dark border ends, over which it does so."""
LEAST_LIT, MOST_LIT = 0.1, 0.97
"""Part of the image at least and at most that a dark border leaves."""
WITHIN = 0.2
"""Part of a dark border that lies within the convex hull of the rest of the image at most: around a
rectangle or a disc 0.02 to 0.18, where faint tissue within it is dark, too; around specimens, dark
between their parts, 0.35 and more."""
MOST_GAPS = 2 * WITHIN
"""The same of what lies between lit pixels of a row, some of which are noise: a look that is fast,
and spares most images the rest."""

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


def filled_border(image: Image, dark: Mask | None) -> Image:
    """Return an image (Y, X) whose border without image, if there is one, is filled smoothly.

    The edge of such a border stays where the camera is. A border is what touches the edge of the
    image and has the lowest value there throughout, or else the `dark` one (Y, X), if there is one.
    """
    outside = _without_value(image)
    outside = dark if outside is None else outside
    return image if outside is None else _filled(image, outside)


def _filled(image: Image, outside: Mask) -> Image:
    """Return the image (Y, X) with what is near, and its noise, in place of what is outside.

    Without noise, less of the image would seem to be noise than is.
    """
    import scipy.ndimage  # takes as long as a small cycle, and few have borders

    known = np.where(outside, 0, 1).astype(np.float32)
    weight, level = (
        scipy.ndimage.gaussian_filter(part, REACH, mode="nearest")
        for part in (known, image * known)
    )
    fill = (level + FAINT * float(np.median(image[~outside]))) / (weight + FAINT)
    steps = np.abs(np.diff(image, axis=1))[~(outside[:, 1:] | outside[:, :-1])]
    noise = median(steps) / NORMAL_MEDIAN / np.sqrt(2)
    # Two images get unlike noise, and the same image the same.
    random = np.random.default_rng(zlib.crc32(image[::8, ::8].tobytes()))
    fill += np.float32(noise) * random.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.where(outside, fill, image), dtype=np.float32)


def _without_value(image: Image) -> Mask | None:
    """Return the border that has one value, the lowest, throughout; None if there is none."""
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    lowest = edge.min()
    if np.count_nonzero(edge == lowest) < LEAST_EDGE * len(edge):
        return None
    import scipy.ndimage

    outside = _touching_the_edge(image == lowest)
    beside = image[scipy.ndimage.binary_dilation(outside, iterations=2) & ~outside]
    if not len(beside):
        return None
    middle = float(np.median(image[~outside]))
    if middle <= lowest or np.quantile(beside, 0.1) - lowest < SUDDEN * (middle - lowest):
        return None
    return outside


def dark_border(image: Image) -> Mask | None:
    """Return the border (Y, X) that is dark but for noise; None if there is none.

    It leaves a part of the image that is nearly convex and ends suddenly, as a field stop does.
    """
    if min(image.shape) < PIECE:
        return None
    pieces = _pieces_of_frame(image)
    levels = medians(pieces, axis=1)
    level = float(levels.min())
    noise = median(np.abs(pieces[levels.argmin()] - level)) / NORMAL_MEDIAN
    limit = level + ABOVE * noise / SMOOTHING
    if np.mean(levels < limit) < LEAST_EDGE:
        return None
    if not _may_be_convex(_means(image) >= limit):
        return None
    import scipy.ndimage

    smooth = box_mean(image, SMOOTHING, "symmetric")
    # Noise that is lit by chance belongs to the border around it.
    outside = _touching_the_edge(~_largest_piece(smooth >= limit))
    if not 1 - MOST_LIT <= outside.mean() <= 1 - LEAST_LIT or _part_within_hull(outside) > WITHIN:
        return None
    within = smooth[scipy.ndimage.binary_erosion(outside, iterations=SOFT, border_value=1)]
    if not len(within) or within.std() > FLAT * noise / SMOOTHING:
        return None
    usual = float(np.quantile(smooth[~outside], 0.25))
    rim = scipy.ndimage.binary_dilation(outside, iterations=SMOOTHING // 2)
    outside |= rim & (smooth < level + RIM * (usual - level))
    outside = scipy.ndimage.binary_dilation(outside, iterations=SOFT)
    inner = scipy.ndimage.binary_dilation(outside, iterations=SOFT)
    beside = smooth[inner & ~outside]
    if not len(beside) or inner.all():
        return None
    return outside if np.quantile(beside, 0.1) - level > SUDDEN * (usual - level) else None


def _pieces_of_frame(image: Image) -> Image:
    """Return the values (n, k) in n pieces of the frame along the edges of an image (Y, X)."""
    sides = image[:FRAME].T, image[-FRAME:].T, image[:, :FRAME], image[:, -FRAME:]
    whole = (side[: len(side) // PIECE * PIECE] for side in sides)
    return np.concatenate([side.reshape(-1, PIECE * FRAME) for side in whole])


def _means(image: Image) -> Image:
    """Return the means (y, x) of boxes beside each other of an image (Y, X)."""
    rows, columns = (size // SMOOTHING for size in image.shape)
    boxes = image[: rows * SMOOTHING, : columns * SMOOTHING]
    # One axis after the other is three times as fast.
    means: Image = (
        boxes.reshape(rows, SMOOTHING, -1).mean(axis=1).reshape(rows, columns, -1).mean(2)
    )
    return means


def _may_be_convex(lit: Mask) -> bool:
    """Return whether what is lit (Y, X) may be nearly convex: few gaps in its rows, and enough."""
    rows = lit[lit.any(axis=1)]
    count = np.count_nonzero(rows)
    if count < LEAST_LIT * lit.size:
        return False
    spans = lit.shape[1] - rows.argmax(axis=1) - rows[:, ::-1].argmax(axis=1)
    return bool(spans.sum() - count <= MOST_GAPS * (lit.size - count))


def _part_within_hull(outside: Mask) -> float:
    """Return which part of a border (Y, X) lies within the convex hull of the rest of the image."""
    from scipy.spatial import ConvexHull

    inside = ~outside
    rows = np.flatnonzero(inside.any(axis=1))
    first = inside[rows].argmax(axis=1)
    last = inside.shape[1] - inside[rows, ::-1].argmax(axis=1)
    corners = np.concatenate(
        [np.column_stack([rows + end, side]) for side in (first, last) for end in (0, 1)]
    )
    hull: float = ConvexHull(corners).volume
    return (hull - np.count_nonzero(inside)) / np.count_nonzero(outside)


def _touching_the_edge(part: Mask) -> Mask:
    """Return the connected pieces of a part of an image (Y, X) that touch its edge."""
    import scipy.ndimage

    labels, _ = scipy.ndimage.label(part)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.asarray(np.isin(labels, touching[touching > 0]))


def _largest_piece(part: Mask) -> Mask:
    """Return the largest connected piece of a part of an image (Y, X)."""
    import scipy.ndimage

    labels, count = scipy.ndimage.label(part)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax()) if count else part
