"""crossreg on CPUs beside `warpfield` on a GPU: fresh planted pairs, positions of spots, times.

    python tests/benchmarks/gpu_peer.py --processes 15

Needs CuPy, a CUDA GPU and the package `warpfield` (0.2.2); run it in the root of the repository.
Three comparisons, each printed as it is there:

- wild blocks and rms on planted pairs of every kind, of seeds that nothing else uses;
- rms at random positions in the 3D fields of `other_pairs`;
- time for 60 x 2048 x 2048, all planes and every second one: crossreg on 1, 4 and 16 threads,
  warpfield, and what uploading and three FFTs per block take.

Each recipe of warpfield runs in a process of its own, because a fault on a GPU ends the process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import pair_kinds  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from other_pairs import BLOCK, FAMILIES, OtherPair, make_other_pair  # noqa: E402
from other_structure import EASIFISH  # noqa: E402
from planted_pairs import Pair, make_pair  # noqa: E402

FIRST_SEED = 91000
KINDS = ("rigid", "drift", "rotation", "far", "empty", "unmatched", "faint", "camera", "sparse",
         "texture", "nuclei", "everything")  # fmt: skip
PAIRS_OF_KIND, PAIRS_OF_FAMILY = 3, 4
POSITIONS = 400
RECIPES = ("affine", "blocks", "fine", "no affine")
LARGE = (60, 2048, 2048)
WILD = 1.0  # px or planes
LIMIT = 150  # seconds for one process on the GPU


def planted(task: tuple[str, Any, int, Path]) -> dict[str, Any]:
    """Write one pair to a file; return what is planted at points, and what crossreg finds there."""
    what, specification, seed, folder = task
    pair: Pair | OtherPair
    if what == "kind":
        pair = make_pair(specification, seed)
        block, kind = specification.block_size_xy, specification.kind
        points, truth = None, pair.truth.shift_zyx[pair.truth.overlap >= 0.5]
    else:
        kind, block, pair = specification, BLOCK, make_other_pair(specification, seed)
        positions = np.random.default_rng(seed).uniform(0, pair.reference.shape, (POSITIONS, 3))
        moved = pair.motion.to_cycle(positions)
        inside = np.all((moved >= 0) & (moved < np.array(pair.reference.shape) - 1), axis=1)
        points = positions[inside & pair.shows(positions)]
        truth = pair.motion.shift_at(points)
    name = f"{kind}_{seed}"
    np.savez(folder / f"{name}.npz", reference=pair.reference, cycle=pair.cycle)
    started = time.perf_counter()
    error = _errors_of_ours(pair, block, points, truth)
    row = {"name": name, "kind": kind, "block": block, "shape": pair.reference.shape}
    if what == "kind":
        row["kept"] = (pair.truth.overlap >= 0.5).tolist()
    else:
        row["points"] = points.tolist()
    return row | {
        "truth": truth.tolist(),
        "crossreg": {"error": error.tolist(), "seconds": time.perf_counter() - started},
    }


def _errors_of_ours(
    pair: Any, block: int, points: NDArray | None, truth: NDArray
) -> NDArray[np.float64]:
    from ours import register

    found = register(pair.reference, pair.cycle, block)
    if found.local.field is None:
        return np.full(truth.shape, np.nan)
    if points is None:
        return found.total_zyx[pair.truth.overlap >= 0.5] - truth
    return found.local.field.at(points)[0] - truth


def block_points(shape: tuple[int, int, int], block: int) -> NDArray[np.float64]:
    """Return points (n_i n_j, p, 3) spread over each block."""
    planes, *field = shape
    inside = (np.arange(5) + 0.5) / 5 * block - 0.5
    depths = np.linspace(planes * 0.2, planes * 0.8, 4)
    corners = [np.arange(size // block) * block for size in field]
    return np.array(
        [
            np.stack(np.meshgrid(depths, i + inside, j + inside, indexing="ij"), -1).reshape(-1, 3)
            for i in corners[0]
            for j in corners[1]
        ]
    )


def recipe(name: str, planes: int) -> Any:
    """Return a recipe of warpfield; stacks of one block along z make its kernels fault."""
    from warpfield.register import LevelConfig, Projector, Recipe, RegFilter, Smoother

    project = Projector(low=2.0, high=10.0)
    levels = [LevelConfig(block_size=[-1, -1, -1], repeats=1)]
    if name != "no affine":
        levels.append(
            LevelConfig(
                block_size=[-2, -2, -2], block_stride=0.5, project=project, affine=True,
                smooth=Smoother(sigmas=[0.5, 0.5, 0.5]), median_filter=False, repeats=10,
            )
        )  # fmt: skip
    if name != "affine":
        levels.append(
            LevelConfig(
                block_size=[planes // 2, 64, 64], block_stride=0.5, project=project, repeats=5,
                smooth=Smoother(sigmas=[2.0, 2.0, 2.0], long_range_ratio=0.1),
            )
        )  # fmt: skip
    if name == "fine":
        levels.append(
            LevelConfig(
                block_size=[planes // 2, 32, 32], block_stride=0.5, repeats=5,
                project=Projector(low=1.0, high=2.0),
                smooth=Smoother(sigmas=[4.0, 4.0, 4.0], long_range_ratio=0.1),
            )
        )  # fmt: skip
    return Recipe(pre_filter=RegFilter(clip_thresh=0, dog=True, low=0.5, high=10.0), levels=levels)


def run_recipe(name: str, folder: Path) -> None:
    """Register all pairs of a folder with a recipe, and write the errors beside them."""
    import cupy
    from warpfield.register import register_volumes

    found: dict[str, Any] = {}
    for row in json.loads((folder / "rows.json").read_text()):
        pair = np.load(folder / f"{row['name']}.npz")
        truth, started = np.array(row["truth"]), time.perf_counter()
        try:
            stacks = (pair[key].astype(np.float32) for key in ("reference", "cycle"))
            _, warp, _ = register_volumes(*stacks, recipe(name, row["shape"][0]), verbose=False)
            points = _asked(row)
            pushed = warp.push_coordinates(points.reshape(-1, 3).T).get().T
            shift = (points.reshape(-1, 3) - pushed).reshape(points.shape).mean(axis=1)
            error, seconds = shift - truth, time.perf_counter() - started
            found[row["name"]] = {"error": error.tolist(), "seconds": seconds}
        except Exception as fault:  # a fault on the GPU leaves nothing usable behind it
            print(f"warpfield, {name}: {fault!r}"[:200], flush=True)
            break
        cupy.get_default_memory_pool().free_all_blocks()
    (folder / f"{name}.json").write_text(json.dumps(found))


def _asked(row: dict[str, Any]) -> NDArray[np.float64]:
    """Return points (n, p, 3) over which a shift is the mean."""
    if "points" in row:
        return np.array(row["points"])[:, None]
    return block_points(tuple(row["shape"]), row["block"])[np.ravel(row["kept"])]


def time_ours(folder: Path, every: int, threads: int) -> None:
    """Print how long the registration of a large pair takes crossreg."""
    from ours import register

    stacks = [np.load(folder / f"large_{n}.npy")[::every] for n in range(2)]
    register(*(stack[:, :256, :256] for stack in stacks), 128, threads=threads)
    started = time.perf_counter()
    register(*stacks, 256, threads=threads)
    print(f"every {every}: crossreg, {threads} threads: {time.perf_counter() - started:.2f} s")


def time_gpu(folder: Path, every: int) -> None:
    """Print how long it takes warpfield, and a GPU at least."""
    import cupy
    from warpfield.register import register_volumes

    stacks = [np.load(folder / f"large_{n}.npy")[::every] for n in range(2)]
    for name in ("affine", "blocks"):
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            floats = (stack.astype(np.float32) for stack in stacks)
            register_volumes(*floats, recipe(name, len(stacks[0])), verbose=False)
            cupy.cuda.Device().synchronize()
            seconds.append(time.perf_counter() - started)
        print(f"every {every}: warpfield, {name}: {min(seconds):.2f} s, first {seconds[0]:.2f} s")
    for _ in range(2):
        started = time.perf_counter()
        image = cupy.asarray(stacks[0]).astype(cupy.float32)
        blocks = image.reshape(len(image), 8, 256, 8, 256).transpose(1, 3, 0, 2, 4)
        for _ in range(3):
            cupy.fft.rfftn(blocks.reshape(64, len(image), 256, 256), axes=(1, 2, 3))
        cupy.cuda.Device().synchronize()
    print(f"every {every}: upload and three FFTs: {time.perf_counter() - started:.3f} s")


def tasks(folder: Path) -> list[tuple[str, Any, int, Path]]:
    """Return all pairs to make."""
    chosen: list[tuple[str, Any, int, Path]] = []
    count = dict.fromkeys(KINDS, 0)
    for specification, seed in pair_kinds.pairs_from(FIRST_SEED):
        if count.get(specification.kind, PAIRS_OF_KIND) < PAIRS_OF_KIND:
            count[specification.kind] += 1
            chosen.append(("kind", specification, seed, folder))
    families = [name for name in FAMILIES if name != "volumes" or EASIFISH.is_dir()]
    return chosen + [
        ("field", family, FIRST_SEED + n, folder)
        for family in families
        for n in range(PAIRS_OF_FAMILY)
    ]


def summary(rows: list[dict[str, Any]], who: str) -> str:
    """Return the wild values and the rms (z, y, x) of the others of some rows."""
    errors = [np.array(row[who]["error"]) for row in rows if who in row]
    if not errors:
        return "nothing"
    error = np.concatenate(errors)
    good = np.abs(error).max(axis=1) <= WILD
    rms = np.sqrt(np.mean(error[good] ** 2, axis=0))
    return f"{(~good).sum()} of {len(error)} wild, rms {rms[0]:.3f} {rms[1]:.3f} {rms[2]:.3f}"


def own_process(*arguments: object) -> None:
    """Run this file with arguments, for a limited time."""
    try:
        subprocess.run([sys.executable, __file__, *map(str, arguments)], timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        print("ended after", LIMIT, "s:", *arguments, flush=True)


def compare(processes: int, folder: Path) -> None:
    """Run all comparisons with files in a folder."""
    with get_context("spawn").Pool(processes) as pool:
        rows = pool.map(planted, tasks(folder), chunksize=1)
    (folder / "rows.json").write_text(json.dumps(rows))
    for name in RECIPES:
        own_process("--recipe", name, "--folder", folder)
        path = folder / f"{name}.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        for row in rows:
            row.update({name: found[row["name"]]} if row["name"] in found else {})
    groups = {"all planted kinds": [row for row in rows if "kept" in row]}
    groups |= {kind: [row for row in rows if row["kind"] == kind] for kind in (*KINDS, *FAMILIES)}
    for group, chosen in groups.items():
        for who in ("crossreg", *RECIPES):
            print(f"{group}: {who}: {summary(chosen, who)}", flush=True)
    _write_large(folder, next(row["name"] for row in rows if row["shape"][1:] == (512, 512)))
    for every in (2, 1):
        for threads in (1, 4, 16):
            own_process("--threads", threads, "--every", every, "--folder", folder)
        own_process("--every", every, "--folder", folder)


def _write_large(folder: Path, name: str) -> None:
    """Write a pair of LARGE stacks, a small one repeated under noise of its own."""
    random = np.random.default_rng(1)
    pair = np.load(folder / f"{name}.npz")
    for number, key in enumerate(("reference", "cycle")):
        part = pair[key]
        deep = np.concatenate([part, part[::-1], part])[: LARGE[0]]
        image = np.tile(deep, (1, 4, 4)).astype(np.float32)
        image += random.normal(0, 1, image.shape).astype(np.float32)
        np.save(folder / f"large_{number}.npy", np.clip(image, 0, 65535).astype(np.uint16))


def main() -> None:
    """Compare, or do the part of it that an own process is asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--processes", type=int, default=4, help="pairs at a time (default: 4)")
    for name, kind in (("recipe", str), ("folder", Path), ("every", int), ("threads", int)):
        options.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.recipe:
        run_recipe(chosen.recipe, chosen.folder)
    elif chosen.threads:
        time_ours(chosen.folder, chosen.every, chosen.threads)
    elif chosen.every:
        time_gpu(chosen.folder, chosen.every)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(chosen.processes, Path(folder))


if __name__ == "__main__":
    main()
