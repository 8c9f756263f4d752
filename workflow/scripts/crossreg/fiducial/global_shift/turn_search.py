"""By how much a cycle is turned, where nothing matches as it is: every turn is tried."""

from concurrent.futures import Executor

import numpy as np

from crossreg.fiducial.correlation.band_pass import band_pass, window
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.turn import Turn

LARGEST_TURN = 16.0
"""Turn (degrees) up to which is searched: no stage and no holder turns a sample by more."""
LARGE, BINS = 1024, (2, 4)
"""Edge (px) up to which an image is binned by the first of these, beyond by the second."""
BLUR = 1.5
"""Root mean square distance (px) by which an image half a step away from its turn is off: what a
spot stands."""
REFINEMENTS = 3
"""Times that the step is halved around the best turn."""


def searched_turn(reference: np.ndarray, cycle: np.ndarray, pool: Executor) -> float:
    """Return the turn (degrees) at which two flattened images (Y, X) have most in common.

    That is the turn with the highest peak of the correlation over its standard deviation. It says
    nothing of whether the images match: whatever is found has to be compared.
    """
    edge = BINS[max(reference.shape) > LARGE]
    reference, cycle = (_binned(image, edge) for image in (reference, cycle))
    shape = reference.shape
    weights = band_pass(shape, float(edge))
    spectrum = spectra_of(reference * window(shape), shape) * np.square(weights)

    def height(degrees: float) -> float:
        turned = Turn(float(degrees), shape).turned_back(cycle)
        cross = spectrum * np.conj(spectra_of(turned * window(shape), shape))
        correlation = images_of(cross, shape)
        spread = float(np.sqrt(np.mean(np.square(correlation))))
        return float(correlation.max()) / spread if spread else 0.0

    # A square of edge n turned by a small angle moves by that angle times n / sqrt(6), on average.
    step = 2 * np.rad2deg(BLUR * np.sqrt(6) / (edge * max(shape)))
    turns = np.linspace(-LARGEST_TURN, LARGEST_TURN, int(np.ceil(2 * LARGEST_TURN / step)) + 1)
    heights = list(pool.map(height, turns))
    best, highest = float(turns[np.argmax(heights)]), max(heights)
    for _ in range(REFINEMENTS):
        step /= 2
        for degrees, found in [(best + side, height(best + side)) for side in (-step, step)]:
            if found > highest:
                best, highest = degrees, found
    return float(best)


def _binned(image: np.ndarray, edge: int) -> np.ndarray:
    """Return an image (Y, X) summed in bins of an edge; what is left over is cut off."""
    rows, columns = (size // edge for size in image.shape)
    inside = image[: rows * edge, : columns * edge]
    binned: np.ndarray = inside.reshape(rows, edge, columns, edge).sum(axis=(1, 3))
    return binned
