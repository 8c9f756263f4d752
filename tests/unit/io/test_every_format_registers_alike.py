"""The same planted pair gives the same tables, byte for byte, whatever files it lies in."""

import importlib

import numpy as np
import pytest

from crossreg.io.cycle_tables import read_global_row, read_local_table
from fiducial_images import drawn, spot_positions
from image_formats import MANY, ONE

SHAPE, BLOCK = (10, 128, 128), 64
PLANTED = (0.0, 3.4, -2.6)
FORMATS = ONE | MANY


def run(script, *words):
    module = importlib.import_module(script)
    module.main(module.parser().parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def pair():
    """Return the fiducial stacks of the reference and of a cycle moved against it."""
    positions = spot_positions(SHAPE, 150, seed=5)
    return (
        drawn(SHAPE, positions, noise=8, seed=1),
        drawn(SHAPE, positions - PLANTED, noise=8, seed=2),
    )


def tables(folder, kind, pair):
    """Register a pair that lies in files of a kind; return its tables without the files' names."""
    suffix, write = FORMATS[kind]
    image = []
    folder.mkdir()
    for name, stack in zip(("reference", "cycle"), pair, strict=True):
        others = np.random.default_rng(9).integers(1, 9, stack.shape).astype("uint16")
        channels = [others, stack, others] if kind in MANY else [stack]
        write(folder / f"{name}{suffix}", np.stack(channels)[None], ["DAPI", "beads", "Cy5"])
    reference, cycle = folder / f"reference{suffix}", folder / f"cycle{suffix}"
    if kind in MANY:
        image = ["--reference-image", "channel=1", "--cycle-image", "channel=1"]
    parameters = [f"--blockSizeXY={BLOCK}", "--zBinning=1"]
    of_reference = ["--reference", reference, *image[:2]]
    run("reference_projection", *of_reference, "--output", folder / "projection.npy")
    blocks = ["--output", folder / "blocks.npz"]
    run("reference_blocks", *of_reference, *parameters, *blocks)
    found = folder / "global.ecsv"
    run(
        *("register_global", *of_reference, "--cycle", cycle, *image[2:], f"--blockSize={BLOCK}"),
        *("--reference-projection", folder / "projection.npy"),
        *("--roi", 1, "--label", "RT1", "--output", found),
    )
    run(
        *("register_local", "--reference-blocks", folder / "blocks.npz", "--cycle", cycle),
        *(*image[2:], "--global-shift", found, *parameters, "--output", folder / "local.ecsv"),
    )
    return [
        (folder / name).read_text().replace(suffix, "") for name in ("global.ecsv", "local.ecsv")
    ]


@pytest.fixture(scope="module")
def of_plain_tiff(tmp_path_factory, pair):
    folder = tmp_path_factory.mktemp("plain") / "run"
    return folder, tables(folder, "plain TIFF", pair)


def test_the_planted_shift_is_found(of_plain_tiff):
    folder, _ = of_plain_tiff
    row, local = read_global_row(folder / "global.ecsv"), read_local_table(folder / "local.ecsv")
    found = [local["shift_z"], local["shift_x"] + row["shift_x"], local["shift_y"] + row["shift_y"]]
    np.testing.assert_allclose(np.mean(found, axis=1), PLANTED, atol=0.1)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "plain TIFF"])
def test_every_format_gives_the_same_tables(tmp_path, pair, of_plain_tiff, kind):
    assert tables(tmp_path / "run", kind, pair) == of_plain_tiff[1]
