"""Type, size, path and grey values in a project are those of the real images."""

from urllib.parse import quote

import numpy as np
import PIL.Image
import pytest
import tifffile

from crossmodal.stacks_on_disk import fill, frozen_from, tile, two_stacks, write_image
from crossreg.crossmodal.freeze.frozen import read_section
from crossreg.crossmodal.freeze.frozen_summary import frozen_summary
from crossreg.crossmodal.freeze.tile_images import read_header, read_sample
from crossreg.io.errors import UserError


def em_patches(folder, frozen):
    section = read_section(folder / frozen.name, frozen, frozen.sections[0])
    return [patch for patch in section.patches if patch.stack == "EM"]


def with_em_image(folder, url, **keys):
    """Make stacks whose EM tile has this image, and whose LM tile is sound."""
    lm = write_image(folder / "lm.tif")
    return two_stacks(folder, em=[tile("em", url=url, **keys)], lm=[tile("lm", url=lm)])


@pytest.mark.parametrize(
    ("dtype", "photometric", "expected"),
    [
        ("bool", "minisblack", 0),
        ("uint8", "minisblack", 0),
        ("uint8", "miniswhite", 0),
        ("uint8", "palette", 3),
        ("uint16", "minisblack", 1),
        ("int16", "minisblack", 1),
        ("float32", "minisblack", 2),
        ("uint32", "minisblack", 2),
        ("uint8", "rgb", 4),
    ],
)
def test_types_of_tiff_images(tmp_path, dtype, photometric, expected):
    shape = (8, 12, 3) if photometric == "rgb" else (8, 12)
    colormap = np.zeros((3, 256), "uint16") if photometric == "palette" else None
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros(shape, dtype), photometric=photometric, colormap=colormap)
    assert read_header(path) == (expected, 12, 8)


@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [("L", "png", 0), ("I;16", "png", 1), ("P", "png", 3), ("RGB", "jpg", 4), ("L", "jpg", 0)],
)
def test_types_of_other_images(tmp_path, mode, suffix, expected):
    path = tmp_path / f"image.{suffix}"
    PIL.Image.new(mode, (12, 8)).save(path)
    assert read_header(path) == (expected, 12, 8)
    assert read_sample(path).shape[:2] == (8, 12)


@pytest.mark.parametrize("content", [b"", b"not an image", b"II*\0" + b"\xff" * 40])
def test_files_that_are_no_images_are_told(tmp_path, content):
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"image\.tif: "):
        read_header(path)


def test_pixels_that_trakem2_does_not_open_are_refused(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((8, 12, 3), "uint16"), photometric="rgb")
    with pytest.raises(UserError, match="TrakEM2 does not open pixels of this kind"):
        read_header(path)


def test_samples_of_large_images_are_thinned(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((3000, 2000), "uint8"))
    assert read_sample(path).shape == (1000, 667)


@pytest.mark.parametrize("prefix", ["", "file:", "file://", "file://localhost"])
def test_paths_with_spaces_are_found(tmp_path, prefix):
    path = tmp_path / "a folder" / "em%1.tif"
    write_image(path)
    url = prefix + quote(str(path)) if prefix else str(path)
    frozen = frozen_from(with_em_image(tmp_path, url), checkTileImages=True)
    (patch,) = em_patches(tmp_path, frozen)
    assert patch.file_path == str(path)


def test_missing_images_and_those_that_are_no_local_files_are_listed(tmp_path):
    there = write_image(tmp_path / "there.tif")
    em = [tile(f"em{i:02d}", url=f"file:{tmp_path}/gone{i}.tif") for i in range(12)]
    em += [tile("em_web", url="http://images/1.tif"), tile("em_there", url=there)]
    two_stacks(tmp_path, em=em, lm=[tile("lm", url="relative.tif")])
    with pytest.raises(UserError) as error:
        frozen_from(tmp_path, checkTileImages=True)
    sentence = str(error.value)
    assert sentence.startswith("14 images of tiles are no local files or are missing: relative.tif")
    assert sentence.count(".tif (tile em") == 9
    assert "and 4 more" in sentence
    assert "em_there" not in sentence
    assert not (tmp_path / "first" / "frozen").exists()


def test_without_the_check_type_and_size_come_from_the_specs(tmp_path):
    em = [
        tile("a", maxIntensity=255.0),
        tile("b", maxIntensity=4000.0),
        tile("c", url="http://x/y"),
    ]
    frozen = frozen_from(two_stacks(tmp_path, em=em))
    patches = em_patches(tmp_path, frozen)
    assert [patch.type for patch in patches] == [0, 1, 0]
    assert [(patch.o_width, patch.o_height) for patch in patches] == [(100, 80)] * 3
    assert [patch.max for patch in patches] == [255.0, 4000.0, 200.0]


def test_an_image_of_another_size_is_refused(tmp_path):
    url = write_image(tmp_path / "em.tif", size=(50, 40))
    with pytest.raises(UserError, match=r"tile em.*50 x 40 px, but the tile spec says 100 x 80"):
        frozen_from(with_em_image(tmp_path, url), checkTileImages=True)


def test_paths_are_rewritten_for_the_machine_of_the_person(tmp_path):
    url = write_image(tmp_path / "nas" / "em & co.tif")
    with_em_image(tmp_path, url)
    rules = [
        {"from": "/nowhere/", "to": "X:/"},
        {"from": f"{tmp_path}/nas/em & co", "to": "Z:/em"},
        {"from": f"{tmp_path}/nas/", "to": "Y:/"},
    ]
    frozen = frozen_from(tmp_path, checkTileImages=True, imagePaths=rules)
    assert em_patches(tmp_path, frozen)[0].file_path == "Z:/em.tif"
    with pytest.raises(UserError, match="which TrakEM2 breaks on saving"):
        frozen_from(tmp_path, name="other", checkTileImages=True)


def test_the_own_range_of_tiles_is_kept(tmp_path):
    url = write_image(tmp_path / "em.tif")
    frozen = frozen_from(with_em_image(tmp_path, url), checkTileImages=True)
    assert frozen.intensity == {"EM": None, "LM": None}
    (patch,) = em_patches(tmp_path, frozen)
    assert (patch.min, patch.max) == (3.0, 200.0)


@pytest.mark.parametrize("own", [{"minIntensity": 0.0, "maxIntensity": 65535.0}, {}])
def test_full_or_missing_ranges_become_percentiles(tmp_path, own):
    url = write_image(tmp_path / "em.tif", "uint16", low=1000, high=3000)
    spec = tile("em", url=url) | own
    if not own:
        del spec["minIntensity"], spec["maxIntensity"]
    two_stacks(tmp_path, em=[spec], lm=[tile("lm", url=write_image(tmp_path / "lm.tif"))])
    frozen = frozen_from(tmp_path, checkTileImages=True)
    low, high = frozen.intensity["EM"]
    assert (low, high) == pytest.approx((1010, 2990), abs=1)
    (patch,) = em_patches(tmp_path, frozen)
    assert (patch.type, patch.min, patch.max) == (1, low, high)


def test_given_ranges_count(tmp_path):
    frozen = frozen_from(two_stacks(tmp_path), intensity={"EM": [5, 50]})
    assert frozen.intensity == {"EM": [5.0, 50.0], "LM": None}
    (patch,) = em_patches(tmp_path, frozen)
    assert (patch.min, patch.max) == (5.0, 50.0)


def test_a_range_is_measured_on_request_without_the_check_too(tmp_path):
    url = write_image(tmp_path / "em.tif", low=20, high=120)
    with_em_image(tmp_path, url)
    low, high = frozen_from(tmp_path, intensity={"EM": "auto"}).intensity["EM"]
    assert (low, high) == pytest.approx((20.5, 119.5), abs=1)
    fill(tmp_path / "stacks", "LM", {1.0: [tile("lm", url="file:/gone.tif")]})
    with pytest.raises(UserError, match=r"'intensity\.LM' is \"auto\", but none of the images"):
        frozen_from(tmp_path, name="n", intensity={"LM": "auto"})


def test_one_range_for_all_sections_of_a_stack(tmp_path):
    full = {"minIntensity": 0.0, "maxIntensity": 255.0}
    sections = {}
    for index in range(20):
        url = write_image(tmp_path / f"{index}.tif", low=10 * index, high=10 * index + 1)
        sections[float(index)] = [tile(f"e{index}", url=url, **full)]
    fill(tmp_path / "stacks", "EM", sections)
    lm = write_image(tmp_path / "lm.tif")
    fill(tmp_path / "stacks", "LM", {z: [tile(f"l{z}", url=lm)] for z in sections})
    low, high = frozen_from(tmp_path, checkTileImages=True).intensity["EM"]
    assert low <= 20
    assert high >= 170


def test_tiles_that_would_look_black_are_told(tmp_path):
    full = {"minIntensity": 0.0, "maxIntensity": 65535.0}
    frozen = frozen_from(two_stacks(tmp_path, em=[tile("e", **full)]))
    warnings = frozen_summary(tmp_path / "first", frozen)[1]
    assert any(
        "16-bit tiles of 'EM' shown from 0 to 65535, which will look black: 1" in text
        for text in warnings
    )
