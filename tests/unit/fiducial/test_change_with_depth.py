"""Levels tell whether the shift along y and x changes with the depth."""

import numpy as np
import pytest

from crossreg.fiducial.field.change_with_depth import log_odds_of_change
from crossreg.fiducial.field.domain import Domain

DOMAIN = Domain((256, 256), 16, 2, may_change=True)
NOISE = 0.08


def log_odds(
    seed: int, size: float, phase: float, walk: float = 0.0, *, is_bend_known: bool = False
) -> float:
    """Return what two levels of 36 columns say of waves whose phase changes with the depth.

    All walks sideways, too.
    """
    random = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(20, 235, 6), np.linspace(20, 235, 6), indexing="ij")
    places = np.concatenate(
        [np.column_stack([np.full(y.size, z), y.ravel(), x.ravel()]) for z in (4.0, 11.0)]
    )
    depth = places[:, 0] / 15
    shifts = np.column_stack(
        [
            np.zeros(len(places)),
            3 + size * np.sin(places[:, 2] / 50 + phase * depth),
            -2 + size * np.cos(places[:, 1] / 50 - phase * depth),
        ]
    )
    shifts[:, 1:] += walk * depth[:, None]
    shifts += random.normal(0, NOISE, shifts.shape)
    sigmas = np.full_like(shifts, NOISE)
    spread = np.tile([2.0, 0.0, 0.0], (len(places), 1))
    return log_odds_of_change(
        DOMAIN, 65.0, places, shifts, sigmas, spread, is_bend_known=is_bend_known
    )


@pytest.mark.parametrize("seed", range(3))
def test_waves_that_change_with_the_depth_are_likelier_than_others(seed: int) -> None:
    assert log_odds(seed, 0.5, 1.5) > 5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [0.0, 0.5, 2.0])
def test_waves_alike_at_all_depths_are_not(seed: int, size: float) -> None:
    assert log_odds(seed, size, 0.0) < 1


def test_a_walk_is_no_further_change_where_it_is_known() -> None:
    assert log_odds(0, 0.5, 0.0, walk=1.0) > 5
    assert log_odds(0, 0.5, 0.0, walk=1.0, is_bend_known=True) < 1
    assert log_odds(0, 0.5, 1.5, walk=1.0, is_bend_known=True) > 5
