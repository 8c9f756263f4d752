"""Global registration of real bead images in which the camera's fixed pattern wins otherwise."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from crossreg.fiducial.global_shift import global_shift


@pytest.mark.parametrize("cycle", range(1, 8))
def test_every_round_is_near_the_mean_of_both_estimates(shared_data: Path, cycle: int) -> None:
    folder = shared_data / "merfish-beads"
    reference, moving = (
        tifffile.imread(folder / f"scan_001_RT{n}_000_ROI_converted_decon_ch00.tif")[0]
        for n in (0, cycle)
    )
    estimates = json.loads((folder / "drift_estimates.json").read_text())[f"fov0_round{cycle}"]
    expected = np.mean([estimates["beads_yx"], estimates["independent_channel_yx"]], axis=0)
    assert np.abs(np.array(global_shift(reference, moving).shift_yx) - expected).max() < 0.25
