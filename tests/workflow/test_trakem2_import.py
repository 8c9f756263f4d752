"""The targets of the cross-modal chain on the way back, run by the real Snakemake."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from crossmodal import planted_project as pp
from crossmodal import planted_stacks
from crossmodal.planted_registration import (
    OUTPUT,
    ZS,
    Registration,
    fill,
    snapshot,
    write_parameters,
)
from crossmodal.small_render_service import SmallRenderService
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.render_service import RenderService
from snakemake_runs import REPOSITORY, copy_of_the_repository, snakemake

MOTIONS = {
    1.0: pp.turn(1, 5, 6, 1.002),
    2.0: pp.turn(-1, 4, -6, 1.01),
    3.0: pp.turn(0.5, 3, 7, 1.004),
}


def configured(root, store, **keys) -> Registration:
    """Return a registration for which a configuration was written, but nothing made yet."""
    section = {"name": "first", "parameters": "p.json"} | keys
    configuration = {"results": "out", "trakem2": section}
    (root / "my.yaml").write_text(yaml.safe_dump(configuration))
    return Registration(root, store, [])


def in_folder(root, zs=ZS, **keys) -> Registration:
    store = FolderStore(root / "stacks", "me", "mine")
    fill(store, zs)
    write_parameters(root / "p.json")
    return configured(root, store, stacks={"folder": "stacks"}, **keys)


def run(made, *options):
    return snakemake(*options, "--configfile", "my.yaml", folder=made.root)


def succeed(made, *options):
    done = run(made, *options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def jobs_of(made, *options) -> set[str]:
    """Run, and return the names of the logs that were written: those of the jobs it executed."""

    def logs():
        folder = made.root / "out" / "logs" / "trakem2" / "first"
        return {path.stem: path.stat().st_mtime_ns for path in folder.iterdir()}

    before = logs()
    succeed(made, *options)
    return {name for name, time_ns in logs().items() if before.get(name) != time_ns}


def save_all(made) -> None:
    for z, motion in MOTIONS.items():
        made.save(z, motion)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Return a registration that went out, was saved and came back, and what that printed."""
    made = in_folder(tmp_path_factory.mktemp("imported"))
    succeed(made, "trakem2_projects")
    save_all(made)
    before = snapshot(made.folder)
    printed = succeed(made, "trakem2_check", "trakem2_import")
    assert snapshot(made.folder) == before
    return made, printed


@pytest.fixture
def copy(imported, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(imported[0].root, root)
    return Registration(root, FolderStore(root / "stacks", "me", "mine"), [])


def test_planted_affines_come_back_and_the_run_tells_how_much_was_saved(imported):
    made, printed = imported
    for z, motion in MOTIONS.items():
        made.assert_moved(z, motion)
    assert "3 of 3 sections saved; 0 with errors" in printed
    assert f"stack '{OUTPUT}' is complete: 3 sections, 9 tiles." in printed


def test_a_save_or_a_lost_stack_imports_again_and_nothing_else_does(copy):
    # What TrakEM2 leaves when a project is merely opened.
    (copy.folder / "trakem2.123" / "trakem2.mipmaps").mkdir(parents=True)
    assert jobs_of(copy, "trakem2_import") == {"import"}
    shutil.rmtree(copy.root / "stacks" / OUTPUT)
    writing = {"write_stack", "import"}
    assert jobs_of(copy, "trakem2_import") == writing
    for z, motion in MOTIONS.items():
        copy.assert_moved(z, motion)
    copy.save(2.0, pp.turn(0, 100, 0))
    assert jobs_of(copy, "trakem2_import") == {"check", *writing}
    copy.assert_moved(1.0, MOTIONS[1.0])
    copy.assert_moved(2.0, pp.turn(0, 100, 0))


@pytest.mark.slow
def test_the_work_of_a_person_is_the_same_before_and_after_everything(copy):
    before, stacks = snapshot(copy.folder), copy.result()
    succeed(copy, "trakem2_import", "--forceall")
    succeed(copy, "trakem2_import", "--delete-all-output")
    assert not (copy.root / "out" / "trakem2" / "first" / "import.txt").exists()
    succeed(copy, "trakem2_import")
    assert snapshot(copy.folder) == before and copy.result() == stacks


def test_errors_in_projects_fail_the_run_and_leave_their_reports(copy):
    path = copy.project(2.0)
    path.write_bytes(path.read_bytes()[:-40])
    stacks = snapshot(copy.root / "stacks")
    done = run(copy, "trakem2_check")
    assert done.returncode == 1 and "section 00002 has errors" in done.stdout
    results = copy.root / "out" / "trakem2" / "first"
    assert json.loads((results / "sections" / "00002.json").read_text())["faulty"]
    assert "ERROR: section 00002" in (results / "sections" / "00002.txt").read_text()
    done = run(copy, "trakem2_import")
    assert done.returncode == 1 and "with errors: 00002" in done.stdout
    assert "Traceback" not in done.stdout
    assert snapshot(copy.root / "stacks") == stacks


def test_a_frozen_configuration_that_was_damaged_since_is_told(copy):
    frozen = copy.folder / "frozen" / "frozen.json"
    frozen.write_bytes(frozen.read_bytes()[:-40])
    done = run(copy, "trakem2_check")
    assert done.returncode == 1 and "frozen.json" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_a_killed_import_is_continued(tmp_path):
    zs = tuple(float(z) for z in range(1, 61))
    made = in_folder(tmp_path, zs, missing_sections="keep")
    succeed(made, "trakem2_check")
    made.save(7.0, MOTIONS[1.0])
    before = snapshot(made.folder)
    program = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    process = subprocess.Popen(
        [*program, "trakem2_import", "--cores", "1", "--configfile", "my.yaml"],
        cwd=made.root,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "stacks" / OUTPUT / "00002.json").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert made.store.metadata(OUTPUT)["state"] == "LOADING"
    succeed(made, "trakem2_import")
    assert made.store.metadata(OUTPUT)["state"] == "COMPLETE"
    assert made.store.z_values(OUTPUT) == list(zs)
    made.assert_moved(1.0)
    made.assert_moved(7.0, MOTIONS[1.0])
    assert snapshot(made.folder) == before


@pytest.mark.slow
def test_the_same_through_a_web_service(tmp_path):
    with SmallRenderService() as service:
        store = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
        for stack in ("EM", "LM"):
            planted_stacks.fill(store, stack, ZS)
        render = {"owner": "me", "project": "mine", "host": "127.0.0.1", "port": service.port}
        box = {"minX": -100, "minY": -100, "maxX": 400, "maxY": 400}
        write_parameters(tmp_path / "p.json", render=render, **box)
        made = configured(tmp_path, store)
        succeed(made, "trakem2_projects")
        save_all(made)
        printed = succeed(made, "trakem2_import")
        assert "3 of 3 sections saved" in printed
        for z, motion in MOTIONS.items():
            made.assert_moved(z, motion)


def test_the_demo_recovers_the_planted_alignment_and_says_how_far_off_it_is(tmp_path):
    repository = copy_of_the_repository(tmp_path)
    snakefile = repository / "Snakefile"
    assert snakemake("trakem2_projects", folder=repository, snakefile=snakefile).returncode == 0
    script = repository / "demo" / "play_person.py"
    subprocess.run([sys.executable, script], cwd=repository, check=True)
    done = snakemake("trakem2_import", folder=repository, snakefile=snakefile)
    assert done.returncode == 0, done.stdout
    figures = {
        line.split(":")[0]: float(line.split()[-1])
        for line in done.stdout.splitlines()
        if line.startswith(("EM: ", f"{OUTPUT}: "))
    }
    assert figures["EM"] > 10
    assert figures[OUTPUT] < 1e-6
