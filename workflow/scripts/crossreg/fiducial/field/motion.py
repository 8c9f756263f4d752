"""How a cycle may move: smoothly or as a whole, and how far, as other cycles have shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field.motion_file import read_motion

Floats = NDArray[np.float64]

MOST_LEARNED = 0.8
"""Share of the prior that is learned at most: a cycle may move like no other."""
ENOUGH_CYCLES = 6
"""Cycles from which on that much is learned; from fewer, less."""


@dataclass(frozen=True)
class Deformation:
    """How likely each size of the random part of a motion is.

    Attributes
    ----------
    lengths : (l,) correlation lengths, px.
    amplitudes : (a,) standard deviations, px; along z kept planes.
    weights_zyx : (3, l, a) of each component, of sum 1 each.

    """

    lengths: Floats
    amplitudes: Floats
    weights_zyx: Floats


@dataclass(frozen=True)
class LearnedMotion:
    """The mean of what cycles show of how far they deform.

    Attributes
    ----------
    lengths, amplitudes : (l,), (a,) as in `Deformation`.
    weights_z, weights_xy : (l, a) along z, and along rows and columns together; of sum 1 each.
    cycles : how many cycles showed it.

    """

    lengths: Floats
    amplitudes: Floats
    weights_z: Floats
    weights_xy: Floats
    cycles: int

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "LearnedMotion":
        """Return what `motion_file.read_motion` read."""
        return cls(
            lengths=np.array(content["length_px"], float),
            amplitudes=np.array(content["amplitude"], float),
            weights_z=np.array(content["weights_z"], float),
            weights_xy=np.array(content["weights_xy"], float),
            cycles=int(content["cycles"]),
        )

    @property
    def content(self) -> dict[str, Any]:
        """Return what `motion_file.write_motion` writes of it."""
        return {
            "length_px": self.lengths.tolist(),
            "amplitude": self.amplitudes.tolist(),
            "weights_xy": self.weights_xy.tolist(),
            "weights_z": self.weights_z.tolist(),
        }

    def log_prior(self, axis: int, lengths: Sequence[float], amplitudes: Floats) -> Floats:
        """Return the logarithm (l, a) of how likely each size of a component (0: z) is beforehand.

        Each size has the weight of the learned one that comes nearest. A part of the prior is even,
        and a larger amplitude is never less likely than a smaller one of the same length: what
        others do not show is no reason to be surer.
        """
        table = self.weights_xy if axis else self.weights_z
        rows = _nearest(np.log(lengths), np.log(self.lengths))
        columns = _nearest(_logarithm(amplitudes), _logarithm(self.amplitudes))
        weights = table[np.ix_(rows, columns)]
        weights = weights / max(weights.sum(), np.finfo(float).tiny)
        share = MOST_LEARNED * min(1.0, self.cycles / ENOUGH_CYCLES)
        prior = share * weights + (1 - share) / weights.size
        return np.asarray(np.log(np.maximum.accumulate(prior, axis=1)))


@dataclass(frozen=True)
class Motion:
    """What a cycle may do: move as a whole if it `is_rigid`, or deform, maybe as was `learned`."""

    is_rigid: bool = False
    learned: LearnedMotion | None = None

    @classmethod
    def learned_in(cls, path: Path | str) -> "Motion":
        """Return a motion as learned, from the file; raise UserError as `read_motion`."""
        return cls(learned=LearnedMotion.read(read_motion(path)))


SMOOTH, RIGID = Motion(), Motion(is_rigid=True)


def learned_from(shown: Iterable[Deformation]) -> LearnedMotion:
    """Return the mean of what cycles (at least one) show, over all their lengths and amplitudes.

    Lengths are rounded to px: those of large images depend on the size.
    """
    found = list(shown)
    lengths = np.unique(np.concatenate([np.rint(one.lengths) for one in found]))
    amplitudes = np.unique(np.concatenate([one.amplitudes for one in found]))
    mean_zyx = np.zeros((3, len(lengths), len(amplitudes)))
    for one in found:
        columns = np.searchsorted(amplitudes, one.amplitudes)
        for number, length in enumerate(np.rint(one.lengths)):
            row = np.searchsorted(lengths, length)
            mean_zyx[:, row, columns] += one.weights_zyx[:, number] / len(found)
    return LearnedMotion(lengths, amplitudes, mean_zyx[0], mean_zyx[1:].mean(axis=0), len(found))


def _logarithm(amplitudes: Floats) -> Floats:
    """Return logarithms of amplitudes; that of 0 is far from all others."""
    return np.log(np.maximum(amplitudes, 1e-9))


def _nearest(values: Floats, known: Floats) -> NDArray[np.int64]:
    """Return the number of the known value that comes nearest to each value."""
    return np.asarray(np.abs(np.asarray(values)[:, None] - known).argmin(axis=1))
