"""What it costs to bring stacks and spots to the reference, beside the least it could cost.

    .venv/bin/python tests/benchmarks/apply.py [--planes 60] [--size 2048] [--spots 1000000]

Stacks: two channels registered, beside reading and writing the same planes unmoved in the same
format; the interpolation alone, beside scipy's `map_coordinates` on a crop. Spots: a table in the
columns of pyHiM. Times are CPU seconds of whole commands; each figure is of one run.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tifffile
from astropy.table import Table
from scipy.ndimage import map_coordinates
from threadpoolctl import threadpool_limits

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from crossreg.fiducial.apply.stack_resampling import Resampling  # noqa: E402
from crossreg.fiducial.field.field_file import CycleField, save_field  # noqa: E402
from crossreg.fiducial.field.sampled_field import SampledField, sampled  # noqa: E402

NAME = "scan_001_RT2_001_ROI_converted_decon_{channel}.tif"
PIXEL_SIZE = ("--pixel-size-z", "0.25", "--pixel-size-xy", "0.1")
CROP = (16, 512, 512)


class BentField:
    """A drift as planted pairs have it: a few pixels of change over the field, little along z."""

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma)."""
        z, y, x = np.asarray(positions_zyx, float).T
        shift = [1.5 + 0.002 * z + y / 1000, -12 + np.sin(x / 200), 9 + 0.003 * y + 0.002 * z]
        return np.column_stack(shift), np.full((len(z), 3), 0.05)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--planes", type=int, default=60, help="raw planes (default: 60)")
    parser.add_argument("--size", type=int, default=2048, help="rows and columns (default: 2048)")
    parser.add_argument("--spots", type=int, default=1_000_000, help="rows (default: 1000000)")
    return parser


def main() -> None:
    """Make the input in a temporary folder, measure, print."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stacks(Path(folder), options.planes, options.size)
    interpolation()
    with tempfile.TemporaryDirectory() as folder:
        spots(Path(folder), options.spots)


def measured(script: str, *words: object) -> tuple[float, float]:
    """Run a script of the workflow; return its CPU seconds and the most memory it held (MB)."""
    command = [sys.executable, SCRIPTS / script, *words]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, script
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_field(path: Path, shape: tuple[int, int, int], cycle: str = "RT2") -> SampledField:
    """Write the field of a cycle over kept planes, rows, columns."""
    field = sampled(BentField(), shape, 128)
    grid = np.full((-(-shape[1] // 128), -(-shape[2] // 128)), "measured")
    save_field(path, CycleField(field, grid, 1, cycle, "r", "c", shape, 128, 2, (-12.0, 9.0)))
    return field


def stacks(folder: Path, planes: int, size: int) -> None:
    """Print the cost of two registered channels beside that of copying them."""
    random = np.random.default_rng(0)
    plane = random.poisson(200, (size, size)).astype(np.uint16)
    for channel in ("ch00", "ch01"):
        with tifffile.TiffWriter(folder / NAME.format(channel=channel), bigtiff=True) as tiff:
            rolled = (np.roll(plane, 17 * z, axis=1) for z in range(planes))
            tiff.write(
                rolled, shape=(planes, size, size), dtype=np.uint16, photometric="minisblack",
                metadata={"axes": "ZYX"},
            )  # fmt: skip
    write_field(folder / "field.npz", (-(-planes // 2), size, size))
    path = folder / NAME.format(channel="ch00")
    words = ("--reference", path, "--cycle", path, "--name", "RT2", "--z", "all", "--threads", 2)
    words += ("--other-channel", "ch01", folder / NAME.format(channel="ch01"))
    for name, suffix in (("ome-zarr", ".ome.zarr"), ("ome-tiff", ".ome.tif")):
        output = ("--format", name, "--output")
        moved = ("--field", folder / "field.npz", *output, folder / f"moved{suffix}")
        seconds, memory = measured("register_stacks.py", *words, *moved)
        copied = copy_seconds(folder, path, planes, size, name)
        print(
            f"2 x {planes} x {size} x {size} into {name}: {seconds:.1f} s, {memory:.0f} MB;"
            f" read and written unmoved: {copied:.1f} s; ratio {seconds / copied:.2f}"
        )


def copy_seconds(folder: Path, path: Path, planes: int, size: int, name: str) -> float:
    """Return the CPU seconds of reading both channels and writing them with the same writer."""
    output = str(folder / f"copy.{name}")
    code = (
        "import sys, numpy as np, tifffile\n"
        f"sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from pathlib import Path\n"
        "from crossreg.fiducial.apply import image_pyramids as p\n"
        f"about = p.Description('RT2', (2, {planes}, {size}, {size}), np.dtype('uint16'),"
        " ('ch00', 'ch01'), (0.25, 0.1, 0.1))\n"
        "def slabs():\n"
        "    for channel in ('ch00', 'ch01'):\n"
        f"        with tifffile.TiffFile({str(path)!r}.replace('ch00', channel)) as file:\n"
        f"            for start in range(0, {planes}, 16):\n"
        f"                yield file.asarray(key=slice(start, min(start + 16, {planes})))\n"
        f"p.write_{name.replace('-', '_')}(Path({output!r}), about, slabs())\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def interpolation() -> None:
    """Print the cost of the interpolation alone beside that of map_coordinates."""
    planes, rows, columns = CROP
    field = sampled(BentField(), CROP, 128)
    raw = np.random.default_rng(0).integers(0, 9999, (planes + 8, rows, columns), np.uint16)
    resampling = Resampling(field, raw.shape, CROP, 1, 1)
    need = resampling.needed_planes(range(planes))
    with ThreadPoolExecutor(1) as pool, threadpool_limits(1, user_api="blas"):
        start = time.process_time()
        resampling.slab(raw[need.start : need.stop], need.start, range(planes), pool)
        ours = time.process_time() - start
    grid = np.indices(CROP).reshape(3, -1)
    start = time.process_time()
    places = grid - BentField().at(grid.T)[0].T
    map_coordinates(raw.astype(np.float32), places, order=3, output=np.float32)
    theirs = time.process_time() - start
    pixels = planes * rows * columns / 1e9
    print(
        f"interpolation: {ours / pixels:.0f} ns a pixel; scipy's map_coordinates, order 3:"
        f" {theirs / pixels:.0f} ns ({theirs / ours:.0f} times as much)"
    )


def spots(folder: Path, count: int) -> None:
    """Print the cost of a table of spots of 40 cycles."""
    lines = [f"001\tRT{cycle}\tc.tif" for cycle in range(41)]
    (folder / "samples.tsv").write_text("\n".join(["roi\tcycle\tpath", *lines]) + "\n")
    for cycle in range(1, 41):
        write_field(folder / "fields" / "001" / f"RT{cycle}.npz", (30, 2048, 2048), f"RT{cycle}")
    write_spots(folder / "spots.ecsv", count)
    words = ("--table", folder / "spots.ecsv", "--output", folder / "out" / "spots.ecsv")
    words += ("--samples", folder / "samples.tsv", "--fields", folder / "fields")
    words += ("--reference", "RT0", "--frame", "global", "--z-binning", "2", *PIXEL_SIZE)
    seconds, memory = measured("register_localizations.py", *words)
    print(f"{count} spots of 40 cycles: {seconds:.1f} s, {memory:.0f} MB")


def write_spots(path: Path, count: int) -> None:
    """Write a table as pyHiM's, in parts: this process's memory would count as the job's."""
    names = ("zcentroid", "xcentroid", "ycentroid", "sharpness", "roundness1", "roundness2", "npix")
    kinds = {"Buid": str, "ROI #": int, "Barcode #": int}
    kinds |= dict.fromkeys((*names, "sky", "peak", "flux", "mag"), np.float32)
    Table({name: np.array([], kind) for name, kind in kinds.items()}).write(
        path, format="ascii.ecsv"
    )
    random = np.random.default_rng(0)
    scale = np.array([30, 2048, 2048, *8 * [1.0]])
    with path.open("a") as file:
        for start in range(0, count, 10_000):
            rows = min(10_000, count - start)
            values = (random.random((rows, len(scale))) * scale).astype(np.float32)
            cycles = random.integers(1, 41, rows)
            for number, (cycle, row) in enumerate(zip(cycles, values, strict=True)):
                file.write(f"{start + number:032x} 1 {cycle} {' '.join(map(str, row))}\n")


if __name__ == "__main__":
    main()
