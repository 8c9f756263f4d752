"""The targets of the cross-modal chain on the way out, run by the real Snakemake."""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from crossmodal.stacks_on_disk import experiment, write_parameters
from crossreg.crossmodal.freeze.frozen import TEMPORARY_PREFIX, read_frozen
from crossreg.crossmodal.render.folder_store import FolderStore
from snakemake_runs import REPOSITORY, snakemake

NAMES = {"00001.xml", "00002.xml", "00003.xml", "frozen"}


def names_in(folder: Path) -> set[str]:
    """Return the names in a folder of projects, without TrakEM2's own folders and the script."""
    own = ("trakem2.", "crossreg_")
    return {path.name for path in folder.iterdir() if not path.name.startswith(own)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return an experiment whose projects are made, and what the run printed."""
    folder = experiment(tmp_path_factory.mktemp("made"))
    done = run(folder)
    assert done.returncode == 0, done.stdout
    return folder, done.stdout


@pytest.fixture
def registered(made, tmp_path):
    """Return a copy of the experiment, in which a person saved section 2."""
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    project(folder, "00002.xml").write_text("what a person saved")
    return folder


def run(folder, *options):
    return snakemake(*options, "--configfile", "my.yaml", folder=folder)


def succeed(folder, *options):
    done = run(folder, *options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def errors(folder, *options):
    done = run(folder, *options)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("ERROR: ")]


def project(folder, name):
    return folder / "trakem2_registered" / "first" / name


def snapshot(folder):
    """Return the bytes and time stamps of all that belongs to the person."""
    own = folder / "trakem2_registered"
    return {
        str(path.relative_to(own)): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [own, *own.rglob("*")]
    }


def test_a_plain_run_makes_the_projects_once(made):
    folder, printed = made
    assert names_in(project(folder, "")) == NAMES
    assert "EM stack 'EM': 3 tiles, median scale 1" in printed
    assert f"projects to open in TrakEM2: {folder}/trakem2_registered/first" in printed
    report = (folder / "results/trakem2/first/frozen.txt").read_text()
    assert "3 sections; layers of 100 x 80 px" in report
    before = snapshot(folder)
    assert "Nothing to be done" in succeed(folder, "trakem2_projects")
    assert snapshot(folder) == before


def test_the_work_of_a_person_is_the_same_before_and_after_everything(registered):
    before = snapshot(registered)
    succeed(registered, "trakem2_projects", "--forceall")
    succeed(registered, "trakem2_projects", "--delete-all-output")
    assert not (registered / "results/trakem2/first/projects.txt").exists()
    succeed(registered)
    assert (registered / "results/trakem2/first/projects.txt").exists()
    assert snapshot(registered) == before


def test_a_killed_run_leaves_the_work_of_a_person_and_is_continued(registered):
    project(registered, "00001.xml").unlink()
    shutil.rmtree(project(registered, "frozen"))
    saved = project(registered, "00002.xml")
    before = (saved.stat().st_mtime_ns, saved.read_bytes())
    program = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    process = subprocess.Popen(
        [*program, "--cores", "1", "--configfile", "my.yaml"],
        cwd=registered,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    draft = project(registered, TEMPORARY_PREFIX + "frozen")
    final = project(registered, "frozen")
    while not (draft.exists() or final.exists()) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    succeed(registered)
    assert names_in(project(registered, "")) == NAMES
    assert (saved.stat().st_mtime_ns, saved.read_bytes()) == before


def test_a_project_that_was_removed_is_created_again(registered):
    created = project(registered, "00003.xml").read_bytes()
    project(registered, "00003.xml").unlink()
    project(registered, "00001.xml").unlink()
    project(registered, "00001.xml.gz").write_bytes(gzip.compress(b"saved under another name"))
    succeed(registered, "trakem2_projects")
    log = (registered / "results/logs/trakem2/first/projects.log").read_text()
    assert "3 projects, 1 created now" in log
    assert project(registered, "00003.xml").read_bytes() == created
    assert not project(registered, "00001.xml").exists()
    assert project(registered, "00002.xml").read_text() == "what a person saved"


def test_changed_frozen_keys_are_refused_by_name_and_take_another_name(registered):
    before = snapshot(registered)
    write_parameters(registered, buffersize=7, outputStack="NEW", maxZ=2)
    (line,) = errors(registered, "trakem2_projects")
    assert "buffersize (frozen: 0, now: 7)" in line
    assert "maxZ (frozen: not given, now: 2)" in line
    assert "choose another 'name'" in line
    assert line.count("now: ") == 2
    assert snapshot(registered) == before
    configuration = yaml.safe_load((registered / "my.yaml").read_text())
    configuration["trakem2"]["name"] = "second"
    (registered / "my.yaml").write_text(yaml.safe_dump(configuration))
    succeed(registered)
    second = read_frozen(registered / "trakem2_registered" / "second")
    assert second.layer == {"width": 114, "height": 94}
    assert {name: part for name, part in snapshot(registered).items() if "first" in name} == {
        name: part for name, part in before.items() if "first" in name
    }


def test_missing_images_are_told_and_nothing_is_frozen(made, tmp_path):
    shutil.copytree(made[0], tmp_path / "copy", ignore=lambda *_: {"trakem2_registered", "results"})
    folder = tmp_path / "copy"
    section = folder / "stacks" / "EM" / "00002.json"
    section.write_text(section.read_text().replace("images/2.0.tif", "images/gone.tif"))
    (line,) = errors(folder)
    assert "1 images of tiles" in line
    assert "gone.tif (tile em_2 of stack EM)" in line
    assert not list((folder / "trakem2_registered").rglob("*.*"))


def test_a_global_affine_writes_a_new_stack(made, tmp_path):
    shutil.copytree(made[0] / "stacks", tmp_path / "stacks")
    section = {
        "stacks": {"folder": "stacks"},
        "input_stack": "EM",
        "output_stack": "EM_half",
        "M00": 0.5,
        "M11": 0.5,
        "B0": -1.5,
        "zmin": 2,
    }
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"apply_global_affine": section}))
    given = (tmp_path / "stacks/EM/00002.json").read_bytes()
    succeed(tmp_path, "apply_global_affine")
    store = FolderStore(tmp_path / "stacks")
    assert store.z_values("EM_half") == [2.0, 3.0]
    spec = store.section("EM_half", 2.0)["tileIdToSpecMap"]["em_2"]
    data = spec["transforms"]["specList"][-1]["dataString"]
    assert [float(word) for word in data.split()] == [0.5, 0.0, 0.0, 0.5, -1.5, 0.0]
    assert store.metadata("EM_half")["currentVersion"]["stackResolutionX"] == 8.0
    assert (tmp_path / "stacks/EM/00002.json").read_bytes() == given


def test_a_stack_is_copied_as_the_configuration_says(made, tmp_path):
    shutil.copytree(made[0] / "stacks", tmp_path / "stacks")
    section = {"from": {"folder": "stacks"}, "to": {"folder": "other"}, "stack": "EM", "zmin": 2}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"copy_stack": section | {"as": "EM_2"}}))
    succeed(tmp_path, "copy_stack")
    assert FolderStore(tmp_path / "other").z_values("EM_2") == [2.0, 3.0]
