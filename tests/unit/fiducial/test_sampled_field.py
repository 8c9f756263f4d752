"""A field that is kept as samples gives what the field itself gives, and leads to the reference."""

import numpy as np
import pytest

from crossreg.fiducial.field.field_file import CycleField, load_field, save_field
from crossreg.fiducial.field.sampled_field import SampledField, constant_field, sampled
from crossreg.io.errors import UserError

SHAPE, BLOCK = (30, 300, 400), 64


class BentField:
    """A shift that bends within 60 px along rows and columns, and along z."""

    def at(self, positions_zyx):
        z, y, x = np.asarray(positions_zyx, float).T
        shift = np.column_stack(
            [
                2 + 0.02 * z + 0.001 * z**2 + 0.3 * np.sin(y / 60),
                -15 + np.sin(x / 60) + 0.01 * z,
                20 + np.cos(y / 70) - 0.02 * x,
            ]
        )
        sigma = 0.02 + 0.05 * np.column_stack([y / 400, x / 400, (y / 400) ** 2])
        return shift, sigma


@pytest.fixture(scope="module")
def field() -> SampledField:
    return sampled(BentField(), SHAPE, BLOCK)


def random_positions(low=0.0, count=5000):
    size = np.array(SHAPE) - 1
    return np.random.default_rng(1).uniform(low, size - low, (count, 3))


def cycle_field(field, status="measured"):
    return CycleField(
        field=field,
        status=np.full((5, 7), status),
        roi=5,
        cycle="RT2",
        reference_file="scan_RT27.tif",
        cycle_file="scan_RT2.tif",
        shape_zyx=SHAPE,
        block_size_xy=BLOCK,
        z_binning=2,
        global_shift_yx=(-15.0, 20.0),
    )


def test_shift_and_sigma_between_the_nodes_are_those_of_the_field(field):
    positions = random_positions()
    for kept, true in zip(field.at(positions), BentField().at(positions), strict=True):
        assert np.abs(kept - true).max() < 0.003


def test_a_grid_of_places_has_the_shifts_of_its_places(field):
    z, y, x = np.arange(0, 30, 7), np.arange(0, 300, 50), np.arange(0, 400, 90)
    grid = field.shift_spline.on_grid(z, y, x)
    places = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1).reshape(-1, 3)
    assert np.allclose(grid.reshape(-1, 3), field.at(places)[0], atol=1e-9)


def test_what_is_seen_in_the_cycle_is_brought_to_where_it_lies_in_the_reference(field):
    positions = random_positions()
    in_cycle = positions - BentField().at(positions)[0]
    assert np.abs(field.to_reference(in_cycle) - positions).max() < 0.004
    # Adding the shift at the position in the cycle instead would be far off.
    added = in_cycle + BentField().at(in_cycle)[0]
    assert np.abs(added - positions).max() > 0.3


def test_the_edges_of_the_cycle_are_covered_wherever_the_shift_brings_them(field):
    corners = np.array(np.meshgrid(*([0.0, size - 1.0] for size in SHAPE))).reshape(3, -1).T
    reached = field.to_reference(corners)
    assert np.abs(reached - BentField().at(reached)[0] - corners).max() < 0.01


class HeldField:
    """A shift by planes that bends along z, and stays what it is a little beyond the stack."""

    def at(self, positions_zyx):
        z, y, _ = np.asarray(positions_zyx, float).T
        depth = np.clip((z - 6.5) / 6.5, -1.2, 1.2)
        shift = np.column_stack([3 + 0 * z, 0.2 * depth**2, 0.1 * depth**2 * y / 100])
        return shift, np.full(shift.shape, 0.05)


def test_a_kink_beyond_the_ends_of_the_stack_asks_for_no_nodes_closer_than_planes():
    planes = 14
    kept = sampled(HeldField(), (planes, 100, 120), BLOCK)
    assert len(kept.nodes_zyx[0]) <= 2 * planes
    places = np.random.default_rng(2).uniform(0, (planes - 1, 99, 119), (2000, 3))
    assert np.abs(kept.at(places)[0] - HeldField().at(places)[0]).max() < 0.01


def test_a_constant_field_is_the_same_everywhere():
    field = constant_field((1, 2, 3), (0.1, 0.2, 0.3), (1, 50, 50))
    shift, sigma = field.at(np.array([[0, 0, 0], [5.0, 100, -100]]))
    assert np.allclose(shift, (1, 2, 3))
    assert np.allclose(sigma, (0.1, 0.2, 0.3))


def test_a_field_is_read_as_it_was_written_and_its_bytes_do_not_depend_on_the_clock(
    field, tmp_path
):
    save_field(tmp_path / "one.npz", cycle_field(field))
    save_field(tmp_path / "two.npz", cycle_field(field))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = load_field(tmp_path / "one.npz")
    positions = random_positions(count=100)
    assert (found.field.at(positions)[0] == field.at(positions)[0]).all()
    for name in ("roi", "cycle", "shape_zyx", "block_size_xy", "z_binning", "global_shift_yx"):
        assert getattr(found, name) == getattr(cycle_field(field), name)
    assert not found.failed


def test_fields_that_are_damaged_or_of_another_version_are_named(field, tmp_path):
    path = tmp_path / "field.npz"
    save_field(path, cycle_field(field))
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"no archive at all"):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"field\.npz: the file is damaged"):
            load_field(path)
    np.savez(path, about='{"format": "crossreg-field/99"}')
    with pytest.raises(UserError, match="another version of crossreg"):
        load_field(path)


def test_the_status_is_that_of_the_block_and_borrowed_beyond_the_image(field):
    cycle = cycle_field(field)
    cycle.status[1, 2] = "borrowed"
    places = np.array([[3, 70, 130], [3, 70, 300], [3, -1, 300], [3, 70, 400.0]])
    assert list(cycle.status_at(places)) == ["borrowed", "measured", "borrowed", "borrowed"]
    failed = cycle_field(constant_field(3 * (np.nan,), 3 * (np.nan,), SHAPE), "failed")
    assert failed.failed
    assert set(failed.status_at(places)) == {"failed"}
