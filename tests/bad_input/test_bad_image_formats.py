"""Damaged files of every format are refused in one sentence, and take no memory that counts."""

import json
import re
import tracemalloc

import imagecodecs
import numpy as np
import pytest

from crossreg.io.errors import UserError
from crossreg.io.images.which_stack import Choice
from crossreg.io.read_stacks import read_kept_planes
from image_formats import MANY, ONE, write_dax, write_ome_zarr, write_ome_zarr_05

FILES = {name: made for name, made in (ONE | MANY).items() if not made[0].endswith(".zarr")}
FIRST = Choice(channel="0", time="0")


def planted(times=1, channels=1):
    shape = (times, channels, 5, 40, 50)
    return np.random.default_rng(3).integers(1, 60000, shape).astype("uint16")


def refusal(path, choice=FIRST):
    """Return the sentence with which a file is refused, and the memory that reading it took."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as refused:
            read_kept_planes(path, choice=choice)
        return str(refused.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", FILES)
def test_cut_off_anywhere_a_file_is_refused_or_complete(tmp_path, kind):
    suffix, write = FILES[kind]
    path = tmp_path / f"stack{suffix}"
    images = planted()
    write(path, images, ["Cy3"])
    content = path.read_bytes()
    refused = 0
    for end in range(0, len(content), max(1, len(content) // 11)):
        path.write_bytes(content[:end])
        try:
            np.testing.assert_array_equal(read_kept_planes(path, choice=FIRST), images[0, 0])
        except UserError as error:
            assert f"stack{suffix}: " in str(error)
            refused += 1
    assert refused >= 11


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("content", [b"", b"no image", bytes(5000)])
def test_what_is_no_image_is_refused(tmp_path, kind, content):
    suffix, write = FILES[kind]
    path = tmp_path / f"stack{suffix}"
    write(path, planted(), ["Cy3"])
    path.write_bytes(content)
    assert f"stack{suffix}: " in refusal(path)[0]


def write_czi_planes(path, planes):
    """Write (place, image) pairs; a place is a plane, and maybe a scene."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path), exist_ok=True) as file:
        for place, image in planes:
            scene = place.pop("S", None)
            file.write(data=image, plane=place, **({} if scene is None else {"scene": scene}))


def test_a_plane_of_a_czi_file_that_was_not_recorded_is_not_black(tmp_path):
    path, stack = tmp_path / "stack.czi", planted()[0, 0]
    places = [{"T": 0, "C": 0, "Z": z} for z in (0, 1, 3, 4)]
    write_czi_planes(path, [(place, stack[place["Z"]]) for place in places])
    assert "stack.czi: plane 2 is not in the file" in refusal(path)[0]
    np.testing.assert_array_equal(read_kept_planes(path, choice=Choice(frames="3:")), stack[3:])


def test_scenes_of_a_czi_file_may_have_fewer_planes(tmp_path):
    path, stack = tmp_path / "scenes.czi", planted()[0, 0]
    places = [{"Z": z, "S": scene} for scene in (0, 1) for z in range(5 - 2 * scene)]
    write_czi_planes(path, [(place, stack[place["Z"]]) for place in places])
    for scene in ("0", "1"):
        wanted = stack[: 5 - 2 * int(scene)]
        np.testing.assert_array_equal(read_kept_planes(path, choice=Choice(series=scene)), wanted)


def test_further_axes_of_a_czi_file_are_not_mixed(tmp_path):
    path, stack = tmp_path / "phases.czi", planted()[0, 0]
    planes = [({"C": 0, "Z": z, "T": t}, stack[z] + t) for z in range(5) for t in range(3)]
    write_czi_planes(path, planes)
    # The library writes no phases (H): let the times be phases.
    path.write_bytes(path.read_bytes().replace(b"T\0\0\0", b"H\0\0\0"))
    assert "its axis 'H' is not read here" in refusal(path)[0]


def test_channels_of_a_czi_file_may_have_different_types(tmp_path):
    path, stack = tmp_path / "types.czi", planted()[0, 0]
    small = (stack // 256).astype("uint8")
    planes = [({"C": c, "Z": z}, (stack, small)[c][z]) for z in range(5) for c in range(2)]
    write_czi_planes(path, planes)
    for channel, wanted in enumerate((stack, small)):
        read = read_kept_planes(path, choice=Choice(channel=str(channel)))
        np.testing.assert_array_equal(read, wanted)


def test_planes_of_a_czi_file_may_be_counted_from_any_number(tmp_path):
    path, images = tmp_path / "stack.czi", planted(times=2)[:, 0]
    planes = [({"T": 3 + t, "C": 0, "Z": 7 + z}, images[t, z]) for t in (0, 1) for z in range(5)]
    write_czi_planes(path, planes)
    np.testing.assert_array_equal(read_kept_planes(path, choice=Choice(time="1")), images[1])


def test_a_dark_plane_of_an_nd2_file_is_a_plane(tmp_path):
    path, images = tmp_path / "stack.nd2", planted()
    images[0, 0, 3] = 0
    MANY["ND2"][1](path, images, ["Cy3"])
    np.testing.assert_array_equal(read_kept_planes(path), images[0, 0])


WRITERS_OF_STORES = {"0.4": write_ome_zarr, "0.5": write_ome_zarr_05}


def chunks(store):
    """Return the files of a store's pixels."""
    metadata = ("zarr.json", ".zarray", ".zattrs", ".zgroup")
    return sorted(path for path in store.rglob("*") if path.is_file() and path.name not in metadata)


@pytest.mark.parametrize("version", WRITERS_OF_STORES)
def test_a_missing_chunk_is_no_empty_part_of_the_image(tmp_path, version):
    store = tmp_path / "stack.zarr"
    WRITERS_OF_STORES[version](store, planted(), ["Cy3"])
    chunks(store)[-1].unlink()
    assert "is missing, so that a part of the image is; copy the store again" in refusal(store)[0]


@pytest.mark.parametrize("version", WRITERS_OF_STORES)
def test_a_damaged_chunk_is_refused(tmp_path, version):
    store = tmp_path / "stack.zarr"
    WRITERS_OF_STORES[version](store, planted(), ["Cy3"])
    chunks(store)[0].write_bytes(b"no chunk at all" * 9)
    assert re.search("stack.zarr.*: the .* is damaged", refusal(store)[0])


BOMB_BYTES = 2 * 10**8
CODECS = {
    "zstd": ({"id": "zstd", "level": 0}, lambda data: imagecodecs.zstd_encode(data)),
    "blosc": (
        {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
        lambda data: imagecodecs.blosc_encode(data),
    ),
    "gzip": ({"id": "gzip", "level": 1}, lambda data: imagecodecs.gzip_encode(data)),
    "zlib": ({"id": "zlib", "level": 1}, lambda data: imagecodecs.zlib_encode(data)),
}


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_that_swells_is_not_decoded(tmp_path, codec):
    store = tmp_path / "stack.zarr"
    write_ome_zarr(store, planted(), ["Cy3"])
    described = json.loads((store / "0" / ".zarray").read_text())
    described["compressor"], encode = CODECS[codec]
    (store / "0" / ".zarray").write_text(json.dumps(described))
    bomb = encode(bytes(BOMB_BYTES))
    assert len(bomb) < BOMB_BYTES / 100
    for path in chunks(store):
        path.write_bytes(bomb)
    sentence, peak = refusal(store)
    assert "is damaged: it holds more than" in sentence
    assert peak < BOMB_BYTES / 20


@pytest.mark.parametrize("folder", ["../../secret", "/etc", "0/../../.."])
def test_metadata_cannot_lead_out_of_a_store(tmp_path, folder):
    store = tmp_path / "stack.zarr"
    write_ome_zarr(store, planted(), ["Cy3"])
    text = (store / ".zattrs").read_text().replace('"path": "0"', f'"path": "{folder}"')
    (store / ".zattrs").write_text(text)
    assert "which is not in the store; it is damaged or not to be trusted" in refusal(store)[0]


def test_a_huge_claim_of_a_store_takes_no_memory(tmp_path):
    store = tmp_path / "stack.zarr"
    write_ome_zarr(store, planted(), ["Cy3"])
    described = json.loads((store / "0" / ".zarray").read_text())
    described["shape"][-2:] = [200_000, 200_000]
    (store / "0" / ".zarray").write_text(json.dumps(described))
    sentence, peak = refusal(store)
    assert "is missing, so that a part of the image is" in sentence
    assert peak < 50e6


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda store: (store / ".zattrs").unlink(), "the store holds no OME-Zarr image"),
        (lambda store: (store / ".zattrs").write_text("{"), "not valid JSON"),
        (lambda store: (store / "0" / ".zarray").unlink(), "the array '0' is missing"),
        (
            lambda store: (store / ".zattrs").write_text(
                (store / ".zattrs").read_text().replace('"name": "c"', '"name": "z"')
            ),
            "its metadata name the axes t, z, z, y, x",
        ),
    ],
)
def test_a_store_that_does_not_say_what_it_is_is_refused(tmp_path, change, sentence):
    store = tmp_path / "stack.zarr"
    write_ome_zarr(store, planted(), ["Cy3"])
    change(store)
    assert sentence in refusal(store)[0]


def test_a_dax_file_needs_its_description(tmp_path):
    path = tmp_path / "stack.dax"
    write_dax(path, planted(), [])
    path.with_suffix(".inf").unlink()
    assert "neither stack.inf nor stack.xml" in refusal(path)[0]


def test_a_dax_file_of_little_endian_numbers_is_read_as_such(tmp_path):
    path, images = tmp_path / "stack.dax", planted()
    write_dax(path, images, [], order="little")
    np.testing.assert_array_equal(read_kept_planes(path), images[0, 0])


def test_an_array_of_objects_is_not_loaded(tmp_path):
    path = tmp_path / "stack.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "no whole NumPy array of numbers" in refusal(path)[0]
