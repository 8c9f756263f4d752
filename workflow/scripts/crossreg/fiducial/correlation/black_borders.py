"""Borders without image: what cameras, masks and earlier registrations leave black."""

import numpy as np
from numpy.typing import NDArray

LEAST_EDGE = 0.05
"""Part of the image's edge that a border takes at least."""
SUDDEN = 0.5
"""Beside a border the image is at least so many times as bright as elsewhere (lowest tenth of the
pixels there): images whose background has been taken off fade into black instead."""
REACH = 8.0
"""Gaussian scale (px) over which the image beside a border is averaged to fill it."""
FAINT = 1e-3
"""Weight of the image's median in the fill: it counts far from the image only."""

Image = NDArray[np.float32]


def filled_border(image: Image) -> Image:
    """Return an image (Y, X) whose border without image, if there is one, is filled smoothly.

    The edge of such a border stays where the camera is. A border is what touches the edge of the
    image and has the lowest value there throughout.
    """
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    lowest = edge.min()
    if np.count_nonzero(edge == lowest) < LEAST_EDGE * len(edge):
        return image
    import scipy.ndimage  # takes as long as a small cycle, and few have borders

    labels, _ = scipy.ndimage.label(image == lowest)
    outside = _touching_the_edge(labels)
    inside = image[~outside]
    beside = image[scipy.ndimage.binary_dilation(outside, iterations=2) & ~outside]
    if not len(beside):
        return image
    median = float(np.median(inside))
    if median <= lowest or np.quantile(beside, 0.1) - lowest < SUDDEN * (median - lowest):
        return image
    known = np.where(outside, 0, 1).astype(np.float32)
    weight, level = (
        scipy.ndimage.gaussian_filter(part, REACH, mode="nearest")
        for part in (known, image * known)
    )
    fill = (level + FAINT * median) / (weight + FAINT)
    return np.asarray(np.where(outside, fill, image), dtype=np.float32)


def _touching_the_edge(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return the connected parts, labelled in an image (Y, X), that touch its edge."""
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.asarray(np.isin(labels, touching[touching > 0]))
