"""How far shifts along z are drawn to where they are looked for is measured, and undone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from crossreg.fiducial.block_grid import block_grid
from crossreg.fiducial.correlation.binned_stacks import binned_stack
from crossreg.fiducial.local_shift.drawn_depth import drawn_part, undrawn
from crossreg.fiducial.local_shift.levels import domain_of
from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps
from crossreg.fiducial.local_shift.sub_block_matcher import SubBlockMatcher

COUNT = 60


def peaks(tops_z: np.ndarray, height: float = 0.8) -> SubBlockMaps:
    """Return maps with a round peak at depths (m,)."""
    z, y, x = np.meshgrid(*(np.arange(-reach, reach + 1.0) for reach in (3, 4, 4)), indexing="ij")
    away = (z - tops_z[:, None, None, None]) ** 2 + y**2 + x**2
    values = (height * np.exp(-away / 8)).astype(np.float32)
    one, nowhere = np.ones(len(tops_z)), np.zeros((len(tops_z), 3))
    return SubBlockMaps(
        nowhere, values, np.ones_like(values), 0.1 * one, one, nowhere, 0 * one, one
    )


@pytest.mark.parametrize("part", [0.0, 0.2, 0.35])
def test_a_planted_part_is_found_and_undone(part: float) -> None:
    true = np.random.default_rng(0).normal(0, 0.3, COUNT)
    aimed = np.zeros((COUNT, 3))

    def shown(sub_blocks: np.ndarray, aims: np.ndarray) -> SubBlockMaps:
        return peaks(true[sub_blocks] + part * (aims[sub_blocks, 0] - true[sub_blocks]))

    every = np.arange(COUNT)
    found = drawn_part(shown(every, aimed), aimed, shown)
    assert found == pytest.approx(part, abs=0.03)
    aims = np.full(COUNT, 0.7)
    shift, sigma = undrawn(true + part * (aims - true), np.full(COUNT, 0.1), aims, part)
    assert shift == pytest.approx(true)
    assert sigma == pytest.approx(np.full(COUNT, 0.1 / (1 - part)))


def test_what_shows_nothing_is_not_drawn() -> None:
    aimed = np.zeros((COUNT, 3))
    faint = peaks(np.zeros(COUNT), height=0.2)
    assert drawn_part(faint, aimed, lambda sub_blocks, aims: peaks(aims[sub_blocks, 0])) == 0


@pytest.mark.parametrize(("height", "limits"), [(1.0, (0, 0.06)), (4.0, (0.12, 0.5))])
def test_structure_as_high_as_a_level_is_drawn_and_flat_structure_is_not(
    height: float, limits: tuple[float, float]
) -> None:
    """`height` is the size of the structure along z, in planes."""
    random = np.random.default_rng(3)
    tissue = gaussian_filter(random.normal(size=(52, 152, 152)), (height, 1.5, 1.5))
    tissue = np.maximum(tissue / tissue.std() - 0.5, 0)
    places = np.indices((40, 128, 128), dtype=float) + np.array([6, 12, 12]).reshape(3, 1, 1, 1)
    cycle = places + np.array([0.3, 0.0, 0.0]).reshape(3, 1, 1, 1)
    with ThreadPoolExecutor(1) as pool:
        images = (
            random.poisson(200 + 150 * map_coordinates(tissue, at, order=3))
            for at in (places, cycle)
        )
        stacks = [binned_stack(image, pool)[0] for image in images]
        matcher = SubBlockMatcher(
            (stacks[0], stacks[1]), block_grid((128, 128), 64), domain_of((128, 128), 40, 40), pool
        )
        aimed = np.tile([0.3, 0.0, 0.0], (len(matcher.layout.centres), 1))
        maps = matcher.maps(np.arange(len(aimed)), aimed)
        drawn = drawn_part(maps, aimed, matcher.maps)
    low, high = limits
    assert low <= drawn <= high
