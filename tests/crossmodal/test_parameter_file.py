"""The original JSON parameter file is taken as it is, and every mistake in it is told."""

import json
import re

import pytest

from crossreg.crossmodal.freeze.parameters import (
    described_parameters,
    normalised,
    read_parameters,
    schema,
    unused_warning,
)
from crossreg.io.errors import UserError
from crossreg.io.schema import described_keys

ORIGINAL = {
    "render": {
        "host": "render.lab",
        "port": 8080,
        "owner": "lab",
        "project": "mouse_4",
        "client_scripts": "/scripts",
        "memGB": "5G",
    },
    "inputStack": "EM",
    "LMstacks": ["PSD95", "DAPI_1"],
    "LMstack_index": 0,
    "outputStack": "EM_registered",
    "renderHome": "/var/www/render",
    "outputXMLdir": "/nas/projects/",
    "doChunk": False,
}
SMALL = {"inputStack": "EM", "LMstack": "LM"}


def test_an_original_file_is_taken_as_it_is(tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps(ORIGINAL))
    parameters = read_parameters(path)
    assert (parameters.host, parameters.port) == ("render.lab", 8080)
    assert (parameters.owner, parameters.project) == ("lab", "mouse_4")
    assert parameters.stacks == ("PSD95", "DAPI_1", "EM")
    assert parameters.output_stack == "EM_registered"
    assert parameters.request["render.owner"] == "lab"
    assert parameters.request["LMstack"] is None
    assert "outputStack" not in parameters.request


def test_unused_keys_are_named_once():
    warning = unused_warning(normalised(ORIGINAL, "p.json"))
    named = warning.split(": ")[1].rstrip(".").split(", ")
    assert sorted(named) == [
        "LMstack_index",
        "doChunk",
        "outputXMLdir",
        "render.client_scripts",
        "render.memGB",
        "renderHome",
    ]
    assert unused_warning(normalised(SMALL, "p.json")) is None


def test_defaults():
    parameters = normalised(SMALL, "p.json")
    assert parameters.lm_stacks == ("LM",)
    assert set(parameters.box.values()) == {None}
    assert (parameters.buffersize, parameters.intensity) == (0, {})
    assert parameters.sections_without_lm == "error"
    assert parameters.check_tile_images is True
    assert parameters.image_paths == ()
    assert parameters.sections is parameters.tile is parameters.min_z is None


def test_all_keys_that_shape_the_projects_are_in_the_request():
    given = SMALL | {
        "minX": -5.5,
        "sections": [3, 1.5],
        "buffersize": 100,
        "intensity": {"EM": [0, 200], "LM": "auto"},
        "imagePaths": [{"from": "/nas/", "to": "Z:/"}],
        "checkTileImages": False,
        "sectionsWithoutLM": "skip",
    }
    parameters = normalised(given, "p.json")
    assert {k: v for k, v in parameters.request.items() if v is not None} == given
    assert parameters.sections == (1.5, 3)
    assert parameters.box["minX"] == -5.5
    assert parameters.image_paths == (("/nas/", "Z:/"),)
    assert parameters.intensity == {"EM": [0, 200], "LM": "auto"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"buffersise": 1}, "unknown key 'buffersise'; did you mean 'buffersize'?"),
        ({"lmstack": "LM"}, "unknown key 'lmstack'; did you mean 'LMstack'?"),
        ({"render": {"hots": "a"}}, "unknown key 'render.hots'; did you mean 'host'?"),
        ({"inputStack": None}, "the key 'inputStack' has the value None; it must name a stack"),
        ({"inputStack": "a/b"}, "the key 'inputStack' has the value 'a/b'; it must name a stack"),
        ({"LMstacks": ["LM"]}, "give either 'LMstack' or 'LMstacks', one of them"),
        ({"LMstack": "EM"}, "'inputStack' (EM) is also an LM stack"),
        ({"outputStack": "EM"}, "'outputStack' (EM) is one of the input stacks"),
        ({"outputStack": "lm"}, "'outputStack' (lm) is one of the input stacks"),
        ({"minZ": 2, "sections": [2]}, "'sections' and 'minZ' exclude each other"),
        ({"minZ": 3, "maxZ": 2}, "'minZ' (3) must not be above 'maxZ' (2)"),
        ({"minX": 3, "maxX": 3}, "'minX' (3) must be below 'maxX' (3)"),
        ({"minY": 4, "maxY": 3}, "'minY' (4) must be below 'maxY' (3)"),
        ({"tile": "t", "maxY": 3}, "'tile' and 'maxY' exclude each other"),
        ({"sections": []}, "it must be a list of different z values"),
        ({"sections": [1, 1.0]}, "it must be a list of different z values"),
        ({"buffersize": -1}, "the key 'buffersize' has the value -1"),
        ({"doChunk": True}, "the key 'doChunk' has the value True; only false is possible"),
        ({"intensity": {"EN": "auto"}}, "'intensity' names the stack 'EN'; there are EM, LM"),
        ({"intensity": {"EM": [5, 5]}}, "'intensity.EM' is [5, 5]; the first number must be"),
        ({"intensity": {"EM": "full"}}, "'intensity.EM' has the value 'full'; it must be [min"),
        ({"intensity": {"EM": [1]}}, "'intensity.EM' has the value [1]; it must be [min, max]"),
        ({"imagePaths": {"/a": "/b"}}, "it must be a list of {\"from\": ..., \"to\": ...}"),
        ({"imagePaths": [{"from": "/a"}]}, "the key 'imagePaths.0.to' is missing"),
        ({"sectionsWithoutLM": "keep"}, "it must be one of 'error', 'skip'"),
        ({"render": {"port": "8080"}}, "it must be a whole number from 1 to 65535"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_key(change, sentence):
    with pytest.raises(UserError, match=r"^p\.json: .*" + re.escape(sentence)):
        normalised(SMALL | change, "p.json")


def test_keys_that_are_needed():
    with pytest.raises(UserError, match="the key 'inputStack' is missing"):
        normalised({"LMstack": "LM"}, "p.json")
    with pytest.raises(UserError, match="give either 'LMstack' or 'LMstacks'"):
        normalised({"inputStack": "EM"}, "p.json")


@pytest.mark.parametrize("value", [[], 3, None, "text"])
def test_a_file_without_keys_is_told(value):
    with pytest.raises(UserError, match=r"p\.json: it must be a JSON object with keys"):
        normalised(value, "p.json")


def test_the_help_describes_every_key():
    lines = described_parameters().splitlines()
    assert len(lines) == len(list(described_keys(schema())))
    assert "  render.owner: Owner of the project in Render; needed unless" in lines[1]


def test_every_key_has_a_description_and_a_use():
    for key, part in described_keys(schema()):
        assert part["description"].endswith("."), key
        assert key == "render" or part["x-use"] in ("frozen", "free", "unused"), key
