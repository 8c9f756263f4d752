"""The affine field that most blocks agree on."""

import numpy as np

GRADIENT_PRIOR = 0.1
"""Expected size (px per px) of the gradients of the shift: 3 degrees are 0.05."""
STEEPEST = 0.15
"""Gradient (px per px) beyond which a field is not believed: 8 degrees of rotation."""
TRIALS = 400
"""Fields tried: that of every block alone, then those of random triples."""
TOLERANCE = (3.0, 4.0, 4.0)
"""How far (planes, px, px) from the affine field a block may lie, for drift that is not affine."""
REFITS = 3
"""Rounds of fitting all blocks that agree and asking again which do."""


def agreeing_blocks(
    positions_yx: np.ndarray, shifts_zyx: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return which blocks (n,) agree on one affine field, by random sample consensus.

    Takes positions (n, 2), shifts (n, 3) and weights (n,); the field that the largest weight
    agrees on wins (Fischler and Bolles 1981). The random choice is the same in every run.
    """
    design = np.column_stack([np.ones(len(positions_yx)), positions_yx])
    usable = np.flatnonzero(weights > 0)
    best = np.zeros(len(design), dtype=bool)
    if not len(usable):
        return best
    random = np.random.default_rng(0)
    for trial in range(TRIALS):
        if trial < len(usable):
            chosen = usable[trial : trial + 1]
        else:
            chosen = random.choice(usable, min(3, len(usable)), replace=False)
        agree = _agree(design, shifts_zyx, weights, chosen)
        if weights[agree].sum() > weights[best].sum():
            best = agree
    for _ in range(REFITS):
        best = _agree(design, shifts_zyx, weights, np.flatnonzero(best))
    return best


def affine_fit(
    positions_yx: np.ndarray, shifts: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the affine field (3, k) through shifts (n, k): constant, gradients along y and x.

    A prior on the gradients holds them where the positions (n, 2) leave them open.
    """
    design = np.column_stack([np.ones(len(positions_yx)), positions_yx])
    weights = np.ones(len(design)) if weights is None else weights / weights.mean()
    scaled = design * weights[:, None]
    prior = np.diag([0.0, GRADIENT_PRIOR**-2, GRADIENT_PRIOR**-2])
    return np.linalg.solve(scaled.T @ design + prior, scaled.T @ shifts)


def _agree(
    design: np.ndarray, shifts: np.ndarray, weights: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Return which blocks lie near the affine field fitted to the chosen ones."""
    if not len(chosen):
        return np.zeros(len(design), dtype=bool)
    field = affine_fit(design[chosen, 1:], shifts[chosen], weights[chosen])
    if np.abs(field[1:]).max() > STEEPEST:
        return np.zeros(len(design), dtype=bool)
    return np.all(np.abs(shifts - design @ field) < TOLERANCE, axis=1) & (weights > 0)
