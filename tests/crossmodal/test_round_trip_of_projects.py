"""Projects go out, are saved by TrakEM2, and come back with every corner where it belongs."""

import gzip
import json

import numpy as np
import planted_project as pp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossreg.crossmodal import affine
from crossreg.crossmodal.check.check_project import check_project
from crossreg.crossmodal.check.checked_section import Policy
from crossreg.crossmodal.freeze.records import Frozen, FrozenSection, section_record
from crossreg.crossmodal.render.tile_specs import (
    image_source,
    local_path,
    split_transforms,
    tile_bounds,
    tile_corners,
)
from crossreg.crossmodal.render.transform_data import PREFIX
from crossreg.crossmodal.trakem2.patches import Patch, checked_path, safe_title
from crossreg.crossmodal.trakem2.project_reading import read_project
from crossreg.io.errors import UserError
from saved_by_trakem2 import java_double, saved_by_trakem2

SAVES = {
    "as created": lambda xml: xml,
    "saved": saved_by_trakem2,
    "saved twice": lambda xml: saved_by_trakem2(saved_by_trakem2(xml)),
    "saved with relative paths": lambda xml: saved_by_trakem2(xml, folder="/data"),
    "saved compressed": lambda xml: gzip.compress(saved_by_trakem2(xml)),
}


def new_specs(planted: pp.Planted, xml: bytes, specs: dict, policy=None, origin=pp.ORIGIN) -> dict:
    checked = check_project(xml, "00042.xml", planted.frozen, policy)
    assert not checked.faulty, [finding.sentence() for finding in checked.findings]
    tiles = {tile.patch.tile_id: tile for tile in checked.tiles}
    return {name: tiles[name].spec(one, origin) for name, one in specs.items()}


def assert_same_corners(old: dict, new: dict, shared, motion=affine.IDENTITY, atol=1e-6):
    for name, one in old.items():
        expected = affine.apply(motion, tile_corners(one, shared, name))
        found = tile_corners(new[name], shared, name)
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES.keys())
def test_an_untouched_project_reproduces_every_corner(save):
    planted = pp.planted()
    new = new_specs(planted, save(planted.xml), pp.EM_SPECS)
    assert_same_corners(pp.EM_SPECS, new, pp.SHARED)


@pytest.mark.parametrize("save", [saved_by_trakem2, SAVES["saved with relative paths"]])
def test_planted_affines_are_recovered(save):
    planted = pp.planted()
    motion = pp.turn(3.0, 12.5, -7.25, 1.02)
    em = [patch for patch in planted.frozen.patches if patch.stack == "EM"]
    edited = saved_by_trakem2(planted.xml, {p.oid: pp.moved(p, motion) for p in em})
    new = new_specs(planted, save(edited), pp.EM_SPECS)
    to_project = affine.translation(-pp.ORIGIN[0], -pp.ORIGIN[1])
    in_stack = affine.compose(affine.invert(to_project), motion, to_project)
    assert_same_corners(pp.EM_SPECS, new, pp.SHARED, in_stack)


def test_kept_entries_stay_byte_for_byte_and_the_rest_is_one_affine():
    planted = pp.planted()
    new = new_specs(planted, planted.xml, pp.EM_SPECS)
    old_list = pp.EM_SPECS["long"]["transforms"]["specList"]
    new_list = new["long"]["transforms"]["specList"]
    assert json.dumps(new_list[:2]) == json.dumps(old_list[:2])
    assert [entry.get("className") for entry in new_list[2:]] == [PREFIX + "AffineModel2D"]
    assert len(new["plain"]["transforms"]["specList"]) == 1
    for name, one in pp.EM_SPECS.items():
        rest = {k: v for k, v in one.items() if k not in ("transforms", "minX", "maxX")}
        assert {k: v for k, v in new[name].items() if k != "transforms"} == rest


def test_exporting_a_registered_stack_again_never_lengthens_its_lists():
    first = pp.planted()
    new = new_specs(first, saved_by_trakem2(first.xml), pp.EM_SPECS)
    again = pp.planted(em=new)
    newer = new_specs(again, saved_by_trakem2(again.xml), new)
    for name in new:
        assert len(newer[name]["transforms"]["specList"]) == len(
            new[name]["transforms"]["specList"]
        )
    assert_same_corners(pp.EM_SPECS, newer, pp.SHARED)


numbers = st.floats(-2.0, 2.0)
maps = st.tuples(
    numbers, numbers, numbers, numbers, st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)
).filter(lambda m: abs(affine.determinant(m)) > 0.05)


@settings(max_examples=50)
@given(
    maps,
    maps,
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.tuples(st.integers(-300000, 300000), st.integers(-300000, 300000)),
    st.booleans(),
)
def test_random_transforms_sizes_and_boxes_come_back(matrix, motion, width, height, origin, lens):
    entries = [pp.LENS] if lens and width > 10 and height > 10 else []
    data = " ".join(map(repr, map(float, matrix)))
    one = pp.spec("t", *entries, pp.leaf("AffineModel2D", data), width=width, height=height)
    planted = pp.planted(lm={}, em={"t": one}, origin=origin)
    in_project = affine.compose(
        affine.translation(-origin[0], -origin[1]), motion, affine.translation(*origin)
    )
    edit = {100: pp.moved(planted.patch("t"), in_project)}
    new = new_specs(planted, saved_by_trakem2(planted.xml, edit), {"t": one}, origin=origin)
    assert_same_corners({"t": one}, new, pp.SHARED, motion)


def render_specs(folder):
    """Return [(tile spec, shared transforms)] of all real files, whatever form they have."""
    shared = {
        one["id"]: one for one in json.loads((folder / "transform_references.json").read_text())
    }
    specs = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        if path.name == "transform_references.json":
            continue
        if isinstance(content, dict):
            content = content.get("tileSpecs") or [content]
        specs += [(path.name, one) for one in content]
    return specs, shared


def test_every_real_tile_spec_comes_back(shared_data):
    specs, shared = render_specs(shared_data / "render")
    assert len(specs) > 50
    for name, one in specs:
        size = {"width": one.get("width", 2560), "height": one.get("height", 2160)}
        one = {**one, **size}
        planted = pp.planted(lm={}, em={"t": one}, shared=shared)
        new = new_specs(planted, saved_by_trakem2(planted.xml), {"t": one})
        assert_same_corners({"t": one}, new, shared)
        if "mipmapLevels" in one:
            assert image_source(one, name).url == one["mipmapLevels"]["0"]["imageUrl"]


def test_render_bounds_are_those_that_the_service_stored(shared_data):
    # The other files were made by versions of the service with another rule for the maximum.
    specs, shared = render_specs(shared_data / "render")
    montage = [one for name, one in specs if name == "em_montage_qc_pre_tilespecs.json"]
    assert len(montage) == 47
    for one in montage:
        stored = tuple(one[key] for key in ("minX", "minY", "maxX", "maxY"))
        assert tile_bounds(one, shared, one["tileId"]) == stored


def test_records_of_patches_keep_everything():
    planted = pp.planted()
    for patch in planted.frozen.patches:
        record = json.loads(json.dumps(patch.to_record()))
        assert Patch.from_record(record) == patch
        assert (record["width"], record["height"]) == (patch.box.width, patch.box.height)
    configuration = Frozen(
        name="first",
        owner="me",
        project=None,
        input_stack="EM",
        lm_stacks=("LM",),
        request={},
        bounds={"minX": 0, "minY": 0, "maxX": pp.SIZE[0], "maxY": pp.SIZE[1]},
        layer={"width": pp.SIZE[0], "height": pp.SIZE[1]},
        layers=planted.frozen.layers,
        intensity={},
        stacks={},
        left_out=(),
        info={},
        project_form=2,
        sha256=pp.FINGERPRINT,
    )
    assert Frozen.from_record(json.loads(json.dumps(configuration.to_record()))) == configuration
    record = section_record(42.0, {}, planted.frozen.patches, [])
    section = FrozenSection.from_record(configuration, pp.STEM, json.loads(json.dumps(record)))
    assert section == planted.frozen


AWKWARD = ["a & b", 'say "hi"', "<tile>", "nullnull", "NULL_7", "日本", "a  b", "é", "", "x\ny"]


@settings(max_examples=60)
@given(st.text(max_size=12))
def test_any_tile_id_survives_a_save(tile_id):
    assert_id_survives(tile_id)


@pytest.mark.parametrize("tile_id", AWKWARD)
def test_awkward_tile_ids_survive_a_save(tile_id):
    assert_id_survives(tile_id)


def assert_id_survives(tile_id: str):
    planted = pp.planted(lm={}, em={tile_id: pp.spec("x")})
    checked = check_project(saved_by_trakem2(planted.xml), "00042.xml", planted.frozen)
    assert [tile.patch.tile_id for tile in checked.tiles] == [tile_id]
    assert {finding.kind for finding in checked.findings} == {"nothing_moved"}


def test_titles_that_trakem2_keeps_are_not_changed():
    assert safe_title("20170503_5LC-0064.1028.0") == "20170503_5LC-0064.1028.0"


@pytest.mark.parametrize("path", ["/a/b c.tif", "/a/%20.tif", "C:/é.tif"])
def test_usual_paths_are_accepted(path):
    assert checked_path(path, "tile A") == path


@pytest.mark.parametrize("path", ["/a&b.tif", "/a  b.tif", "/日.tif", '/".tif', "/<.tif"])
def test_paths_that_trakem2_breaks_are_refused(path):
    with pytest.raises(UserError, match="tile A: the path .* imagePaths"):
        checked_path(path, "tile A")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:/data/a%20b.tif", "/data/a b.tif"),
        ("file:///data/a b.tif", "/data/a b.tif"),
        ("file://localhost/data/a.tif", "/data/a.tif"),
        ("file:///C:/data/a.tif", "C:/data/a.tif"),
        ("/data/a%20b.tif", "/data/a%20b.tif"),
        ("C:\\data\\a.tif", "C:\\data\\a.tif"),
        ("http://host/a.tif", None),
        ("s3://bucket/a.tif", None),
        ("data/a.tif", None),
    ],
)
def test_paths_of_images(url, path):
    assert local_path(url) == path


def test_images_may_stand_in_channels_only():
    one = pp.spec("t")
    levels = one.pop("mipmapLevels")
    del one["minIntensity"], one["maxIntensity"]
    one["channels"] = [{"mipmapLevels": levels, "minIntensity": 5, "maxIntensity": 9}]
    assert image_source(one, "tile t") == ("file:/data/t.tif", 100, 80, 5.0, 9.0)
    with pytest.raises(UserError, match="tile t: the tile spec names no image"):
        image_source({**one, "channels": []}, "tile t")
    with pytest.raises(UserError, match="tile t: width is 1.5"):
        image_source({**one, "width": 1.5}, "tile t")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"type": "ref", "refId": "loop"}, "refers to itself"),
        ({"type": "ref", "refId": "gone"}, "'gone' is not in the stack"),
        ({"type": "interpolated", "a": {}, "b": {}, "lambda": 0.5}, "interpolated"),
        (pp.leaf("HomographyModel2D", "1"), "HomographyModel2D: TrakEM2 does not know"),
    ],
)
def test_transforms_that_cannot_go_to_trakem2_are_refused(entry, says):
    shared = {
        "loop": {"type": "list", "specList": [{"type": "ref", "refId": "back"}]},
        "back": {"type": "ref", "refId": "loop"},
    }
    with pytest.raises(UserError, match=says) as caught:
        split_transforms(pp.spec("t", entry), shared, "tile t of stack EM")
    assert str(caught.value).startswith("tile t of stack EM: ")


def test_added_transforms_are_kept_when_accepted():
    planted = pp.planted()
    for name in ("plain", "lens"):
        oid = planted.patch(name).oid
        xml = with_added(planted.xml, oid, "TranslationModel2D", "30 -20")
        xml = saved_by_trakem2(xml)
        new = new_specs(planted, xml, pp.EM_SPECS, Policy(new_transforms="accept"))
        keep = len(pp.EM_SPECS[name]["transforms"]["specList"]) - 1
        entries = new[name]["transforms"]["specList"]
        assert entries[keep]["className"] == PREFIX + "TranslationModel2D"
        assert len(entries) == keep + 2
        # The box moves with the translation, so TrakEM2 shows the tile where it was (+- 1 px).
        old = tile_corners(pp.EM_SPECS[name], pp.SHARED, name)
        assert np.abs(tile_corners(new[name], pp.SHARED, name) - old).max() <= 1.2


def with_added(xml: bytes, oid: int, name: str, data: str) -> bytes:
    """Return the project with a coordinate transform put after those of a patch."""
    element = f'<ict_transform class="{PREFIX}{name}" data="{data}"/>'.encode()
    start = xml.index(b'<t2_patch oid="%d"' % oid)
    end = xml.index(b"</t2_patch>", start)
    close = xml.find(b"</ict_transform_list>", start, end)
    place = close if close >= 0 else xml.index(b"<t2_prop", start)
    return xml[:place] + element + xml[place:]


def test_projects_are_read_in_any_order_of_attributes_and_nesting_of_lists(shared_data):
    folder = shared_data / "trakem2"
    created = read_project((folder / "demo_in.xml").read_bytes(), "demo_in")
    saved = read_project((folder / "demo_saved.xml").read_bytes(), "demo_saved")
    assert created.attributes["clem_upper"] == saved.attributes["clem_upper"] == "Mixed"
    assert created.layers == saved.layers
    text = (folder / "demo_in.xml").read_text()
    nested = text.replace("<ict_transform_list>", "<ict_transform_list><ict_transform_list>", 1)
    nested = nested.replace("</ict_transform_list>", "</ict_transform_list></ict_transform_list>")
    assert read_project(nested.encode(), "nested").patches == created.patches


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_java_doubles_keep_the_number(value):
    text = java_double(value)
    assert float(text) == value
    assert "." in text and "e" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(1e-4, "1.0E-4"), (0.001, "0.001"), (1e7, "1.0E7"), (-2.5, "-2.5")]
)
def test_java_doubles_look_as_trakem2_writes_them(value, text):
    assert java_double(value) == text
