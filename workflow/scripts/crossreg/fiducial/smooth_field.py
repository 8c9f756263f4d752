"""A smooth model of the shift over the image: robust, with honest uncertainty."""

import numpy as np

LINEAR_PRIOR = 0.1
"""Expected size (px per px) of the gradients of the shift: 3 degrees are 0.05."""
TRIALS = 300
"""Random triples of blocks tried as the start of the robust fit."""


def robust_affine(
    positions_yx: np.ndarray,
    shifts_zyx: np.ndarray,
    weights: np.ndarray,
    tolerance: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Return (coefficients (3, 3), inliers (n,)) of the affine field most blocks agree on.

    Rows of the coefficients: constant, per px along rows, per px along columns; columns: z, y, x.
    Random triples are tried (Fischler & Bolles 1981) with a fixed seed, those with the largest
    weight of blocks within `tolerance` (px, per axis) win, and a weighted least-squares fit with
    a prior on the gradients follows.
    """
    design = np.column_stack([np.ones(len(positions_yx)), positions_yx])
    random = np.random.default_rng(0)
    usable = np.flatnonzero(weights > 0)
    best, most = np.zeros(len(design), bool), -1.0
    for trial in range(TRIALS):
        size = min(len(usable), 1 if trial < len(usable) else 3)
        chosen = usable[trial : trial + 1] if size == 1 else random.choice(usable, size, False)
        field = _fit(design[chosen], shifts_zyx[chosen], weights[chosen])
        inliers = np.all(np.abs(shifts_zyx - design @ field) < tolerance, axis=1)
        if weights[inliers].sum() > most:
            best, most = inliers, weights[inliers].sum()
    for _ in range(3):
        field = _fit(design[best], shifts_zyx[best], weights[best])
        best = np.all(np.abs(shifts_zyx - design @ field) < tolerance, axis=1) & (weights > 0)
    return field, best


def affine_at(positions_yx: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Return the shifts (n, 3) of an affine field (3, 3) at positions (n, 2)."""
    return np.column_stack([np.ones(len(positions_yx)), positions_yx]) @ field


def _fit(design: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of a weighted fit with a prior on the gradients."""
    scaled = design * weights[:, None]
    prior = np.diag([1e-9, LINEAR_PRIOR**-2, LINEAR_PRIOR**-2])
    return np.linalg.solve(scaled.T @ design + prior, scaled.T @ values)
