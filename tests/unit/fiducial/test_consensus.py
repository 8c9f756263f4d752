"""The affine field that most blocks agree on is found among many that do not."""

import numpy as np

from crossreg.fiducial.field.consensus import affine_fit, agreeing_blocks

POSITIONS = np.stack(np.meshgrid(*[np.arange(6) * 64.0 - 160] * 2, indexing="ij"), -1).reshape(
    -1, 2
)
FIELD = np.array([[2.0, -7.0, 12.0], [0.01, 0.0, -0.04], [-0.01, 0.04, 0.0]])


def shifts() -> np.ndarray:
    return np.column_stack([np.ones(len(POSITIONS)), POSITIONS]) @ FIELD


def test_minority_that_agrees_is_found_among_scattered_shifts() -> None:
    random = np.random.default_rng(1)
    found = shifts() + random.normal(0, 0.3, (36, 3))
    wild = random.permutation(36)[:22]
    found[wild] = random.uniform(-30, 30, (22, 3))
    agree = agreeing_blocks(POSITIONS, found, np.ones(36))
    assert set(np.flatnonzero(agree)) >= set(range(36)) - set(wild)
    assert agree.sum() <= 16


def test_a_field_too_steep_to_be_true_is_not_believed() -> None:
    steep = np.column_stack([np.zeros(36), POSITIONS * 0.5])
    assert agreeing_blocks(POSITIONS, steep, np.ones(36)).sum() < 6


def test_nothing_agrees_without_weight() -> None:
    assert not agreeing_blocks(POSITIONS, shifts(), np.zeros(36)).any()


def test_affine_fit_is_that_of_the_shifts() -> None:
    assert np.allclose(affine_fit(POSITIONS, shifts()), FIELD, atol=1e-3)
