"""Large sections and many sections: within their time, and in memory that does not grow."""

import resource
import subprocess
import sys
import time

import pytest

from crossmodal.planted_project import LENS, SHARED
from crossmodal.stacks_on_disk import fill, frozen_from, leaf, tile, write_parameters
from crossreg.crossmodal.freeze.frozen_summary import frozen_summary
from crossreg.crossmodal.trakem2.projects import create_missing
from snakemake_runs import REPOSITORY

PITCH = 90.5


def tiles(z, count):
    places = ((i % 40 * PITCH, i // 40 * PITCH) for i in range(count))
    for i, (x, y) in enumerate(places):
        yield tile(f"{z}_{i}", entries=[LENS, leaf(f"1 0 0 1 {x!r} {y!r}")])


def make(folder, sections, count):
    zs = [float(z) for z in range(sections)]
    fill(folder / "stacks", "EM", {z: list(tiles(z, count)) for z in zs}, shared=SHARED)
    fill(folder / "stacks", "LM", {z: [tile(f"l{z}")] for z in zs})


def test_a_section_of_1227_tiles_is_out_in_five_seconds(tmp_path):
    make(tmp_path, 1, 1227)
    start = time.process_time()
    frozen = frozen_from(tmp_path)
    create_missing(tmp_path / "first", frozen)
    frozen_summary(tmp_path / "first", frozen)
    assert time.process_time() - start < 5
    assert frozen.sections[0].tiles == {"LM": 1, "EM": 1227}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_sections(tmp_path):
    peaks = {}
    for sections in (20, 500):
        folder = tmp_path / str(sections)
        make(folder, sections, 50)
        write_parameters(folder, checkTileImages=False)
        peaks[sections] = peak_of_both_commands(folder)
        assert len(list((folder / "first").glob("*.xml"))) == sections
    assert peaks[500] < peaks[20] + 40


def peak_of_both_commands(folder):
    """Return the largest memory of a command so far, MB."""
    scripts = REPOSITORY / "workflow" / "scripts"
    place = ["--registration", folder / "first", "--output", folder / "receipt.txt"]
    stacks = ["--parameters", folder / "p.json", "--stacks", folder / "stacks", "--name", "first"]
    subprocess.run([sys.executable, scripts / "trakem2_freeze.py", *stacks, *place], check=True)
    subprocess.run([sys.executable, scripts / "trakem2_projects.py", *place], check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
