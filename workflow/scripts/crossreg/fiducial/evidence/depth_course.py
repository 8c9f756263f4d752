"""How the shift along z changes with the depth, from all planes of two stacks at once.

How alike planes are falls with their distance (Hanslovsky et al. 2017,
doi:10.1093/bioinformatics/btw794): so the products of all planes of the reference with all planes
of the cycle look like those of the reference with itself, read where the planes of the cycle lie,
and like those of the cycle with itself, read where the planes of the reference lie. The map of
depths that explains both best is sought. Both stacks are freed of what their planes share, which
takes the same off a plane's products with all planes of the other stack: so these are centred.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import evenly_cut, middle_of
from crossreg.fiducial.correlation.binned_stacks import BIN, moved_part, shown_range
from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.field.grid_spline import interpolation
from crossreg.fiducial.quantiles import median

Floats = NDArray[np.float64]

MIDDLE = 512
"""Edge (bins) of the middle of the image that is looked at: enough structure, little work."""
PART = 24
"""Edge (bins) of the parts that are moved by one shift each: a few spots wide."""
EVEN = 0.3
"""Part of the strength of the strongest part that is added to each before parts are divided by it:
a few with bright things must not rule, nor those that show hardly anything."""
GROUPS = 8
"""Groups of parts that are left out in turn."""
FEWEST_PLANES, FEWEST_SHARED = 8, 6
"""Planes of either stack, and of those that both show, below which nothing is said."""
BENT, BEND_SIZE, BENT_FROM = 0.2, 1.7, 12
"""Part of all stacks that bend, and by how many planes (a standard deviation) from so many planes
on: the ends of fewer are nearer, and by its square bends less what is as curved."""
STRETCHED, GRADIENT_SIZE = 0.4, 0.03
"""Part of all stacks whose shift along z changes from plane to plane, and by how many planes (a
standard deviation): tissue that swells by 5 % was seen."""
SIZES = np.linspace(-4, 4, 801)
"""Bends and gradients that are thought of, in standard deviations."""
MOST_ROUNDS, SETTLED, FARTHEST_STEP = 12, 1e-3, 1.0
"""Steps towards the best map at most, the gain below which it is found, and the longest step."""
TRIES, DAMPING = 6, (1e-3, 8.0, 0.2)
"""How often a step is shortened at most; the damping (Levenberg and Marquardt) that the first has,
and its factors after a step that failed and after one that did not."""
BESIDE_ENDS = 0.2
"""Planes beyond the ends of a stack up to which a plane is still compared: it may lie there."""
NEAR = 0.05
"""Planes on both sides between which the products' slope is taken."""
ROUNDS_BACK, STEEPEST = 5, 0.2
"""Rounds in which a map is turned round, and how fast depths follow each other at least."""
LEAST_UNEXPLAINED, TINY = 1e-6, 1e-12
"""Part of the products that no map explains, at least: keeps its logarithm finite;
and the least length that is divided by."""
SCATTER = 1.3
"""Factor on the standard errors from leaving out groups: parts that lie beside each other share
structure."""
MISFIT = np.array([12.0, 20.0])
"""Error (planes) of the gradient and of the bend, for each part of the products' squares that the
map leaves: it is 0.0001 to 0.005, and 0.01 to 0.06 where optics differ. Of 130 planted stacks
(texture, grains, beads, nuclei, filaments, layers; bent, stretched, with wider spots), 0.6 lay
within one standard error, 2 % beyond three."""
UNSHARED = 0.4
"""Error (planes) of either for each part of the planes that one stack shows alone."""
SHOWN_OF_BOTH = np.array([0.5, 1.0])
"""How far what planes show of a gradient and of a bend follows the part that they show of depths:
of gradients of beads they show more, as what is above and below a plane moves to both sides."""
UNSURE_OF_BOTH = np.array([0.25, 1.0]), np.array([0.05, 0.1])
"""Error of these parts, for each part that planes do not show, and beside that."""
LEAST_SHOWN = 0.3
"""Part of a change that planes show at least where something is said of it."""
LEAST_ERROR = 0.03
"""Error (planes) of either at least."""


@dataclass(frozen=True)
class AllProducts:
    """The products of all planes of two stacks, of g groups of parts of the image.

    Attributes
    ----------
    across : (g, Z, Z') those of the reference with those of the cycle.
    here, there : (g, Z, Z) and (g, Z', Z') those of each stack with itself.
    first : the plane of the reference that the first of them is.
    shift_z : about how far (planes) the cycle lies from the reference, between those planes.
    shown : the part of a change with the depth that planes show: each shows light of structure
        above and below it, too, and those of a layer show but that.

    """

    across: Floats
    here: Floats
    there: Floats
    first: int
    shift_z: float
    shown: float

    def whole(self) -> "AllProducts":
        """Return those of all groups together, as one."""
        across, here, there = (part.sum(axis=0, keepdims=True) for part in self._all)
        return replace(self, across=across, here=here, there=there)

    def without(self, group: int) -> "AllProducts":
        """Return those of all groups but one, together, as one."""
        across, here, there = (part.sum(axis=0, keepdims=True) - part[group] for part in self._all)
        return replace(self, across=across, here=here, there=there)

    @property
    def _all(self) -> tuple[Floats, Floats, Floats]:
        return self.across, self.here, self.there


@dataclass(frozen=True)
class DepthCourse:
    """How the shift along z changes with the depth of the planes that both stacks show.

    Attributes
    ----------
    middle, half : the plane of the reference in the middle of those, and half of their number.
    away : (2,) `gradient`: how far (planes) the shift of the last of them lies from that in the
        middle, and `bend`: how much farther both ends lie than that.
    covariance : (2, 2) of these.
    unsure : (2,) errors of both relative to themselves: how much of them planes show is not known.
    left : the part of the products' squares that it does not explain.
    z_ratio : how many planes of the cycle correspond to one of the reference, if their light
        changes by as much as structure does.

    """

    middle: float
    half: float
    away: Floats
    covariance: Floats
    unsure: Floats
    left: float
    z_ratio: float

    @property
    def sigma(self) -> Floats:
        """Return the standard errors (2,) of gradient and bend."""
        return np.asarray(np.sqrt(np.diag(self.covariance) + np.square(self.unsure * self.away)))

    def if_feigned(self, by: float) -> "DepthCourse":
        """Return the same if its gradient may be feigned, by a standard deviation in planes."""
        return replace(self, covariance=self.covariance + np.diag([by**2, 0.0]))


def likely_change(course: DepthCourse | None, planes: int) -> tuple[Floats, Floats]:
    """Return gradient and bend (2,) planes of a stack of so many planes, and the standard errors.

    By Bayes' rule from its course, if that is known: few stacks bend, or stretch.
    """
    gradients = SIZES * GRADIENT_SIZE * (planes - 1) / 2
    bends = SIZES * BEND_SIZE * min(planes / BENT_FROM, 1) ** 2
    found = [
        _posterior(course, which, *prior)
        for which, prior in enumerate(((gradients, STRETCHED), (bends, BENT)))
    ]
    mean, sigma = np.transpose(found)
    return mean, sigma


def _posterior(
    course: DepthCourse | None, which: int, changes: Floats, share: float
) -> tuple[float, float]:
    """Return the mean and the standard deviation of what a change (0: gradient, 1: bend) is likely.

    A `share` of all stacks have one, as likely as SIZES says of `changes` (n,), which are 0 in the
    middle.
    """
    likely = np.exp(-0.5 * SIZES**2)
    likely *= share / likely.sum()
    likely[len(SIZES) // 2] += 1 - share
    if course:
        errors = np.sqrt(course.covariance[which, which] + (course.unsure[which] * changes) ** 2)
        log = -0.5 * ((changes - course.away[which]) / errors) ** 2 - np.log(errors)
        likely *= np.exp(log - log.max())
    likely /= likely.sum()
    mean = float(likely @ changes)
    return mean, float(np.sqrt(likely @ (changes - mean) ** 2))


def all_products(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_zyx_at: ShiftsAt, shown: float
) -> AllProducts | None:
    """Return the products of all planes of two binned stacks (Z, y, x), reference and cycle.

    `shifts_zyx_at` gives the shifts (n, 3) of the field at positions (n, 2) px of its middle plane.
    Of a change with the depth planes show the part `shown`.
    None of few planes, or where the images do not overlap.
    """
    ranges = [shown_range(stack) for stack in stacks]
    reference, cycle = (stack[slice(*planes)] for stack, planes in zip(stacks, ranges, strict=True))
    if min(len(reference), len(cycle)) < FEWEST_PLANES:
        return None
    parts = [(r, c) for r in _parts(reference.shape[1]) for c in _parts(reference.shape[2])]
    middles = np.array([[BIN * (part.start + part.stop) / 2 for part in both] for both in parts])
    shifts = shifts_zyx_at(middles)
    in_cycle = middles - shifts[:, 1:]
    seen = np.all((in_cycle >= 0) & (in_cycle < BIN * np.array(cycle.shape[1:])), axis=1)
    offsets = np.rint(shifts[:, 1:] / BIN).astype(int)
    found = [
        _products(reference, cycle, *parts[number], offsets[number])
        for number in np.flatnonzero(seen)
    ]
    if not found:
        return None
    across, here, there = (np.stack(kind) for kind in zip(*found, strict=True))
    strength = np.sqrt(_structure(here) * _structure(there))
    if not strength.any():
        return None
    weights = 1 / (strength + EVEN * strength.max())

    def grouped(products: Floats) -> Floats:
        weighted = products * weights[:, None, None]
        return np.stack([weighted[first::GROUPS].sum(axis=0) for first in range(GROUPS)])

    one, two = (_without_noise(grouped(products)) for products in (here, there))
    first, first_of_cycle = (planes[0] for planes in ranges)
    shift_z = median(shifts[seen, 0]) + first_of_cycle - first
    return AllProducts(grouped(across), one, two, first, shift_z, shown)


def course_of(products: AllProducts, gradient: float = 0.0) -> DepthCourse | None:
    """Return how the shift along z changes with the depth; None where planes do not tell.

    It is sought near a `gradient` (planes at the ends).
    """
    shift_z, (planes, of_cycle) = products.shift_z, products.across.shape[1:]
    first, last = max(0.0, shift_z), min(planes - 1.0, of_cycle - 1.0 + shift_z)
    if last - first < FEWEST_SHARED - 1:
        return None
    depths = _Depths((first + last) / 2, (last - first) / 2)
    whole = products.whole()
    found = _best_map(whole, depths, np.array([shift_z, gradient, 0.0]))
    here = _explained(whole, depths, found, found)
    without = [_explained(products.without(g), depths, found, found) for g in range(GROUPS)]
    moved = np.array([here.step(of_rest.residual - here.residual) for of_rest in without])
    scatter = np.cov(moved[:, 1:].T) * (GROUPS - 1) ** 2 / GROUPS
    left = float(np.sqrt(np.prod(here.left)))
    alone = UNSHARED * (1 - (last - first + 1) / max(planes, of_cycle))
    covariance = SCATTER**2 * scatter + np.diag((MISFIT * left) ** 2 + alone**2 + LEAST_ERROR**2)
    hidden = 1 - products.shown
    if products.shown < LEAST_SHOWN:
        return None
    shown = 1 - SHOWN_OF_BOTH * hidden
    unsure = (UNSURE_OF_BOTH[0] * hidden + UNSURE_OF_BOTH[1]) / shown
    z_ratio = float(1 - found[1] / depths.half)
    away, covariance = found[1:] / shown, covariance / np.outer(shown, shown)
    return DepthCourse(
        products.first + depths.middle, depths.half, away, covariance, unsure, left, z_ratio
    )


@dataclass(frozen=True)
class _Depths:
    """The planes of the reference that both stacks show: their `middle`, and `half` of them."""

    middle: float
    half: float

    def terms(self, planes: Floats) -> Floats:
        """Return what the weights (3,) of a map are multiplied with at planes (n,): (n, 3)."""
        u = (planes - self.middle) / self.half
        return np.column_stack([np.ones_like(u), u, u**2])

    def in_cycle(self, weights: Floats, planes: int) -> tuple[Floats, Floats]:
        """Return where in the cycle planes of the reference lie, and what weights change of it."""
        terms = self.terms(np.arange(float(planes)))
        return np.arange(planes) - terms @ weights, -terms

    def in_reference(self, weights: Floats, planes: int) -> tuple[Floats, Floats]:
        """Return where in the reference planes of the cycle lie, and what weights change of it."""
        numbers = np.arange(float(planes))
        places = numbers + weights[0]
        for _ in range(ROUNDS_BACK):
            places = numbers + self.terms(places) @ weights
        u = (places - self.middle) / self.half
        steepness = 1 - (weights[1] + 2 * weights[2] * u) / self.half
        return places, self.terms(places) / np.maximum(steepness, STEEPEST)[:, None]


@dataclass(frozen=True)
class _Explained:
    """What a map of depths leaves of the products, both ways: `left` (2,) parts of their squares.

    `residual` (n,) is what is left of each, relative to that, and `slopes` (n, 3) how the weights
    of the map change it.
    """

    left: Floats
    residual: Floats
    slopes: Floats

    def step(self, residual: Floats, damping: float = 0.0) -> Floats:
        """Return by how much (3,) to change the weights to be rid of a residual (n,)."""
        normal = self.slopes.T @ self.slopes
        normal += np.diag(damping * np.diag(normal) + 1e-9)
        step = -np.linalg.solve(normal, self.slopes.T @ residual)
        return np.asarray(step * min(1.0, FARTHEST_STEP / max(np.abs(step).max(), 1e-9)))


def _explained(
    products: AllProducts, depths: _Depths, weights: Floats, compared_at: Floats
) -> _Explained:
    """Return what a map of depths leaves of the products (1 group).

    Those planes are compared that lie in the other stack under the weights `compared_at`.
    """
    across, here, there = products.across[0], products.here[0], products.there[0]
    sides = (
        (across, here, depths.in_reference, across.shape[1]),
        (across.T, there, depths.in_cycle, across.shape[0]),
    )
    found = []
    for measured, own, placed, count in sides:
        then, _ = placed(compared_at, count)
        inside = (then >= -BESIDE_ENDS) & (then <= len(own) - 1 + BESIDE_ENDS)
        at, changes = (part[inside] for part in placed(weights, count))
        found.append(_one_way(measured[:, inside], own, at, changes))
    left = np.array([part.left[0] for part in found])
    residual, slopes = (
        np.concatenate([getattr(part, name) / np.sqrt(part.left[0]) for part in found])
        for name in ("residual", "slopes")
    )
    return _Explained(left, residual, slopes)


def _one_way(measured: Floats, own: Floats, at: Floats, changes: Floats) -> _Explained:
    """Return what is left of products (Z, n) if planes of the other stack lie at `at` (n,).

    `own` (Z, Z) are the products of the stack with itself, `changes` (n, 3) how weights move them.
    A map that brings no planes together explains nothing.
    """
    if not len(at):
        return _Explained(np.ones(1), np.zeros(0), np.zeros((0, 3)))
    ahead, beside, behind = (
        own @ interpolation(len(own), at + step).T for step in (NEAR, 0.0, -NEAR)
    )
    expected, change = _centred(beside), _centred((ahead - behind) / (2 * NEAR))
    length = max(float(np.linalg.norm(expected)), TINY)
    expected = expected / length
    measured = _centred(measured)
    measured = measured / max(float(np.linalg.norm(measured)), TINY)
    alike = float(np.vdot(measured, expected))
    slopes = np.stack([_centred(change * along) / length for along in changes.T], axis=-1)
    slopes -= expected[..., None] * np.tensordot(expected, slopes, 2)
    left = max(1 - alike * abs(alike), LEAST_UNEXPLAINED)
    residual = measured - alike * expected
    return _Explained(np.array([left]), residual.ravel(), -alike * slopes.reshape(-1, 3))


def _best_map(products: AllProducts, depths: _Depths, weights: Floats) -> Floats:
    """Return the weights (3,) of the map that explains products best (Gauss and Newton, damped)."""
    damping, harder, easier = DAMPING
    here = _explained(products, depths, weights, weights)
    for _ in range(MOST_ROUNDS):
        for _ in range(TRIES):
            tried = weights + here.step(here.residual, damping)
            there = _explained(products, depths, tried, weights)
            gain = float(np.log(here.left / there.left).sum())
            if gain > 0:
                break
            damping *= harder
        if gain <= 0:
            break
        weights, damping = tried, damping * easier
        here = _explained(products, depths, weights, weights)
        if gain < SETTLED:
            break
    return weights


def _centred(products: Floats) -> Floats:
    """Return products (Z, n) without what each plane (Z,) has with all of the others (n,)."""
    return np.asarray(products - products.mean(axis=1, keepdims=True))


def _products(
    reference: NDArray[np.int16],
    cycle: NDArray[np.int16],
    rows: slice,
    columns: slice,
    offset: NDArray[np.int64],
) -> tuple[Floats, Floats, Floats]:
    """Return the products of all planes of a part, the cycle moved by an `offset` (2,) in bins."""
    fixed = reference[:, rows, columns].reshape(len(reference), -1).astype(np.float32)
    moved = moved_part(cycle, rows, columns, (int(offset[0]), int(offset[1])))
    moved = moved.reshape(len(cycle), -1).astype(np.float32)
    across, here, there = fixed @ moved.T, fixed @ fixed.T, moved @ moved.T
    return across.astype(float), here.astype(float), there.astype(float)


def _structure(products: Floats) -> Floats:
    """Return how much structure parts (n,) show: noise of neighbouring planes is independent."""
    return np.asarray(np.maximum(np.trace(products, offset=1, axis1=1, axis2=2), 0.0))


def _without_noise(products: Floats) -> Floats:
    """Return products (g, Z, Z) of planes with themselves without their noise.

    It is in those of each plane with itself alone, which are taken from a parabola through those
    with the two neighbours.
    """
    planes = np.arange(products.shape[1])
    near = np.pad(products[:, planes[:-1], planes[1:]], ((0, 0), (1, 1)), mode="edge")
    beside = (near[:, 1:] + near[:, :-1]) / 2
    apart = np.pad(products[:, planes[:-2], planes[2:]], ((0, 0), (1, 1)), mode="edge")
    freed = products.copy()
    own = products[:, planes, planes]
    freed[:, planes, planes] = np.minimum(own, beside + (beside - apart) / 3)
    return freed


def _parts(size: int) -> list[slice]:
    """Return the parts of an axis of `size` bins, in the middle, that are compared."""
    middle = middle_of(size, MIDDLE)
    return evenly_cut(middle, max(1, round((middle.stop - middle.start) / PART)))
