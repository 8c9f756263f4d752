"""All channels of a cycle come to the grid of the reference, into files that others read."""

import contextlib
import io

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

import register_stacks as command
from crossreg.fiducial.apply.find_channels import ChannelStack, channel_stacks
from crossreg.fiducial.apply.image_pyramids import halved
from crossreg.fiducial.field.field_file import CycleField, save_field
from crossreg.fiducial.field.sampled_field import constant_field, sampled
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.io.images.which_stack import Choice
from crossreg.io.missing_notes import note_missing
from crossreg.workflow_support.for_scripts.script_main import run
from crossreg.workflow_support.for_scripts.unwritten_stacks import check_all_written
from fiducial_images import drawn

RAW_SHAPE, Z_BINNING = (24, 600, 320), 2
KEPT_SHAPE = (12, 600, 320)
NAME = "scan_001_{cycle}_005_ROI_converted_decon_{channel}.tif"


class PlantedField:
    """A shift that bends along y and x, and changes along z."""

    def at(self, positions_zyx):
        z, y, x = np.asarray(positions_zyx, float).T
        shift = [0.6 + 0.01 * z + y / 900, -7.3 + 0.5 * np.sin(x / 60), 5.2 + 0.004 * y + 0.02 * z]
        return np.column_stack(shift), np.full((len(z), 3), 0.05)


def spots(seed):
    """Return positions in the reference, raw planes and px, apart from each other and the edges."""
    y, x = np.meshgrid(np.arange(40, 560, 45), np.arange(40, 290, 45), indexing="ij")
    random = np.random.default_rng(seed)
    z = random.uniform(8, 15, y.size)
    return np.column_stack([z, y.ravel(), x.ravel()]) + random.uniform(-3, 3, (y.size, 3))


def in_cycle(positions):
    """Return where spots of the reference (raw planes, px) are seen in the cycle."""
    kept = positions / (Z_BINNING, 1, 1)
    return (kept - PlantedField().at(kept)[0]) * (Z_BINNING, 1, 1)


def save(folder, cycle, channel, stack):
    path = folder / NAME.format(cycle=cycle, channel=channel)
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "ZYX"})
    return path


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Return a folder with a reference and a cycle of two channels, and the cycle's field."""
    folder = tmp_path_factory.mktemp("images")
    save(folder, "RT27", "ch00", drawn(RAW_SHAPE, spots(0), 4, 1))
    for number, channel in enumerate(("ch00", "ch01")):
        save(folder, "RT2", channel, drawn(RAW_SHAPE, in_cycle(spots(number)), 4, 2 + number))
    save(folder, "RT3", "ch00", drawn(RAW_SHAPE, spots(3), 4, 9))
    write_field(folder / "field.npz", sampled(PlantedField(), KEPT_SHAPE, 128), "measured")
    return folder


def write_field(path, field, status, **said):
    kept = CycleField(
        field=field,
        status=np.full((5, 3), status),
        roi=5,
        cycle="RT2",
        reference_file="r",
        cycle_file="c",
        shape_zyx=KEPT_SHAPE,
        block_size_xy=128,
        z_binning=Z_BINNING,
        global_shift_yx=(-7.0, 5.0),
        **said,
    )
    save_field(path, kept)


def registered(experiment, output, *options, cycle="RT2", field="field.npz"):
    words = ["--reference", experiment / NAME.format(cycle="RT27", channel="ch00")]
    words += ["--cycle", experiment / NAME.format(cycle=cycle, channel="ch00")]
    words += ["--field", experiment / field] if field else []
    other = experiment / NAME.format(cycle=cycle, channel="ch01")
    words += ["--channel-of-cycle", "ch00"]
    words += ["--other-channel", "ch01", other] if other.exists() else []
    words += ["--name", f"ROI 005 {cycle}", "--output", output, *options]
    with contextlib.redirect_stderr(io.StringIO()) as told:
        status = run(command.parser(), command.main, [str(word) for word in words])
    return status, told.getvalue()


def centroids(stack, positions):
    """Return the centroids (n, 3) of spots in a stack near some positions."""
    found = []
    for place in np.rint(positions).astype(int):
        low = np.maximum(place - (5, 6, 6), 0)
        part = stack[tuple(slice(a, b + 7) for a, b in zip(low, place, strict=True))].astype(float)
        weights = np.clip(part - 540, 0, None)
        grid = np.indices(part.shape)
        found.append([(weights * axis).sum() / weights.sum() for axis in grid] + low)
    return np.array(found)


@pytest.mark.parametrize("z", ["kept", "all"])
def test_every_channel_is_moved_by_the_field_of_the_fiducial(experiment, tmp_path, z):
    status, told = registered(experiment, tmp_path / "RT2.ome.zarr", "--z", z, "--threads", "2")
    assert status == 0, told
    image = zarr.open_group(tmp_path / "RT2.ome.zarr", mode="r")["0"][:]
    planes = KEPT_SHAPE[0] if z == "kept" else RAW_SHAPE[0]
    assert image.shape == (2, planes, *RAW_SHAPE[1:])
    assert image.dtype == np.uint16
    scale = (1 / Z_BINNING if z == "kept" else 1, 1, 1)
    for channel in range(2):
        truth = spots(channel) * scale
        errors = centroids(image[channel], truth) - truth
        assert np.abs(errors[:, 1:]).max() < 0.1
        assert np.sqrt((errors**2).mean(axis=0)).max() < 0.06
        # Left where they were, the spots would be many pixels off.
        assert np.abs(in_cycle(spots(channel)) - spots(channel)).max() > 5


def test_other_programs_read_the_ome_zarr_store_with_its_sizes_and_names(experiment, tmp_path):
    path = tmp_path / "RT2.ome.zarr"
    status, told = registered(experiment, path, "--pixelSizeXY", "0.08", "--pixelSizeZ", "0.2")
    assert status == 0, told
    (node,) = list(Reader(parse_url(str(path)))())
    assert [level.shape for level in node.data] == [(2, 12, 600, 320), (2, 12, 300, 160)]
    assert node.metadata["channel_names"] == ["ch00", "ch01"]
    scale, move = node.metadata["coordinateTransformations"][1]
    assert scale["scale"] == [1, 0.4, 0.16, 0.16]
    assert np.allclose(move["translation"], [0, 0, 0.04, 0.04])
    full, half = (np.asarray(level) for level in node.data)
    assert np.abs(half - full.reshape(2, 12, 300, 2, 160, 2).mean(axis=(3, 5))).max() <= 0.51


def test_other_programs_read_the_ome_tiff_file_with_its_sizes_and_names(experiment, tmp_path):
    path = tmp_path / "RT2.ome.tif"
    options = ("--format", "ome-tiff", "--pixelSizeXY", "0.08", "--pixelSizeZ", "0.2")
    status, told = registered(experiment, path, *options)
    assert status == 0, told
    zarr_path = tmp_path / "RT2.ome.zarr"
    assert registered(experiment, zarr_path)[0] == 0
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        series = file.series[0]
        assert series.axes == "CZYX"
        assert [level.shape for level in series.levels] == [(2, 12, 600, 320), (2, 12, 300, 160)]
        store = zarr.open_group(zarr_path, mode="r")
        for level in range(2):
            assert np.array_equal(series.levels[level].asarray(), store[str(level)][:])
        for text in ('PhysicalSizeZ="0.4"', 'PhysicalSizeX="0.08"', 'Name="ch01"', "ROI 005 RT2"):
            assert text in file.ome_metadata
    assert not list(tmp_path.glob(".unfinished*"))


def test_the_reference_is_written_as_it_is(experiment, tmp_path):
    status, told = registered(experiment, tmp_path / "r.ome.zarr", cycle="RT27", field=None)
    assert status == 0, told
    image = zarr.open_group(tmp_path / "r.ome.zarr", mode="r")["0"][0]
    raw = tifffile.imread(experiment / NAME.format(cycle="RT27", channel="ch00"))
    assert np.array_equal(image, raw[::2])


def test_a_doubt_about_the_shifts_goes_with_the_image(experiment, tmp_path):
    field = sampled(PlantedField(), KEPT_SHAPE, 128)
    said = {"verdict": "doubtful", "reason": "it slipped"}
    write_field(experiment / "doubtful.npz", field, "measured", **said)
    receipt = tmp_path / "RT2.txt"
    options = ["--receipt", receipt]
    status, told = registered(experiment, tmp_path / "a.ome.tif", *options, field="doubtful.npz")
    assert status == 0
    assert "Its shifts are doubtful: it slipped." in told
    assert receipt.read_text().splitlines()[1] == "Its shifts are doubtful: it slipped."
    registered(experiment, tmp_path / "a.ome.tif", *options)
    assert "doubtful" not in receipt.read_text()


def test_what_the_cycle_does_not_show_is_0(experiment, tmp_path):
    write_field(
        experiment / "far.npz", constant_field((2, 30, -50), (0, 0, 0), KEPT_SHAPE), "measured"
    )
    status, told = registered(experiment, tmp_path / "far.ome.zarr", field="far.npz")
    assert status == 0, told
    image = zarr.open_group(tmp_path / "far.ome.zarr", mode="r")["0"][0]
    raw = tifffile.imread(experiment / NAME.format(cycle="RT2", channel="ch00"))[::2]
    assert not image[:2].any()
    assert not image[:, :30].any()
    assert not image[..., -50:].any()
    assert np.array_equal(image[2:, 30:, :-50], raw[:-2, :-30, 50:])


@pytest.mark.parametrize(
    ("options", "more", "sentence"),
    [
        (("--channel", "ch07"), {}, "there is no channel 'ch07' of this cycle; there are: ch00"),
        ((), {"field": "failed.npz"}, "does not match the reference"),
        ((), {"cycle": "RT9"}, "there is no such file"),
    ],
)
def test_what_cannot_be_registered_is_said_in_one_sentence(
    experiment, tmp_path, options, more, sentence
):
    nothing = constant_field(3 * (np.nan,), 3 * (np.nan,), KEPT_SHAPE)
    write_field(experiment / "failed.npz", nothing, "failed")
    status, told = registered(experiment, tmp_path / "out.ome.zarr", *options, **more)
    assert status == 1
    assert sentence in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_what_was_not_written_is_an_error_unless_its_cycle_matches_nothing(tmp_path):
    receipts = [tmp_path / "left" / f"{cycle}.txt" for cycle in ("RT1", "RT2.5", "RT3")]
    write_text(receipts[0], "RT1.ome.zarr: written\n")
    note_missing(receipts[1], "it does not match.")
    check_all_written(receipts, {("left", "RT2.5")})
    note_missing(receipts[2], "there is no channel 'ch07'.")
    told = "^1 registered stack could not be written, such as ROI left, cycle RT3: there is no chan"
    with pytest.raises(UserError, match=told):
        check_all_written(receipts, {("left", "RT2.5")})


@pytest.mark.parametrize("kind", ["ome-zarr", "ome-tiff"])
def test_an_image_of_before_goes_where_the_cycle_no_longer_matches(experiment, tmp_path, kind):
    output = tmp_path / f"RT2.{kind.replace('-', '.')}"
    assert registered(experiment, output, "--format", kind)[0] == 0
    assert output.exists()
    nothing = constant_field(3 * (np.nan,), 3 * (np.nan,), KEPT_SHAPE)
    write_field(experiment / "failed.npz", nothing, "failed")
    status, _ = registered(experiment, output, "--format", kind, field="failed.npz")
    assert status == 1
    assert not output.exists()


def test_a_channel_of_another_size_is_named(experiment, tmp_path):
    save(experiment, "RT3", "ch01", np.zeros((3, 600, 320), np.uint16))
    status, told = registered(experiment, tmp_path / "out.ome.zarr", cycle="RT3")
    assert status == 1
    assert "RT3_005_ROI_converted_decon_ch01.tif: channel ch01 has (3, 600, 320)" in told


def test_means_of_four_pixels_are_rounded():
    planes = np.array([[[1, 2, 9], [3, 4, 9], [9, 9, 9]]], np.uint16)
    assert halved(planes).tolist() == [[[3]]]
    assert halved(planes.astype(np.float32)).tolist() == [[[2.5]]]
    assert halved(-planes.astype(np.int16)).tolist() == [[[-2]]]


@pytest.mark.parametrize("wanted", ["ch01", "1", "01"])
def test_a_channel_is_named_or_numbered(experiment, wanted):
    paths = [experiment / NAME.format(cycle="RT2", channel=name) for name in ("ch00", "ch01")]
    fiducial = ChannelStack("ch00", paths[0], Choice())
    found = channel_stacks(fiducial, {"ch01": paths[1]}, [wanted])
    assert [stack.name for stack in found] == ["ch01"]


@pytest.mark.parametrize(
    ("wanted", "found"), [("1", ["bead"]), ("nuclei", ["nuclei"]), ("2", None)]
)
def test_a_channel_of_a_file_of_several_is_named_or_numbered(tmp_path, wanted, found):
    stack = np.zeros((3, 2, 32, 32), np.uint16)
    labels = {"axes": "ZCYX", "Channel": {"Name": ["nuclei", "bead"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, photometric="minisblack", metadata=labels)
    fiducial = ChannelStack("", tmp_path / "a.ome.tif", Choice(channel="0"))
    if found:
        chosen = channel_stacks(fiducial, {}, [wanted])
        assert [one.name for one in chosen] == found
    else:
        with pytest.raises(
            UserError, match="no channel '2' of this cycle; there are: nuclei, bead"
        ):
            channel_stacks(fiducial, {}, [wanted])
