"""What goes wrong around a run: killed, full, vanished, odd names. Nothing is lost or spoilt."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from crossreg.fiducial.summary.cycle_summary import read_summaries
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, LOCAL_COLUMNS, read_rows, read_table
from experiment import PICTURES_OF_ALL, TIMEOUT_S, Experiment, write_stack


def read_merged(experiment):
    """Return the merged tables of global and local shifts."""
    return (
        read_table(experiment.results / "register_global.ecsv", GLOBAL_COLUMNS),
        read_table(experiment.results / "register_local_block3D.ecsv", LOCAL_COLUMNS),
    )


def cut(path):
    """Leave only the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_merged_table_that_was_cut_since_is_told_and_made_again(again, finished):
    table = again.results / "register_local_block3D.ecsv"
    cut(table)
    done = again.snakemake("tables")
    assert done.returncode != 0
    assert f"ERROR: {table.name}: the table is damaged or cut off; remove it" in done.stderr
    assert "Traceback" not in done.stderr
    again.succeed("tables")
    assert table.read_bytes() == (finished.results / table.name).read_bytes()


def test_one_bad_cycle_stops_no_other_and_is_named_in_all_that_sums_up(again, finished):
    cut(again.image("001", "RT1"))
    drift = (again.results / "pictures" / "001" / "drift.png").read_bytes()
    experiment = (again.results / "pictures" / "experiment.png").read_bytes()
    done = again.snakemake("all", "report")
    assert done.returncode != 0
    for table in read_merged(again):
        (missing,) = table.meta["missing"]
        assert (missing["ROI"], missing["label"]) == ("001", "RT1")
        assert "scan_001_RT1_001_ROI" in missing["reason"]
        rows = {(int(row["ROI #"]), str(row["label"])) for row in table}
        assert rows == {(1, "RT2"), (2, "RT1"), (2, "RT2")}

    # The summary, the terminal, the pictures of many cycles and the report say so too.
    summaries = {(c.roi, c.cycle): c for c in read_summaries(again.results / "summary.tsv")}
    assert "scan_001_RT1_001_ROI" in summaries["001", "RT1"].missing
    assert {key for key, cycle in summaries.items() if cycle.has_shifts} == {
        ("001", "RT2"),
        ("002", "RT1"),
        ("002", "RT2"),
    }
    assert f"WARNING: {again.image('001', 'RT1')}: " in done.stderr
    assert "Error in rule all_cycles_registered:" in done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("MISSING: ")]
    assert len(told) == 1
    assert told[0].startswith(f"MISSING: ROI 001, cycle RT1: {again.image('001', 'RT1')}: ")
    assert (again.results / "pictures" / "001" / "drift.png").read_bytes() != drift
    assert (again.results / "pictures" / "experiment.png").read_bytes() != experiment
    page = (again.results / "report.html").read_text()
    assert "1 of 4 cycles could not be registered" in visible(page)
    assert "Traceback" not in done.stderr

    # Once it is mended, what it was missing from is made anew, and nothing else.
    shutil.copy2(finished.image("001", "RT1"), again.image("001", "RT1"))
    assert again.pending_pictures() == {
        "pictures/001/RT1",
        *PICTURES_OF_ALL,
    }
    again.succeed("all", "report")
    assert again.tables() == finished.tables()
    assert (again.results / "pictures" / "001" / "drift.png").read_bytes() == drift
    assert not any(cycle.missing for cycle in read_summaries(again.results / "summary.tsv"))
    assert again.pending() == set()
    assert "could not be registered" not in visible((again.results / "report.html").read_text())


def visible(page):
    """Return the text of a page's verdict."""
    return page.split('class="verdict')[1].split("</p>")[0]


def test_a_bad_cycle_is_tried_by_every_run_until_it_is_taken_out(again):
    cut(again.image("001", "RT1"))
    for _ in range(2):
        assert again.snakemake().returncode != 0
        tried = {f"{step}/001/RT1" for step in ("register_global", "register_local", "pictures")}
        assert again.pending() == tried | {"register_global", "register_local_block3D"}
    again.image("001", "RT1").unlink()
    assert again.pending() == {"register_global", "register_local_block3D"}
    again.succeed()
    for table in read_merged(again):
        (missing,) = table.meta["missing"]
        assert missing["reason"] == "this ROI has no stack of the cycle, but other ROIs have."


def test_a_cycle_with_the_images_of_another_is_doubtful_in_all_that_sums_up(again):
    shutil.copy2(again.image("001", "RT2"), again.image("001", "RT9"))
    done = again.snakemake()
    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if line.startswith("DOUBTFUL: ")]
    assert told == [
        f"DOUBTFUL: ROI 001, cycle {cycle}: its images are those of cycle {other}: a file was"
        " copied or given twice"
        for cycle, other in (("RT2", "RT9"), ("RT9", "RT2"))
    ]
    table = read_merged(again)[0]
    doubtful = {(int(r["ROI #"]), str(r["label"])) for r in table if r["verdict"] == "doubtful"}
    assert doubtful == {(1, "RT2"), (1, "RT9")}


def test_bad_reference_takes_out_its_roi_only(again):
    cut(again.image("002", "RT0"))
    assert again.snakemake().returncode != 0
    for table in read_merged(again):
        assert set(table["ROI #"]) == {1}
        assert [entry["label"] for entry in table.meta["missing"]] == ["RT1", "RT2"]
        assert all("scan_001_RT0_002_ROI" in entry["reason"] for entry in table.meta["missing"])
    summaries = read_summaries(again.results / "summary.tsv")
    lost = [cycle for cycle in summaries if "scan_001_RT0_002_ROI" in cycle.missing]
    assert [(cycle.roi, cycle.cycle) for cycle in lost] == [("002", "RT1"), ("002", "RT2")]


def test_damaged_tables_are_named_and_made_anew_by_the_next_run(again, finished):
    table = again.results / "register_local" / "002" / "RT1.ecsv"
    cut(table)
    done = again.snakemake()
    assert done.returncode != 0
    assert f"{table.relative_to(again.results)}: the table is cut off" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    # What sums up cycles is there without it.
    local = read_merged(again)[1]
    rows = {(int(row["ROI #"]), str(row["label"])) for row in local}
    assert rows == {(1, "RT1"), (1, "RT2"), (2, "RT2")}
    reasons = {(entry["ROI"], entry["label"]): entry["reason"] for entry in local.meta["missing"]}
    assert set(reasons) == {("002", "RT1")}
    assert "RT1.ecsv: the table is cut off" in reasons["002", "RT1"]
    summaries = read_summaries(again.results / "summary.tsv")
    assert [c.missing for c in summaries if c.roi == "002"] == [reasons["002", "RT1"], ""]
    again.succeed()
    assert again.tables() == finished.tables()
    assert again.pending() == set()


@pytest.mark.parametrize(
    "names", [("reference/001/blocks.npz", "previews/002/cycles/RT2.npz"), ("summary.tsv",)]
)
def test_damaged_intermediate_results_are_named_and_made_anew_by_the_next_run(
    again, finished, names
):
    for name in names:
        cut(again.results / name)
    done = again.snakemake()
    assert done.returncode != 0
    for name in names:
        assert f"{name}: the " in done.stderr
    assert done.stderr.count(" is damaged; remove it and run again.") >= len(names)
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    again.succeed()
    assert again.tables() == finished.tables()
    assert again.pending() == set()


def test_lists_of_stacks_that_were_cut_are_written_anew_before_a_job_reads_them(again, finished):
    names = ("samples.tsv", "gaps.tsv")
    whole = {name: (again.results / name).read_text().splitlines(keepends=True) for name in names}
    for name, lines in whole.items():
        # At the end of a line nothing of the list itself looks wrong.
        (again.results / name).write_text("".join(lines[:-1]))
    printed = again.succeed()
    assert printed.count("was damaged or changed by hand, and is written anew") == 2
    assert again.tables() == finished.tables()
    for name, lines in whole.items():
        assert len((again.results / name).read_text().splitlines()) == len(lines)
    assert again.pending() == set()


def test_second_run_on_the_same_results_is_refused_in_one_sentence(fresh):
    first = subprocess.Popen(fresh.command(), cwd=fresh.folder, stderr=subprocess.DEVNULL)
    try:
        wait_for(fresh.results / "logs" / "run.lock")
        second = fresh.snakemake()
    finally:
        first.wait()
    assert second.returncode == 1
    told = [line for line in second.stderr.splitlines() if "another run" in line]
    assert len(told) == 1
    assert f"process {first.pid} on" in told[0]
    assert "Traceback" not in second.stderr
    assert first.returncode == 0


def processes(experiment, word):
    """Return the numbers of this experiment's processes with a word in their command."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and Path(entry, "cwd").resolve() == experiment.folder:
                command = Path(entry, "cmdline").read_bytes().decode(errors="replace")
                if word in command:
                    found.append(int(entry.name))
    return found


def kill_at_random(experiment, rng, files):
    """Kill a run, or one of its jobs, once there are so many results; return its exit status.

    Moments are counted in files, not in seconds, so that a busy machine spreads them as well.
    """
    with (experiment.folder / "killed.log").open("w") as log:
        run = subprocess.Popen(experiment.command(), cwd=experiment.folder, stdout=log, stderr=log)
        wait_for(experiment.results / "logs" / "run.lock")
        while run.poll() is None and number_of_results(experiment) < files:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        victim = rng.choice([run.pid, *processes(experiment, "workflow/scripts/")])
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        # A job that was killed fails; the run goes on and ends with an error, if it was in time.
        return run.wait(TIMEOUT_S)


def number_of_results(experiment):
    """Return how many results there are, logs not counted."""
    return sum(path.suffix in (".ecsv", ".npz", ".png") for path in experiment.results.rglob("*"))


def check_killed(folder, finished, seed, kills):
    """Kill so many runs one after the other; a plain run then ends as if nothing had been."""
    rng = random.Random(seed)
    experiment = Experiment(folder)
    folder.mkdir()
    for name in ("images", "parameters.json", "config.yaml"):
        source = finished.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    files = number_of_results(finished)
    moments = [int(files * (part + rng.random()) / kills) for part in range(kills)]
    ends = [kill_at_random(experiment, rng, moment) for moment in moments]
    assert any(status != 0 for status in ends)
    experiment.succeed()
    assert experiment.tables() == finished.tables()
    assert experiment.leftovers() == []
    assert experiment.pending() == set()


def test_killed_runs_and_jobs_leave_nothing_for_the_person_to_do(finished, tmp_path):
    check_killed(tmp_path / "killed", finished, seed=0, kills=5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_killed_runs_and_jobs_leave_nothing_for_the_person_to_do_often(finished, tmp_path, seed):
    check_killed(tmp_path / "killed", finished, seed, kills=3)


def wait_for(path, seconds=60):
    """Wait until a file has content."""
    end = time.monotonic() + seconds
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


def started(experiment):
    """Return a run whose first job starts: all inputs were looked for, no cycle has been read."""
    run = experiment.start()
    while not list(experiment.results.glob("logs/reference_*/*.log")):
        assert run.poll() is None
        time.sleep(0.02)
    return run


def test_run_that_somebody_stops_shows_no_results_of_before(again, finished):
    again.change_parameter("alignImages", "background_sigma", 4.0)
    again.snakemake("--touch", "--forceall")
    again.change_parameter("alignImages", "background_sigma", 3.0)
    run = again.start()
    wait_for(again.results / "logs" / "run.lock")
    log = again.results / "logs" / "register_local" / "001" / "RT1.log"
    before = log.stat().st_mtime_ns
    while run.poll() is None and log.exists() and log.stat().st_mtime_ns == before:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    printed = run.communicate(timeout=TIMEOUT_S)[0]
    assert run.returncode != 0
    assert "What is done is kept: run the same command again to go on." in printed
    assert "worst block" not in printed
    again.succeed()
    assert again.tables() == finished.tables()


def test_image_that_vanishes_during_a_run_is_named_and_may_come_back_late(fresh):
    image = fresh.image("001", "RT2")
    kept = image.read_bytes()
    run = started(fresh)
    image.unlink()
    printed = run.communicate(timeout=TIMEOUT_S)[0]
    assert run.returncode != 0
    assert "Traceback" not in printed
    assert image.name in printed
    image.write_bytes(kept)
    fresh.succeed()
    assert fresh.pending() == set()
    assert all("missing" not in table.meta for table in read_merged(fresh))


def test_images_that_change_during_a_run_are_made_up_for_by_the_next(finished, tmp_path):
    experiment = finished.copy(tmp_path / "changing")
    shutil.rmtree(experiment.results)
    write_stack(experiment.image("001", "RT1"), "001", "RT1", seed=5)
    run = started(experiment)
    # As while it is still being copied.
    cut(experiment.image("002", "RT1"))
    # Registered already when it is replaced, and by a file with an older time stamp.
    wait_for(experiment.results / "register_local" / "001" / "RT1.ecsv", TIMEOUT_S)
    shutil.copy2(finished.image("001", "RT1"), experiment.image("001", "RT1"))
    printed = run.communicate(timeout=TIMEOUT_S)[0]
    assert run.returncode != 0
    assert "Traceback" not in printed
    for table in read_merged(experiment):
        (missing,) = table.meta["missing"]
        assert (missing["ROI"], missing["label"]) == ("002", "RT1")
        assert "_RT1_002_ROI" in missing["reason"]
    # As if nothing had been: with its old size and time stamp.
    shutil.copy2(finished.image("002", "RT1"), experiment.image("002", "RT1"))
    experiment.succeed()
    assert experiment.pending() == set()
    assert experiment.tables() == finished.tables()
    assert experiment.leftovers() == []


def test_odd_folders_a_plain_locale_links_and_read_only_images_change_nothing(finished, tmp_path):
    experiment = finished.copy(tmp_path / "Zellkern ü '日本'" / "run 1")
    shutil.rmtree(experiment.results)
    images = experiment.folder / "images"
    images.rename(tmp_path / "Daten é")
    images.symlink_to(tmp_path / "Daten é")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with read_only(tmp_path / "Daten é"):
        done = experiment.snakemake(env=plain)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert experiment.tables() == finished.tables()
    assert experiment.pending() == set()


@contextlib.contextmanager
def read_only(folder):
    """Make a folder read-only, for root by a mount of its own."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        with pytest.raises(OSError):
            (folder / "new").touch()
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def mounted(folder, options):
    """Make a folder that is a file system of its own, mounted with options; skip without root."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here: that needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_the_page_alone_ends_with_the_cycles_that_are_missing(again):
    cut(again.image("001", "RT1"))
    done = again.snakemake("report")
    assert done.returncode == 0
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("MISSING: ")]
    assert told.startswith(f"MISSING: ROI 001, cycle RT1: {again.image('001', 'RT1')}: ")


def test_full_disk_is_told_in_one_sentence_and_leaves_no_half_table(finished, tmp_path):
    experiment = finished.copy(tmp_path / "full")
    shutil.rmtree(experiment.results)
    with mounted(experiment.results, "size=160k"):
        done = experiment.snakemake()
        assert done.returncode != 0
        assert "the disk is full; free some space and run again." in done.stderr
        assert "Traceback" not in done.stderr
        assert experiment.leftovers() == []
        for path in experiment.results.glob("register_*/*/*.ecsv"):
            read_rows(path, GLOBAL_COLUMNS if "global" in path.parts[-3] else LOCAL_COLUMNS)
    experiment.succeed()
    assert experiment.tables() == finished.tables()


def test_sheet_that_cannot_be_written_is_told_in_one_sentence(fresh):
    log = fresh.results / "logs" / "samples.log"
    log.mkdir(parents=True)
    (log / "of a person.txt").write_text("kept")
    done = fresh.snakemake("samples.tsv")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ERROR: logs/samples.log: Is a directory." in done.stderr.splitlines()


def test_read_only_results_are_told_in_one_sentence(fresh):
    with mounted(fresh.results, "ro"):
        done = fresh.snakemake()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    assert "no permission; make it accessible or choose another place." in told


def test_results_folder_that_cannot_be_written_is_told_in_one_sentence(finished, tmp_path):
    experiment = finished.copy(tmp_path / "blocked")
    shutil.rmtree(experiment.results)
    experiment.results.write_text("a file where the folder should be")
    done = experiment.snakemake()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert any(
        line.startswith(f"ERROR: {experiment.results}: no folder")
        for line in done.stderr.splitlines()
    )
