"""What names, configuration and tables can show is refused before the first job, in a sentence."""

import numpy as np
import pytest
import tifffile

from snakemake_runs import snakemake, write_configuration


@pytest.fixture
def experiment(tmp_path):
    """Return a folder with the stacks of one ROI and two cycles."""
    images = tmp_path / "images"
    images.mkdir()
    for cycle in ("RT27", "RT1"):
        write_stack(images, cycle)
    return tmp_path


def write_stack(images, cycle, channel="ch00", run=1):
    stack = np.random.default_rng(2).integers(0, 99, (2, 64, 64)).astype("uint16")
    name = f"scan_{run:03d}_{cycle}_001_ROI_converted_decon_{channel}.tif"
    tifffile.imwrite(images / name, stack)


def refused(experiment, configuration):
    run = snakemake("--configfile", configuration, folder=experiment)
    assert run.returncode == 1, run.stdout
    assert "Traceback" not in run.stdout
    assert not (experiment / "out").exists() or not list((experiment / "out").glob("*.*"))
    return [line for line in run.stdout.splitlines() if line.startswith("ERROR: ")]


def only(lines):
    assert len(lines) == 1, lines
    return lines[0]


def test_images_and_samples_together(experiment):
    path = write_configuration(experiment, images="images", samples="samples.tsv")
    assert "'images' and 'samples' are both given" in only(refused(experiment, path))


def test_a_misspelt_key(experiment):
    path = write_configuration(experiment, images="images", bororw=True)
    assert "unknown key 'bororw'; did you mean 'borrow'?" in only(refused(experiment, path))


def test_a_roi_without_the_reference(experiment):
    path = write_configuration(experiment, {"referenceFiducial": "RT5"}, images="images")
    line = only(refused(experiment, path))
    assert "reference cycle RT5 is missing in ROI 001" in line
    assert "RT1, RT27" in line


def test_two_files_for_one_cycle(experiment):
    write_stack(experiment / "images", "RT1", run=2)
    path = write_configuration(experiment, images="images")
    assert "ROI 001, cycle RT1 is also in" in only(refused(experiment, path))


def test_a_link_to_a_file_that_is_not_there(experiment):
    link = experiment / "images" / "scan_001_RT2_001_ROI_converted_decon_ch00.tif"
    link.symlink_to("/away/RT2.tif")
    line = only(refused(experiment, write_configuration(experiment, images="images")))
    assert f"images/{link.name}: this is a link to /away/RT2.tif" in line


def test_results_among_the_images(experiment):
    path = write_configuration(experiment, images="images", results="images")
    assert f"'images' and 'results' are one folder, {experiment / 'images'};" in only(
        refused(experiment, path)
    )


def test_results_that_are_a_file(experiment):
    (experiment / "out").write_text("not a folder")
    line = only(refused(experiment, write_configuration(experiment, images="images")))
    assert "out: no folder can be made there; correct the key 'results'" in line


def test_no_fiducial_among_the_images(experiment):
    for file in (experiment / "images").iterdir():
        file.rename(str(file).replace("ch00", "ch09"))
    path = write_configuration(experiment, images="images")
    assert "RT1 ch09, RT27 ch09" in only(refused(experiment, path))


def test_a_table_of_global_shifts_without_a_column(experiment):
    (experiment / "given.ecsv").write_text("aligned file\nx\n")
    path = write_configuration(experiment, images="images", register_global="given.ecsv")
    assert "given.ecsv: " in only(refused(experiment, path))


def test_missing_parameters(experiment):
    path = write_configuration(experiment, images="images")
    (experiment / "parameters.json").unlink()
    assert "parameters.json: there is no such file" in only(refused(experiment, path))


def test_files_of_the_sheet_that_are_not_there(experiment):
    (experiment / "samples.tsv").write_text("roi\tcycle\tpath\n1\tRT27\tnowhere.tif\n")
    path = write_configuration(experiment, samples="samples.tsv")
    line = only(refused(experiment, path))
    missing = experiment / "nowhere.tif"
    assert f"samples.tsv, line 2: {missing}: there is no such file (1 of 1 in the sheet" in line


def test_two_lines_of_the_sheet_for_one_cycle(experiment):
    stack = next((experiment / "images").iterdir())
    (experiment / "samples.tsv").write_text(
        f"roi\tcycle\tpath\n1\tRT27\t{stack}\n\n1\tRT27\t{stack}\n"
    )
    line = only(refused(experiment, write_configuration(experiment, samples="samples.tsv")))
    other = experiment / "samples.tsv"
    assert f"samples.tsv, line 4: {stack}: ROI 1, cycle RT27 is also in {other}, line 2" in line
