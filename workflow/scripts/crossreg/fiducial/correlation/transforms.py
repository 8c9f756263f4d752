"""Fourier transforms of real images, by NumPy, in single precision.

SciPy's are a little faster, but to import them takes longer than all the work of a small cycle.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

UNITARY: Literal["ortho"] = "ortho"
"""Both ways are scaled by the root of the number of samples, so that an image and its spectrum have
the same energy. Where NumPy has nothing to scale it computes in double precision: a third as fast.
"""

Image = NDArray[np.float32]


def spectra_of(images: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """Return the half spectra (..., y, x // 2 + 1) of images (..., Y, X) filled up to a shape."""
    result: np.ndarray = np.fft.rfftn(images, shape, range(-len(shape), 0), norm=UNITARY)
    return result


def images_of(spectra: NDArray[np.complexfloating], shape: tuple[int, ...]) -> Image:
    """Return the images (..., y, x) of a shape that have these half spectra."""
    result: np.ndarray = np.fft.irfftn(spectra, shape, range(-len(shape), 0), norm=UNITARY)
    return result


@lru_cache(maxsize=256)
def fast_length(size: int) -> int:
    """Return the smallest length from `size` on without a prime factor above 5: fast."""
    rest = size
    for factor in (2, 3, 5):
        while rest > 1 and rest % factor == 0:
            rest //= factor
    return size if rest == 1 else fast_length(size + 1)


def filtered(
    image: NDArray[Any], factors: Callable[[tuple[int, ...]], Image], border: int
) -> Image:
    """Return an image (Y, X) whose spectrum is multiplied by the factors for its shape.

    It is mirrored at its borders, over `border` px: else what the border cuts would get an edge
    that stays where the camera is.
    """
    margins = [min(border, size) for size in image.shape]
    mirrored = np.pad(image, [(margin, margin) for margin in margins], mode="symmetric")
    shape = tuple(fast_length(size) for size in mirrored.shape)
    filled = [(0, wanted - size) for wanted, size in zip(shape, mirrored.shape, strict=True)]
    spectrum = spectra_of(np.pad(mirrored, filled, mode="edge"), shape)
    spectrum *= factors(shape)
    inside = [
        slice(margin, margin + size) for margin, size in zip(margins, image.shape, strict=True)
    ]
    return images_of(spectrum, shape)[tuple(inside)]
