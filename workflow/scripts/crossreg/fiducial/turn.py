"""A cycle whose image is turned: it is turned back before it is compared, and the turn is added."""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.interpolation import in_type, interpolated, planes_at
from crossreg.fiducial.field.sampled_field import Field

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Turn:
    """A turn about the middle of images (Y, X), positive where rows turn to higher columns."""

    degrees: float
    image_shape: tuple[int, ...]

    def __bool__(self) -> bool:
        """Return whether there is anything to turn back."""
        return bool(self.degrees)

    @cached_property
    def matrix(self) -> Floats:
        """Return the matrix (2, 2) from places of the cycle turned back to those of the cycle."""
        angle = np.deg2rad(self.degrees)
        return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    @property
    def middle_yx(self) -> Floats:
        """Return the middle (2,) px, about which is turned."""
        return (np.array(self.image_shape) - 1) / 2

    def turned_back(self, image: NDArray[Any], outside: float = 0.0) -> NDArray[Any]:
        """Return an image (Y, X) of the cycle turned back; `outside` is what it does not show.

        Linear interpolation leaves the middle of a spot where it is, and is fast.
        """
        if not self:
            return image
        y, x = self._places(image.shape)
        return in_type(interpolated(image, y, x, outside), image.dtype)

    def stack_turned_back(self, stack: NDArray[Any], pool: Executor) -> NDArray[Any]:
        """Return a stack (Z, Y, X) turned back; what it does not show has each plane's median."""
        if not self:
            return stack
        places = self._places(stack.shape[1:])
        return planes_at(stack, lambda _: places, pool)

    def _places(self, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Return the rows and columns (Y, X) of the cycle that are seen when it is turned back."""
        rows, columns = (np.arange(size) - (size - 1) / 2 for size in shape)
        y, x = (
            down * rows[:, None] + across * columns + middle
            for (down, across), middle in zip(self.matrix, self.middle_yx, strict=True)
        )
        return y, x

    def total(self, places_yx: Floats, shifts_yx: Floats) -> Floats:
        """Return the shifts (n, 2) of the cycle at places (n, 2), from those of it turned back."""
        if not self:
            return shifts_yx
        return np.asarray(places_yx - self.in_cycle(places_yx - shifts_yx))

    def in_cycle(self, places_yx: Floats) -> Floats:
        """Return where places (n, 2) of the cycle turned back lie in the cycle as it is."""
        if not self:
            return places_yx
        return np.asarray(self.middle_yx + (places_yx - self.middle_yx) @ self.matrix.T)

    def sigmas(self, sigmas_yx: Floats) -> Floats:
        """Return the standard errors (n, 2) of `total` from those of the shifts that it takes."""
        return np.asarray(np.sqrt(np.square(sigmas_yx) @ np.square(self.matrix.T)))

    def start(self, global_shift_yx: tuple[float, float]) -> tuple[float, float]:
        """Return the shift (px) of the cycle turned back that a global shift of the cycle means.

        A global shift is the mean over what both images show, so that it holds in the middle of
        that: half the shift away from the middle of the image.
        """
        shift = np.array(global_shift_yx)
        row, column = shift / 2 - (-shift / 2) @ self.matrix
        return float(row), float(column)


@dataclass(frozen=True)
class TurnedField:
    """The field of a cycle from the field of the cycle turned back."""

    field: Field
    turn: Turn

    def at(self, positions_zyx: Floats) -> tuple[Floats, Floats]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3)."""
        shift, sigma = self.field.at(positions_zyx)
        shift[:, 1:] = self.turn.total(positions_zyx[:, 1:], shift[:, 1:])
        sigma[:, 1:] = self.turn.sigmas(sigma[:, 1:])
        return shift, sigma
