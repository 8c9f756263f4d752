"""Cubic splines through values on a regular grid in 3D."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.interpolate import BSpline, NdBSpline, make_interp_spline

FEWEST_NODES = 4
"""Nodes along an axis that a cubic spline needs."""


class GridSpline:
    """The cubic spline (not-a-knot; de Boor 1978) through values (nz, ny, nx, m) at nodes.

    Beyond the first and last node of an axis the value there is taken.
    """

    def __init__(self, nodes_zyx: Sequence[np.ndarray], values: np.ndarray) -> None:
        """Take three increasing arrays of nodes, at least four each, and the values there."""
        self.nodes_zyx, self.values = tuple(nodes_zyx), values

    @cached_property
    def _spline(self) -> NdBSpline:
        coefficients, knots = self.values.astype(float), []
        for axis, nodes in enumerate(self.nodes_zyx):
            spline = make_interp_spline(nodes, coefficients, k=3, axis=axis, check_finite=False)
            coefficients = np.moveaxis(spline.c, 0, axis) if axis else spline.c
            knots.append(spline.t)
        return NdBSpline(tuple(knots), coefficients, 3)

    def at(self, positions_zyx: np.ndarray) -> np.ndarray:
        """Return the values (n, m) at positions (n, 3)."""
        inside = [
            np.clip(places, nodes[0], nodes[-1])
            for places, nodes in zip(positions_zyx.T, self.nodes_zyx, strict=True)
        ]
        values: np.ndarray = self._spline(np.column_stack(inside))
        return values

    def on_grid(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the values (len z, len y, len x, m) at all combinations of coordinates.

        Much faster than `at`, since the spline is evaluated one axis after another.
        """
        values: np.ndarray = self._spline.c
        for axis, places in enumerate((z, y, x)):
            nodes = self.nodes_zyx[axis]
            inside = np.clip(places, nodes[0], nodes[-1])
            weights = BSpline.design_matrix(inside, self._spline.t[axis], 3).toarray()
            values = np.moveaxis(np.tensordot(weights, values, (1, axis)), 0, axis)
        return values
