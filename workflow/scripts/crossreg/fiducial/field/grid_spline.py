"""Cubic splines through values on a regular grid in 3D."""

from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np

FEWEST_NODES = 4
"""Nodes along an axis that a cubic spline needs."""


class GridSpline:
    """The cubic spline (not-a-knot; de Boor 1978) through values (nz, ny, nx, m) at nodes.

    Beyond the first and last node of an axis the value there is taken. It is kept as weights of
    B-splines on evenly spaced knots, which scipy.ndimage adds up: scipy.interpolate, which does
    the same for knots of any kind, takes a quarter of a second to import.
    """

    def __init__(self, nodes_zyx: Sequence[np.ndarray], values: np.ndarray) -> None:
        """Take three evenly spaced, increasing arrays of at least four nodes, and the values."""
        self.nodes_zyx, self.values = tuple(nodes_zyx), values

    @cached_property
    def _weights(self) -> np.ndarray:
        """Return the weights (nz + 2, ny + 2, nx + 2, m) of the B-splines."""
        weights = self.values.astype(float)
        for axis, nodes in enumerate(self.nodes_zyx):
            weights = np.moveaxis(np.tensordot(_solution(len(nodes)), weights, (1, axis)), 0, axis)
        return weights

    def at(self, positions_zyx: np.ndarray) -> np.ndarray:
        """Return the values (n, m) at positions (n, 3); NaN where a position is."""
        import scipy.ndimage  # takes as long as a small cycle, which does without

        places = [self._place(axis, along) for axis, along in enumerate(positions_zyx.T)]
        values = np.empty((len(positions_zyx), self.values.shape[-1]))
        for column, weights in enumerate(np.moveaxis(self._weights, -1, 0)):
            scipy.ndimage.map_coordinates(
                weights, places, output=values[:, column], order=3, prefilter=False
            )
        # Of places that are NaN, map_coordinates makes some number.
        values[np.isnan(positions_zyx).any(axis=1)] = np.nan
        return values

    def on_grid(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the values (len z, len y, len x, m) at all combinations of coordinates.

        Much faster than `at`, since the spline is evaluated one axis after another.
        """
        values = self._weights
        for axis, along in enumerate((z, y, x)):
            basis = _basis(self._place(axis, along), values.shape[axis])
            values = np.moveaxis(np.tensordot(basis, values, (1, axis)), 0, axis)
        return values

    def _place(self, axis: int, along: np.ndarray) -> np.ndarray:
        """Return where coordinates along an axis lie among the B-splines, the first at 0."""
        nodes = self.nodes_zyx[axis]
        place = (np.asarray(along, float) - nodes[0]) / (nodes[-1] - nodes[0]) * (len(nodes) - 1)
        inside: np.ndarray = np.clip(place, 0, len(nodes) - 1) + 1
        return inside


def interpolation(nodes: int, at: np.ndarray) -> np.ndarray:
    """Return the matrix (n, nodes) from values at 0, 1, ... to those of the spline at `at` (n,)."""
    return np.asarray(_basis(at + 1, nodes + 2) @ _solution(nodes))


def _basis(places: np.ndarray, count: int) -> np.ndarray:
    """Return the values (n, count) of cubic B-splines centred at 0, 1, ... at some places (n,)."""
    distance = np.abs(places[:, None] - np.arange(count))
    near = 2 / 3 - distance**2 + distance**3 / 2
    return np.where(distance < 1, near, np.maximum(2 - distance, 0) ** 3 / 6)


@cache
def _solution(nodes: int) -> np.ndarray:
    """Return the matrix (nodes + 2, nodes) from values at nodes to the weights of B-splines.

    Two more conditions than nodes: the third derivative does not jump at the second and at the
    last but one node.
    """
    conditions = np.zeros((nodes + 2, nodes + 2))
    conditions[:nodes] = _basis(np.arange(1, nodes + 1), nodes + 2)
    conditions[nodes, :5] = conditions[nodes + 1, -5:] = (1, -4, 6, -4, 1)
    return np.linalg.inv(conditions)[:, :nodes]
