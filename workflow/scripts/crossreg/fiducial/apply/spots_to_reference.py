"""Spots brought from a cycle to the reference."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from crossreg.fiducial.field.field_file import CycleField

STATUSES = ("reference", "measured", "borrowed", "failed", "missing")
FRAMES = ("raw", "global")
REFERENCE_STATUS = "reference"
Cycle = CycleField | str
"""The field of a cycle; or why it has none: `reference` or `missing`."""


@dataclass(frozen=True)
class RegisteredSpots:
    """Registered positions (n, 3), their standard errors (n, 3), status (n,) of n spots, and more.

    Positions and `sigma_zyx` are in kept planes, px, px. Sigma is the error of the registration
    alone, not of finding the spot; 0 in the reference, NaN where the status is failed or missing.
    `outside` (n,) says which spots lie outside of the rows and columns of their cycle.
    """

    position_zyx: np.ndarray
    sigma_zyx: np.ndarray
    status: np.ndarray
    outside: np.ndarray


def registered_spots(
    position_zyx: np.ndarray,
    cycle_of_spot: Iterable[tuple[str, str]],
    cycle: Callable[[str, str], Cycle],
    frame: str,
    *,
    flat: bool = False,
    in_planes: bool = True,
) -> RegisteredSpots:
    """Return the spots at `position_zyx` (n, 3) in kept planes, px, px, brought to the reference.

    `cycle_of_spot` are the n pairs (ROI, cycle) as text, and `cycle` looks one up. In the `frame`
    raw, positions are those in the stack as it was taken; in the frame global, the stack had been
    moved by the cycle's global shift before the spots were found. `flat` spots have no z, and are
    taken to lie in the middle plane. With `in_planes`, z counts kept planes of the cycle itself;
    else it is a length, over that of a kept plane of the reference. What cannot be registered stays
    where it is.
    """
    registered = np.array(position_zyx, float)
    sigma = np.full(registered.shape, np.nan)
    status = np.full(len(registered), "missing", dtype="<U9")
    outside = np.zeros(len(registered), bool)
    for key, mine in _grouped(cycle_of_spot).items():
        found = cycle(*key)
        placed = mine[np.isfinite(registered[mine]).all(axis=1)]
        if isinstance(found, str):
            status[placed] = found
            sigma[placed] = 0.0 if found == REFERENCE_STATUS else np.nan
        elif found.failed:
            status[placed] = "failed"
        else:
            if flat:
                registered[placed, 0] = (found.shape_zyx[0] - 1) / 2
            elif in_planes:
                registered[placed, 0] *= found.z_step
            moved = (0.0, *found.global_shift_yx) if frame == "global" else 0.0
            seen = registered[placed] - moved
            size = np.array(found.shape_zyx[1:])
            outside[placed] = ((seen[:, 1:] < -0.5) | (seen[:, 1:] > size - 0.5)).any(axis=1)
            registered[placed] = found.field.to_reference(seen)
            sigma[placed] = found.field.sigma_at(registered[placed])
            status[placed] = found.status_at(registered[placed])
    return RegisteredSpots(registered, sigma, status, outside)


def _grouped(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], np.ndarray]:
    """Return the numbers of the spots of each (ROI, cycle)."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for number, key in enumerate(keys):
        numbers.setdefault(key, []).append(number)
    return {key: np.array(mine) for key, mine in numbers.items()}
