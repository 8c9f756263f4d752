"""Every stack of tiles that cannot be used is refused in one sentence: file, tile and fault."""

import importlib
import json
import re

import pytest

from crossmodal.planted_stacks import LENS, fill
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.stack_store import TILES, TRANSFORMS
from crossreg.workflow_support.for_scripts.script_main import run

LONG = "s" * 5000


def nested(levels):
    entry = {"type": "list", "specList": []}
    for _ in range(levels):
        entry = {"type": "list", "specList": [entry]}
    return entry


def tile(**values):
    """Return an edit of a section: its first tile has other values."""

    def edit(section):
        next(iter(section[TILES].values())).update(values)

    return edit


def transform(**values):
    return tile(transforms={"type": "list", "specList": [values]})


def shared(**values):
    return lambda section: section[TRANSFORMS].update(values)


def doubling(section):
    """40 shared transforms, each twice the one before: 2^40 in all."""
    section[TRANSFORMS]["t0"] = {"type": "list", "specList": [{"refId": LENS}] * 2}
    for n in range(40):
        section[TRANSFORMS][f"t{n + 1}"] = {"type": "list", "specList": [{"refId": f"t{n}"}] * 2}
    tile(transforms={"type": "ref", "refId": "t40"})(section)


BAD_SECTIONS = {
    "no tiles": (lambda section: section.pop(TILES), "not a section"),
    "tiles in a list": (lambda section: section.update({TILES: []}), "not a section"),
    "a tile that is text": (
        lambda section: section[TILES].update(a="b"),
        "tile 'a' is not an object",
    ),
    "another tileId": (tile(tileId="../../x"), r"has the tileId '\.\./\.\./x'"),
    "z as text": (tile(z="1.0"), "has z '1.0', but the section is z = 1.0"),
    "z of another section": (tile(z=2.0), "has z 2.0, but the section is z = 1.0"),
    "width as text": (tile(width="100"), "tile '.*': width is '100', which is no number"),
    "box with truth": (tile(minX=True), "tile '.*': minX is True, which is no number"),
    "transforms in a list": (tile(transforms=[]), r"a transform is \[\], which is no object"),
    "specList as text": (
        tile(transforms={"specList": "abc"}),
        "a specList is 'abc', which is no list",
    ),
    "transform as text": (
        tile(transforms={"specList": ["abc"]}),
        "a transform is 'abc', which is no object",
    ),
    "numbers in a list": (
        transform(className="a", dataString=[1, 0, 0, 1, 0, 0]),
        r"the dataString of a transform is \[1, 0",
    ),
    "reference to a list": (transform(refId=["a"]), r"the refId of a transform is \['a'\]"),
    "nested lists": (tile(transforms=nested(200)), "nested too deeply"),
    "nested references": (doubling, "more than 10000 transforms"),
    "levels in a list": (tile(mipmapLevels=[1]), "mipmapLevels is no object of levels"),
    "level by name": (tile(mipmapLevels={"../0": {}}), "mipmapLevels is no object of levels"),
    "image as number": (tile(mipmapLevels={"0": {"imageUrl": 5}}), "imageUrl is 5, which is no"),
    "channels as text": (tile(channels="DAPI"), "channels is no list of objects"),
    "shared transform as text": (shared(lens_2="x"), "shared transform 'lens_2': a transform is"),
    "unknown reference": (
        transform(type="ref", refId="gone"),
        "the transform 'gone' is not in the stack",
    ),
    "reference to itself": (
        lambda section: (
            shared(a={"type": "ref", "refId": "a"})(section),
            transform(type="ref", refId="a")(section),
        ),
        "the transform 'a' refers to itself",
    ),
    "unknown class": (
        transform(className="Evil", dataString=""),
        "Evil: TrakEM2 does not know this class",
    ),
    "words for numbers": (
        transform(className="mpicbg.trakem2.transform.AffineModel2D", dataString="a b c d e f"),
        "AffineModel2D: the data holds something that is not a number",
    ),
    "NaN for numbers": (
        transform(className="mpicbg.trakem2.transform.AffineModel2D", dataString="nan 0 0 1 0 0"),
        "AffineModel2D: the data holds a number that is not finite",
    ),
}
BAD_METADATA = {
    "a list": ([], "not a stack's metadata"),
    "no version": ({"state": "COMPLETE"}, "not a stack's metadata"),
    "version that is a number": ({"currentVersion": 3}, "not a stack's metadata"),
    "stackId": ({"stackId": ["me"]}, "'stackId' of the stack is of the wrong kind"),
    "number": ({"currentVersionNumber": "1"}, "'currentVersionNumber' of the stack is"),
    "notes": ({"currentVersion": {"versionNotes": 5}}, "'versionNotes' of the stack is of"),
    "resolution": ({"currentVersion": {"stackResolutionX": "4"}}, "'stackResolutionX' of the"),
    "bounds": ({"stats": {"stackBounds": {"minX": 0}}}, "'stats.stackBounds' of the stack is"),
    "bounds as text": ({"stats": "large"}, "'stats.stackBounds' of the stack is of"),
}
BAD_NAMES = ("../EM", "/etc", "EM/../EM", ".", "", "-rf", "a;b", "$(x)", "a b", "EM\n", "é", "a__b")


@pytest.fixture
def stacks(tmp_path):
    store = FolderStore(tmp_path / "stacks", "me", "mine")
    fill(store, "EM")
    return tmp_path / "stacks"


def mapped(sentence_of, stacks, name="EM", output="EM2"):
    """Return what apply_global_affine says to a stack."""
    options = ["--stacks", f"folder:{stacks}", f"--input-stack={name}", f"--output-stack={output}"]
    return sentence_of("apply_global_affine", *options)


def rewritten(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("kind", BAD_SECTIONS)
def test_a_bad_section_is_refused_by_file_and_tile(stacks, kind, capsys):
    edit, fault = BAD_SECTIONS[kind]
    rewritten(stacks / "EM" / "00001.json", edit)
    script = importlib.import_module("apply_global_affine")
    place = ["--stacks", f"folder:{stacks}", "--input-stack=EM", "--output-stack=EM2"]
    status = run(script.parser(), script.main, place)
    said = capsys.readouterr().err.splitlines()
    assert (status, len(said)) == (1, 1), said
    assert re.search(f"^ERROR: .*({fault})", said[0]), said
    metadata = stacks / "EM2" / "stack.json"
    assert not metadata.exists() or json.loads(metadata.read_text())["state"] == "LOADING"


@pytest.mark.parametrize("kind", BAD_METADATA)
def test_bad_metadata_is_refused_by_file(stacks, sentence_of, kind):
    change, fault = BAD_METADATA[kind]
    path = stacks / "EM" / "stack.json"
    content = json.loads(path.read_text())
    content = change if isinstance(change, list) or kind == "no version" else content | change
    path.write_text(json.dumps(content))
    told = mapped(sentence_of, stacks)
    assert re.search(rf"stack\.json: .*{fault}", told), told


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_stack_cannot_be_named_by_a_path_or_a_command(stacks, sentence_of, name):
    assert "cannot name a stack" in mapped(sentence_of, stacks, name)
    assert "cannot name a stack" in mapped(sentence_of, stacks, output=name)


def test_a_name_longer_than_file_systems_allow_is_told(stacks, sentence_of):
    assert "name too long" in mapped(sentence_of, stacks, output=LONG)


@pytest.mark.parametrize("file", ["1.json", "00001.5.0.json", "x.json"])
def test_a_file_that_is_no_section_is_named(stacks, sentence_of, file):
    (stacks / "EM" / file).write_text("{}")
    assert f"{file}: not the name of a section" in mapped(sentence_of, stacks)
