"""After a change, exactly what it asks for is made again: the table "What reruns" of the README."""

import json
import os
import re
import shutil

import pytest

from experiment import PICTURES_OF_ALL, copied_repository, write_stack

KINDS = ("before_after", "details", "shifts", "quality", "preprocessing")
# The merged global table holds the verdict of the local step.
MERGES = {"register_global", "register_local_block3D"}


STEPS = ("register_global", "register_local", "pictures")
# Pictures show what the local step measured.
LOCAL = STEPS[1:]


def jobs(roi: str, *cycles: str, steps=STEPS) -> set[str]:
    """Return the outputs of the steps of cycles."""
    return {f"{step}/{roi}/{cycle}" for step in steps for cycle in cycles}


def all_jobs(steps) -> set[str]:
    """Return the outputs of the steps of all cycles."""
    return jobs("001", "RT1", "RT2", steps=steps) | jobs("002", "RT1", "RT2", steps=steps)


def test_nothing_is_made_again_without_a_change(again):
    assert again.pending() == set()
    assert again.pending_pictures() == set()


def test_every_cycle_has_its_pictures_and_only_those_of_changed_cycles_are_drawn_again(again):
    pictures = again.results / "pictures"
    found = {str(path.relative_to(again.results).with_suffix("")) for path in pictures.rglob("*")}
    cycles = {(roi, cycle) for roi in ("001", "002") for cycle in ("RT1", "RT2")}
    assert {f"pictures/{roi}/{cycle}/{kind}" for roi, cycle in cycles for kind in KINDS} <= found
    write_stack(again.image("001", "RT1"), "001", "RT1", seed=1)
    assert again.pending_pictures() == {"pictures/001/RT1", *PICTURES_OF_ALL}


@pytest.mark.parametrize("kind", (KINDS[0], KINDS[-1]))
def test_removed_picture_is_drawn_again(again, kind):
    (again.results / "pictures" / "001" / "RT1" / f"{kind}.png").unlink()
    assert again.pending_pictures() == {"pictures/001/RT1"}


def test_changed_image_reruns_its_cycle_and_the_merges(again):
    write_stack(again.image("001", "RT1"), "001", "RT1", seed=1)
    assert again.pending() == jobs("001", "RT1") | MERGES


def test_image_replaced_by_an_older_one_reruns_its_cycle_and_the_merges(again):
    image = again.image("001", "RT1")
    write_stack(image, "001", "RT1", seed=1)
    os.utime(image, (1_000_000_000, 1_000_000_000))
    assert again.pending() == jobs("001", "RT1") | MERGES


def test_touched_image_reruns_its_cycle_and_the_merges(again):
    again.image("001", "RT1").touch()
    assert again.pending() == jobs("001", "RT1") | MERGES


def test_added_cycle_is_made_and_merged(again):
    write_stack(again.image("002", "RT3"), "002", "RT3")
    assert again.pending() == jobs("002", "RT3") | MERGES


def test_removed_cycle_leaves_the_merged_tables(again):
    again.image("002", "RT2").unlink()
    assert again.pending() == MERGES
    printed = again.succeed()
    old = again.results / "register_local" / "002" / "RT2.ecsv"
    assert f"or of another format, such as {again.results}/" in printed
    assert str(old) in listed(again)
    assert old.exists()
    kept = json.loads(again.tables()["register_global.json"])
    assert {roi: sorted(cycles) for roi, cycles in kept.items()} == {
        "ROI:001": ["RT1", "RT2"],
        "ROI:002": ["RT1"],
    }

    number = len(listed(again))
    told = f"{number} files that this configuration no longer makes removed."
    assert told in again.succeed("prune")
    assert not old.exists()
    assert not list(again.results.rglob("*002*/RT2*"))
    assert again.pending() == set()


def listed(experiment) -> list[str]:
    return (experiment.results / "logs" / "old_files.txt").read_text().splitlines()


def test_changed_reference_reruns_its_roi_only(again):
    write_stack(again.image("002", "RT0"), "002", "RT0", seed=1)
    assert again.pending() == {"reference/002"} | jobs("002", "RT1", "RT2") | MERGES


def test_parameter_of_the_local_step_reruns_no_global_step(again):
    again.change_parameter("alignImages", "3D_lower_threshold", 0.8)
    references = {"reference/001", "reference/002"}  # prepared for the local step with it
    assert again.pending() == all_jobs(LOCAL) | references | MERGES


def test_a_pixel_size_reruns_only_what_says_lengths_in_nm(again):
    again.change_parameter("acquisition", "pixelSizeXY", 0.2)
    assert again.pending() == all_jobs({"pictures"}) | MERGES


def test_one_given_global_shift_reruns_its_cycle(again):
    given = again.folder / "given.json"
    shifts = {f"ROI:{roi}": {"RT1": [1.5, 0.0], "RT2": [2.5, 0.0]} for roi in ("001", "002")}
    given.write_text(json.dumps(shifts))
    with (again.folder / "config.yaml").open("a") as config:
        config.write("register_global: given.json\n")
    again.succeed()
    shifts["ROI:002"]["RT1"] = [1.25, 0.0]
    given.write_text(json.dumps(shifts))
    assert again.pending() == jobs("002", "RT1") | MERGES


@pytest.fixture
def edited(again, tmp_path):
    """Return the experiment with a copy of the workflow that made it, and the scripts' folder."""
    repository = copied_repository(tmp_path / "crossreg")
    return type(again)(again.folder, repository), repository / "workflow" / "scripts"


def test_code_of_a_module_reruns_the_rules_that_use_it(edited):
    experiment, scripts = edited
    module = scripts / "crossreg" / "fiducial" / "local_shift" / "local_shifts.py"
    module.write_text(module.read_text() + "\nUNUSED = 1\n")
    assert experiment.pending() == all_jobs(LOCAL) | MERGES


def test_code_of_a_script_reruns_its_rule_and_is_told_before_the_first_job(edited):
    experiment, scripts = edited
    script = scripts / "merge_tables.py"
    script.write_text(script.read_text().replace("%d rows of %d cycles", "%d rows, %d cycles"))
    assert experiment.pending() == MERGES
    printed = experiment.succeed()
    assert "made by another version of merge_tables.py" in printed
    assert printed.index("another version") < printed.index("merge the global shifts of all cycles")
    assert "another version" not in experiment.succeed()


def test_comments_docstrings_and_time_stamps_of_code_rerun_nothing(edited):
    experiment, scripts = edited
    script = scripts / "register_local.py"
    script.write_text(script.read_text().replace('"""Measure', '"""Find', 1) + "# a comment\n")
    for path in scripts.rglob("*.py"):
        path.touch()
    assert experiment.pending() == set()


def test_results_moved_with_their_experiment_stay_valid(again, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.move(again.folder, moved)
    assert type(again)(moved).pending() == set()


def moved_configuration(experiment, folder, results):
    """Return an experiment over the same images in another folder, with absolute paths."""
    folder.mkdir()
    shutil.copy2(experiment.folder / "parameters.json", folder)
    (folder / "config.yaml").write_text(
        f"images: {experiment.folder / 'images'}\nparameters: parameters.json\nresults: {results}\n"
    )
    return type(experiment)(folder)


def test_another_folder_and_another_spelling_change_nothing_and_see_all_changes(again, tmp_path):
    elsewhere = moved_configuration(again, tmp_path / "elsewhere", again.results)
    spelled = f"{again.results.parent.name}/../{again.results.parent.name}//results/"
    link = moved_configuration(again, tmp_path / "other", tmp_path / spelled)
    for experiment in (elsewhere, link):
        assert "Nothing to be done" in experiment.succeed()
    elsewhere.change_parameter("alignImages", "background_sigma", 4.0)
    assert re.search("^register_local +4$", elsewhere.succeed("--dry-run"), re.MULTILINE)
    write_stack(again.image("001", "RT1"), "001", "RT1", seed=1)
    assert re.search("^register_global +1$", link.succeed("--dry-run"), re.MULTILINE)
    assert again.pending() == jobs("001", "RT1") | MERGES


def test_moved_results_are_as_good_as_before(again, tmp_path):
    shutil.move(again.results, tmp_path / "kept")
    elsewhere = moved_configuration(again, tmp_path / "elsewhere", tmp_path / "kept")
    assert "Nothing to be done" in elsewhere.succeed()


def test_a_dry_run_names_the_cycles_and_says_why(again):
    write_stack(again.image("001", "RT1"), "001", "RT1", seed=1)
    lines = again.succeed("--dry-run").splitlines()
    (number,) = [n for n, line in enumerate(lines) if "register_global of" in line]
    assert lines[number].endswith(": register_global of ROI 001, cycle RT1")
    assert re.match("Reason: (Updated input files|Params have changed)", lines[number + 1])
    assert not any("cycle RT2" in line for line in lines)
