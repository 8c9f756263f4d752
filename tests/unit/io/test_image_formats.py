"""The same images in every format are read alike: pixels, channels, times and sizes."""

import numpy as np
import pytest

import crossreg
from crossreg.io.errors import UserError
from crossreg.io.images.open_image import open_image
from crossreg.io.images.which_stack import Choice, choice_of
from crossreg.io.read_stacks import read_header, read_kept_planes, read_projection
from image_formats import MANY, ONE, PIXEL_SIZE_UM, WITH_NAMES

CHANNELS = ["DAPI", "Cy3", "Cy5"]


def planted(times=2, channels=3):
    shape = (times, channels, 7, 40, 50)
    return np.random.default_rng(3).integers(1, 60000, shape).astype("uint16")


@pytest.mark.parametrize("kind", MANY)
def test_any_time_and_channel_is_read_plane_by_plane(tmp_path, kind):
    suffix, write = MANY[kind]
    path = tmp_path / f"images{suffix}"
    images = planted()
    write(path, images, CHANNELS)
    for time, channel in ((0, 0), (1, 2)):
        choice = Choice(channel=str(channel), time=str(time))
        wanted = images[time, channel]
        np.testing.assert_array_equal(read_kept_planes(path, 3, choice=choice), wanted[::3])
        np.testing.assert_array_equal(read_projection(path, choice=choice), wanted.max(axis=0))
    header = read_header(path, choice)
    assert header.shape_zyx == wanted.shape
    assert header.dtype == "uint16"
    assert header.pixel_size_um == pytest.approx(PIXEL_SIZE_UM, rel=1e-4)


@pytest.mark.parametrize("kind", MANY)
def test_a_channel_is_never_taken_for_a_plane_nor_chosen_by_chance(tmp_path, kind):
    suffix, write = MANY[kind]
    path = tmp_path / f"images{suffix}"
    write(path, planted(times=1), CHANNELS)
    with pytest.raises(UserError, match="holds 3 channels .*'channel' of the section 'fiducial'"):
        read_kept_planes(path)
    with pytest.raises(UserError, match="no channel '3'; the file holds 3"):
        read_kept_planes(path, choice=Choice(channel="3"))


@pytest.mark.parametrize("kind", WITH_NAMES)
def test_a_channel_is_found_by_its_name(tmp_path, kind):
    suffix, write = MANY[kind]
    path = tmp_path / f"images{suffix}"
    images = planted(times=1)
    write(path, images, CHANNELS)
    header = read_header(path, Choice(channel="cy3"))
    assert (header.channel, header.channels) == ("Cy3", tuple(CHANNELS))
    stack = read_kept_planes(path, choice=Choice(channel="Cy3"))
    np.testing.assert_array_equal(stack, images[0, 1])
    with pytest.raises(UserError, match="no channel 'GFP'; the file holds 3: 0 DAPI, 1 Cy3, 2 Cy5"):
        read_header(path, Choice(channel="GFP"))


@pytest.mark.parametrize("kind", MANY)
def test_times_have_to_be_chosen(tmp_path, kind):
    suffix, write = MANY[kind]
    path = tmp_path / f"images{suffix}"
    write(path, planted(channels=1), CHANNELS[:1])
    with pytest.raises(UserError, match="holds 2 times; say in the column 'time'"):
        read_header(path)
    with pytest.raises(UserError, match="no time '2'; the file holds 2, counted from 0"):
        read_header(path, Choice(time="2"))


@pytest.mark.parametrize("kind", [*ONE, *MANY])
def test_one_stack_needs_no_choice(tmp_path, kind):
    suffix, write = (ONE | MANY)[kind]
    path = tmp_path / f"images{suffix}"
    images = planted(times=1, channels=1)
    write(path, images, CHANNELS[:1])
    np.testing.assert_array_equal(read_kept_planes(path), images[0, 0])


def test_a_notebook_says_by_name_or_number_which_stack_is_meant(tmp_path):
    path, images = tmp_path / "images.ome.tif", planted()
    MANY["OME-TIFF"][1](path, images, CHANNELS)
    stack = crossreg.read_stack(path, 2, channel="Cy5", time=1)
    np.testing.assert_array_equal(stack, images[1, 2, ::2])
    stack = crossreg.read_stack(path, channel=0, time=0, frames="3:")
    np.testing.assert_array_equal(stack, images[0, 0, 3:])


def test_a_dax_file_may_be_described_in_xml(tmp_path):
    path, stack = tmp_path / "movie.dax", planted()[0, 0]
    path.write_bytes(stack.astype("<u2").tobytes())
    path.with_suffix(".xml").write_text(
        '<settings><acquisition><number_frames type="int">7</number_frames></acquisition>'
        '<camera1><x_pixels type="int">50</x_pixels><y_pixels type="int">40</y_pixels></camera1>'
        "</settings>"
    )
    np.testing.assert_array_equal(read_kept_planes(path), stack)


@pytest.mark.parametrize("kind", [*ONE, *MANY])
def test_frames_pick_a_channel_that_a_file_does_not_name(tmp_path, kind):
    suffix, write = (ONE | MANY)[kind]
    path = tmp_path / f"images{suffix}"
    images = planted(times=1, channels=1)
    write(path, images, CHANNELS[:1])
    stack = images[0, 0]
    for frames, part in (("1::3", stack[1::3]), ("2:6", stack[2:6]), (":1", stack[:1])):
        choice = choice_of(f"channel=0,frames={frames}")
        assert read_header(path, choice).shape_zyx == part.shape
        np.testing.assert_array_equal(read_kept_planes(path, 2, choice=choice), part[::2])
        np.testing.assert_array_equal(read_projection(path, choice=choice), part.max(axis=0))
    with pytest.raises(UserError, match="holds 7 frames, none of which is in '7::3'"):
        read_header(path, Choice(frames="7::3"))
    with pytest.raises(UserError, match="'every third' are not first:stop:step"):
        read_header(path, Choice(frames="every third"))


@pytest.mark.parametrize("label", ["{name}", "c:{c}/3 z:{z}/7 - {name}"])
def test_labels_of_imagej_name_channels(tmp_path, label):
    import tifffile

    path, images = tmp_path / "stack.tif", planted(times=1)[0]
    labels = [
        label.format(name=name, c=c + 1, z=z + 1)
        for z in range(7)
        for c, name in enumerate(CHANNELS)
    ]
    metadata = {"axes": "ZCYX", "Labels": labels}
    tifffile.imwrite(path, images.transpose(1, 0, 2, 3), imagej=True, metadata=metadata)
    stack = read_kept_planes(path, choice=Choice(channel="Cy3"))
    np.testing.assert_array_equal(stack, images[1])
    assert read_header(path, Choice(channel="0")).channels == tuple(CHANNELS)


def test_series_are_chosen_by_name_or_number(tmp_path):
    import tifffile

    path, images = tmp_path / "two.ome.tif", planted(times=1, channels=1)[0, 0]
    with tifffile.TiffWriter(path, ome=True) as file:
        for index, name in enumerate(("left", "right")):
            file.write(images + index, metadata={"axes": "ZYX", "Name": name})
    for series in ("1", "right"):
        stack = read_kept_planes(path, choice=Choice(series=series))
        np.testing.assert_array_equal(stack, images + 1)
    with pytest.raises(UserError, match="holds 2 images .*0 left, 1 right.*column 'series'"):
        read_header(path)
    with pytest.raises(UserError, match="no series 'middle'; the file holds 2: 0 left, 1 right"):
        read_header(path, Choice(series="middle"))


def test_fields_of_a_plate_are_series(tmp_path):
    import json

    path, images = tmp_path / "plate.zarr", planted(times=1)
    MANY["OME-Zarr 0.4"][1](path / "A" / "1" / "0", images, CHANNELS)
    (path / ".zattrs").write_text(json.dumps({"plate": {"wells": [{"path": "A/1"}]}}))
    (path / "A" / "1" / ".zattrs").write_text(json.dumps({"well": {"images": [{"path": "0"}]}}))
    with open_image(path) as file:
        assert [series.name for series in file.series] == ["A/1/0"]
    stack = read_kept_planes(path, choice=Choice("A/1/0", "Cy5"))
    np.testing.assert_array_equal(stack, images[0, 2])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("leading", [(), (1,), (1, 1)])
@pytest.mark.parametrize("dtype", ["<u2", ">u2", ">f4"])
def test_numpy_arrays_of_any_layout_are_read(tmp_path, order, leading, dtype):
    path, stack = tmp_path / "stack.npy", planted()[0, 0]
    np.save(path, np.asarray(stack.reshape(*leading, *stack.shape).astype(dtype), order=order))
    np.testing.assert_array_equal(read_kept_planes(path, 2), stack[::2])


@pytest.mark.parametrize(
    "choice", [Choice(), Choice("fov, 2", "a=b", "3", "1:9:2"), Choice(channel="Cy3,series=?")]
)
def test_a_choice_is_one_word_of_a_command(choice):
    assert choice_of(choice.text()) == choice or "series=?" in choice.channel


def test_a_choice_that_says_nothing_is_refused():
    with pytest.raises(UserError, match="'colour=red' does not say which image"):
        choice_of("colour=red")
