"""Files whose packed pixels swell to far more than they say are refused before the memory goes."""

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from crossreg.io.errors import UserError
from crossreg.io.images.which_stack import Choice
from crossreg.io.read_stacks import read_kept_planes
from image_formats import write_nd2

SHAPE = (4, 64, 64)
GREY = {"photometric": "minisblack", "metadata": None}
BOMB_BYTES = 2**28
GROWTH_BYTES = 60e6
"""Libraries and threads take some of it; a bomb that goes off takes more."""


def refusal(sound: Path, path: Path) -> tuple[str, int]:
    """Return the sentence with which a file is refused, and by how much the process grew."""
    read_kept_planes(sound)  # so that all libraries are loaded
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts at what is used now
    except OSError:
        pytest.skip("this system does not tell how much memory a process has used at most")
    before = memory("VmHWM")
    with pytest.raises(UserError) as refused:
        read_kept_planes(path, choice=Choice("", "0", "0"))
    return str(refused.value), memory("VmHWM") - before


def memory(kind: str) -> int:
    """Return how many bytes this process uses (VmRSS) or has used at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) * 1024


def stack():
    return np.random.default_rng(3).integers(1, 60000, SHAPE).astype("uint16")


def lzma_bomb():
    return imagecodecs.lzma_encode(bytes(BOMB_BYTES // 4))


def lzw_bomb():
    return imagecodecs.lzw_encode(bytes(BOMB_BYTES // 4))


PACKED = {
    "deflate": ("zlib", lambda: zlib.compress(bytes(BOMB_BYTES), 1)),
    "LZW": ("lzw", lzw_bomb),
    "zstd": ("zstd", lambda: imagecodecs.zstd_encode(bytes(BOMB_BYTES))),
    "LZMA": ("lzma", lzma_bomb),
    "PackBits": ("packbits", lambda: b"\x81\x00" * (BOMB_BYTES // 1024)),
}
LAYOUTS = {
    "strips": {},
    "tiles": {"tile": (64, 64)},
    "tiles with a depth": {"tile": (16, 64, 64), "volumetric": True},
}


def write_parts(path, parts, codec, **layout):
    """Write a TIFF whose strips or tiles are these bytes."""
    tifffile.imwrite(
        path, iter(parts), shape=SHAPE, dtype="uint16", compression=codec, **GREY, **layout
    )


@pytest.mark.parametrize(
    ("kind", "layout"),
    [*((kind, "strips") for kind in PACKED), *(("zstd", layout) for layout in LAYOUTS)],
)
def test_a_packed_part_of_a_tiff_is_no_larger_than_it_says(tmp_path, kind, layout):
    codec, bomb = PACKED[kind]
    sound, path = tmp_path / "sound.tif", tmp_path / "stack.tif"
    tifffile.imwrite(sound, stack(), compression=codec, **GREY, **LAYOUTS[layout])
    parts = 1 if layout == "tiles with a depth" else len(stack())
    write_parts(path, [bomb()] * parts, codec, **LAYOUTS[layout])
    sentence, growth = refusal(sound, path)
    assert growth < GROWTH_BYTES
    assert "stack.tif: " in sentence


IMAGES = {
    "JPEG": ("jpeg", lambda image: imagecodecs.jpeg_encode(image.astype("uint8"))),
    "JPEG 2000": ("jpeg2000", lambda image: imagecodecs.jpeg2k_encode(image)),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_in_a_tiff_is_no_larger_than_it_says(tmp_path, kind):
    codec, encode = IMAGES[kind]
    dtype = "uint8" if kind == "JPEG" else "uint16"
    sound, path = tmp_path / "sound.tif", tmp_path / "stack.tif"
    options = {"compression": codec} | GREY
    tifffile.imwrite(sound, stack().astype(dtype), **options)
    small, huge = encode(stack()[0]), encode(np.zeros((8192, 8192), "uint16"))
    assert len(huge) < len(small) * 300
    parts = [huge] * SHAPE[0]
    tifffile.imwrite(path, iter(parts), shape=SHAPE, dtype=dtype, **options)
    sentence, growth = refusal(sound, path)
    assert "packed pixels are 8192 x 8192, more than said" in sentence
    assert growth < GROWTH_BYTES


def test_a_tile_is_no_larger_than_the_image(tmp_path):
    sound, path = tmp_path / "sound.tif", tmp_path / "stack.tif"
    tifffile.imwrite(sound, stack(), compression="zlib", tile=(64, 64), **GREY)
    content = bytearray(sound.read_bytes())
    with tifffile.TiffFile(sound) as file:
        for page in file.pages:
            for tag in ("TileWidth", "TileLength"):
                offset = page.tags[tag].valueoffset
                struct.pack_into("<H", content, offset, 32768)
    path.write_bytes(content)
    sentence, growth = refusal(sound, path)
    assert "claims tiles of 2147483648 bytes" in sentence
    assert growth < GROWTH_BYTES


def test_a_frame_of_an_nd2_file_is_no_larger_than_it_says(tmp_path):
    pytest.importorskip("nd2")
    sound, path = tmp_path / "sound.nd2", tmp_path / "stack.nd2"
    images = stack()[None, None]
    write_nd2(sound, images, ["Cy3"], packed=zlib.compress)
    write_nd2(path, images, ["Cy3"], packed=lambda _: zlib.compress(bytes(BOMB_BYTES), 1))
    sentence, growth = refusal(sound, path)
    assert "packed pixels are more than said" in sentence
    assert growth < GROWTH_BYTES


@pytest.mark.parametrize("shape", ["(1000000, 1000, 1000)", "(-4, 64, 64)", "(4, 64, 2**40)"])
def test_a_header_of_numpy_cannot_claim_more_than_the_file_holds(tmp_path, shape):
    sound, path = tmp_path / "sound.npy", tmp_path / "stack.npy"
    np.save(sound, stack())
    content = sound.read_bytes()
    header = content[10:128].replace(b"(4, 64, 64)", shape.encode())
    path.write_bytes(content[:10] + header[:117].ljust(117) + b"\n" + content[128:])
    sentence, growth = refusal(sound, path)
    assert "no whole NumPy array of numbers" in sentence
    assert growth < GROWTH_BYTES
