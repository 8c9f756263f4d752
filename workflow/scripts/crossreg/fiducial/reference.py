"""The reference stack, prepared once a ROI and used by all its cycles."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from crossreg.fiducial.correlation.binned_stacks import BinnedStack, binned_planes, freed_stack
from crossreg.fiducial.correlation.light_samples import LightSamples, strongest_samples
from crossreg.fiducial.evidence.exposure_noise import Noise, noise_of
from crossreg.fiducial.quality import BlockProjections, block_projections, preprocessing
from crossreg.fiducial.threads import threads_of
from crossreg.io.intermediate_arrays import load_arrays, save_arrays, told_if_damaged

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Reference:
    """What the cycles of a ROI need of the reference.

    `binned` are the kept planes binned, `light` are parts of them as they were read, by their
    `noise` a copy is known; the planes have `image_shape` (Y, X) px and blocks an edge of
    `block_size_xy` px. Quality is measured against `projections`.
    """

    binned: BinnedStack
    light: LightSamples
    noise: Noise
    projections: BlockProjections
    block_size_xy: int

    @property
    def image_shape(self) -> tuple[int, int]:
        """Return the size (Y, X) of the planes in px."""
        return self.projections.along_z.shape


def prepare_reference(
    stack: np.ndarray,
    *,
    block_size_xy: int,
    lower_threshold: float = 0.9,
    higher_threshold: float = 0.9999,
    background_sigma: float = 3.0,
    threads: int = 1,
) -> Reference:
    """Return the prepared reference for kept planes (Z, Y, X).

    The thresholds and `background_sigma` act on the quality only.
    """
    with threads_of(threads) as pool:
        planes = binned_planes(stack, pool)
        light = strongest_samples(planes, pool)
        binned = freed_stack(planes, pool)
        prepared = preprocessing(stack, lower_threshold, higher_threshold, background_sigma)
        projections = block_projections(prepared, block_size_xy, pool)
    return Reference(binned, light, noise_of(stack), projections, block_size_xy)


def save_reference(
    path: Path | str, reference: Reference, made_with: Mapping[str, Any] = NOTHING
) -> None:
    """Write a reference and what it was made with to `path`, whole or not at all."""
    projections = reference.projections
    arrays = [
        *map(np.asarray, reference.binned),
        reference.light.first_yx,
        reference.light.values,
        reference.noise.signs,
        np.array(reference.noise.levels),
        projections.along_z,
        projections.along_y,
        projections.along_x,
        np.array(reference.block_size_xy),
    ]
    save_arrays(path, arrays, made_with)


def load_reference(path: Path | str, made_with: Mapping[str, Any] = NOTHING) -> Reference:
    """Return the reference that `save_reference` wrote.

    Raises UserError if it is damaged, or was made with something else than `made_with`.
    """
    arrays = load_arrays(path, 12, made_with)
    with told_if_damaged(path):
        planes, mean, skewness, exposed, first, values, signs, levels, *projections, size = arrays
        binned = BinnedStack(planes, mean, float(skewness), exposed)
        light, noise = LightSamples(first, values), Noise(signs, int(levels))
        measured_against = BlockProjections(*projections)
        return Reference(binned, light, noise, measured_against, int(size))
