"""Every image that cannot be registered is refused in one sentence that names it."""

import errno
import os
import re
import struct
import tracemalloc

import imagecodecs
import numpy as np
import pytest
import tifffile

from crossreg.io.errors import UserError
from crossreg.io.read_stacks import read_kept_planes, read_projection

SHAPE = (5, 32, 32)
PLAIN = {"metadata": None, "photometric": "minisblack", "ome": False}
OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="32"'
    ' SizeY="32" SizeZ="{planes}" SizeC="1" SizeT="1"><TiffData/></Pixels></Image></OME>'
)
BINARY_ONLY = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<BinaryOnly MetadataFile="image.companion.ome" UUID="urn:uuid:0"/></OME>'
)
ELSEWHERE = (
    '<TiffData FirstZ="0" IFD="0"><UUID FileName="../secret.ome.tif">urn:uuid:1</UUID></TiffData>'
)
ELSEWHERE_TOO = (
    '<TiffData FirstZ="1" IFD="1"><UUID FileName="stack.ome.tif">urn:uuid:2</UUID></TiffData>'
)

TWICE = "".join(
    f'<TiffData FirstZ="{z}" IFD="{page}" PlaneCount="1"/>'
    for z, page in enumerate((0, 1, 1, 3, 4))
)


def grey(dtype="uint16"):
    return np.random.default_rng(1).integers(0, 200, SHAPE).astype(dtype)


def image(stack, **options):
    """Return a maker of a TIFF file with these pixels."""
    return lambda path: tifffile.imwrite(path, stack, **(PLAIN | options))


def claiming(tag, value, form="<I", **options):
    """Return a maker of a TIFF file whose planes all have another value in one of their tags."""

    def make(path):
        tifffile.imwrite(path, grey(), **(PLAIN | options))
        with_tag(path, tag, value, form)

    return make


def with_tag(path, tag, value, form):
    """Change a tag of all planes of a TIFF file."""
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offsets = [page.tags[tag].valueoffset for page in file.pages]
    for offset in offsets:
        struct.pack_into(form, content, offset, value)
    path.write_bytes(content)


def bytes_of(content):
    return lambda path: path.write_bytes(content)


def with_one(value):
    stack = grey("float32")
    stack[2, 3, 4] = value
    return image(stack)


def two_series(path):
    with tifffile.TiffWriter(path) as file:
        file.write(grey()[0], metadata=None)
        file.write(grey()[0, :16], metadata=None)


def in_a_missing_file(path):
    other = path.with_name("other.ome.tif")
    write_in_two_files(path, other)
    other.unlink()


def write_in_two_files(*paths):
    """Write an OME-TIFF whose two planes lie in a file each."""
    parts = "".join(
        f'<TiffData FirstZ="{z}" IFD="0"><UUID FileName="{path.name}">urn:uuid:{z}</UUID>'
        "</TiffData>"
        for z, path in enumerate(paths)
    )
    description = OME.format(planes=2).replace("<TiffData/>", parts)
    for z, path in enumerate(paths):
        text = description.replace("<OME ", f'<OME UUID="urn:uuid:{z}" ')
        tifffile.imwrite(path, grey()[z], description=text, metadata=None)


def planes_in_a_ring(path):
    """Make a file whose second plane says that the first comes next."""
    tifffile.imwrite(path, grey(), **PLAIN)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        first, second = (file.pages[index].offset for index in (0, 1))
    entries = struct.unpack_from("<H", content, second)[0]
    struct.pack_into("<I", content, second + 2 + 12 * entries, first)
    path.write_bytes(content)


def with_millions_of_faults(path):
    """Make a file in which a few bytes too many make tifffile log faults for minutes."""
    tifffile.imwrite(path, grey()[:3, :16, :16], **PLAIN, compression="zlib")
    content = path.read_bytes()
    path.write_bytes(content[:24] + bytes.fromhex("eda080156239b594") + content[24:])


BAD_IMAGES = {
    "no bytes": (bytes_of(b""), "not a TIFF file"),
    "text": (bytes_of(b"no image at all"), "not a TIFF file"),
    "PNG": (bytes_of(b"\x89PNG\r\n\x1a\n" + bytes(50)), "not a TIFF file"),
    "magic of another version": (bytes_of(b"II\x2c\0" + bytes(100)), "not a TIFF file"),
    "header alone": (bytes_of(b"II*\0\x08\0\0\0"), "holds no image, or is cut off"),
    "first plane beyond the end": (
        bytes_of(b"II*\0\xff\xff\xff\x7f" + bytes(99)),
        "holds no image",
    ),
    "zeros": (bytes_of(bytes(4096)), "not a TIFF file"),
    "millions of faults": (with_millions_of_faults, "damaged or cut off"),
    "planes in a ring": (planes_in_a_ring, "damaged or cut off"),
    "folder": (lambda path: path.mkdir(), "no file that can be read as an image"),
    "pipe": (lambda path: os.mkfifo(path), "no file that can be read as an image"),
    "missing": (lambda path: None, "there is no such file"),
    "colour": (image(np.zeros((32, 32, 3), "uint8"), photometric="rgb"), "axes are YXS"),
    "colour in planes": (
        image(np.zeros((3, 32, 32), "uint8"), photometric="rgb", planarconfig="separate"),
        "axes are SYX",
    ),
    "times": (
        image(np.zeros((2, 3, 32, 32), "uint8"), ome=True, metadata={"axes": "TZYX"}),
        "holds 2 times; say in the column 'time'",
    ),
    "channels without planes": (
        image(grey(), ome=True, metadata={"axes": "CYX", "Channel": {"Name": list("ABCDE")}}),
        "holds 5 channels .0 A, 1 B, 2 C, 3 D, 4 E.; say which one",
    ),
    "ImageJ composite": (image(grey(), ome=False, imagej=True, metadata=None), "holds 5 channels"),
    "OME metadata cut off": (
        image(grey(), description=OME[:200]),
        "OME metadata are cut off",
    ),
    "OME metadata elsewhere": (
        image(grey(), description=BINARY_ONLY),
        "lie in the file 'image.companion.ome', which is not beside it",
    ),
    "other file of another folder": (
        image(
            grey(),
            description=OME.replace("<TiffData/>", ELSEWHERE + ELSEWHERE_TOO).format(planes=5),
        ),
        r"continue in the file 'secret\.ome\.tif', which is not beside it",
    ),
    "a page that is two planes": (
        image(grey(), description=OME.replace("<TiffData/>", TWICE).format(planes=5)),
        "a page is said to be two planes",
    ),
    "images of two sizes": (two_series, "holds 2 images of different sizes"),
    "planes in a missing file": (
        in_a_missing_file,
        "its planes continue in the file .* which is not beside it",
    ),
    "complex numbers": (image(grey("complex64")), "type complex64 are not supported"),
    "truth values": (image(grey() > 100), "type bool are not supported"),
    "NaN": (with_one(np.nan), "values that are not finite"),
    "all NaN": (image(np.full(SHAPE, np.nan, "float32")), "values that are not finite"),
    "infinite": (with_one(np.inf), "values that are not finite"),
    "beyond float32": (image(grey("float64") * 1e300), "values that are not finite"),
    "constant": (image(np.full(SHAPE, 7, "uint16")), "all pixels have the value 7"),
    "one pixel": (image(np.ones((1, 1), "uint16")), "1 x 1 px; that is no image"),
    "one row": (image(grey()[:, :1]), "1 x 32 px; that is no image"),
    "huge width": (claiming("ImageWidth", 0xFFFFFFF0), "header claims [0-9]{13} bytes"),
    "huge height": (claiming("ImageLength", 0xFFFFFFF0), "damaged or cut off"),
    "huge compressed": (claiming("ImageWidth", 2**20, compression="zlib"), "header claims"),
    "impossible depth": (
        image(grey(), description=OME.format(planes=10**15)),
        "OME metadata are cut off or do not fit",
    ),
    "huge depth": (image(grey(), description=OME.format(planes=400_000)), "planes are missing"),
    "huge shape": (
        image(grey(), description='{"shape": [1000000, 32, 32]}'),
        "should have at least 2048000[0-9]{3} bytes",
    ),
    "no width": (claiming("ImageWidth", 0), "32 x 0 px; that is no image"),
    "pixels at the header": (claiming("StripOffsets", 0), "parts of the image are missing"),
    "pixels beyond the end": (claiming("StripOffsets", 2**31), "cut off: it should have at least"),
    "empty strips": (
        claiming("StripByteCounts", 0, compression="zlib"),
        "parts of the image are missing",
    ),
    "strips beyond the end": (
        claiming("StripByteCounts", 2**31, compression="zlib"),
        "cut off: it should have at least",
    ),
    "plain, called deflate": (claiming("Compression", 8, "<H"), "damaged or of an unsupported"),
    "deflate, called LZW": (
        claiming("Compression", 5, "<H", compression="zlib"),
        "damaged or of an unsupported kind",
    ),
    "deflate, called JPEG": (
        claiming("Compression", 7, "<H", compression="zlib"),
        "packed pixels are no image",
    ),
    "unknown compression": (
        claiming("Compression", 9999, "<H"),
        "packed with the method 9999, which is not read",
    ),
    "rows of a strip are 0": (
        claiming("RowsPerStrip", 0, compression="zlib"),
        "damaged or of an unsupported kind",
    ),
    "planes less than the text says": (
        image(grey(), description="ImageJ=1.11a\nimages=900\nslices=900\n"),
        "damaged or cut off",
    ),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_refused_by_name(tmp_path, sentence_of, kind):
    make, fault = BAD_IMAGES[kind]
    path = tmp_path / "stack.ome.tif"
    make(path)
    told = sentence_of(
        "reference_projection", "--reference", path, "--output", tmp_path / "out" / "projection.npy"
    )
    assert re.search(rf"stack\.ome\.tif: .*({fault})", told), told


def test_planes_in_two_files_are_one_stack(tmp_path):
    paths = [tmp_path / "stack.ome.tif", tmp_path / "other.ome.tif"]
    write_in_two_files(*paths)
    for path in paths:
        np.testing.assert_array_equal(read_kept_planes(path), grey()[:2])


def test_planes_of_another_size_and_blocks_that_do_not_fit(tmp_path, sentence_of):
    for name, stack in {"reference.tif": grey(), "cycle.tif": grey()[:, :, :30]}.items():
        tifffile.imwrite(tmp_path / name, stack, **PLAIN)
    given = ["--reference", tmp_path / "reference.tif", "--output", tmp_path / "out" / "table"]
    cycle = ["--cycle", tmp_path / "cycle.tif", "--roi", 1, "--label", "RT1", "--given", 0, 0]
    told = sentence_of("register_global", *given, *cycle)
    assert "cycle.tif: its planes have 32 x 30 px, those of the reference 32 x 32 px" in told
    told = sentence_of("reference_blocks", *given)
    assert "blockSizeXY is 128 px, but the planes have only 32 x 32 px" in told


@pytest.mark.parametrize(
    "options",
    [{}, {"ome": True}, {"imagej": True}, {"compression": "zlib"}, {"tile": (16, 16)}],
)
def test_cut_off_anywhere_a_file_is_refused_or_complete(tmp_path, options):
    stack, path = grey(), tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", **options)
    content = path.read_bytes()
    ends = {
        *range(0, 400, 7),
        *range(0, len(content), 61),
        *range(len(content) - 300, len(content)),
    }
    refused = 0
    for end in sorted(ends):
        path.write_bytes(content[:end])
        try:
            np.testing.assert_array_equal(read_kept_planes(path), stack)
        except UserError as error:
            assert "stack.tif: " in str(error)
            refused += 1
    assert refused > len(ends) - 100


def test_a_huge_claim_takes_no_memory(tmp_path):
    """A stack of 16 GB in 9 kB: were it taken, this process would grow over the limit."""
    path = tmp_path / "stack.tif"
    claiming("ImageWidth", 2**26)(path)
    tracemalloc.start()
    with pytest.raises(UserError, match="header claims"):
        read_kept_planes(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


def test_packed_bits_are_no_false_claim(tmp_path):
    """Cameras of 12 bits may store 2 pixels in 3 bytes."""
    stack, path = grey() * 20, tmp_path / "stack.tif"
    packed = [imagecodecs.packints_encode(plane, 12) for plane in stack]
    tifffile.imwrite(path, np.frombuffer(b"".join(packed), "uint8").reshape(5, 32, 48), **PLAIN)
    with_tag(path, "ImageWidth", 32, "<H")
    with_tag(path, "BitsPerSample", 12, "<H")
    np.testing.assert_array_equal(read_kept_planes(path), stack)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
def test_negative_values_are_grey_values(tmp_path, dtype):
    stack, path = grey("int32").astype(dtype) - 100, tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, **PLAIN)
    np.testing.assert_array_equal(read_kept_planes(path), stack.astype("float32"))
    np.testing.assert_array_equal(read_projection(path), stack.max(axis=0).astype("float32"))


def test_a_file_that_may_not_be_read_is_told(tmp_path, sentence_of, monkeypatch):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, grey(), **PLAIN)

    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(tifffile, "TiffFile", denied)
    told = sentence_of("reference_projection", "--reference", path, "--output", tmp_path / "o.npy")
    assert "stack.tif: the file cannot be read (Permission denied)" in told
