"""How much planes show of where structure lies: each shows light from above and below, too."""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.evidence.plane_products import PlaneProducts
from crossreg.fiducial.quantiles import median


def shown_of_depth(values: NDArray[np.float32]) -> float:
    """Return the part of a change with the depth that planes of parts (n, Z, h, w) show: 0 to 1.

    That is how much of the variance of the depths of light, in a part of the image, is not that of
    the light of one object, which has as many depths as it is out of focus: 0 of a layer, about
    0.5 to 0.7 of beads, 0.9 and more of what is at all depths.
    """
    planes = values.shape[1]
    products = PlaneProducts.of(values).products
    profiles = np.maximum(products[:, 1, : planes - 1], 0.0)
    light = profiles.sum(axis=1)
    profiles, light = profiles[light > 0], light[light > 0]
    if planes < 3 or not len(light):
        return 0.0
    near, far = (products[:, step, : planes - step].sum() / (planes - step) for step in (1, 2))
    if not 0 < far < near:
        return 0.0
    # Products of planes of an object fall with their distance d as exp(-d^2 / (8 focus)).
    focus = 3 / 8 / np.log(near / far)
    depths = np.arange(planes - 1)
    variances = profiles @ depths**2 / light - (profiles @ depths / light) ** 2
    # What one bright part shows must not rule; dim ones show but noise.
    within = float(np.average(variances, weights=np.minimum(light, median(light))))
    return max(1 - float(focus) / within, 0.0) if within > 0 else 0.0
