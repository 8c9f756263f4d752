"""Real data by consistency: registrations of the same places in several ways must agree."""

from collections.abc import Callable

import numpy as np
import tifffile
from numpy.typing import NDArray
from ours import Registration, register
from planted_structure import SHARED_DATA

NAME = "scan_001_{cycle}_{roi}_ROI_converted_decon_{channel}.tif"
MERFISH_ROUNDS = tuple(f"RT{number}" for number in range(8))
BLOCK = 64
EDGE = 8.0  # px of the border left out: what is seen there is cut
POSITIONS = 200

Cells = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[str, ...]]


def consistency_rows(cells: Cells) -> list[tuple[str, ...]]:
    """Return rows (name, number, rms, within 1, beyond 3 sigma, largest) of all comparisons."""
    if not SHARED_DATA.is_dir():
        return [("skipped: no ../shared/data", "", "", "", "", "")]
    easifish = [_stack("easifish", cycle, "001") for cycle in ("RT1", "RT2")]
    beads = [_stack("merfish-beads", cycle, "000") for cycle in MERFISH_ROUNDS]
    other = [_stack("merfish-beads", cycle, "000", "ch01") for cycle in MERFISH_ROUNDS]
    compared = {
        "easifish, exchanged": [exchanged(*easifish)],
        "merfish beads, exchanged": [exchanged(beads[0], beads[n]) for n in range(1, 8)],
        "merfish beads, A to B to C": [
            around(beads[n], beads[n + 1], beads[n + 2]) for n in range(6)
        ],
        "merfish, two channels": [
            alike((beads[0], beads[n]), (other[0], other[n])) for n in range(1, 8)
        ],
    }
    rows = []
    for name, pairs in compared.items():
        found = [pair for pair in pairs if pair is not None]
        if not found:
            rows.append((name, "none registered", "", "", "", ""))
            continue
        error, sigma = (np.concatenate(part) for part in zip(*found, strict=True))
        shown = sigma.min(axis=0) > 0  # single planes have no shift in z
        rows.append((name, *cells(error[:, shown], sigma[:, shown])[:-1]))
    return rows


def exchanged(one: NDArray, two: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return (sum of the shifts there and back, its sigma) at random places of the one."""
    there, back = register(one, two, BLOCK), register(two, one, BLOCK)
    if there.local.field is None or back.local.field is None:
        return None
    places = _places(one, there)
    shift, sigma = there.local.field.at(places)
    shift_back, sigma_back = back.local.field.at(places - shift)
    return shift + shift_back, np.hypot(sigma, sigma_back)


def around(
    one: NDArray, two: NDArray, three: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return (shift by way of two minus the direct one, its sigma) at random places of one."""
    direct, first, second = (
        register(*pair, BLOCK) for pair in ((one, three), (one, two), (two, three))
    )
    if any(found.local.field is None for found in (direct, first, second)):
        return None
    places = _places(one, direct)
    shift, sigma = first.local.field.at(places)
    further, sigma_further = second.local.field.at(places - shift)
    straight, sigma_straight = direct.local.field.at(places)
    total = np.sqrt(sigma**2 + sigma_further**2 + sigma_straight**2)
    return shift + further - straight, total


def alike(
    beads: tuple[NDArray, NDArray], other: tuple[NDArray, NDArray]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return (difference of the shifts that two channels show, its sigma) at random places."""
    one, two = (register(*pair, BLOCK) for pair in (beads, other))
    if one.local.field is None or two.local.field is None:
        return None
    places = _places(beads[0], one)
    (shift, sigma), (other_shift, other_sigma) = (
        found.local.field.at(places) for found in (one, two)
    )
    return shift - other_shift, np.hypot(sigma, other_sigma)


def _places(stack: NDArray, found: Registration) -> NDArray[np.float64]:
    """Return random positions (n, 3) that both stacks show."""
    size = np.array(stack.shape)
    places = np.random.default_rng(0).uniform(0, size - 1, (POSITIONS, 3))
    moved = places - found.local.field.at(places)[0]
    inside = (places >= EDGE) & (moved >= EDGE) & (places < size - EDGE) & (moved < size - EDGE)
    return places[inside[:, 1:].all(axis=1)]


def _stack(folder: str, cycle: str, roi: str, channel: str = "ch00") -> NDArray:
    path = SHARED_DATA / folder / NAME.format(cycle=cycle, roi=roi, channel=channel)
    image = tifffile.imread(path)
    return image if image.ndim == 3 else image[None]
