"""The commands copy_stack and apply_global_affine, run as a user runs them."""

import importlib
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from crossmodal.planted_stacks import VERSION, fill, section, without_boxes
from crossmodal.small_render_service import SmallRenderService
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.global_affine import scaled_version
from crossreg.crossmodal.render.render_service import RenderService
from crossreg.io.errors import UserError
from crossreg.workflow_support.for_scripts.script_main import run

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
TILES = "tileIdToSpecMap"


@pytest.fixture
def call(capsys):
    def run_command(script, *options):
        """Return the exit status and what was written to the terminal."""
        module = importlib.import_module(script)
        status = run(module.parser(), module.main, [str(option) for option in options])
        return status, capsys.readouterr().err

    return run_command


@pytest.fixture
def remote(service):
    return RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)


@pytest.fixture
def local(tmp_path):
    store = FolderStore(tmp_path / "stacks", "me", "mine")
    fill(store, "EM")
    return store


def test_a_stack_goes_to_the_service_and_back_unchanged(call, local, remote, tmp_path):
    back = tmp_path / "back"
    status, told = call("copy_stack", "--from", local.place, "--to", remote.place, "--stack", "EM")
    assert (status, told) == (
        0,
        f"INFO: {remote.place}: stack 'EM' is complete: 3 sections, 9 tiles.\n",
    )
    options = ["--from", remote.place, "--to", f"folder:{back}", "--stack", "EM", "--as", "EM_2"]
    assert call("copy_stack", *options)[0] == 0
    copied = FolderStore(back)
    assert copied.metadata("EM_2")["stackId"] == {"owner": "me", "project": "mine", "stack": "EM_2"}
    assert copied.bounds("EM_2") == local.bounds("EM")
    for z in local.z_values("EM"):
        assert copied.section("EM_2", z) == local.section("EM", z)
    notes = copied.metadata("EM_2")["currentVersion"].pop("versionNotes")
    assert notes.splitlines() == [
        "as acquired",
        f"crossreg copy of {local.place} EM",
        f"crossreg copy of {remote.place} EM",
    ]


def test_a_copy_that_was_killed_is_continued(call, local, remote, service):
    service.slow_s = 30.0
    service.misbehave("PUT", "/resolvedTiles", "slow", after=1)
    options = ["--from", local.place, "--to", remote.place, "--stack", "EM"]
    process = subprocess.Popen([sys.executable, SCRIPTS / "copy_stack.py", *options])
    uploads = 0
    deadline = time.monotonic() + 30
    while uploads < 2 and time.monotonic() < deadline:
        uploads = sum(m == "PUT" and "/resolvedTiles" in path for m, path in service.requests)
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert uploads == 2
    assert remote.z_values("EM") == [1.0]
    assert remote.metadata("EM")["state"] == "LOADING"
    assert call("copy_stack", *options)[0] == 0
    assert remote.metadata("EM")["state"] == "COMPLETE"
    assert remote.metadata("EM")["currentVersionNumber"] == 0
    for z in local.z_values("EM"):
        assert without_boxes(remote.section("EM", z)) == section(z)


def test_part_of_a_stack_is_copied(call, local, tmp_path):
    options = ["--from", local.place, "--to", f"folder:{tmp_path}/b", "--stack", "EM"]
    assert call("copy_stack", *options, "--zmin", 2, "--zmax", 3)[0] == 0
    assert FolderStore(tmp_path / "b").z_values("EM") == [2.0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"--stack": "XX"}, "there is no stack 'XX'"),
        ({"--to": "folder:{stacks}/../stacks"}, "the stack 'EM' is the one to copy"),
        ({"--to": "nowhere"}, "'nowhere' is no place for stacks"),
        ({"--as": "../EM"}, "'../EM' cannot name a stack"),
        ({"--to": "folder:{stacks}", "--as": "LM"}, "the stack 'LM' exists and was not made by"),
        ({"--zmin": "7"}, "there is no section to write"),
    ],
)
def test_a_copy_that_cannot_be_made_is_told_in_one_sentence(
    call, local, tmp_path, change, sentence
):
    fill(local, "LM")
    options = {"--from": local.place, "--to": f"folder:{tmp_path}/b", "--stack": "EM"} | change
    words = [part.format(stacks=local.folder) for pair in options.items() for part in pair]
    status, told = call("copy_stack", *words)
    assert status == 1
    assert told.startswith("ERROR: ")
    assert sentence in told
    assert len(told.splitlines()) == 1


def corner_after(spec, corner):
    """Return where a planted tile's corner lands: lens, shift, and what was appended."""
    x, y = corner[0] + 10.0, float(corner[1])
    for entry in spec["transforms"]["specList"][1:]:
        m00, m10, m01, m11, b0, b1 = map(float, entry["dataString"].split())
        x, y = m00 * x + m01 * y + b0, m10 * x + m11 * y + b1
    return np.array([x, y])


@pytest.mark.parametrize("place", ["folder", "service"])
def test_one_affine_is_appended_to_every_tile(call, local, remote, place):
    store = local if place == "folder" else remote
    if place == "service":
        fill(remote, "EM")
    matrix = {"M00": 0.5, "M01": -0.1, "M10": 0.2, "M11": 0.6, "B0": -1e-3, "B1": 1 / 3}
    options = ["--stacks", store.place, "--input-stack", "EM", "--output-stack", "EM_small"]
    options += [f"--{name}={value!r}" for name, value in matrix.items()]
    status, told = call("apply_global_affine", *options, "--zmin", 2)
    assert (status, told.count("\n")) == (0, 1)
    assert "stack 'EM_small' is complete: 2 sections, 6 tiles" in told
    a = np.array([[0.5, -0.1], [0.2, 0.6]])
    b = np.array([-1e-3, 1 / 3])
    for z in store.z_values("EM_small"):
        given, moved = (store.section(stack, z) for stack in ("EM", "EM_small"))
        assert moved["transformIdToSpecMap"] == given["transformIdToSpecMap"]
        for name, spec in given[TILES].items():
            new = moved[TILES][name]
            assert new["transforms"]["specList"][:-1] == spec["transforms"]["specList"]
            for corner in ((0, 0), (100, 0), (0, 100), (100, 100)):
                wanted = a @ corner_after(spec, corner) + b
                np.testing.assert_allclose(corner_after(new, corner), wanted, atol=1e-9)
    bounds = store.bounds("EM_small")
    assert (bounds["minZ"], bounds["maxZ"]) == (2.0, 3.5)
    assert bounds["maxX"] < 0.5 * store.bounds("EM")["maxX"] + 1
    resolution = store.metadata("EM_small")["currentVersion"]
    assert resolution["stackResolutionX"] == pytest.approx(4.0 / math.sqrt(0.32))
    assert resolution["stackResolutionZ"] == 70.0


def test_another_affine_does_not_continue_the_stack_of_the_first(call, local):
    options = ["--stacks", local.place, "--input-stack", "EM", "--output-stack", "EM_small"]
    assert call("apply_global_affine", *options, "--M00=0.5", "--M11=0.5")[0] == 0
    assert call("apply_global_affine", *options, "--M00=0.5", "--M11=0.5")[0] == 0
    status, told = call("apply_global_affine", *options, "--M00=0.4", "--M11=0.4")
    assert status == 1
    assert "exists and was not made by" in told
    assert call("apply_global_affine", *options, "--M00=0.4", "--overwrite")[0] == 0
    tile = local.section("EM_small", 1.0)[TILES]["t_1.0_0"]
    assert tile["transforms"]["specList"][2]["dataString"] == "0.4 0.0 0.0 1.0 0.0 0.0"


@pytest.mark.parametrize("name", ["EM", "em"])
def test_the_input_is_never_mapped_in_place(call, local, name):
    before = {path.name: path.read_bytes() for path in (local.folder / "EM").iterdir()}
    options = ["--stacks", local.place, "--input-stack", "EM", "--output-stack", name]
    status, told = call("apply_global_affine", *options, "--M00=0.5", "--overwrite")
    assert (status, told.count("\n")) == (1, 1)
    assert "is the input stack 'EM'" in told
    assert {path.name: path.read_bytes() for path in (local.folder / "EM").iterdir()} == before


@pytest.mark.parametrize("matrix", [(1, 2, 2, 4, 0, 0), (1, 0, 0, math.nan, 0, 0)])
def test_an_affine_without_inverse_is_refused(matrix):
    with pytest.raises(UserError, match="cannot be undone"):
        scaled_version(VERSION, matrix)


def test_a_mirror_image_has_the_same_resolution():
    assert scaled_version(VERSION, (-1, 0, 0, 1, 5, 0)) == VERSION


def test_a_copy_onto_itself_is_refused_however_the_service_is_spelt(call, remote):
    """One service has many addresses: its own answers tell, not the text."""
    fill(remote, "EM")
    other = remote.place.replace("127.0.0.1", "localhost")
    assert other != remote.place
    options = ["--from", remote.place, "--to", other, "--stack", "EM", "--overwrite"]
    status, told = call("copy_stack", *options)
    assert status == 1 and "the stack 'EM' is the one to copy" in told
    assert remote.z_values("EM") == [1.0, 2.0, 3.5]
    assert call("copy_stack", *options, "--as", "EM_2")[0] == 0


def test_another_service_with_a_stack_of_the_same_name_is_another_place(call, remote):
    fill(remote, "EM")
    with SmallRenderService() as service:
        second = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
        fill(second, "EM", zs=(9.0,))
        options = ["--from", remote.place, "--to", second.place, "--stack", "EM"]
        assert call("copy_stack", *options)[0] == 1
        assert call("copy_stack", *options, "--overwrite")[0] == 0
        assert second.z_values("EM") == [1.0, 2.0, 3.5]


@pytest.mark.parametrize("command", ["copy_stack", "apply_global_affine"])
def test_a_stack_that_is_being_written_is_no_source_unless_allowed(call, local, command):
    fill(local, "EM")
    local.create("EM", VERSION)
    local.delete_section("EM", 2.0)
    place = local.place
    options = {
        "copy_stack": f"--from {place} --to {place} --stack EM --as OUT",
        "apply_global_affine": f"--stacks {place} --input-stack EM --output-stack OUT",
    }[command].split()
    status, told = call(command, *options)
    assert status == 1 and "the stack 'EM' is LOADING" in told and "allow_loading" in told
    assert local.metadata("OUT") is None
    assert call(command, *options, "--allow-loading")[0] == 0
    assert local.z_values("OUT") == [1.0, 3.5]


def test_notes_and_hierarchical_data_of_the_source_are_kept(call, remote, service):
    fill(remote, "EM")
    service.stacks["me", "mine", "EM"].metadata["hierarchicalData"] = {"tier": 1}
    options = ["--from", remote.place, "--to", remote.place, "--stack", "EM", "--as", "OUT"]
    assert call("copy_stack", *options)[0] == 0
    made = remote.metadata("OUT")
    assert made["hierarchicalData"] == {"tier": 1}
    notes = made["currentVersion"]["versionNotes"].splitlines()
    assert notes[0] == "as acquired" and notes[-1].startswith("crossreg copy of")
    assert made["currentVersion"]["createTimestamp"] > "2026"
