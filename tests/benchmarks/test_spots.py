"""The field brings spots to their place in 3D where the shift of the nearest block does not."""

import numpy as np
import spots
from planted_pairs import make_pair


def test_spots_anywhere_in_3d_reach_their_place_by_the_field_and_not_by_blocks():
    pairs = [
        make_pair(spots.specification(np.random.default_rng(seed), spots.SHAPE), seed)
        for seed in (1, 2, 3, 4)
    ]
    errors = [spots.errors_of(pair, seed=2, with_peer=False) for pair in pairs]
    field, blocks = (
        spots.together(one[name] for one in errors) for name in ("the field", "the nearest block")
    )
    assert len(field.difference_zyx) == field.count > 4000
    assert field.rms_zyx[0] <= 0.08
    assert max(field.rms_zyx[1:]) <= 0.05
    assert all(blocks.rms_zyx > 5 * field.rms_zyx)


def test_a_spot_takes_the_shift_of_the_block_that_it_lies_in_after_the_global_shift():
    shifts = np.zeros((2, 2, 3))
    shifts[1, 0] = (0.5, 0.25, -0.75)
    seen = np.array([[3.0, 120.0, 10.0], [3.0, 100.0, 10.0]])
    found = spots.by_blocks(seen, shifts, np.array([10.0, 2.0]), (3, 1, 1))
    assert found.tolist() == [[3.5, 130.25, 11.25], [3.0, 110.0, 12.0]]
    assert np.isnan(spots.by_blocks(seen, shifts, np.array([10.0, 2.0]), (3, 1, 0.5))[0]).all()
