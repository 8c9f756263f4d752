"""Registration of real bead images in which the camera's fixed pattern wins otherwise."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from crossreg.fiducial.global_shift.shift_of_projections import global_shift
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference

ROUNDS = range(1, 8)


def image(shared_data: Path, cycle: int) -> np.ndarray:
    name = f"scan_001_RT{cycle}_000_ROI_converted_decon_ch00.tif"
    return tifffile.imread(shared_data / "merfish-beads" / name)[0]


def expected_yx(shared_data: Path, cycle: int) -> np.ndarray:
    text = (shared_data / "merfish-beads" / "drift_estimates.json").read_text()
    estimates = json.loads(text)[f"fov0_round{cycle}"]
    return np.mean([estimates["beads_yx"], estimates["independent_channel_yx"]], axis=0)


def totals(reference: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    start = global_shift(reference, cycle).shift_yx
    found = local_shifts(prepare_reference(reference[None], block_size_xy=64), cycle[None], start)
    return found.shift_zyx + np.array([0, *start])


@pytest.mark.parametrize("cycle", ROUNDS)
def test_every_round_is_near_the_mean_of_both_estimates(shared_data: Path, cycle: int) -> None:
    reference, moving = image(shared_data, 0), image(shared_data, cycle)
    error = np.array(global_shift(reference, moving).shift_yx) - expected_yx(shared_data, cycle)
    assert np.abs(error).max() < 0.25


@pytest.mark.parametrize("cycle", ROUNDS)
def test_the_blocks_of_every_round_have_the_same_mean(shared_data: Path, cycle: int) -> None:
    found = totals(image(shared_data, 0), image(shared_data, cycle)).mean(axis=(0, 1))
    assert np.abs(found[1:] - expected_yx(shared_data, cycle)).max() < 0.25


def test_exchanged_rounds_have_opposite_shifts(shared_data: Path) -> None:
    # the shift changes so little from block to block that the same place is the same block
    images = [image(shared_data, cycle) for cycle in (0, *ROUNDS)]
    there_and_back = [
        totals(images[0], images[cycle]) + totals(images[cycle], images[0]) for cycle in ROUNDS
    ]
    assert np.all(np.sqrt(np.mean(np.square(there_and_back), axis=(0, 1, 2))) < 0.15)
