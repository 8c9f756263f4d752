"""Small images with planted shifts, for the tests of the fiducial chain."""

import numpy as np

SPOT_SIGMA = (1.2, 1.4, 1.4)
"""Gaussian scale of a spot in planes, px, px."""


def spot_positions(shape: tuple[int, int, int], count: int, seed: int) -> np.ndarray:
    """Return `count` random positions (z, y, x) in and a little around a stack."""
    random = np.random.default_rng(seed)
    size = np.array(shape)
    margin = np.minimum(size / 2, 20)
    return random.uniform(-margin, size + margin, (count, 3))


def drawn(
    shape: tuple[int, int, int],
    positions: np.ndarray,
    noise: float,
    seed: int,
    sigma: tuple[float, float, float] = SPOT_SIGMA,
) -> np.ndarray:
    """Return a stack (Z, Y, X) uint16 with a spot of height 200 at each position, and noise."""
    stack = np.full(shape, 500.0)
    for position in positions:
        reach = [np.arange(n) - at for n, at in zip(shape, position, strict=True)]
        near = [np.flatnonzero(np.abs(r) < 5 * s) for r, s in zip(reach, sigma, strict=True)]
        if any(len(part) == 0 for part in near):
            continue
        profiles = [
            np.exp(-0.5 * (r[part] / s) ** 2) for r, part, s in zip(reach, near, sigma, strict=True)
        ]
        where = tuple(slice(part[0], part[-1] + 1) for part in near)
        stack[where] += 200 * np.einsum("i,j,k", *profiles)
    stack += np.random.default_rng(seed).normal(0, noise, shape)
    return np.clip(np.rint(stack), 0, 65535).astype(np.uint16)
