"""Whether the planes of a cycle jump: some of them are missing, or doubled, or the stage slipped.

Tissue bends smoothly along z; a plane that was dropped makes it jump. Around each plane a parabola
with a step is fitted to where the planes lie; what cannot be told from a bend is not called a jump.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.evidence.plane_places import PlacedPlanes, Places
from crossreg.fiducial.evidence.robust_fit import step_beside_parabola
from crossreg.fiducial.quantiles import median
from crossreg.fiducial.verdict import Jump

Floats = NDArray[np.float64]

AROUND = 10
"""Planes on each side of a jump that are looked at: tissue bends like a parabola over so many."""
FEWEST_PLANES = 3
"""Planes on each side of a jump at least."""
LEAST_JUMP = 0.6
"""Jump (planes) at least: less is no plane."""
BELIEVED = 4.0
"""Standard errors of a jump from which on it is believed. Of 68 planted pairs without one, spots,
textures, curves and real volumes that bend by a plane, the highest reached 3.3."""
BESIDE, SEEN = 5, 0.4
"""Planes on each side whose medians have to show this part of a jump: where a few planes at an end
of the stack lie anywhere, a steep parabola makes room for one."""
SHOWN_BY_EACH = 0.3
"""Part of a jump that each group of parts has to show: a bend in one place of the image is none."""
SUDDEN = 0.6
"""Part of a jump that lies between two neighbouring planes: tissue bends over several."""


def jump_of_planes(placed: PlacedPlanes) -> Jump | None:
    """Return the jump that the placed planes of a cycle show, if any."""
    jump, errors = _likeliest_jump(placed.whole)
    if errors <= BELIEVED or not all(_shows(group, jump) for group in placed.groups):
        return None
    return jump


def _likeliest_jump(places: Places) -> tuple[Jump, float]:
    """Return the jump in the places of planes with the most standard errors, and these."""
    best, at, most = Jump(0, 0.0), 0, 0.0
    away = places.away
    for first in range(FEWEST_PLANES, len(away) - FEWEST_PLANES + 1):
        by, error = _step(places, first)
        seen = median(away[first : first + BESIDE]) - median(away[max(first - BESIDE, 0) : first])
        if seen * np.sign(by) < SEEN * abs(by):
            continue
        if abs(by) >= LEAST_JUMP and abs(by) > most * error:
            best, at, most = Jump(int(places.planes[first]), by), first, abs(by) / error
    if not most:
        return best, most
    # A plane beside a large jump may count as one that contradicts both sides.
    beside = np.arange(at - 1, at + 2)
    larger = np.sign(best.by) * (away[beside] - away[beside - 1])
    if larger.max() < SUDDEN * abs(best.by):
        return best, 0.0
    return replace(best, plane=int(places.planes[beside[larger.argmax()]])), most


def _shows(places: Places, jump: Jump) -> bool:
    """Return whether places of planes show a jump, too."""
    by, _ = _step(places, int(np.searchsorted(places.planes, jump.plane)))
    return bool(by / jump.by > SHOWN_BY_EACH)


def _step(places: Places, first: int) -> tuple[float, float]:
    """Return (step, its standard error) before the `first` of the placed planes, that they show.

    It is fitted together with a parabola to the planes around.
    """
    near = slice(max(first - AROUND, 0), first + AROUND)
    plane = int(places.planes[first])
    return step_beside_parabola(places.planes[near], plane, places.away[near], places.weights[near])
