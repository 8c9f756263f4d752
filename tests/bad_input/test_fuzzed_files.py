"""Whatever a file holds, only a sentence for the user comes out of its reader."""

import contextlib
import copy
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_input.test_bad_texts import given_rows, patch
from crossmodal.planted_stacks import fill, section
from crossreg.crossmodal.freeze.parameters import read_parameters as read_trakem2_parameters
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.stack_store import TILES, read_sections
from crossreg.crossmodal.render.tile_specs import image_source, split_transforms, tile_corners
from crossreg.crossmodal.trakem2.project_reading import read_project
from crossreg.fiducial.experiment.parameters import read_parameters
from crossreg.io.errors import UserError
from crossreg.io.given_shifts import GivenShifts
from crossreg.io.read_stacks import read_kept_planes
from crossreg.io.sheet import read_sheet
from crossreg.workflow_support.inputs.configuration import check_keys_stand_once

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
thorough = settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Bits of text that mean something in one format or another.
TOKENS = (
    "../",
    "$(x)",
    "{x}",
    "\n",
    "\t",
    "\0",
    "é",
    "\ud800",
    '"',
    "nan",
    "inf",
    "1e999",
    "-1",
    "%s",
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(TOKENS)
    | st.text(max_size=20)
    | st.sampled_from([10**400, "9" * 5000, "(" * 2000])
)
VALUES = st.recursive(
    SCALARS,
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3)
    ),
    max_leaves=8,
)


def places(value, path=()):
    """Yield the path of every value in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*path, key))


@st.composite
def changed(draw, value):
    """Return JSON text of `value` in which a few values are others."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(list(places(value))[1:]))
        holder = value
        for step in above:
            holder = holder[step]
        holder[key] = draw(VALUES)
    return json.dumps(value)


@st.composite
def damaged(draw, data):
    """Return `data` with bytes changed, put in, taken out, or cut off."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(("change", "insert", "remove", "cut")))
        some = draw(st.binary(max_size=8) | st.sampled_from(TOKENS).map(as_bytes))
        end = {"change": start + len(some), "insert": start, "remove": start + 5}.get(kind)
        data[start:end] = b"" if kind in ("remove", "cut") else some
    return bytes(data)


def as_bytes(text):
    return text.encode(errors="surrogatepass")


def only_user_errors(reader, path, content):
    path.write_bytes(content if isinstance(content, bytes) else as_bytes(content))
    with contextlib.suppress(UserError):
        reader(path)


PARAMETERS = json.loads((REPOSITORY / "config" / "parameters.json").read_text())
TRAKEM2 = {
    "render": {"owner": "me", "project": "mine", "host": "h", "port": 80},
    "inputStack": "EM",
    "LMstacks": ["LM"],
    "outputStack": "EM2",
    "minX": 0,
    "maxX": 5,
    "sections": [1, 2],
    "intensity": {"EM": [0, 5], "LM": "auto"},
    "imagePaths": [{"from": "a", "to": "b"}],
}
GIVEN = {"ROI:001": {"RT1": [1.5, 2]}, "ROI:2": {"DAPI": [0, -1e-5]}}
JSON_READERS = {
    "parameters.json": (read_parameters, PARAMETERS),
    "trakem2.json": (read_trakem2_parameters, TRAKEM2),
    "given.json": (GivenShifts, GIVEN),
}
SHEET = b"roi\tcycle\tpath\tchannel\n001\tRT27\ta.tif\tch00\n001\tRT1\tb.tif\tch00\n"
PROJECT = patch(style="fill-opacity:1.0;").encode()


def read_saved(path):
    return read_project(path.read_bytes(), str(path))


BYTE_READERS = {
    "parameters.json": (read_parameters, json.dumps(PARAMETERS).encode()),
    "trakem2.json": (read_trakem2_parameters, json.dumps(TRAKEM2).encode()),
    "given.json": (GivenShifts, json.dumps(GIVEN).encode()),
    "given.ecsv": (GivenShifts, given_rows("a.tif 1.5 2", "b.tif 3 4").encode()),
    "samples.tsv": (read_sheet, SHEET),
    "my.yaml": (check_keys_stand_once, (REPOSITORY / "config" / "config.yaml").read_bytes()),
    "00042.xml": (read_saved, PROJECT),
    "00042.xml.gz": (read_saved, gzip.compress(PROJECT)),
}


@pytest.mark.parametrize("name", JSON_READERS)
@thorough
@given(data=st.data())
def test_other_values_in_json(tmp_path, name, data):
    reader, sound = JSON_READERS[name]
    only_user_errors(reader, tmp_path / name, data.draw(changed(sound)))


@pytest.mark.parametrize("name", BYTE_READERS)
@thorough
@given(data=st.data())
def test_other_bytes(tmp_path, name, data):
    reader, sound = BYTE_READERS[name]
    only_user_errors(reader, tmp_path / name, data.draw(damaged(sound)))


@pytest.mark.parametrize("name", BYTE_READERS)
@thorough
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path, name, content):
    only_user_errors(BYTE_READERS[name][0], tmp_path / name, content)


@thorough
@given(data=st.data())
def test_other_attributes_in_a_project(tmp_path, data):
    name = data.draw(
        st.sampled_from(["oid", "style", "transform", "mres", "type", "min", "o_width"])
    )
    text = data.draw(st.text("0123456789.,-+eE()matrxNInfy ", max_size=30))
    only_user_errors(read_saved, tmp_path / "00042.xml", patch(**{name: text}))


def read_stack(path):
    """Read a stack as the steps of the chain do: boxes, transforms, images."""
    store = FolderStore(path.parent.parent)
    for z, tiles in read_sections(store, "EM"):
        for tile_id, spec in tiles[TILES].items():
            for work in (split_transforms, tile_corners):
                with contextlib.suppress(UserError):
                    work(spec, tiles["transformIdToSpecMap"], tile_id)
            with contextlib.suppress(UserError):
                image_source(spec, tile_id)
        box = {"minX": 0, "minY": 0, "maxX": 9, "maxY": 9}
        store.section_box("EM", z, box)
    store.bounds("EM")


@pytest.mark.parametrize("file", ["00001.json", "stack.json"])
@thorough
@given(data=st.data())
def test_other_values_in_a_stack(tmp_path, file, data):
    path = tmp_path / "EM" / file
    shutil.rmtree(tmp_path / "EM", ignore_errors=True)
    fill(FolderStore(tmp_path), "EM", zs=(1.0,))
    sound = section(1.0) if file == "00001.json" else json.loads(path.read_text())
    only_user_errors(read_stack, path, data.draw(changed(sound)))


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"imagej": True}, {"ome": True}])
@thorough
@given(data=st.data())
def test_other_bytes_in_a_stack_of_images(tmp_path, options, data):
    path = tmp_path / "stack.tif"
    stack = np.random.default_rng(1).integers(0, 99, (3, 16, 16)).astype("uint16")
    tifffile.imwrite(path, stack, photometric="minisblack", **options)
    only_user_errors(read_kept_planes, path, data.draw(damaged(path.read_bytes())))
