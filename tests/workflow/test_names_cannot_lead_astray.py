"""Nothing in a name or a file makes the workflow write elsewhere or run a command.

Odd names either work, or are refused in one sentence before the first job.
"""

import json

import numpy as np
import pytest
import tifffile

from snakemake_runs import snakemake, write_configuration

# Every sign at once that means something to a shell, to Python's formats or to a pattern.
ODD = "-rf ;touch OUT; $(touch OUT) `touch OUT` & | > OUT 'q' \"q\" %s * ? [a] \\ é #"
FORBIDDEN = "a path must not start with '-' nor hold curly braces"


def image_name(cycle="RT1", roi="001"):
    return f"scan_001_{cycle}_{roi}_ROI_converted_decon_ch00.tif"


def write_stack(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = np.random.default_rng(2).integers(0, 99, (2, 64, 64)).astype("uint16")
    tifffile.imwrite(path, stack, photometric="minisblack")


@pytest.fixture
def outside(tmp_path):
    """Return a folder around the experiment in which nothing may change."""
    (tmp_path / "experiment").mkdir()
    return tmp_path


def files_outside_of(results, folder):
    return {
        path
        for path in folder.rglob("*")
        if not path.is_relative_to(results)
        and not path.is_relative_to(folder / "experiment" / ".snakemake")
        # Snakemake makes its working folder before it knows whether there is work.
        and not (path == folder / "experiment" / "out" and not any(path.iterdir()))
    }


def test_odd_names_of_folders_work_and_nothing_is_written_elsewhere(outside):
    folder = outside / "experiment"
    for cycle in ("RT27", "RT1"):
        write_stack(folder / "images" / ODD / image_name(cycle))
    (folder / "given.json").write_text(json.dumps({"ROI:001": {"RT1": [-1e-05, 2]}}))
    configuration = write_configuration(
        folder, images="images", results=f"out {ODD}", register_global="given.json"
    )
    before = files_outside_of(folder / f"out {ODD}", outside)
    run = snakemake("--configfile", configuration, "--notemp", folder=folder)
    assert run.returncode == 0, run.stdout
    assert files_outside_of(folder / f"out {ODD}", outside) == before
    table = (folder / f"out {ODD}" / "register_global.ecsv").read_text()
    assert "-1e-05 2.0" in table


@pytest.mark.parametrize(
    ("images", "results", "sentence"),
    [
        ("{roi}", "out", FORBIDDEN),
        ("images", "my.yaml/out", "my.yaml/out: no folder can be made there"),
    ],
)
def test_paths_that_cannot_be_used_are_refused_before_the_first_job(
    outside, images, results, sentence
):
    for cycle in ("RT27", "RT1"):
        write_stack(outside / "experiment" / images / image_name(cycle))
    assert sentence in refused(outside, images=images, results=results)


def test_a_cycle_cannot_be_named_by_a_path(outside):
    write_stack(outside / "experiment" / "a.tif")
    lines = "roi\tcycle\tpath\n1\tRT27\ta.tif\n1\t../../../OUT\ta.tif\n"
    (outside / "experiment" / "samples.tsv").write_text(lines)
    told = refused(outside, samples="samples.tsv")
    assert "the cycle is named '../../../OUT'; use letters, digits" in told


def refused(outside, **keys):
    """Return the only error of a run that made nothing."""
    folder = outside / "experiment"
    configuration = write_configuration(folder, **keys)
    before = files_outside_of(folder / ".snakemake", outside)
    run = snakemake("--configfile", configuration, folder=folder)
    assert run.returncode == 1, run.stdout
    assert "Traceback" not in run.stdout
    assert files_outside_of(folder / ".snakemake", outside) == before
    lines = [line for line in run.stdout.splitlines() if line.startswith("ERROR: ")]
    assert len(lines) == 1, run.stdout
    return lines[0]
