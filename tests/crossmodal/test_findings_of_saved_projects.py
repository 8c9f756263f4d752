"""Each accident in TrakEM2 is found, named by section and tile, and told what to do."""

import re

import numpy as np
import planted_project as pp
import pytest
from test_round_trip_of_projects import with_added

from crossreg.crossmodal import affine
from crossreg.crossmodal.check.check_project import check_project
from crossreg.crossmodal.check.checked_section import Policy
from crossreg.crossmodal.check.folder_findings import folder_findings, stack_changes
from crossreg.crossmodal.render.transform_data import PREFIX
from saved_by_trakem2 import java_double, saved_by_trakem2

PLANTED = pp.planted()
EM = [patch for patch in PLANTED.frozen.patches if patch.stack == "EM"]
LM = [patch for patch in PLANTED.frozen.patches if patch.stack == "LM"]
REGISTERED = pp.turn(1.0, 5.0, -3.0)
REGISTERED_MATRICES = {patch.oid: pp.moved(patch, REGISTERED) for patch in EM}
XML = saved_by_trakem2(PLANTED.xml, REGISTERED_MATRICES)


def element(xml: bytes, oid: int) -> bytes:
    """Return the bytes of one patch in a saved project."""
    pattern = rb'\t*<t2_patch\s+oid="%d".*?</t2_patch>\n' % oid
    return re.search(pattern, xml, re.DOTALL).group(0)


def edited(oid: int, old: str, new: str, xml: bytes = XML) -> bytes:
    """Return the project with `old` replaced by `new` in one patch."""
    before = element(xml, oid)
    assert re.search(old.encode(), before), before.decode()
    return xml.replace(before, re.sub(old.encode(), new.encode(), before, count=1))


def resized(xml: bytes) -> bytes:
    return xml.replace(b'layer_width="900.0"', b'layer_width="1200.0"')


def all_moved(motion, em_motion=REGISTERED) -> bytes:
    """Return the project after a motion of everything that follows the registration."""
    together = {patch.oid: pp.moved(patch, motion) for patch in LM}
    together |= {patch.oid: pp.moved(patch, affine.compose(motion, em_motion)) for patch in EM}
    return saved_by_trakem2(PLANTED.xml, together)


def check(xml: bytes, **policy):
    return check_project(xml, "00042.xml", PLANTED.frozen, Policy(**policy))


def kinds(checked, level=None):
    return {finding.kind for finding in checked.findings if level in (None, finding.level)}


def test_a_registered_project_has_no_findings():
    assert not check(XML).findings


ONE, PLAIN, LENS = LM[0].oid, PLANTED.patch("plain").oid, PLANTED.patch("lens").oid
COPY = element(XML, PLAIN).replace(b'oid="%d"' % PLAIN, b'oid="999"')
PATCH_FAULTS = {
    "tile_deleted": (XML.replace(element(XML, PLAIN), b""), PLAIN),
    "tile_deleted LM": (XML.replace(element(XML, ONE), b""), ONE),
    "tile_duplicated": (XML.replace(element(XML, PLAIN), element(XML, PLAIN) + COPY), PLAIN),
    "tile_duplicated by oid": (XML.replace(element(XML, PLAIN), element(XML, PLAIN) * 2), PLAIN),
    "tile_on_other_layer": (
        XML.replace(element(XML, PLAIN), b"").replace(
            element(XML, ONE), element(XML, ONE) + element(XML, PLAIN)
        ),
        PLAIN,
    ),
    "tile_on_other_layer LM": (
        XML.replace(element(XML, ONE), b"").replace(
            element(XML, PLAIN), element(XML, PLAIN) + element(XML, ONE)
        ),
        ONE,
    ),
    "image_changed name": (edited(PLAIN, r"image_2\.tif", "other.tif"), PLAIN),
    "image_changed size": (edited(PLAIN, 'o_width="100"', 'o_width="101"'), PLAIN),
    "image_changed type": (edited(ONE, 'type="0"', 'type="1"'), ONE),
    "singular_matrix": (edited(PLAIN, r"matrix\(.*?\)", "matrix(1.0,2.0,2.0,4.0,0.0,0.0)"), PLAIN),
    "singular_matrix NaN": (edited(ONE, r"matrix\(.*?\)", "matrix(NaN,0,0,1,0,0)"), ONE),
    "transform_changed missing": (
        edited(LENS, r"(?s)<ict_transform_list>.*</ict_transform_list>", ""),
        LENS,
    ),
    "transform_changed coefficient": (edited(LENS, "1.02 0.01", "1.03 0.01"), LENS),
    "transform_changed order": (
        edited(LENS, r"(<ict_tr.*?/>)\s*(<ict_tr.*?/>)", r"\2\1"),
        LENS,
    ),
    "ct_id_only": (
        edited(
            LENS,
            r'(?s)(mres="32")(.*)<ict_transform_list>.*</ict_transform_list>',
            r'\1 ct_id="1" \2',
        ),
        LENS,
    ),
    "lm_moved": (
        saved_by_trakem2(
            PLANTED.xml, REGISTERED_MATRICES | {ONE: pp.moved(LM[0], pp.turn(0, 0.002))}
        ),
        ONE,
    ),
}
PATCH_FAULTS["lm_transformed"] = (
    saved_by_trakem2(
        with_added(PLANTED.xml, ONE, "TranslationModel2D", "1 1"), REGISTERED_MATRICES
    ),
    ONE,
)
PATCH_FAULTS["transform_added"] = (
    saved_by_trakem2(
        with_added(PLANTED.xml, PLAIN, "TranslationModel2D", "1 1"), REGISTERED_MATRICES
    ),
    PLAIN,
)


@pytest.mark.parametrize(("name", "fault"), PATCH_FAULTS.items(), ids=PATCH_FAULTS.keys())
def test_a_fault_of_a_tile_is_the_one_error_and_names_the_tile(name, fault):
    xml, oid = fault
    checked = check(xml)
    patch = next(patch for patch in PLANTED.frozen.patches if patch.oid == oid)
    assert checked.faulty
    assert [finding.kind for finding in checked.findings] == [name.split()[0]]
    finding = checked.findings[0]
    assert (finding.level, finding.section) == ("error", pp.STEM)
    assert (finding.stack, finding.tile, finding.title) == (
        patch.stack,
        patch.tile_id,
        patch.title,
    )
    assert finding.expected and finding.found and finding.advice
    assert "deleted" in name or "duplicated" in name or oid not in registered_oids(checked)


def registered_oids(checked):
    return {tile.patch.oid for tile in checked.tiles}


def test_a_tile_of_another_image_is_an_added_one():
    other = COPY.replace(b"image_2.tif", b"mine.tif").replace(b"plain", b"mine")
    checked = check(XML.replace(element(XML, PLAIN), element(XML, PLAIN) + other))
    assert [(f.kind, f.title) for f in checked.findings] == [("tile_added", "mine")]


def test_a_tile_that_took_the_oid_of_a_deleted_one_is_not_taken_for_it():
    impostor = re.sub(rb"<t2_prop.*?</t2_prop>", b"", element(XML, PLAIN), flags=re.DOTALL)
    impostor = impostor.replace(b"image_2.tif", b"other.tif")
    checked = check(XML.replace(element(XML, PLAIN), impostor))
    assert kinds(checked, "error") == {"tile_deleted", "tile_added"}


def test_an_unknown_class_that_was_added_is_refused_by_name():
    xml = with_added(PLANTED.xml, PLAIN, "HomographyModel2D", "1 1")
    checked = check(xml, new_transforms="accept")
    finding = next(f for f in checked.findings if f.level == "error")
    assert finding.kind == "transform_unusable" and "HomographyModel2D" in finding.sentence()


def test_another_configuration_or_section_is_refused_alone():
    for attribute, value, kind in (
        ("crossreg_frozen", pp.FINGERPRINT, "other_configuration"),
        ("crossreg_section", pp.STEM, "other_section"),
    ):
        old = f'{attribute}="{value}"'.encode()
        for new in (old.replace(value.encode(), b"00043"), b""):
            checked = check(XML.replace(old, new))
            assert [finding.kind for finding in checked.findings] == [kind]


ONLY_ANY = {"canvas": False, "error": False, "any": True}
ALSO_CANVAS = {"canvas": True, "error": False, "any": True}
MOTIONS = {
    "canvas": (pp.turn(0, 150.5, 20.25), True, ALSO_CANVAS),
    "translation": (pp.turn(0, 150.5, 20.25), False, ONLY_ANY),
    "affine": (pp.turn(20, 30, 5, 1.1), True, ONLY_ANY),
    "mirror": ((-1.0, 0, 0, 1.0, 900, 0), False, ONLY_ANY),
}


@pytest.mark.parametrize("policy", ["canvas", "error", "any"])
@pytest.mark.parametrize("case", MOTIONS.values(), ids=MOTIONS.keys())
def test_a_common_motion_is_corrected_as_the_policy_says(case, policy):
    motion, is_resized, corrected = case
    xml = all_moved(motion)
    checked = check(resized(xml) if is_resized else xml, common_motion=policy)
    assert kinds(checked, "warning" if corrected[policy] else "error") == {"common_motion"}
    if corrected[policy]:
        assert not checked.faulty
        np.testing.assert_allclose(checked.common_motion, motion, atol=1e-9)
        for tile in checked.tiles:
            expected = pp.moved(tile.patch, REGISTERED)
            np.testing.assert_allclose(tile.matrix, expected, rtol=0, atol=1e-7)


def test_everything_moved_together_counts_as_not_registered():
    checked = check(resized(all_moved(pp.turn(0, 7, 7), affine.IDENTITY)))
    assert kinds(checked) == {"common_motion", "nothing_moved"}


def test_a_resized_layer_with_lm_still_is_a_warning():
    checked = check(resized(XML))
    assert not checked.faulty and kinds(checked, "warning") == {"layer_resized"}
    assert "1200 x 700" in checked.findings[0].found


def test_a_resized_layer_without_lm_says_that_nothing_tells():
    planted = pp.planted(lm={})
    checked = check_project(resized(saved_by_trakem2(planted.xml)), "x", planted.frozen)
    assert (
        "no LM tile tells" in next(f for f in checked.findings if f.kind == "layer_resized").found
    )


def with_motion(tile_id: str, motion) -> bytes:
    """Return the project with one tile moved further, about its own centre."""
    patch = PLANTED.patch(tile_id)
    centre = affine.apply(REGISTERED, patch.corners).mean(axis=0)
    together = affine.compose(pp.about(motion, *centre), REGISTERED)
    return saved_by_trakem2(
        PLANTED.xml, REGISTERED_MATRICES | {patch.oid: pp.moved(patch, together)}
    )


@pytest.mark.parametrize(
    ("motion", "found"),
    [
        (pp.turn(0, scale=1.06), {"scale_off"}),
        ((0.94, 0, 0, 1.0, 0, 0), {"scale_off"}),
        ((1.0, 0, 0, 1.06, 0, 0), {"scale_off"}),
        (pp.turn(0, scale=1.04), set()),
        (pp.turn(5.5), {"rotation_off"}),
        (pp.turn(-4.5), set()),
        ((1.0, 0, 0.025, 1.0, 0, 0), {"shear_off"}),
        ((1.0, 0, -0.015, 1.0, 0, 0), set()),
        (pp.turn(0, 300, 100), {"position_off"}),
        (pp.turn(0, 6, 0), {"position_off"}),
        (pp.turn(0, 4, 0), set()),
    ],
)
def test_a_tile_that_stands_out_of_its_section_is_warned_of(motion, found):
    checked = check(with_motion("plain", motion))
    assert not checked.faulty and kinds(checked) == found
    assert {finding.tile for finding in checked.findings} == ({"plain"} if found else set())


def test_a_mirrored_tile_is_warned_of():
    checked = check(with_motion("bare", (1.0, 0, 0, -1.0, 0, 80)))
    assert [f.tile for f in checked.findings if f.kind == "mirrored"] == ["bare"]


def test_a_section_turned_by_half_a_turn_is_not_full_of_outliers():
    angles = dict(zip((patch.oid for patch in EM), (179.5, -179.5, 179.0, -179.0), strict=True))
    half_turns = {patch.oid: pp.about(pp.turn(angles[patch.oid]), 450, 350) for patch in EM}
    edits = {patch.oid: pp.moved(patch, half_turns[patch.oid]) for patch in EM}
    found = kinds(check(saved_by_trakem2(PLANTED.xml, edits)))
    assert not found & {"rotation_off", "scale_off", "shear_off"}


def test_unmoved_tiles():
    assert kinds(check(saved_by_trakem2(PLANTED.xml))) == {"nothing_moved"}
    one_left = {oid: m for oid, m in REGISTERED_MATRICES.items() if oid != PLAIN}
    checked = check(saved_by_trakem2(PLANTED.xml, one_left))
    assert [(f.level, f.kind, f.tile) for f in checked.findings] == [
        ("note", "tile_unmoved", "plain")
    ]


def test_moved_means_more_than_a_thousandth_of_a_pixel():
    for shift, kind in ((0.0009, {"nothing_moved"}), (0.0011, set())):
        edits = {patch.oid: pp.moved(patch, pp.turn(0, shift)) for patch in EM}
        assert kinds(check(saved_by_trakem2(PLANTED.xml, edits))) == kind


NOTES = {
    "hidden": edited(PLAIN, 'title="', 'visible="false" title="'),
    "unlocked": edited(ONE, 'locked="true"', ""),
    "retitled": edited(PLAIN, 'title="plain"', 'title="my tile"'),
    "contrast": edited(PLAIN, 'max="200.0"', 'max="150.0"'),
    "opacity": edited(ONE, "fill-opacity:1.0", "fill-opacity:0.4"),
}


@pytest.mark.parametrize(("kind", "xml"), NOTES.items(), ids=NOTES.keys())
def test_what_is_ignored_on_import_is_a_note(kind, xml):
    checked = check(xml)
    assert [(f.level, f.kind) for f in checked.findings] == [("note", kind)]
    assert len(checked.tiles) == len(EM)


def test_annotations_are_a_note():
    label = b'<t2_label oid="77" title="look here"></t2_label>'
    checked = check(XML.replace(b"</t2_layer>", label + b"</t2_layer>", 1))
    assert [(f.level, f.kind, f.found) for f in checked.findings] == [
        ("note", "annotations", "1 t2_label")
    ]


def test_another_image_folder_is_one_warning_and_a_relative_one_is_none():
    assert not check(saved_by_trakem2(XML, folder="/data")).findings
    for folder in (b"/Volumes/data/", b"Z:\\data\\"):
        checked = check(XML.replace(b"/data/EM/", folder))
        assert [(f.level, f.kind) for f in checked.findings] == [("warning", "image_folder")]


def test_transforms_written_in_single_precision_are_the_same():
    rows = "0.123456789 0 5 6 1 100 0 120 1 1 0 80.987654321 1 98 1 70 60 80 50 1"
    data = f"affine 2 2.0 {rows}"
    single = " ".join(
        java_double(np.float32(word)) if "." in word and i > 2 else word
        for i, word in enumerate(data.split())
    )
    assert single != data
    entry = pp.leaf("MovingLeastSquaresTransform2", data)
    planted = pp.planted(em={"t": pp.spec("t", entry)})
    xml = planted.xml.replace(data.encode(), single.encode())
    assert xml != planted.xml
    assert kinds(check_project(xml, "x", planted.frozen)) == {"nothing_moved"}


def test_accepted_transforms_are_reported():
    xml = with_added(PLANTED.xml, PLAIN, "TranslationModel2D", "1 1")
    checked = check(saved_by_trakem2(xml, REGISTERED_MATRICES), new_transforms="accept")
    assert [(f.level, f.kind, f.tile) for f in checked.findings] == [
        ("note", "transform_added", "plain")
    ]
    added = {tile.patch.tile_id: tile.added for tile in checked.tiles}
    assert added["plain"] == ((PREFIX + "TranslationModel2D", "1 1"),) and added["lens"] == ()


def test_all_findings_of_a_section_come_together():
    xml = edited(ONE, 'locked="true"', "", edited(PLAIN, 'o_width="100"', 'o_width="101"'))
    assert kinds(check(resized(xml))) == {"image_changed", "unlocked", "layer_resized"}


def test_files_in_the_folder():
    names = ["00042.xml", "00042.xml.gz", "00043.xml", "untitled.xml", "frozen", "trakem2.1.2.3"]
    found = folder_findings(names, ["00042", "00043", "00044"])
    assert [(f.level, f.kind, f.section) for f in found] == [
        ("error", "two_files", "00042"),
        ("note", "stray_file", ""),
    ]
    assert (
        found[1]
        .sentence()
        .startswith("the folder of projects: expected only projects, found untitled.xml; ")
    )


def test_a_stack_that_changed_since_freezing_is_a_note():
    frozen = {"tileIdToSpecMap": dict(pp.EM_SPECS), "transformIdToSpecMap": pp.SHARED}
    assert stack_changes(pp.STEM, "EM", frozen, frozen) == []
    tiles = dict(pp.EM_SPECS, plain=pp.spec("plain"))
    del tiles["bare"]
    live = {"tileIdToSpecMap": tiles, "transformIdToSpecMap": {"lens": pp.SHARED["lens"]}}
    (finding,) = stack_changes(pp.STEM, "EM", frozen, live)
    assert (finding.level, finding.kind) == ("note", "stack_changed")
    for part in ("1 changed tile (plain", "1 missing tile (bare", "1 changed transform (shift"):
        assert part in finding.found


def test_a_sentence_names_section_tile_title_and_what_to_do():
    sentence = check(PATCH_FAULTS["tile_deleted"][0]).findings[0].sentence()
    assert sentence.startswith("section 00042, tile plain of stack EM: expected the tile, found")


def placed(x: float, y: float) -> dict:
    return pp.spec(f"at_{x}_{y}", pp.leaf("AffineModel2D", f"1 0 0 1 {x} {y}"))


def test_two_tiles_that_were_swapped_are_named():
    """Their scale and rotation are as those of the others: only the position tells."""
    em = {
        f"t{i}{j}": pp.spec(
            f"t{i}{j}", pp.leaf("AffineModel2D", f"1 0 0 1 {1000 + 90 * i} {2000 + 70 * j}")
        )
        for i in range(4)
        for j in range(3)
    }
    planted = pp.planted(em=em)
    swap = {"t11": (90.0, 0.0), "t21": (-90.0, 0.0)}
    moved = {
        patch.oid: pp.moved(
            patch, affine.compose(REGISTERED, affine.translation(*swap.get(patch.tile_id, (0, 0))))
        )
        for patch in planted.frozen.patches
        if patch.stack == "EM"
    }
    found = check_project(saved_by_trakem2(planted.xml, moved), "x", planted.frozen).findings
    assert [(f.kind, f.tile) for f in found] == [("position_off", "t11"), ("position_off", "t21")]
    assert "one 90 px away" in found[0].found


GRIDS = {2: (2, 1), 3: (3, 1), 4: (2, 2), 5: (5, 1), 6: (3, 2), 7: (7, 1), 8: (4, 2), 9: (3, 3)}
"""Tiles of a section -> columns and rows."""


def off_in_grid(count: int, target: dict, jitter: float = 0.3) -> set[int]:
    """Return the tiles that are warned of after some were put at the place of another.

    `target` is tile -> the tile at whose place it was put, or a shift in px.
    """
    columns, _ = GRIDS[count]
    places = [(1000 + 90 * (i % columns), 2000 + 70 * (i // columns)) for i in range(count)]
    em = {
        f"t{i}": pp.spec(f"t{i}", pp.leaf("AffineModel2D", f"1 0 0 1 {x} {y}"))
        for i, (x, y) in enumerate(places)
    }
    planted = pp.planted(em=em)
    random = np.random.default_rng(count)
    moved = {}
    for i in range(count):
        patch, to = planted.patch(f"t{i}"), target.get(i, (0.0, 0.0))
        shift = np.subtract(places[to], places[i]) if isinstance(to, int) else np.array(to)
        added = affine.translation(*(shift + random.normal(0, jitter, 2)))
        moved[patch.oid] = pp.moved(patch, affine.compose(REGISTERED, added))
    found = check_project(saved_by_trakem2(planted.xml, moved), "x", planted.frozen).findings
    assert {f.kind for f in found} <= {"position_off"}
    return {int(f.tile[1:]) for f in found}


@pytest.mark.parametrize("count", GRIDS)
def test_any_two_swapped_tiles_of_a_few_are_named(count):
    for one in range(count):
        for other in range(one):
            assert off_in_grid(count, {one: other, other: one}) == {one, other}


@pytest.mark.parametrize("count", range(3, 10))
def test_three_tiles_that_were_cycled_are_named(count):
    for a, b, c in [(0, 1, 2), (0, count - 1, 1), (count - 3, count - 2, count - 1)]:
        if len({a, b, c}) == 3:
            assert off_in_grid(count, {a: b, b: c, c: a}) == {a, b, c}


def test_all_four_tiles_cycled_or_swapped_in_pairs_are_named():
    for target in ({0: 1, 1: 3, 3: 2, 2: 0}, {0: 1, 1: 0, 2: 3, 3: 2}, {0: 3, 3: 0, 1: 2, 2: 1}):
        assert off_in_grid(4, target) == {0, 1, 2, 3}


@pytest.mark.parametrize("count", range(3, 10))
def test_one_tile_of_a_few_that_was_dragged_is_named_alone(count):
    for tile in range(count):
        for shift in ((12.0, 0.0), (-30.0, 25.0), (150.0, 220.0)):
            assert off_in_grid(count, {tile: shift}) == {tile}


def test_of_two_tiles_nobody_knows_which_was_dragged():
    assert off_in_grid(2, {1: (30.0, 0.0)}) == {0, 1}


@pytest.mark.parametrize("count", GRIDS)
def test_a_few_tiles_set_by_hand_to_a_pixel_are_not_off(count):
    assert off_in_grid(count, {}, jitter=1.0) == set()


def test_the_only_lm_tile_that_moved_is_named_and_nothing_is_offered():
    planted = pp.planted(lm={"lm_1": pp.LM_SPECS["lm_1"]})
    patch = planted.patch("lm_1")
    xml = saved_by_trakem2(planted.xml, {patch.oid: pp.moved(patch, pp.turn(0.0, 40.0))})
    (finding,) = (f for f in check_project(xml, "x", planted.frozen).findings if f.level == "error")
    assert (finding.kind, finding.tile) == ("lm_moved", "lm_1")
    assert "moved by 40 px" in finding.found and "common_motion" not in finding.advice


def test_tiles_that_scatter_are_not_all_off():
    """Tiles registered one by one are each some px from the common motion."""
    random = np.random.default_rng(1)
    em = {
        f"t{i}": pp.spec(f"t{i}", pp.leaf("AffineModel2D", f"1 0 0 1 {1000 + 20 * i} 2000"))
        for i in range(30)
    }
    planted = pp.planted(em=em)
    moved = {
        patch.oid: pp.moved(patch, affine.translation(*(random.normal(0, 8.0, 2) + 50)))
        for patch in planted.frozen.patches
        if patch.stack == "EM"
    }
    found = check_project(saved_by_trakem2(planted.xml, moved), "x", planted.frozen).findings
    assert not found


@pytest.mark.parametrize(
    ("motion", "kind", "found"),
    [
        (pp.turn(0, scale=1e4), "scale_extreme", "one scaled by 1e+04"),
        (pp.turn(0, scale=0.4), "scale_extreme", "one scaled by 0.4"),
        (pp.turn(0, 1e6), "outside_layer", "px beside it"),
    ],
)
def test_a_tile_alone_in_its_section_cannot_hide_an_extreme_motion(motion, kind, found):
    planted = pp.planted(em={"plain": pp.EM_SPECS["plain"]})
    (patch,) = (patch for patch in planted.frozen.patches if patch.stack == "EM")
    xml = saved_by_trakem2(planted.xml, {patch.oid: pp.moved(patch, motion)})
    findings = check_project(xml, "x", planted.frozen).findings
    told = {finding.kind: finding for finding in findings}
    assert told[kind].level == "warning" and found in told[kind].found


def test_a_mask_and_a_filter_are_notes():
    masked = edited(PLAIN, 'mres="32"', 'mres="32" alpha_mask_id="7"')
    filtered = edited(
        PLAIN,
        "</t2_patch>",
        '<t2_filter class="ini.trakem2.imaging.filters.Invert" /></t2_patch>',
        masked,
    )
    found = check(filtered).findings
    assert [(f.level, f.kind, f.found) for f in found] == [
        ("note", "mask", "a mask"),
        ("note", "filter", "filter Invert"),
    ]


def test_of_a_duplicated_tile_the_check_says_which_to_keep():
    finding = check(PATCH_FAULTS["tile_duplicated"][0]).findings[0]
    assert f"keep the tile with oid {PLAIN} and delete this one" in finding.advice
    assert "oid 999" in finding.found


def test_a_copy_alone_is_taken_for_its_tile():
    """A person duplicated a tile and deleted the first one: image, size and place are the same."""
    copy = re.sub(rb"<t2_prop.*?</t2_prop>", b"", COPY, flags=re.DOTALL)
    checked = check(XML.replace(element(XML, PLAIN), copy))
    assert not checked.faulty
    assert [(f.level, f.kind, f.tile) for f in checked.findings] == [
        ("warning", "tile_replaced", "plain")
    ]
    matrices = {tile.patch.tile_id: tile.matrix for tile in checked.tiles}
    assert matrices["plain"] == pytest.approx(REGISTERED_MATRICES[PLAIN])
    two = XML.replace(element(XML, PLAIN), copy + copy.replace(b'"999"', b'"998"'))
    assert kinds(check(two), "error") == {"tile_deleted", "tile_duplicated"}


def test_a_section_saved_without_a_move_can_be_confirmed():
    xml = saved_by_trakem2(PLANTED.xml)
    assert kinds(check(xml), "warning") == {"nothing_moved"}
    confirmed = check(xml, confirmed_sections=(42.0,))
    assert [(f.level, f.kind) for f in confirmed.findings] == [("note", "confirmed")]


# What TrakEM2 writes of labels with these characters, see the facts of the round trip.
BROKEN_LABELS = ["a & b", "x < y", 'the "left" one', "two\nlines & more", "&lt; & <"]


@pytest.mark.parametrize("text", BROKEN_LABELS)
def test_a_project_that_trakem2_broke_is_recovered_only_on_request(text):
    lines = ["<t2_label", '\toid="77"', f'\ttitle="{text}"', '\tlinks=""', ">", "</t2_label>"]
    label = "".join(f"\t\t\t{line}\n" for line in lines).encode()
    broken = XML.replace(b"\t\t</t2_layer>", label + b"\t\t</t2_layer>", 1)
    refused = check(broken)
    assert [f.kind for f in refused.findings] == ["unreadable"] and not refused.tiles
    assert "4 EM tiles in it can be recovered" in refused.findings[0].advice
    recovered = check(broken, unreadable_projects="recover")
    assert not recovered.faulty
    assert [(f.level, f.kind) for f in recovered.findings] == [
        ("warning", "recovered"),
        ("note", "annotations"),
    ]
    whole = {tile.patch.oid: tile.matrix for tile in check(XML).tiles}
    assert {tile.patch.oid: tile.matrix for tile in recovered.tiles} == whole


def test_a_broken_title_of_a_tile_is_recovered_too():
    broken = edited(PLAIN, 'title="plain"', 'title="R&D <1>"')
    checked = check(broken, unreadable_projects="recover")
    assert kinds(checked) == {"recovered", "retitled"}
    assert len(checked.tiles) == 4
