"""Where sections start: with the motions that another registration found.

A section that was saved there starts with its own motion, tile by tile; the others start with a
motion interpolated over z between the saved ones. All motions here are in the frame of the stack.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.check.checked_section import Policy, Section
from crossreg.crossmodal.check.finding import ERROR, WARNING
from crossreg.crossmodal.check.motion.common_motion import LIKELY_SCALE, MAD_TO_SIGMA
from crossreg.crossmodal.check.motion.registered_tile import RegisteredTile
from crossreg.crossmodal.check.saved_sections import Registration
from crossreg.crossmodal.freeze.frozen import required_frozen
from crossreg.crossmodal.freeze.records import LeftOut, StartedFrom, box_sides
from crossreg.io.errors import UserError

SAVED_START, INTERPOLATED = "saved", "interpolated"

FEWEST_TO_JUDGE = 5
"""Saved sections from which one that is unlike its neighbours can be told."""

MOST_NAMED = 5
"""Faulty sections that one sentence names."""

OUTLIER_SIGMAS = 6.0
LEAST_OUTLIER = 3.0
"""px: what a careful hand differs by is never an outlier."""


@dataclass(frozen=True)
class SavedMotion:
    """The motion that a person gave a section, from its stage position."""

    z: float
    section: Affine
    """Median of the tiles."""
    tiles: Mapping[str, Affine]
    """Tile id -> its own motion."""


@dataclass(frozen=True)
class Start:
    """The motion of a section before a person works on it."""

    kind: str
    """'saved' or 'interpolated'."""
    section: Affine
    tiles: Mapping[str, Affine]

    def of_tile(self, tile_id: str) -> Affine:
        """Return the motion of a tile: its own, else that of the section."""
        return self.tiles.get(tile_id, self.section)


@dataclass(frozen=True)
class Starts:
    """The starts of all sections, from the registration `name` with the hash `sha256`."""

    name: str
    sha256: str
    saved: tuple[SavedMotion, ...]
    """Ascending in z."""
    pivot: tuple[float, float]
    """Point of the stack about which motions are split: the centre of the projects."""
    unlike: tuple[float, ...]
    """z of saved sections that no other one starts from: unlike their neighbours, or not moved."""
    left_out: tuple[LeftOut, ...] = ()
    """Sections that were saved with errors, and why they do not count."""
    warned: tuple[LeftOut, ...] = ()
    """Sections that count, and what the check warns of."""

    def of_section(self, z: float) -> Start:
        """Return the start of a section."""
        own = next((one for one in self.saved if one.z == z), None)
        if own is not None:
            return Start(SAVED_START, own.section, own.tiles)
        used = [one for one in self.saved if one.z not in self.unlike]
        return Start(INTERPOLATED, interpolated(used, z, self.pivot), {})

    def record(self) -> StartedFrom:
        """Return what the frozen configuration keeps."""
        z = tuple(one.z for one in self.saved)
        return StartedFrom(self.name, self.sha256, z, self.unlike, self.left_out, self.warned)


def starts_from(folder: Path, stack: str, policy: Policy) -> Starts:
    """Return the starts that the registration in `folder` gives to sections of `stack`.

    `policy` says how what was saved there is read; transforms that were added count in any case.
    Raises UserError if it moved another stack, or no section of it was saved without errors.
    """
    frozen = required_frozen(folder)
    if frozen.input_stack != stack:
        raise UserError(
            f"start_from: '{frozen.name}' registers the stack '{frozen.input_stack}', not"
            f" '{stack}'; only one of the same inputStack can be started from."
        )
    registration = Registration(folder, frozen, replace(policy, new_transforms="accept"))
    saved: list[SavedMotion] = []
    unmoved: set[float] = set()
    left_out: list[LeftOut] = []
    warned: list[LeftOut] = []
    for _, section in registration.sections():
        if section.saved and not section.faulty and section.tiles:
            saved.append(SavedMotion(section.z, *_motions(section.tiles, frozen.origin)))
            if section.to_confirm:
                unmoved.add(section.z)
            elif warnings := found_of(section, WARNING):
                warned.append(LeftOut(section.z, warnings))
        elif section.faulty:
            left_out.append(LeftOut(section.z, found_of(section, ERROR)))
    likely = [one for one in saved if _is_likely(one.section)]
    # A stack may well be right as it is; single sections of it that nobody moved tell nothing.
    moved = [one for one in likely if one.z not in unmoved] or likely
    if not moved:
        faults = "".join(f"; z = {one.z:g}: {one.reason}" for one in left_out[:MOST_NAMED])
        raise UserError(
            f"start_from: no section of '{frozen.name}' is saved without errors{faults}; register"
            " some of them, every tenth for example."
        )
    left, top, right, bottom = box_sides(frozen.bounds)
    pivot = (left + right) / 2, (top + bottom) / 2
    corners = [[left, top], [left, bottom], [right, top], [right, bottom]]
    box = np.array(corners, dtype=np.float64)
    apart = {one.z for one in saved} - {one.z for one in moved}
    unlike = tuple(sorted({*apart, *unlike_their_neighbours(moved, box, pivot)}))
    return Starts(
        frozen.name,
        frozen.sha256,
        tuple(saved),
        pivot,
        unlike,
        tuple(left_out),
        tuple(one for one in warned if one.z not in unlike),
    )


def found_of(section: Section, level: str) -> str:
    """Return in words the first finding of a level about a section, and how many follow; or ''."""
    found = [one for one in section.all_findings if one.level == level]
    if not found:
        return ""
    first = found[0]
    tile = f"tile {first.tile}: " if first.tile is not None else ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{tile}expected {first.expected}, found {first.found}{more}"


def _is_likely(motion: Affine) -> bool:
    """Return whether a section may be like its neighbours: not turned over, nor scaled wildly."""
    area = affine.determinant(motion)
    low, high = LIKELY_SCALE
    return area > 0 and low <= math.sqrt(area) <= high


def _motions(
    tiles: Sequence[RegisteredTile], origin: tuple[float, float]
) -> tuple[Affine, dict[str, Affine]]:
    """Return the motion of a section and those of its tiles, from the stage position."""
    there = affine.translation(*origin)
    back = affine.invert(there)
    own = {tile.patch.tile_id: affine.compose(there, tile.total_motion, back) for tile in tiles}
    linear = np.median([motion[:4] for motion in own.values()], axis=0)
    turn = affine.affine([*linear, 0.0, 0.0])
    ends = np.array([tile.corners.mean(axis=0) for tile in tiles]) + origin
    begins = np.array([tile.patch.stage_corners.mean(axis=0) for tile in tiles]) + origin
    shift = np.median(ends - affine.apply(turn, begins), axis=0)
    return affine.compose(affine.translation(*shift), turn), own


def interpolated(saved: Sequence[SavedMotion], z: float, pivot: tuple[float, float]) -> Affine:
    """Return the motion at `z` between saved ones, ascending in z; beyond them the nearest one.

    The affine is split into the shift of the pivot, rotation, scales and shear, each of which is
    interpolated by itself and never goes beyond its neighbours (monotone cubic, Fritsch and
    Carlson 1980, DOI 10.1137/0717021), so that one careless section does not swing the others.
    """
    knots = np.array([one.z for one in saved])
    parts = np.array([_parts(one.section, pivot) for one in saved])
    parts[:, 2] = np.unwrap(parts[:, 2])
    where = float(np.clip(z, knots[0], knots[-1]))
    if len(saved) == 1:
        values = parts[0]
    elif len(saved) == 2:
        weight = (where - knots[0]) / (knots[1] - knots[0])
        values = (1 - weight) * parts[0] + weight * parts[1]
    else:
        values = PchipInterpolator(knots, parts, axis=0)(where)
    return _from_parts(values, pivot)


def unlike_their_neighbours(
    saved: Sequence[SavedMotion], box: Points, pivot: tuple[float, float]
) -> tuple[float, ...]:
    """Return the z of the sections that the others do not predict, as far as can be told.

    Each section but the first and last is predicted from the others, and the distances of the
    corners of `box` (4, 2) are compared with the usual ones.
    """
    kept, unlike = list(saved), []
    while len(kept) >= FEWEST_TO_JUDGE:
        distances = [_unpredicted(kept, index, box, pivot) for index in range(1, len(kept) - 1)]
        limit = max(LEAST_OUTLIER, OUTLIER_SIGMAS * MAD_TO_SIGMA * float(np.median(distances)))
        if max(distances) <= limit:
            break
        # One at a time, the worst first: its neighbours are badly predicted because of it.
        unlike.append(kept.pop(1 + int(np.argmax(distances))).z)
    return tuple(sorted(unlike))


def _unpredicted(
    saved: Sequence[SavedMotion], index: int, box: Points, pivot: tuple[float, float]
) -> float:
    """Return how far corners of the box are from where the other sections predict them, px."""
    others = [*saved[:index], *saved[index + 1 :]]
    predicted = affine.apply(interpolated(others, saved[index].z, pivot), box)
    return float(np.hypot(*(predicted - affine.apply(saved[index].section, box)).T).max())


def _parts(motion: Affine, pivot: tuple[float, float]) -> NDArray[np.float64]:
    """Return shift of the pivot (2), rotation in radians, log of the scales (2), and shear."""
    parts = affine.split(motion)
    shift = affine.apply(motion, np.array([pivot]))[0] - pivot
    scales = [math.log(parts.scale_x), math.log(abs(parts.scale_y))]
    return np.array([*shift, math.radians(parts.rotation), *scales, parts.shear])


def _from_parts(values: NDArray[np.float64], pivot: tuple[float, float]) -> Affine:
    x, y, rotation, log_x, log_y, shear = map(float, values)
    cos, sin = math.cos(rotation), math.sin(rotation)
    turn = affine.affine([cos, sin, -sin, cos, 0.0, 0.0])
    slant = affine.affine([1.0, 0.0, shear, 1.0, 0.0, 0.0])
    scale = affine.affine([math.exp(log_x), 0.0, 0.0, math.exp(log_y), 0.0, 0.0])
    there = affine.translation(*pivot)
    moved = affine.translation(pivot[0] + x, pivot[1] + y)
    return affine.compose(moved, turn, slant, scale, affine.invert(there))
