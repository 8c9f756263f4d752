"""Projects show the tiles of the stacks where they are, in a file that TrakEM2 opens."""

import re

import numpy as np
import pytest
from lxml import etree

from crossmodal.planted_project import LENS, SHARED
from crossmodal.stacks_on_disk import fill, frozen_from, leaf, tile, two_stacks
from crossreg.crossmodal.check.check_project import check_project
from crossreg.crossmodal.freeze.canonical import sha256_of_bytes
from crossreg.crossmodal.freeze.frozen import read_frozen, read_section
from crossreg.crossmodal.freeze.frozen_summary import frozen_summary
from crossreg.crossmodal.freeze.records import Frozen, LeftOut
from crossreg.crossmodal.render.tile_specs import tile_corners
from crossreg.crossmodal.trakem2.projects import create_missing, create_script, project_bytes
from crossreg.io.errors import UserError

STRANGE_IDS = ["a&b<c>\"d'", "null_Null", "日本語", "é 12", "1000", "-7", "x" * 300]


def record_of(folder, frozen, index=0):
    return read_section(folder / frozen.name, frozen, frozen.sections[index])


def patches_of(folder, frozen, index=0):
    return list(record_of(folder, frozen, index).patches)


def project_of(folder, frozen, index=0):
    data = project_bytes(frozen, frozen.sections[index], record_of(folder, frozen, index))
    return data, etree.fromstring(data, etree.XMLParser(load_dtd=False, no_network=True))


def warnings_of(folder, frozen):
    return frozen_summary(folder / frozen.name, frozen)[1]


def test_the_file_has_what_trakem2_needs_to_open_it(tmp_path):
    two_stacks(tmp_path, em=[tile(name, 10.0 * i) for i, name in enumerate(STRANGE_IDS)])
    fill(tmp_path / "stacks", "LM_2", {1.0: [tile("b"), tile("a")]})
    frozen = frozen_from(tmp_path, LMstacks=["LM", "LM_2"], LMstack=None)
    data, root = project_of(tmp_path, frozen)
    lines = data.decode("iso-8859-1").splitlines()
    assert lines[1] == "<!DOCTYPE trakem2_anything ["
    assert "<!ELEMENT project (anything)>" in lines
    assert "<!ELEMENT anything EMPTY>" in lines
    project = root.find("project").attrib
    assert (project["mipmaps_regen"], project["storage_folder"]) == ("true", "")
    assert project["crossreg_frozen"] == frozen.sha256
    assert project["crossreg_section"] == "00001"
    layers = root.findall(".//t2_layer")
    assert [layer.get("title") for layer in layers] == ["LM", "LM_2", "EM"]
    assert [float(layer.get("z")) for layer in layers] == [0.0, 1.0, 2.0]
    locks = [{patch.get("locked") for patch in layer} for layer in layers]
    assert locks == [{"true"}, {"true"}, {None}]
    oids = [int(element.get("oid")) for element in root.iter() if element.get("oid")]
    assert len(set(oids)) == len(oids) == 1 + 3 + 1 + 2 + len(STRANGE_IDS)
    calibration = root.find(".//t2_calibration").attrib
    sizes = [float(calibration[key]) for key in ("pixelWidth", "pixelHeight", "pixelDepth")]
    assert (sizes, calibration["unit"]) == ([4.0, 5.0, 40.0], "nm")
    for patch in root.iter("t2_patch"):
        assert patch.get("links") == ""
        assert "ct_id" not in patch.attrib
        assert re.fullmatch(r"\d+", patch.get("o_width") + patch.get("o_height"))
        assert np.isfinite([float(patch.get(key)) for key in ("min", "max")]).all()
        mark = patch.find("t2_prop").get("value")
        assert mark == f"{frozen.sha256} 00001 {patch.get('oid')}"


def test_titles_survive_a_save_and_lead_back_to_their_tiles(tmp_path):
    two_stacks(tmp_path, em=[tile(name) for name in STRANGE_IDS])
    frozen = frozen_from(tmp_path)
    data, root = project_of(tmp_path, frozen)
    titles = [patch.get("title") for patch in root.iter("t2_patch")]
    assert not [t for t in titles if re.search(r"[&<>\"' ]|null", t, re.IGNORECASE)]
    "".join(titles).encode("iso-8859-1")
    checked = check_project(data, "00001.xml", record_of(tmp_path, frozen))
    assert sorted(found.patch.tile_id for found in checked.tiles) == sorted(STRANGE_IDS)
    assert not checked.faulty


def test_every_corner_is_where_the_stack_has_it(tmp_path):
    em = [
        tile("lens", entries=[LENS, leaf("1.1 0.1 -0.1 0.9 300.25 -50.5")]),
        tile("list", entries=[{"type": "list", "specList": [leaf("2 3", "TranslationModel2D")]}]),
        tile("none", entries=[]),
    ]
    two_stacks(tmp_path, em=em, shared=SHARED)
    frozen = frozen_from(tmp_path, minX=-20.7, maxX=500, minY=-100, maxY=400)
    origin = [-21, -100]
    assert list(frozen.origin) == origin
    patches = {patch.tile_id: patch for patch in patches_of(tmp_path, frozen)}
    for spec in em:
        expected = tile_corners(spec, SHARED, spec["tileId"]) - origin
        assert np.abs(patches[spec["tileId"]].corners - expected).max() < 1e-6
    assert record_of(tmp_path, frozen).tiles["EM"]["transformIdToSpecMap"] == SHARED


def test_the_same_stacks_give_the_same_bytes_and_another_name_another_project(tmp_path):
    two_stacks(tmp_path, zs=(1.0, 2.0))
    one, again = (frozen_from(tmp_path / part, name="n") for part in linked(tmp_path, "ab"))
    assert one == again
    assert project_of(tmp_path / "a", one)[0] == project_of(tmp_path / "b", again)[0]
    other = frozen_from(tmp_path, name="other")
    unuids = [entry.unuid for entry in (*one.sections, *other.sections)]
    assert len(set(unuids)) == 4


def linked(folder, names):
    for name in names:
        (folder / name).mkdir()
        (folder / name / "stacks").symlink_to(folder / "stacks")
        yield name


def test_a_project_is_created_once_and_again_with_the_same_bytes(tmp_path):
    frozen = frozen_from(two_stacks(tmp_path, zs=(1.0, 2.5)))
    folder = tmp_path / "first"
    assert create_missing(folder, frozen) == ["00001", "00002.5"]
    for entry in frozen.sections:
        path = folder / f"{entry.stem}.xml"
        assert sha256_of_bytes(path.read_bytes()) == entry.draft_sha256
    (folder / "00001.xml").write_bytes(b"saved")
    (folder / "00002.5.xml").rename(folder / "00002.5.xml.gz")
    assert create_missing(folder, frozen) == []
    (folder / "00002.5.xml.gz").unlink()
    assert create_missing(folder, frozen) == ["00002.5"]
    assert (folder / "00001.xml").read_bytes() == b"saved"


def test_the_project_opens_on_the_em_and_without_the_message_of_a_crash(tmp_path):
    """TrakEM2 reports a crash where the folder of its smaller images does not exist."""
    two_stacks(tmp_path, em=[tile("a", 300.0, 40.0), tile("b", 400.0, 40.0)])
    frozen = frozen_from(tmp_path, minX=0, minY=0, maxX=5000, maxY=4000)
    _, root = project_of(tmp_path, frozen)
    create_missing(tmp_path / "first", frozen)
    mipmaps = tmp_path / "first" / root.find("project").get("mipmaps_folder")
    assert mipmaps.is_dir() and not any(mipmaps.iterdir())
    display = root.find("t2_display").attrib
    assert display["layer_id"] == root.findall(".//t2_layer")[-1].get("oid")
    box = [int(display[f"srcrect_{key}"]) for key in ("x", "y", "width", "height")]
    assert box == [300, 40, 200, 80]
    assert 0 < float(display["magnification"]) <= 1


def test_what_an_older_release_froze_gets_the_same_project_again(tmp_path):
    frozen = frozen_from(two_stacks(tmp_path))
    entry = frozen.sections[0]
    record = read_section(tmp_path / "first", frozen, entry)
    without = {key: value for key, value in frozen.to_record().items() if key != "projectForm"}
    older = Frozen.from_record(without)
    assert b"t2_display" in project_bytes(frozen, entry, record)
    assert b"t2_display" not in project_bytes(older, entry, record)
    with pytest.raises(UserError, match="would create another project of section 00001"):
        create_missing(tmp_path / "first", older)
    assert not (tmp_path / "first" / "00001.xml").exists()


def test_first_and_last_section_are_kept_to(tmp_path):
    frozen = frozen_from(two_stacks(tmp_path, zs=(1.0, 2.0, 3.0, 4.0)), minZ=2, maxZ=3)
    assert [entry.stem for entry in frozen.sections] == ["00002", "00003"]


def test_a_section_without_lm_stops_or_is_left_out(tmp_path):
    fill(tmp_path / "stacks", "EM", {z: [tile(f"e{z}")] for z in (1.0, 2.0, 3.0)})
    fill(tmp_path / "stacks", "LM", {1.0: [tile("l")], 3.0: [tile("far", 9000.0)]})
    with pytest.raises(UserError, match=r"section z = 2\.0, 3\.0: no tile of an LM stack"):
        frozen_from(tmp_path)
    assert not (tmp_path / "first" / "frozen").exists()
    frozen = frozen_from(tmp_path, sectionsWithoutLM="skip")
    assert [entry.z for entry in frozen.sections] == [1.0]
    assert [one.z for one in frozen.left_out] == [2.0, 3.0]


def test_one_of_several_lm_stacks_is_enough(tmp_path):
    two_stacks(tmp_path, zs=(1.0, 2.0))
    fill(tmp_path / "stacks", "LM_2", {1.0: [tile("l2")]})
    frozen = frozen_from(tmp_path, LMstacks=["LM_2", "LM"], LMstack=None)
    assert frozen.sections[1].tiles == {"LM_2": 0, "LM": 1, "EM": 1}


def test_a_section_without_em_in_the_box_is_left_out(tmp_path):
    em = {1.0: [tile("e1")], 2.0: [tile("e2", 5000.0)]}
    fill(tmp_path / "stacks", "EM", em)
    fill(tmp_path / "stacks", "LM", {1.0: [tile("l1")], 2.0: [tile("l2")]})
    frozen = frozen_from(tmp_path, maxX=500)
    assert [entry.z for entry in frozen.sections] == [1.0]
    assert frozen.left_out == (LeftOut(2.0, "no tile of the EM stack in the box"),)
    report = "\n".join(frozen_summary(tmp_path / "first", frozen)[0])
    assert "Section z = 2.0 is left out" in report


def test_sections_of_other_z_do_not_match(tmp_path):
    fill(tmp_path / "stacks", "EM", {1.0: [tile("e")], 2.0: [tile("f")]})
    fill(tmp_path / "stacks", "LM", {7.0: [tile("l")]})
    with pytest.raises(UserError, match=r"2 sections, z = 1\.0 to 2\.0.*1 section, z = 7\.0"):
        frozen_from(tmp_path)


def test_tiles_in_the_box_are_taken_and_the_others_named(tmp_path):
    em = [tile("in"), tile("edge", 200.0), tile("out", 201.0), tile("left", -100.5)]
    lm = [tile("lm_in"), tile("lm_out", 300.0)]
    frozen = frozen_from(two_stacks(tmp_path, em=em, lm=lm), minX=0, maxX=200, minY=0, maxY=80)
    record = record_of(tmp_path, frozen)
    assert record.outside == ("out",)
    assert set(record.tiles["EM"]["tileIdToSpecMap"]) == {"in", "edge", "out", "left"}
    assert set(record.tiles["LM"]["tileIdToSpecMap"]) == {"lm_in"}
    assert [p.tile_id for p in patches_of(tmp_path, frozen)] == ["lm_in", "edge", "in", "left"]


def test_tiles_that_stick_out_keep_negative_coordinates_and_are_counted(tmp_path):
    em = [tile("in", 50.0), tile("left", -30.25)]
    frozen = frozen_from(two_stacks(tmp_path, em=em), minX=0, maxX=200, minY=0, maxY=80)
    left = next(p for p in patches_of(tmp_path, frozen) if p.tile_id == "left")
    assert left.matrix[4] == -30.25
    assert frozen.sections[0].sticks_out == 1
    (warning,) = warnings_of(tmp_path, frozen)
    assert "tiles of 'EM' that reach beyond the box of the projects: 1" in warning
    assert "'buffersize' of 31 would contain" in warning
    sides = {"minX": 0, "maxX": 200, "minY": 0, "maxY": 80}
    wider = frozen_from(tmp_path, name="wider", buffersize=31, **sides)
    assert warnings_of(tmp_path, wider) == []
    assert wider.layer == {"width": 262, "height": 142}


def test_the_box_of_a_tile_is_the_box_of_all(tmp_path):
    two_stacks(tmp_path, zs=(1.0,), em=[tile("a", 5.0, 6.0), tile("b", 500.0)])
    frozen = frozen_from(tmp_path, tile="a", buffersize=1)
    assert frozen.bounds == {"minX": 4, "minY": 5, "maxX": 106, "maxY": 87}
    with pytest.raises(UserError, match="'nothing', which is not in 'EM'"):
        frozen_from(tmp_path, name="n", tile="nothing")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (leaf("1 2", "SomeOtherTransform"), "SomeOtherTransform"),
        ({"type": "interpolated", "a": {}, "b": {}, "lambda": 0.5}, "interpolated"),
        ({"type": "ref", "refId": "gone"}, "'gone' is not in the stack"),
        (leaf("1 0 0 0 0 0"), "cannot be inverted"),
    ],
)
def test_what_trakem2_cannot_hold_is_refused_by_tile(tmp_path, entry, told):
    fill(tmp_path / "stacks", "EM", {1.0: [tile("good")]})
    fill(tmp_path / "stacks", "LM", {1.0: [tile("l")]})
    box = {"minX": 0, "minY": 0, "maxX": 100, "maxY": 80}
    fill(tmp_path / "stacks", "EM", {1.0: [tile("good"), tile("bad", entries=[entry], **box)]})
    with pytest.raises(UserError, match=f"tile bad.*{told}"):
        frozen_from(tmp_path)
    assert not (tmp_path / "first" / "frozen").exists()


@pytest.mark.parametrize(
    ("scale", "warned"), [(1.0, False), (0.51, False), (0.4, True), (1.9, False), (2.5, True)]
)
def test_em_at_another_scale_is_warned_about(tmp_path, scale, warned):
    fill(tmp_path / "stacks", "EM", {1.0: [tile("e", entries=[leaf(f"{scale} 0 0 -{scale} 0 0")])]})
    fill(tmp_path / "stacks", "LM", {1.0: [tile("l", -10.0, -100.0)]})
    frozen = frozen_from(tmp_path, minX=-500, minY=-500, maxX=500, maxY=500)
    warnings = warnings_of(tmp_path, frozen)
    assert [("apply_global_affine" in text) for text in warnings] == [True] * warned
    lines = frozen_summary(tmp_path / "first", frozen)[0]
    assert f"EM stack 'EM': 1 tile, median scale {scale:g}" in "\n".join(lines)


def test_a_layer_that_is_too_large_is_warned_about_or_refused(tmp_path):
    two_stacks(tmp_path)
    frozen = frozen_from(tmp_path, maxX=65_547)
    assert any("above 65,536" in text for text in warnings_of(tmp_path, frozen))
    with pytest.raises(UserError, match="TrakEM2 can hold 16,777,216"):
        frozen_from(tmp_path, name="n", maxX=2**24 + 11)


def test_a_stack_without_resolution_is_told(tmp_path):
    two_stacks(tmp_path, version={})
    frozen = frozen_from(tmp_path)
    assert any("no resolution" in text for text in warnings_of(tmp_path, frozen))


def test_what_was_frozen_is_read_again_after_it_was_made(tmp_path):
    frozen = frozen_from(two_stacks(tmp_path, zs=(0.0, 12.25)))
    assert read_frozen(tmp_path / "first") == frozen


def test_the_script_for_fiji_knows_each_section_and_its_project_as_created(tmp_path):
    """It tells a saved section by another hash; a person's own changes to it stay."""
    frozen = frozen_from(two_stacks(tmp_path, zs=(1.0, 2.5)))
    folder = tmp_path / "first"
    create_missing(folder, frozen)
    assert create_script(folder, frozen)
    path = folder / "crossreg_sections.bsh"
    text = path.read_text()
    for entry in frozen.sections:
        digest = sha256_of_bytes((folder / f"{entry.stem}.xml").read_bytes())
        assert f'{{ "{entry.stem}", "{digest}" }}' in text
    assert f'new File("{folder}")' in text and "@" not in text.replace("\n", "")
    path.write_text("mine")
    assert not create_script(folder, frozen)
    assert path.read_text() == "mine"
