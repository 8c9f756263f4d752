"""Registration from Python finds what was planted, and says what is wrong with an array."""

import doctest
import json
import warnings
from dataclasses import replace

import dask.array
import numpy as np
import pytest
import zarr

import crossreg
from crossreg import from_arrays
from crossreg.fiducial.field.field_file import load_field, save_field
from crossreg.fiducial.field.motion import Deformation, learned_from
from crossreg.fiducial.field.motion_file import write_motion
from crossreg.fiducial.field.smooth_field import LENGTHS
from crossreg.fiducial.field.tried_kinds import AMPLITUDES
from crossreg.io.errors import UserError
from crossreg.io.missing_notes import note_missing
from fiducial_images import drawn, spot_positions

SHAPE, SHIFT = (16, 160, 224), (1.3, -6.4, 9.75)


@pytest.fixture(scope="module")
def pair():
    positions = spot_positions(SHAPE, 400, seed=1)
    return drawn(SHAPE, positions, 20, 2), drawn(SHAPE, positions - SHIFT, 20, 3)


@pytest.fixture(scope="module")
def found(pair):
    return crossreg.register(*pair, block_size=64, pixel_size_um=(0.5, 0.1, 0.1))


def test_planted_shift_at_any_position(found):
    assert found.verdict == "registered"
    assert found.reason == ""
    places = np.random.default_rng(0).uniform(0, np.array(SHAPE) - 1, (100, 3))
    assert np.abs(found.shift_at(places) - SHIFT).max() < 0.2
    assert np.abs(found.to_reference(places - SHIFT) - places).max() < 0.2
    assert (found.sigma_at(places) > 0).all()


def test_the_table_has_the_centres_of_the_blocks_and_nm(found):
    table = found.table()
    assert len(table) == 3 * 4
    # The last row of blocks has 32 px only.
    assert list(table["row"][[0, 4, 8]]) == [31.5, 95.5, 143.5]
    assert np.allclose(table["shift_row_nm"], table["shift_row"] * 100)
    assert np.allclose(table["sigma_z_nm"], table["sigma_z"] * 500)
    assert set(table["status"]) <= {"measured", "borrowed"}


def test_a_warped_cycle_looks_like_the_reference(found):
    positions = spot_positions(SHAPE, 400, seed=1)
    # The same spots with less noise, which no registration makes agree.
    reference, cycle = (drawn(SHAPE, at, 2, 5) for at in (positions, positions - SHIFT))
    inner = (slice(2, -2), slice(12, -12), slice(12, -12))
    warped = found.warp(cycle)
    assert warped.dtype == np.uint16
    before, after = (
        np.corrcoef(reference[inner].ravel(), image[inner].ravel())[0, 1]
        for image in (cycle, warped)
    )
    assert after > 0.9 > before + 0.5


def write_learned(path, amplitude: int) -> None:
    """Write what cycles showed that were sure of the amplitude of this number."""
    weights = np.zeros((3, len(LENGTHS), len(AMPLITUDES)))
    weights[:, -1, amplitude] = 1.0
    shown = learned_from([Deformation(np.array(LENGTHS), AMPLITUDES, weights)] * 6)
    size = {"pixel_size_um": {"xy": 0.1, "z": 0.5}}
    write_motion(path, {"cycles": 6, "rois": 1} | size | shown.content)


def test_a_motion_is_smooth_rigid_or_as_was_learned(pair, found, tmp_path):
    size = (0.5, 0.1, 0.1)
    # The cycle shows spots on its left side only.
    spots = spot_positions(SHAPE, 400, seed=1)
    reference, cycle = pair[0], drawn(SHAPE, spots[spots[:, 2] < 100] - SHIFT, 20, 3)
    path = tmp_path / "motion.json"
    write_learned(path, len(AMPLITUDES) - 2)
    corner = [[8, 150, 210]]
    rigid, smooth, learned = (
        crossreg.register(reference, cycle, block_size=32, pixel_size_um=size, motion=motion)
        for motion in ("rigid", "smooth", path)
    )
    places = np.random.default_rng(0).uniform(0, np.array(SHAPE) - 1, (50, 3))
    assert np.ptp(rigid.shift_at(places), axis=0).max() < 1e-5
    assert np.all(learned.sigma_at(corner) > 1.2 * smooth.sigma_at(corner))
    with pytest.raises(UserError, match="holds for its pixel size only; give pixel_size_um"):
        crossreg.register(*pair, block_size=64, motion=path)
    with pytest.raises(UserError, match="it was learned where a pixel is 0.1 um, and here it is"):
        crossreg.register(*pair, block_size=64, pixel_size_um=(0.5, 0.2, 0.2), motion=path)
    with pytest.raises(UserError, match="rigit: there is no such file, which 'motion' names"):
        crossreg.register(*pair, block_size=64, pixel_size_um=size, motion="rigit")
    with pytest.raises(UserError, match="motion is 3; give smooth, rigid"):
        crossreg.register(*pair, block_size=64, motion=3)


def test_a_field_keeps_what_the_cycle_shows_of_how_far_it_deforms(found, tmp_path):
    save_field(tmp_path / "field.npz", found.cycle_field)
    again = load_field(tmp_path / "field.npz").deformation
    for ours, kept in zip(
        vars(found.cycle_field.deformation).values(), vars(again).values(), strict=True
    ):
        assert np.array_equal(ours, kept)
    assert np.allclose(again.weights_zyx.sum(axis=(1, 2)), 1)


@pytest.mark.parametrize("step", [0.5, 1.6])
def test_a_cycle_with_another_z_step_comes_to_the_planes_of_the_reference(pair, step):
    positions = spot_positions(SHAPE, 400, seed=1)

    def in_cycle(places):
        return (places - SHIFT) / (step, 1, 1)

    shape, sigma = (round(SHAPE[0] / step), *SHAPE[1:]), (1.2 / step, 1.4, 1.4)
    cycle = drawn(shape, in_cycle(positions), 20, 4, sigma)
    size = (0.4, 0.1, 0.1)
    found = crossreg.register(
        pair[0], cycle, block_size=64, pixel_size_um=size, cycle_z_um=0.4 * step
    )
    assert found.verdict == "registered"
    places = np.random.default_rng(0).uniform((3, 20, 20), np.array(SHAPE) - (4, 21, 21), (100, 3))
    assert np.abs(found.shift_at(places) - SHIFT).max() < 0.3
    assert np.abs(found.to_reference(in_cycle(places)) - places).max() < 0.3
    inner = (slice(3, -3), slice(12, -12), slice(12, -12))
    # The same spots with less noise, which no registration makes agree.
    reference = drawn(SHAPE, positions, 2, 5)[inner]
    warped = found.warp(drawn(shape, in_cycle(positions), 2, 6, sigma))[inner]
    assert np.corrcoef(reference.ravel(), warped.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("z_um", "size", "sentence"),
    [
        (0.2, None, "but not pixel_size_um"),
        (0.0, (0.5, 0.1, 0.1), "positive number"),
        ("0.2", (0.5, 0.1, 0.1), "positive number"),
        (np.nan, (0.5, 0.1, 0.1), "positive number"),
        (250.0, (0.5, 0.1, 0.1), "cycle_z_um: the planes of the cycle would be 500 planes of"),
        (0.0002, (0.5, 0.1, 0.1), "not in um"),
    ],
)
def test_impossible_distances_of_planes_are_refused(pair, z_um, size, sentence):
    with pytest.raises(UserError, match=sentence):
        crossreg.register(*pair, block_size=64, pixel_size_um=size, cycle_z_um=z_um)


def test_one_line_and_one_figure_say_what_was_found(found):
    assert repr(found).startswith("<Registration: registered; blocks: ")
    assert len(repr(found)) < 140
    assert len(found.plot().axes) == 6


@pytest.mark.parametrize("kind", ["list", "dask", "zarr", "float64"])
def test_whatever_turns_into_an_array_gives_the_same(pair, found, kind):
    turned = {
        "list": lambda array: array.tolist(),
        "dask": lambda array: dask.array.from_array(array, chunks=(4, 100, 100)),
        "zarr": lambda array: zarr.array(array),
        "float64": lambda array: array.astype(float),
    }[kind]
    other = crossreg.register(*map(turned, pair), block_size=64)
    place = [[8, 80, 100]]
    assert np.abs(other.shift_at(place) - found.shift_at(place)).max() < 1e-3


def test_the_same_object_comes_from_the_results_of_a_run(found, tmp_path):
    kept = replace(found.cycle_field, roi=1, cycle="RT2")
    save_field(tmp_path / "fields" / "001" / "RT2.npz", kept)
    for roi in ("001", 1, "1"):
        loaded = crossreg.load_registration(tmp_path, roi=roi, cycle="RT2")
        assert (loaded.shift_at([[3, 50, 60]]) == found.shift_at([[3, 50, 60]])).all()
    # A mark that the field is to be made again is none.
    (tmp_path / "fields" / "001" / ".again-RT2.npz").write_text("")
    with pytest.raises(crossreg.UserError, match=r"there are: ROI 001, cycle RT2\.$"):
        crossreg.load_registration(tmp_path, roi=2, cycle="RT2")


def test_of_a_cycle_that_could_not_be_registered_the_reason_is_told(tmp_path):
    note_missing(tmp_path / "fields" / "001" / "RT2.npz", "RT2.tif: its planes have 220 x 200 px.")
    with pytest.raises(crossreg.UserError, match="cycle RT2 of ROI 1 could not.*220 x 200 px"):
        crossreg.load_registration(tmp_path, roi=1, cycle="RT2")


def test_a_cycle_that_does_not_match_has_failed(pair):
    unrelated = drawn(SHAPE, spot_positions(SHAPE, 400, seed=9), 20, 4)
    failed = crossreg.register(pair[0], unrelated, block_size=64)
    assert failed.verdict == "failed"
    assert failed.reason in repr(failed)
    assert np.isnan(failed.shift_at([[1, 2, 3]])).all()
    assert np.isnan(failed.to_reference([[1, 2, 3]])).all()
    with pytest.raises(crossreg.UserError, match="nothing can be moved"):
        failed.warp(unrelated)


GOOD = np.random.default_rng(0).integers(0, 999, (6, 64, 64)).astype(np.uint16)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (GOOD[0], r"cycle has 2 axes of the sizes \(64, 64\); .* give cycle\[None\]"),
        (GOOD[None], "cycle has 4 axes"),
        (GOOD.astype(float) * np.nan, "cycle holds NaN"),
        (np.where(GOOD.max() == GOOD, np.inf, GOOD), "cycle holds NaN or infinite"),
        (GOOD.astype(complex), "cycle holds values of type complex128"),
        (GOOD > 500, "cycle holds values of type bool"),
        (GOOD.astype(str), "cycle holds values of type"),
        (np.moveaxis(GOOD, 0, -1), r"as if the planes came last; give numpy.moveaxis\(cycle, -1"),
        (GOOD[:, :32], "those of the cycle 32 x 64; both must be equally large"),
        (np.zeros_like(GOOD), "cycle is empty: all its values are 0"),
        (GOOD[:0], "holds no image"),
        ([[[1, 2], [3]]], "cycle does not turn into an array"),
        (None, "cycle is no array of numbers, but NoneType"),
        ("stack.tif", "read the file with crossreg.read_stack"),
        (np.ma.masked_equal(GOOD, GOOD[0, 0, 0]), "cycle has masked values"),
        (GOOD.astype(object), r"cycle holds Python objects; give cycle.astype\(float\)"),
        (GOOD * 1e300, "cycle holds values from .* floats of 32 bits"),
        (GOOD * 1e-300, "cycle holds values from .* floats of 32 bits"),
        (np.moveaxis(GOOD, 0, 1), "those of the cycle 6 x 64"),
    ],
)
def test_what_is_no_stack_is_refused_in_one_sentence(array, sentence):
    with pytest.raises(crossreg.UserError, match=sentence):
        crossreg.register(GOOD, array, block_size=32)


@pytest.mark.parametrize("block", [0, -64, 8, 65, 32.0, "32", True, None])
def test_impossible_blocks_are_refused(block):
    with pytest.raises(crossreg.UserError, match="block_size is"):
        crossreg.register(GOOD, GOOD, block_size=block)


@pytest.mark.parametrize(
    "size", [0.1, (0.1, 0.1), (0.1, 0.1, 0), (1, 1, "x"), (1, 1, np.nan), (0.1, 0.1, 0.25)]
)
def test_impossible_pixel_sizes_are_refused(size):
    with pytest.raises(crossreg.UserError, match="pixel_size_um is"):
        crossreg.register(GOOD, GOOD, block_size=32, pixel_size_um=size)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", None, True])
def test_impossible_counts_are_refused(found, tmp_path, count):
    with pytest.raises(crossreg.UserError, match="threads is .*; give a whole number from 1 on"):
        crossreg.register(GOOD, GOOD, block_size=32, threads=count)
    with pytest.raises(crossreg.UserError, match="threads is"):
        found.warp(GOOD, threads=count)
    with pytest.raises(crossreg.UserError, match="z_binning is"):
        crossreg.read_stack(tmp_path / "stack.tif", count)


def test_axes_in_another_order_are_told(pair):
    swapped = [np.moveaxis(stack[:8], 0, 1) for stack in pair]
    with pytest.raises(
        crossreg.UserError, match=r"planes have 8 x 224 px.*\(planes, rows, columns"
    ):
        crossreg.register(*swapped, block_size=32)


@pytest.mark.parametrize("kind", ["uint64", ">u2", "float16", "read-only", "tiny"])
def test_values_of_any_size_and_layout_give_the_same(pair, found, kind):
    def turned(stack):
        if kind == "uint64":
            return stack.astype(np.uint64) * 2**44
        if kind == "tiny":
            return stack * 1e-30
        if kind == "read-only":
            copy = np.asfortranarray(stack)
            copy.flags.writeable = False
            return copy
        return stack.astype(kind)

    other = crossreg.register(*map(turned, pair), block_size=64)
    assert np.abs(other.shift_at([[8, 80, 100]]) - found.shift_at([[8, 80, 100]])).max() < 0.02


def test_an_infinite_position_has_no_place_and_an_empty_channel_is_warped(pair, found):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(found.to_reference([[np.inf, 5, 5], [1, np.nan, 5]])).any(axis=1).all()
    assert not found.warp(np.zeros_like(pair[1])).any()


@pytest.mark.parametrize("positions", [[1, 2, 3], [[1, 2]], [["a", "b", "c"]], None])
def test_positions_of_another_shape_are_refused(found, positions):
    with pytest.raises(crossreg.UserError, match="positions_zyx"):
        found.to_reference(positions)


def test_no_positions_have_no_places(found):
    for nothing in ([], np.empty((0, 3))):
        assert found.shift_at(nothing).shape == found.to_reference(nothing).shape == (0, 3)


def test_the_examples_of_the_docstrings_are_right():
    assert doctest.testmod(from_arrays).attempted > 5
    assert doctest.testmod(from_arrays).failed == 0


def test_the_public_names_are_there_and_nothing_is_imported_for_the_version():
    assert set(crossreg.__all__) <= set(dir(crossreg))
    with pytest.raises(AttributeError):
        _ = crossreg.no_such_name
    assert json.dumps(crossreg.__version__)
