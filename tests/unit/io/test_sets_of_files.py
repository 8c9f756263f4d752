"""OME-TIFF in several files: a file stands for what lies in it, and channels are never planes."""

import itertools
import uuid

import numpy as np
import pytest
import tifffile

from crossreg.io.errors import UserError
from crossreg.io.images.open_image import open_image
from crossreg.io.images.which_stack import Choice
from crossreg.io.read_stacks import read_header, read_kept_planes

CHANNELS = ["DAPI", "beads"]
OME = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
HOLDERS = ("every file", "companion", "first file")
"""Where the description of the whole set stands."""


def planted():
    shape = (3, 2, 4, 20, 30)  # times, channels, planes, rows, columns
    return np.random.default_rng(4).integers(1, 60000, shape).astype("uint16")


def write_set(folder, images, file_of, holder="every file", order="ZCT", position="", on=""):
    """Write images (T, C, Z, Y, X); plane (t, c, z) lies in the file that `file_of` names.

    `on` is the folder of the microscope's computer that the description names.
    """
    sizes = dict(zip("TCZYX", images.shape, strict=True))
    by_axis = [range(sizes[axis]) for axis in reversed(order)]
    pages: dict[str, list[np.ndarray]] = {}
    parts = []
    for indices in itertools.product(*by_axis):
        index = dict(zip(reversed(order), indices, strict=True))
        name = file_of(index["T"], index["C"], index["Z"])
        held = pages.setdefault(name, [])
        place = "".join(f' First{axis}="{value}"' for axis, value in index.items())
        parts.append(
            f'<TiffData{place} IFD="{len(held)}" PlaneCount="1">'
            f'<UUID FileName="{on}{name}">{identity(name)}</UUID></TiffData>'
        )
        held.append(images[index["T"], index["C"], index["Z"]])
    described = "".join(f' Size{axis}="{size}"' for axis, size in sizes.items())
    named = "".join(
        f'<Channel ID="Channel:0:{index}" Name="{name}" SamplesPerPixel="1"/>'
        for index, name in enumerate(CHANNELS)
    )
    image = (
        f'<Image ID="Image:{position}" Name="{position}"><Pixels ID="Pixels:0" Type="uint16"'
        f' DimensionOrder="XY{order}"{described} PhysicalSizeZ="0.5" PhysicalSizeX="0.1"'
        f' PhysicalSizeY="0.1">{named}{"".join(parts)}</Pixels></Image>'
    )
    write_pages(folder, pages, [image], holder, on)
    return pages, image


def write_pages(folder, pages, images, holder, on=""):
    """Write files of pages; the description of all images stands where `holder` says."""
    whole = "".join(images)
    first = next(iter(pages))
    holding = {"companion": "set.companion.ome", "first file": first}.get(holder)
    for name, planes in pages.items():
        content = whole
        if holding and holding != name:
            content = f'<BinaryOnly MetadataFile="{on}{holding}" UUID="{identity(holding)}"/>'
        text = f'<OME {OME} UUID="{identity(name)}">{content}</OME>'
        tifffile.imwrite(
            folder / name,
            np.stack(planes),
            description=text.encode(),
            metadata=None,
            photometric="minisblack",
        )
    if holder == "companion":
        text = f'<OME {OME} UUID="{identity("set.companion.ome")}">{whole}</OME>'
        (folder / "set.companion.ome").write_text(text)


def identity(name):
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}"


def one_of_channel(_, c, z):
    return f"C{c}.ome.tif"


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("order", ["ZCT", "CZT", "TZC"])
def test_a_file_with_a_channel_is_that_channel(tmp_path, holder, order):
    images = planted()
    write_set(tmp_path, images, one_of_channel, holder, order)
    for channel, name in enumerate(CHANNELS):
        path, choice = tmp_path / f"C{channel}.ome.tif", Choice(time="1")
        header = read_header(path, choice)
        assert (header.channels, header.shape_zyx) == ((name,), (4, 20, 30))
        assert header.pixel_size_um == (0.5, 0.1, 0.1)
        np.testing.assert_array_equal(read_kept_planes(path, choice=choice), images[1, channel])


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_file_with_a_time_is_that_time(tmp_path, holder):
    images = planted()
    write_set(tmp_path, images, lambda t, c, z: f"T{t}.ome.tif", holder)
    for time in range(3):
        path = tmp_path / f"T{time}.ome.tif"
        stack = read_kept_planes(path, choice=Choice(channel="beads"))
        np.testing.assert_array_equal(stack, images[time, 1])
        with pytest.raises(UserError, match="holds 2 channels"):
            read_kept_planes(path)


@pytest.mark.parametrize("on", ["/data/run 1/", "C:\\Users\\me\\"])
@pytest.mark.parametrize("holder", HOLDERS)
def test_folders_of_another_computer_do_not_matter(tmp_path, holder, on):
    images = planted()
    write_set(tmp_path, images, one_of_channel, holder, on=on)
    stack = read_kept_planes(tmp_path / "C1.ome.tif", choice=Choice(time="2"))
    np.testing.assert_array_equal(stack, images[2, 1])
    write_set(tmp_path, images, lambda t, c, z: f"Z{z}.ome.tif", holder, on=on)
    stack = read_kept_planes(tmp_path / "Z1.ome.tif", choice=Choice("", "1", "2"))
    np.testing.assert_array_equal(stack, images[2, 1])


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("order", ["ZCT", "CZT"])
def test_a_stack_whose_planes_lie_in_several_files_is_put_together(tmp_path, holder, order):
    images = planted()
    write_set(tmp_path, images, lambda t, c, z: f"T{t}_Z{z}.ome.tif", holder, order)
    for t, c, z in np.ndindex(3, 2, 4):
        choice = Choice("", str(c), str(t))
        stack = read_kept_planes(tmp_path / f"T{(t + c) % 3}_Z{z}.ome.tif", choice=choice)
        np.testing.assert_array_equal(stack, images[t, c])
    (tmp_path / "T1_Z3.ome.tif").unlink()
    with pytest.raises(UserError, match=r"continue in the file 'T1_Z3\.ome\.tif', which is not"):
        read_header(tmp_path / "T0_Z0.ome.tif", Choice("", "beads", "0"))


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_file_of_a_position_is_that_position(tmp_path, holder):
    positions = [planted()[:1] + index for index in range(3)]
    pages, images = {}, []
    for index, position in enumerate(positions):
        name = f"run_MMStack_Pos{index}.ome.tif"
        held, image = write_set(tmp_path, position, lambda t, c, z, name=name: name, position=index)
        pages |= held
        images.append(image)
    write_pages(tmp_path, pages, images, holder)
    for index, position in enumerate(positions):
        path = tmp_path / f"run_MMStack_Pos{index}.ome.tif"
        with open_image(path) as file:
            assert [(one.name, one.channels) for one in file.series] == [
                (str(index), tuple(CHANNELS))
            ]
        stack = read_kept_planes(path, choice=Choice(channel="1"))
        np.testing.assert_array_equal(stack, position[0, 1])


def test_other_files_are_needed_for_nothing_but_their_own_planes(tmp_path):
    images = planted()
    write_set(tmp_path, images, one_of_channel)
    (tmp_path / "C0.ome.tif").unlink()
    (tmp_path / "C1.ome.tif").rename(tmp_path / "renamed.tif")
    stack = read_kept_planes(tmp_path / "renamed.tif", choice=Choice(time="2"))
    np.testing.assert_array_equal(stack, images[2, 1])


@pytest.mark.parametrize("name", ["set.companion.ome", "first.ome.tif", "../set.ome", "", "/etc/x"])
def test_a_description_that_is_not_beside_the_file_is_named(tmp_path, name):
    content = f'<BinaryOnly MetadataFile="{name}" UUID="urn:uuid:1"/>'
    path = tmp_path / "stack.ome.tif"
    text = f'<OME {OME} UUID="urn:uuid:2">{content}</OME>'
    tifffile.imwrite(
        path, planted()[0, 0], description=text, metadata=None, photometric="minisblack"
    )
    with pytest.raises(UserError, match=f"lie in the file '{name}', which is not beside it"):
        read_header(path)


def test_a_description_of_other_files_is_refused(tmp_path):
    write_set(tmp_path, planted(), one_of_channel, "companion")
    stranger = tmp_path / "stranger.ome.tif"
    text = (
        f'<OME {OME} UUID="urn:uuid:9"><BinaryOnly MetadataFile="set.companion.ome" UUID="urn:x"/>'
        "</OME>"
    )
    tifffile.imwrite(
        stranger, planted()[0, 0], description=text, metadata=None, photometric="minisblack"
    )
    with pytest.raises(UserError, match="are those of other files; was it renamed"):
        read_header(stranger)


def test_a_companion_is_no_image(tmp_path):
    write_set(tmp_path, planted(), one_of_channel, "companion")
    told = r"set\.companion\.ome: this file describes others; give the path of an image that it"
    with pytest.raises(UserError, match=told):
        read_header(tmp_path / "set.companion.ome")


def test_a_page_cannot_be_two_planes(tmp_path):
    write_set(tmp_path, planted(), one_of_channel, "companion")
    companion = tmp_path / "set.companion.ome"
    companion.write_text(companion.read_text().replace('IFD="3"', 'IFD="2"'))
    with pytest.raises(UserError, match="OME metadata are cut off or do not fit its planes"):
        read_kept_planes(tmp_path / "C0.ome.tif", choice=Choice(time="0"))


@pytest.mark.parametrize("value", ["-1", "10000000000000", "x", "1.5"])
@pytest.mark.parametrize("key", ["SizeZ", "FirstZ", "FirstC", "IFD", "PlaneCount", "SizeC"])
def test_numbers_that_cannot_be_are_refused(tmp_path, key, value):
    """Never are other planes read than what the description says."""
    images = planted()
    write_set(tmp_path, images, one_of_channel, "companion")
    companion = tmp_path / "set.companion.ome"
    text = companion.read_text()
    start = text.index(f' {key}="') + len(f' {key}="')
    companion.write_text(text[:start] + value + text[text.index('"', start) :])
    with pytest.raises(UserError, match=r"C0\.ome\.tif: "):
        read_kept_planes(tmp_path / "C0.ome.tif", choice=Choice(time="0"))
