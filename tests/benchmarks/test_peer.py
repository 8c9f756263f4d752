"""The peer's sequence finds an easy shift: the comparison is with something that works."""

import numpy as np
import pytest
from planted_pairs import PairSpecification, make_pair

pytest.importorskip("photutils", reason="pip install -r tests/benchmarks/requirements.txt")
pytest.importorskip("skimage", reason="pip install -r tests/benchmarks/requirements.txt")
import peer


def test_the_peer_gets_no_block_of_an_easy_pair_wild():
    specification = PairSpecification(
        "test", shape=(32, 256, 256), block_size_xy=64, snr=20, shift_zyx=(3.5, 6.5, -3.75)
    )
    pair = make_pair(specification, 0)
    shift_yx = peer.global_shift(pair.reference.max(axis=0), pair.cycle.max(axis=0))
    np.testing.assert_allclose(shift_yx, [6.5, -3.75], atol=0.3)
    found = peer.local_shifts(peer.prepare(pair.reference), pair.cycle, shift_yx, 64)
    total = found.shift_zyx + np.array([0, *shift_yx])
    np.testing.assert_allclose(total, pair.truth.shift_zyx, atol=0.5)
    assert np.all((found.quality > 0) & (found.quality < 1))
