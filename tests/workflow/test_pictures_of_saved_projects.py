"""Every section that a person saved is drawn, and drawn again only after another save."""

import shutil

import numpy as np
import pytest
import yaml

import make_crossmodal_demo
import picture_sections
import play_person
from crossmodal.planted_registration import planted_registration
from crossreg.crossmodal.check.checked_section import Policy
from crossreg.crossmodal.check.saved_sections import Registration
from crossreg.crossmodal.freeze.frozen import required_frozen
from crossreg.workflow_support.for_scripts.script_main import run
from snakemake_runs import REPOSITORY, snakemake


def command(module, *options: object) -> None:
    assert run(module.parser(), module.main, [str(option) for option in options]) == 0


@pytest.fixture
def demo(tmp_path):
    """Return a folder with the demo's stacks and images, and a configuration for them alone."""
    parts = {"images": "images", "stacks": "stacks", "planted": "planted.json"}
    command(make_crossmodal_demo, *(f"--{key}={tmp_path / name}" for key, name in parts.items()))
    shutil.copy(REPOSITORY / "config" / "trakem2.json", tmp_path)
    section = {"name": "demo", "parameters": "trakem2.json", "stacks": {"folder": "stacks"}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"results": "out", "trakem2": section}))
    return tmp_path


def test_pictures_show_that_images_meet_and_are_made_once_a_save(demo):
    def target(name: str, *options: str) -> str:
        done = snakemake(name, "--configfile", "my.yaml", *options, folder=demo)
        assert done.returncode == 0, done.stdout
        return done.stdout

    target("trakem2_projects")
    registration = demo / "trakem2_registered" / "demo"
    command(play_person, "--registration", registration, "--planted", demo / "planted.json")
    assert "trakem2_pictures" not in target("trakem2_import", "--dry-run")
    target("trakem2_pictures")
    pictures = {path.name: path.stat().st_size for path in (demo / "out").rglob("*.png")}
    assert pictures.keys() == {"00001.png", "00002.png", "00003.png", "stack.png"}
    assert max(pictures.values()) < 1_000_000
    assert "Nothing to be done" in target("trakem2_pictures", "--dry-run")
    with (registration / "00002.xml").open("a") as file:
        file.write("\n")
    assert "trakem2_pictures" in target("trakem2_pictures", "--dry-run")

    frozen = required_frozen(registration)
    for one, section in Registration(registration, frozen, Policy()).sections():
        states = picture_sections.states_of(frozen, section, section.tiles)
        assert list(states) == ["Before", "After"]
        drawings = picture_sections.drawings(
            one, [picture_sections.fixed_tiles(frozen, one), *states.values()]
        )
        fixed, before, after = (image.pixels.ravel() for image in drawings)
        assert np.corrcoef(fixed, after)[0, 1] > 0.7 > 0.35 > np.corrcoef(fixed, before)[0, 1]


def test_sections_without_images_have_outlines_and_unsaved_ones_no_picture(tmp_path):
    made = planted_registration(tmp_path)
    made.save(2.0, (1.0, 0.0, 0.0, 1.0, 30.0, -20.0))
    options = ("--registration", made.folder, "--pictures", tmp_path / "pictures")
    assert made.command("picture_sections", *options) == 0
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"00002.png", "stack.png"}
