"""Parts of the reference that are looked for in the whole cycle give a first global shift."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.global_shift import probes
from fiducial_images import drawn, spot_positions

SHAPE = (1, 384, 384)
SHIFT = np.array([0.0, 21.0, -34.0])


def pair(own_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return two images with a planted shift; a share of the spots is in one of them only."""
    places = spot_positions(SHAPE, 500, seed=1)
    alone = np.random.default_rng(2).random((2, len(places))) < own_share
    images = [
        drawn(SHAPE, at[~one] * (0, 1, 1), 15, seed)[0].astype(np.float32) - 500
        for at, one, seed in ((places, alone[0], 3), (places - SHIFT, alone[1], 4))
    ]
    return images[0], images[1]


@pytest.mark.parametrize(("own_share", "asked"), [(0.0, "half"), (0.7, "all")])
def test_half_of_the_probes_are_asked_where_they_agree(monkeypatch, own_share, asked):
    count = []
    plain = probes._highest

    def counted(correlation):
        count.append(1)
        return plain(correlation)

    monkeypatch.setattr(probes, "_highest", counted)
    with ThreadPoolExecutor(1) as pool:
        found = probes.probed_shift(*pair(own_share), pool)
    assert found == pytest.approx(SHIFT[1:], abs=2)
    assert len(count) == {"half": 18, "all": 36}[asked]
