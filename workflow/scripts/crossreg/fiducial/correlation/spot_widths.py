"""Two stacks whose spots differ in width: the sharper one is blurred until they are alike.

Another objective, another colour or another focus draws the same specimen with wider spots. What
one of the stacks shows alone would move the peaks of correlations, and structure that an end or an
edge cuts would look displaced.
"""

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import middle_of
from crossreg.fiducial.correlation.band_pass import gaussian, window
from crossreg.fiducial.correlation.binned_stacks import BORDER, Stacks, changed_planes
from crossreg.fiducial.correlation.transforms import filtered, spectra_of
from crossreg.fiducial.even_choice import evenly_chosen

Floats = NDArray[np.float64]

MIDDLE = 160
"""Edge (bins) of the middle of the image whose spectra are compared."""
PAIRS = 10
"""Pairs of neighbouring planes at most whose spectra are compared."""
RINGS = 12
"""Rings of spatial frequency that are told apart."""
LEAST, MOST = 0.04, 0.26
"""Spatial frequencies (cycles per bin) that are compared: background is off below, and above there
is hardly any structure left."""
CLEAR = 0.01
"""Part of the highest power from which on a ring shows structure."""
FEWEST_RINGS = 4
"""Rings that both stacks show below which nothing is said."""
LEAST_DIFFERENCE = 0.3
"""Difference of the squared widths (bins) from which on spots are made alike.
Beads that came off feigned 0.25; much dense structure that one stack alone shows feigned 0.7."""
MOST_DIFFERENCE = 2.0
"""The same at most: what is blurred more shows nothing any more."""


def with_spots_alike(stacks: Stacks, difference: float, pool: Executor) -> Stacks:
    """Return two binned and freed stacks (Z, y, x), the sharper of which is blurred if need be.

    `difference` is that of their widths (`difference_of_widths`).
    """
    if abs(difference) < LEAST_DIFFERENCE:
        return stacks
    blur = float(np.sqrt(min(abs(difference), MOST_DIFFERENCE)))

    def blurred(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return filtered(plane, lambda shape: gaussian(shape, blur), BORDER)

    sharper = int(difference < 0)
    both = list(stacks)
    both[sharper] = changed_planes(stacks[sharper], blurred, pool)
    return both[0], both[1]


def difference_of_widths(reference: NDArray[np.int16], cycle: NDArray[np.int16]) -> float:
    """Return by how much (squared bins) spots of the cycle are wider: of their variances in y or x.

    From how the spectra fall. 0 where it is not clear.
    """
    one, two = _powers(reference), _powers(cycle)
    if one is None or two is None:
        return 0.0
    squares = np.square(_frequencies())
    clear = (one > CLEAR * one.max()) & (two > CLEAR * two.max())
    if clear.sum() < FEWEST_RINGS:
        return 0.0
    change = np.log(one[clear] / two[clear])
    weights = np.sqrt(np.sqrt(one[clear] * two[clear]))
    along = squares[clear] - np.average(squares[clear], weights=weights)
    slope = float(weights @ (along * change) / (weights @ along**2))
    return slope / (4 * np.pi**2)


def _frequencies() -> Floats:
    edges = np.linspace(LEAST, MOST, RINGS + 1)
    return np.asarray((edges[1:] + edges[:-1]) / 2)


def _powers(stack: NDArray[np.int16]) -> Floats | None:
    """Return the power (RINGS,) of the structure of a stack, without its noise.

    Neighbouring planes share the one but not the other.
    """
    if len(stack) < 2:
        return None
    part = stack[(slice(None), *(middle_of(size, MIDDLE) for size in stack.shape[1:]))]
    shape = part.shape[1:]
    first = evenly_chosen(len(part) - 1, PAIRS)
    spectra = [spectra_of(part[first + step] * window(shape), shape) for step in (0, 1)]
    power = np.sum((spectra[0] * np.conj(spectra[1])).real, axis=0, dtype=float)
    y, x = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    frequency = np.hypot(y[:, None], x)
    ring = np.floor((frequency - LEAST) / (MOST - LEAST) * RINGS).astype(int)
    inside = (ring >= 0) & (ring < RINGS)
    counts = np.bincount(ring[inside], minlength=RINGS)
    sums = np.bincount(ring[inside], power[inside], RINGS)
    return np.asarray(np.maximum(sums / np.maximum(counts, 1), 0.0))
