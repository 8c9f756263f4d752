"""Single pixels that are brighter or darker than optics allow.

The image of a point covers several pixels, so that those beside its brightest one hold a good part
of its light. A pixel that stands out alone is the camera's, or a cosmic ray. Where many stand out
at the same places of two images, they look like a specimen that lies still.
"""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.quantiles import NORMAL_MEDIAN, medians

OUTSTANDING = 6.0
"""Standard deviations of the noise by which such a pixel differs from its neighbours at least."""
BESIDE = 0.15
"""Part of its height that all neighbours but one stay below: two such pixels may lie side by side.
The second neighbour of a spot with a standard deviation of 0.5 px reaches 0.23, and of a million
real pixels of beads and nuclei, deconvolved ones among them, six stay below 0.3."""
REACH = 2
"""Distance (px) of the pixels that tell the level around one."""
SAMPLED = 4
"""Every so many pixels along both axes are looked at for the noise."""


def without_hot_pixels(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image (Y, X) with the mean of the neighbours in place of pixels that stand out."""
    if min(image.shape) <= REACH:
        return image
    wide = np.pad(image, REACH, mode="reflect")
    near = wide[REACH - 1 : 1 - REACH, REACH - 1 : 1 - REACH]
    beyond = near[:-2, 1:-1] + near[2:, 1:-1]
    beyond += near[1:-1, :-2]
    beyond += near[1:-1, 2:]
    beyond *= np.float32(-0.25)
    beyond += image
    size = np.abs(beyond, out=beyond)
    noise = float(medians(size[::SAMPLED, ::SAMPLED].ravel(), 0)) / NORMAL_MEDIAN
    rows, columns = np.nonzero(size > (OUTSTANDING * noise or np.inf))
    edge = 2 * REACH + 1
    around = np.lib.stride_tricks.sliding_window_view(wide, (edge, edge))[rows, columns]
    is_near = np.zeros((edge, edge), dtype=bool)
    is_near[1:-1, 1:-1] = True
    is_far = ~is_near
    is_near[REACH, REACH] = False
    neighbours = around[:, is_near]
    level = medians(around[:, is_far], 1)
    height = around[:, REACH, REACH] - level
    beside = (neighbours - level[:, None]) * np.sign(height)[:, None]
    beside = np.partition(beside, -2, axis=1)[:, -2]
    is_alone = (np.abs(height) > OUTSTANDING * noise) & (beside < BESIDE * np.abs(height))
    result = image.copy()
    result[rows[is_alone], columns[is_alone]] = neighbours[is_alone].mean(axis=1)
    return result
