"""Rows and columns of the camera that are brighter or darker than their neighbours."""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.quantiles import medians

SAMPLES = 256
"""Pixels of each line that are looked at, at least: the median is known to a tenth of the noise."""


def without_stripes(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image (Y, X) without background minus the medians of its rows and columns.

    No specimen fills more than half of a line and is as narrow as one.
    """
    for axis in (1, 0):
        step = max(1, image.shape[axis] // SAMPLES)
        sample = image[:, ::step] if axis else image[::step]
        image = image - np.expand_dims(medians(sample, axis), axis)
    return image
