"""The affine field that most blocks agree on."""

import random

import numpy as np

GRADIENT_PRIOR = 0.1
"""Expected size (px per px) of the gradients of the shift: 3 degrees are 0.05."""
STEEPEST = 0.1
"""Gradient (px per px) beyond which a field is not believed: 6 degrees of rotation."""
TRIALS = 400
"""Fields tried: half of them those of the heaviest blocks alone, the others of random triples."""
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
    chosen = _trials(weights)
    if not len(chosen):
        return np.zeros(len(design), dtype=bool)
    agree = _agree(design, shifts_zyx, weights, _fields(design, shifts_zyx, weights, chosen))
    # as many blocks as a field has free parameters agree on it whatever they show
    free = np.where((chosen == chosen[:, :1]).all(axis=1), 1, 3)
    count = np.maximum(agree.sum(axis=1), 1)
    best = agree[np.argmax(agree @ weights * np.maximum(1 - free / count, 0))]
    for _ in range(REFITS):
        inside = np.flatnonzero(best)
        if not len(inside):
            break
        field = _fields(design, shifts_zyx, weights, inside[None])
        best = _agree(design, shifts_zyx, weights, field)[0]
    result: np.ndarray = best
    return result


def _trials(weights: np.ndarray) -> np.ndarray:
    """Return which blocks (t, 3) are tried together; a block alone stands there three times."""
    usable = np.flatnonzero(weights > 0)
    heaviest = usable[np.argsort(-weights[usable], kind="stable")][: TRIALS // 2]
    alone = np.repeat(heaviest[:, None], 3, axis=1)
    if len(usable) < 3:
        return alone
    draw = random.Random(0)  # NumPy's takes longer to import than to draw
    triples = [draw.sample(range(len(usable)), 3) for _ in range(TRIALS - len(alone))]
    return np.concatenate([alone, usable[np.array(triples)]])


def affine_fit(
    positions_yx: np.ndarray, shifts: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the affine field (3, k) through shifts (n, k): constant, gradients along y and x.

    A prior on the gradients holds them where the positions (n, 2) leave them open.
    """
    design = np.column_stack([np.ones(len(positions_yx)), positions_yx])
    weights = np.ones(len(design)) if weights is None else weights
    result: np.ndarray = _fields(design, shifts, weights, np.arange(len(design))[None])[0]
    return result


def _fields(
    design: np.ndarray, shifts: np.ndarray, weights: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Return the affine fields (t, 3, k) through each choice (t, c) of blocks."""
    relative = weights[chosen] / weights[chosen].mean(axis=1, keepdims=True)
    scaled = (design[chosen] * relative[..., None]).swapaxes(1, 2)
    prior = np.diag([0.0, GRADIENT_PRIOR**-2, GRADIENT_PRIOR**-2])
    return np.linalg.solve(scaled @ design[chosen] + prior, scaled @ shifts[chosen])


def _agree(
    design: np.ndarray, shifts: np.ndarray, weights: np.ndarray, fields: np.ndarray
) -> np.ndarray:
    """Return which blocks (t, n) lie near each of the affine fields (t, 3, 3)."""
    believed = np.abs(fields[:, 1:]).max(axis=(1, 2)) <= STEEPEST
    near = np.all(np.abs(shifts - design @ fields) < TOLERANCE, axis=2)
    result: np.ndarray = near & (weights > 0) & believed[:, None]
    return result
