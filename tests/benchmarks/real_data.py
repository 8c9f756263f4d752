"""Accuracy on real data: the EASI-FISH and MERFISH sets of ../shared/data."""

import json
from collections.abc import Callable

import numpy as np
import tifffile
from accuracy_criteria import Row
from numpy.typing import NDArray
from ours import register
from planted_structure import SHARED_DATA
from scipy.interpolate import RegularGridInterpolator

NAME = "scan_001_{cycle}_{roi}_ROI_converted_decon_ch00.tif"
EASIFISH_BLOCK = MERFISH_BLOCK = 64
EASIFISH_RMS, EASIFISH_LARGEST = 0.65, 1.5
MERFISH_LARGEST = 0.25
EXCHANGE_RMS = 0.15
# total shift z, y, x of the blocks: an affine model fitted to an independent registration
EASIFISH_SHIFTS = np.array(
    [
        [(-1.8, -2.8, 2.4), (-2.5, -0.0, 2.8), (-3.2, 2.7, 3.2), (-3.9, 5.4, 3.7)],
        [(-0.4, -4.2, 0.6), (-1.1, -1.5, 1.0), (-1.7, 1.3, 1.5), (-2.4, 4.0, 1.9)],
        [(1.0, -5.6, -1.2), (0.4, -2.9, -0.8), (-0.3, -0.1, -0.3), (-1.0, 2.6, 0.1)],
        [(2.5, -7.0, -3.0), (1.8, -4.3, -2.6), (1.1, -1.5, -2.1), (0.5, 1.2, -1.7)],
    ]
)

# reference, cycle, block edge -> total shifts (n_i, n_j, 3)
Register = Callable[[NDArray, NDArray, int], NDArray]


def register_ours(reference: NDArray, cycle: NDArray, block_size_xy: int) -> NDArray:
    """Return the total shifts (n_i, n_j, 3) that ours finds, as the sets' parameters ask."""
    return register(reference, cycle, block_size_xy, align_by_block=False).total_zyx


def exchange_difference(
    forward: NDArray, backward: NDArray, block_size_xy: int
) -> NDArray[np.float64]:
    """Return (n, 3) forward shift + backward shift, both at the same physical position.

    Forward belongs to the block's centre r in the reference. There the cycle is at r - forward,
    where the backward shifts are interpolated between (beyond the outer centres: continued)
    the centres of their blocks.
    """
    grid = forward.shape[:2]
    centres = [(np.arange(n) + 0.5) * block_size_xy for n in grid]
    at = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1) - forward[..., 1:]
    field = RegularGridInterpolator(centres, backward, bounds_error=False, fill_value=None)
    return (forward + field(at)).reshape(-1, 3)


def real_data_rows(peer: Register | None) -> list[Row]:
    """Return the rows of both sets; a row that says so where the data is absent."""
    if not SHARED_DATA.is_dir():
        return [Row("easifish, merfish-beads", "skipped: no ../shared/data", "-", "-", None)]
    return [*_easifish_rows(peer), *_merfish_rows(peer)]


def _easifish_rows(peer: Register | None) -> list[Row]:
    reference, cycle = (
        tifffile.imread(SHARED_DATA / "easifish" / NAME.format(cycle=name, roi="001"))
        for name in ("RT1", "RT2")
    )
    forward = register_ours(reference, cycle, EASIFISH_BLOCK)
    backward = register_ours(cycle, reference, EASIFISH_BLOCK)
    error = (forward - EASIFISH_SHIFTS).reshape(-1, 3)
    rms = np.sqrt(np.mean(error**2, axis=0))
    exchange = np.sqrt(np.mean(exchange_difference(forward, backward, EASIFISH_BLOCK) ** 2, axis=0))
    peer_rms = peer_largest = "-"
    if peer is not None:
        peer_error = (peer(reference, cycle, EASIFISH_BLOCK) - EASIFISH_SHIFTS).reshape(-1, 3)
        peer_rms = _text(np.sqrt(np.mean(peer_error**2, axis=0)))
        peer_largest = f"{np.abs(peer_error).max():.2f}"
    largest = np.abs(error).max()
    return [
        Row("easifish rms", _text(rms), peer_rms, f"{EASIFISH_RMS}",
            bool(np.all(rms <= EASIFISH_RMS))),
        Row("easifish largest", f"{largest:.2f}", peer_largest, f"{EASIFISH_LARGEST}",
            bool(largest <= EASIFISH_LARGEST)),
        Row("easifish exchanged, rms", _text(exchange), "-", f"{EXCHANGE_RMS}",
            bool(np.all(exchange <= EXCHANGE_RMS))),
    ]  # fmt: skip


def _merfish_rows(peer: Register | None) -> list[Row]:
    folder = SHARED_DATA / "merfish-beads"
    estimates = json.loads((folder / "drift_estimates.json").read_text())
    stacks = [
        tifffile.imread(folder / NAME.format(cycle=f"RT{k}", roi="000"))
        for k in range(len(estimates) + 1)
    ]
    stacks = [stack.reshape(-1, *stack.shape[-2:]) for stack in stacks]  # one plane reads as 2D
    ours, exchanged, theirs = [], [], []
    for k, cycle in enumerate(stacks[1:], 1):
        expected = np.mean(list(estimates[f"fov0_round{k}"].values()), axis=0)
        forward = register_ours(stacks[0], cycle, MERFISH_BLOCK)
        backward = register_ours(cycle, stacks[0], MERFISH_BLOCK)
        ours.append(forward[..., 1:] - expected)
        exchanged.append(exchange_difference(forward, backward, MERFISH_BLOCK))
        if peer is not None:
            found = peer(stacks[0], cycle, MERFISH_BLOCK)
            theirs.append(found[..., 1:] - expected)
    exchange = np.sqrt(np.mean(np.concatenate(exchanged) ** 2, axis=0))
    of_rounds, of_blocks = _largest_of_rounds(ours), float(np.abs(ours).max())
    return [
        Row("merfish-beads, largest of the 7 rounds (mean of the blocks)", f"{of_rounds:.2f}",
            f"{_largest_of_rounds(theirs):.2f}" if theirs else "-", f"{MERFISH_LARGEST}",
            of_rounds <= MERFISH_LARGEST),
        Row("merfish-beads, largest of any block", f"{of_blocks:.2f}",
            f"{np.abs(theirs).max():.2f}" if theirs else "-", "-", None),
        Row("merfish-beads exchanged, rms", _text(exchange), "-", f"{EXCHANGE_RMS}",
            bool(np.all(exchange <= EXCHANGE_RMS))),
    ]  # fmt: skip


def _largest_of_rounds(errors: list[NDArray]) -> float:
    """Return the largest error of a round's mean over its blocks, from grids (n_i, n_j, 2)."""
    return max(float(np.abs(error.mean(axis=(0, 1))).max()) for error in errors)


def _text(values: NDArray) -> str:
    return " ".join(f"{value:.3f}" for value in values)
