"""Stacks of all kinds that microscopes write are read alike; damaged ones are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from crossreg.io.errors import UserError
from crossreg.io.images.which_stack import Choice
from crossreg.io.read_stacks import (
    StackHeader,
    check_same_pixel_size,
    read_header,
    read_kept_planes,
    read_projection,
    z_step_of,
)

SHAPE = (7, 20, 30)


def planted_stack(dtype="uint16"):
    return np.random.default_rng(1).integers(0, 200, SHAPE).astype(dtype)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ImageJ": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "OME": {"ome": True, "metadata": {"axes": "ZYX"}},
    "Big": {"bigtiff": True},
    "deflate": {"compression": "zlib", "metadata": None},
    "LZW in tiles": {"compression": "lzw", "tile": (16, 16), "metadata": None},
    "big-endian": {"byteorder": ">"},
    "zstd, differences": {"compression": "zstd", "predictor": True, "metadata": None},
    "LZMA": {"compression": "lzma", "metadata": None},
    "PackBits": {"compression": "packbits", "metadata": None},
    "big-endian LZW": {"compression": "lzw", "predictor": True, "byteorder": ">"},
    "a strip of a few rows": {"compression": "zlib", "rowsperstrip": 3},
    "tiles with a depth": {"tile": (2, 16, 16), "volumetric": True},
    "packed tiles with a depth": {
        "tile": (4, 16, 16),
        "volumetric": True,
        "compression": "zlib",
        "predictor": True,
    },
    "tiles as deep as the stack": {"tile": (16, 16, 32), "volumetric": True, "byteorder": ">"},
    "planes in one page": {"volumetric": True, "compression": "zlib", "metadata": None},
    "a pyramid": {"ome": True, "metadata": {"axes": "ZYX"}, "subifds": 1, "tile": (16, 16)},
    "a leading axis of length 1": {"ome": True, "metadata": {"axes": "TCZYX"}},
    "planes as time": {"imagej": True, "metadata": {"axes": "TYX"}},
}


OF_FILE = {"imagej", "ome", "bigtiff", "byteorder"}
"""Options of a whole file, not of an image in it."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_kind_of_tiff_gives_the_same_planes(tmp_path, kind, dtype):
    stack = planted_stack(dtype)
    path = tmp_path / "stack.tif"
    leading = (None, None) if kind == "a leading axis of length 1" else ()
    with tifffile.TiffWriter(
        path, **{key: KINDS[kind][key] for key in OF_FILE & KINDS[kind].keys()}
    ) as file:
        options = {key: value for key, value in KINDS[kind].items() if key not in OF_FILE}
        file.write(stack[leading] if leading else stack, photometric="minisblack", **options)
        if kind == "a pyramid":
            file.write(stack[:, ::2, ::2], photometric="minisblack", tile=(16, 16))
    header = read_header(path)
    assert header.shape_zyx == SHAPE
    assert header.dtype == dtype
    kept = read_kept_planes(path, z_binning=2)
    assert kept.dtype == dtype
    np.testing.assert_array_equal(kept, stack[::2])
    np.testing.assert_array_equal(read_projection(path), stack.max(axis=0))
    np.testing.assert_array_equal(read_projection(path, "sum", slice(2, 5)), stack[2:5].sum(axis=0))


def test_a_single_plane_is_a_stack_of_one(tmp_path):
    path = tmp_path / "plane.tif"
    tifffile.imwrite(path, planted_stack()[0])
    assert read_header(path).shape_zyx == (1, 20, 30)
    np.testing.assert_array_equal(read_kept_planes(path, 2)[0], planted_stack()[0])


def test_other_real_types_become_float32(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, planted_stack("int16"))
    assert read_kept_planes(path).dtype == np.float32
    np.testing.assert_array_equal(read_kept_planes(path), planted_stack("int16"))


@pytest.mark.parametrize("axes", ["YXZ", "YZX", "ZXY", "ZYXC"])
def test_planes_are_never_read_across_other_axes(tmp_path, axes):
    path = tmp_path / "stack.tif"
    sizes = dict(zip("ZYXC", (7, 20, 30, 3), strict=True))
    stack = np.random.default_rng(1).integers(0, 200, [sizes[axis] for axis in axes])
    tifffile.imwrite(
        path, stack.astype("uint16"), photometric="minisblack", metadata={"axes": axes}
    )
    with pytest.raises(UserError, match=f"axes are {axes}.*; rows and columns must be the last"):
        read_kept_planes(path, choice=Choice(channel="0"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("codec", ["jpeg2000", "png"])
def test_images_in_pages_are_decoded(tmp_path, codec, dtype):
    path, stack = tmp_path / "stack.tif", planted_stack(dtype)
    options = {"photometric": "minisblack", "compression": codec, "metadata": None}
    tifffile.imwrite(path, stack, **options)
    np.testing.assert_array_equal(read_kept_planes(path), stack)


@pytest.mark.parametrize("order", ["TZC", "TCZ", "ZTC", "CZT"])
@pytest.mark.parametrize("options", [{"ome": True}, {}, {"compression": "zlib"}])
def test_times_channels_and_planes_may_come_in_any_order(tmp_path, order, options):
    path = tmp_path / "stack.tif"
    images = np.random.default_rng(1).integers(0, 200, (2, 3, 4, 20, 30)).astype("uint16")
    stored = images.transpose(*("TCZ".index(axis) for axis in order), 3, 4)
    metadata = {"axes": f"{order}YX"}
    tifffile.imwrite(path, stored.copy(), photometric="minisblack", metadata=metadata, **options)
    stack = read_kept_planes(path, choice=Choice("", "2", "1"))
    np.testing.assert_array_equal(stack, images[1, 2])


def test_channels_may_be_the_samples_of_a_page(tmp_path):
    path = tmp_path / "stack.tif"
    images = np.random.default_rng(1).integers(0, 200, (7, 3, 20, 30)).astype("uint16")
    for options in ({}, {"compression": "zlib", "rowsperstrip": 6}, {"tile": (16, 16)}):
        tifffile.imwrite(
            path,
            images,
            photometric="minisblack",
            planarconfig="separate",
            metadata={"axes": "ZCYX"},
            **options,
        )
        stack = read_kept_planes(path, choice=Choice(channel="1"))
        np.testing.assert_array_equal(stack, images[:, 1])


def test_planes_outside_of_the_stack_cannot_be_projected(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, planted_stack())
    told = "7 planes, none of them in 10 <= z < 20; correct fiducial.projection_planes"
    with pytest.raises(UserError, match=told):
        read_projection(path, "MIP", slice(10, 20), key="fiducial.projection_planes")


def test_a_file_that_is_still_being_written_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, planted_stack())
    read = tifffile.FileHandle.readinto

    def read_while_written(self, *arguments, **options):
        with path.open("ab") as file:
            file.write(b"more")
        return read(self, *arguments, **options)

    monkeypatch.setattr(tifffile.FileHandle, "readinto", read_while_written)
    with pytest.raises(UserError, match="stack.tif: the file was changed while it was read"):
        read_kept_planes(path)


def header_of(size_um: tuple[float | None, float | None, float | None]) -> StackHeader:
    return StackHeader((10, 64, 64), np.dtype("uint16"), pixel_size_um=size_um)


def test_other_z_steps_and_pixels_are_refused_with_both_sizes() -> None:
    reference = header_of((0.5, 0.1, 0.1))
    with pytest.raises(UserError, match=r"RT1\.tif: its planes are 0\.25 um apart, .* 0\.5 um"):
        check_same_pixel_size(reference, header_of((0.25, 0.1, 0.1)), "RT1.tif")
    with pytest.raises(UserError, match="its rows are 0.2 um apart"):
        check_same_pixel_size(reference, header_of((0.5, 0.2, 0.2)), "RT1.tif")


@pytest.mark.parametrize("size", [(0.5, 0.1, 0.1), (0.51, 0.1, 0.1), (None, None, None)])
def test_sizes_that_are_rounded_or_not_known_are_let_pass(size: tuple) -> None:
    check_same_pixel_size(header_of((0.5, 0.1, 0.1)), header_of(size), "RT1.tif")


@pytest.mark.parametrize(
    ("z_step", "z_binning", "planes"),
    [
        (0.5, 1, [0, 2, 4, 6, 8]),
        (0.5, 2, [0, 4, 8]),
        (2.0, 1, [0.5 * plane for plane in range(19)]),
        (1.5, 2, [0, 4 / 3, 8 / 3, 4, 16 / 3, 20 / 3, 8]),
    ],
)
def test_planes_that_lie_between_others_are_interpolated(
    tmp_path: Path, z_step: float, z_binning: int, planes: list[float]
) -> None:
    stack = np.arange(10, dtype="uint16")[:, None, None] * np.full((8, 9), 100, "uint16")
    tifffile.imwrite(tmp_path / "stack.tif", stack, metadata={"axes": "ZYX"})
    found = read_kept_planes(tmp_path / "stack.tif", z_binning, z_step=z_step)
    assert found.shape == (len(planes), 8, 9)
    np.testing.assert_allclose(found[:, 3, 4], 100 * np.array(planes), rtol=1e-5)
    assert np.ptp(found, axis=(1, 2)).max() == 0


def test_the_z_step_of_a_cycle_is_told_by_both_files_or_the_user() -> None:
    fine, coarse = header_of((0.25, 0.1, 0.1)), header_of((0.5, 0.1, 0.1))
    assert z_step_of(coarse, fine, None) == 0.5
    assert z_step_of(header_of((None, 0.1, 0.1)), fine, 0.5) == 0.5
    assert z_step_of(coarse, header_of((0.51, 0.1, 0.1)), None) == 1
    assert z_step_of(coarse, header_of((None, 0.1, 0.1)), None) == 1
