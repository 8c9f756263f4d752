"""Only files of cycles and ROIs that are gone count as old, whatever they are called."""

from pathlib import Path

import prune
from crossreg.fiducial.experiment.sample import Sample
from crossreg.workflow_support.for_scripts.script_main import run
from crossreg.workflow_support.one_run.old_files import old_files

REFERENCE = "RT27"
SAMPLES = [Sample("001", cycle, "a.tif") for cycle in (REFERENCE, "RT1", "RT.2", "cycles")]
RESULT_PATHS = (
    "register_local/{roi}/{cycle}.ecsv",
    "previews/{roi}/cycles/{cycle}.npz",
    "pictures/{roi}/{cycle}/shifts.png",
    "logs/register_global/{roi}/{cycle}.log",
    "logs/picture_cycle/{roi}/{cycle}.log",
    "benchmarks/register_local/{roi}/{cycle}.tsv",
)
OF_ROI = (
    "previews/{roi}/reference.npz",
    "pictures/{roi}/drift.png",
    "reference/{roi}/blocks.npz",
    "benchmarks/reference_blocks/{roi}.tsv",
)
OF_ALL = ("pictures/experiment.png", "register_global.ecsv", "report.html")
# What stands there when results go where pyHiM's or the images are, or when people add files.
OF_OTHERS = (
    "register_local/data/shifts_block3D.dat",
    "register_global/data/shifts.json",
    "register_global/001/shifts.json",
    "register_local/001/RT1_backup.ecsv",
    "register_local/001/RT9 (copy).ecsv",
    "register_local/001/.hidden.ecsv",
    "register_local/001/\udcff.ecsv",
    "register_local/001/a\nb.ecsv",
    "register_local/010/RT1.ecsv",
    "reference/a.tif",
    "reference/010/blocks.npz",
    "reference/009/scan_001_RT27_009_ROI_converted_decon_ch00.tif",
    "pictures/001/RT9/mine.png",
    "pictures/009/RT1/notes.txt",
    "pictures/of me/RT1/shifts.png",
    "logs/009.log",
)


def write(results: Path, names: list[str] | tuple[str, ...]) -> set[Path]:
    paths = {results / name for name in names}
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return paths


def places(roi: str, cycle: str) -> list[str]:
    return [place.format(roi=roi, cycle=cycle) for place in RESULT_PATHS]


def test_files_of_gone_cycles_and_rois_are_old_and_no_others(tmp_path: Path) -> None:
    kept = [place for cycle in ("RT1", "RT.2", "cycles") for place in places("001", cycle)]
    write(tmp_path, [*kept, *(place.format(roi="001") for place in OF_ROI), *OF_ALL, *OF_OTHERS])
    # The reference may have been a cycle before.
    gone = [*places("001", "RT9"), *places("009", "RT1"), *places("001", REFERENCE)]
    old = write(tmp_path, [*gone, *(place.format(roi="009") for place in OF_ROI)])
    link = tmp_path / "register_local" / "001" / "RT9_link.ecsv"
    link.symlink_to("RT9.ecsv")
    found = old_files(tmp_path, SAMPLES, REFERENCE)
    assert set(found) == old
    # The logs, which tell that the others are the workflow's, come last.
    assert [path.suffix for path in found[-6:]] == [".log"] * 6


def test_a_roi_without_cycles_keeps_its_reference_only(tmp_path: Path) -> None:
    write(tmp_path, ["reference/001/blocks.npz", "previews/001/reference.npz"])
    old = write(tmp_path, ["pictures/001/drift.png", *places("001", "RT1")])
    assert set(old_files(tmp_path, SAMPLES[:1], REFERENCE)) == old


def test_what_killed_jobs_left_is_old(tmp_path: Path) -> None:
    old = write(tmp_path, ["register_local/001/.unfinished-RT1.ecsv"])
    write(tmp_path, ["register_local/001/.unfinished-RT1.dat"])
    assert set(old_files(tmp_path, SAMPLES, REFERENCE)) == old


def test_the_mark_that_a_result_is_to_be_made_again_goes_with_its_cycle(tmp_path: Path) -> None:
    write(tmp_path, ["register_local/001/.again-RT1.ecsv"])
    mark = "register_local/001/.again-RT9.ecsv"
    old = write(tmp_path, [mark, "logs/register_global/001/RT9.log"])
    assert set(old_files(tmp_path, SAMPLES, REFERENCE)) == old


def test_registered_stacks_go_with_their_cycle_and_when_their_format_has_changed(
    tmp_path: Path,
) -> None:
    names = (
        "registered/{roi}/{cycle}.txt",
        "registered/{roi}/{cycle}.ome.zarr/0/0/0",
        "logs/registered_stack/{roi}/{cycle}.log",
        "benchmarks/registered_stack/{roi}/{cycle}.tsv",
    )
    there = [("001", REFERENCE), ("001", "RT1"), ("001", "RT9"), ("009", REFERENCE)]
    written = [name.format(roi=roi, cycle=cycle) for roi, cycle in there for name in names]
    write(tmp_path, [*written, "registered/001/RT1.ome.tif", "registered/001/mine.ome.tif"])
    for roi, cycle in there:
        receipt = tmp_path / "registered" / roi / f"{cycle}.txt"
        receipt.write_text(f"{cycle}.ome.zarr: ROI {roi} {cycle}\n")
    old = {
        tmp_path / name.format(roi=roi, cycle=cycle).removesuffix("/0/0/0")
        for roi, cycle in there[2:]
        for name in names
    }
    found = old_files(tmp_path, SAMPLES, REFERENCE)
    assert set(found) == old | {tmp_path / "registered/001/RT1.ome.tif"}
    words = ["--samples", tmp_path / "samples.tsv", "--reference", REFERENCE, "--results", tmp_path]
    lines = [f"{sample.roi}\t{sample.cycle}\t{sample.path}" for sample in SAMPLES]
    (tmp_path / "samples.tsv").write_text("\n".join(["roi\tcycle\tpath", *lines, ""]))
    assert run(prune.parser(), prune.main, [str(word) for word in words]) == 0
    assert not any(path.exists() for path in found)
    assert (tmp_path / "registered/001/RT1.ome.zarr/0/0/0").is_file()
    assert not (tmp_path / "registered/009").exists()


def test_rois_with_names_are_pruned_as_those_with_numbers(tmp_path: Path) -> None:
    samples = [Sample("pos3", cycle, "a.tif") for cycle in (REFERENCE, "RT1")]
    stack = ("logs/registered_stack/{roi}/{cycle}.log", "registered/{roi}/.again-{cycle}.txt")
    kept = [place.format(roi="pos3", cycle="RT1") for place in (*RESULT_PATHS, *stack)]
    write(tmp_path, [*kept, *(place.format(roi="pos3") for place in OF_ROI), *OF_ALL, *OF_OTHERS])
    gone = [
        place.format(roi=roi, cycle=cycle)
        for place in (*RESULT_PATHS, *stack)
        for roi, cycle in (("pos3", "RT9"), ("FOV_7", "RT1"), ("left", "RT1"))
    ]
    old = write(tmp_path, [*gone, *(place.format(roi="left") for place in OF_ROI)])
    assert set(old_files(tmp_path, samples, REFERENCE)) == old


def test_images_of_the_format_before_are_old(tmp_path: Path) -> None:
    samples = [Sample("left", cycle, "a.tif") for cycle in (REFERENCE, "RT1")]
    write(tmp_path, ["logs/registered_stack/left/RT1.log", "registered/left/RT1.ome.tif"])
    (tmp_path / "registered/left/RT1.txt").write_text("RT1.ome.tif: ROI left, cycle RT1")
    store = tmp_path / "registered/left/RT1.ome.zarr"
    (store / "0").mkdir(parents=True)
    assert old_files(tmp_path, samples, REFERENCE) == [store]
