"""The accuracy criteria: pure functions from results on planted pairs to rows of a table."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pair_specification import PairSpecification
from planted_pairs import Truth

WILD = 1.0  # px or planes, on any axis
LEAST_OVERLAP = 0.5  # of a block's area
BENIGN_ROTATION, BENIGN_Z_SCALE = 0.2, 0.005  # degrees; relative
BENIGN_SNR, BENIGN_SPOTS = 10, 20
BENIGN_KINDS = ("rigid", "drift")  # the others add a difficulty that the criterion does not name
BENIGN_RMS, ROTATION_RMS, FLOOR_RMS = 0.1, 0.3, 0.06
LARGEST_BIAS = 0.03  # px: amplitude of the error over the fractional part of the shift
WITHIN_1_SIGMA, WITHIN_2_SIGMA = (0.58, 0.78), 0.90
LEAST_BLOCKS_FOR_SIGMA = 300
GLOBAL_WITHOUT_ROTATION, GLOBAL_WITH_ROTATION = 0.2, 1.0
AXES = ("z", "y", "x")


@dataclass(frozen=True)
class Result:
    """What ours and the peer found on one pair; grids (n_i, n_j), shifts are totals.

    `global_yx` and `peer_global_yx` are the global shifts. The peer's entries are None where it
    did not run, and for pairs that do not match.
    """

    specification: PairSpecification
    seed: int
    truth: Truth
    shift_zyx: NDArray
    sigma_zyx: NDArray
    status: NDArray
    confidence: NDArray
    confidence_threshold: float
    null_pairs: int
    global_yx: NDArray
    peer_shift_zyx: NDArray | None = None
    peer_global_yx: NDArray | None = None

    @property
    def error(self) -> NDArray:
        """Return (n_i, n_j, 3), NaN where there is no shift."""
        return self.shift_zyx - self.truth.shift_zyx

    @property
    def peer_error(self) -> NDArray | None:
        """Return (n_i, n_j, 3) or None."""
        return None if self.peer_shift_zyx is None else self.peer_shift_zyx - self.truth.shift_zyx

    @property
    def counts(self) -> NDArray:
        """Return (n_i, n_j): which blocks lie in the overlap by half."""
        return self.truth.overlap >= LEAST_OVERLAP

    @property
    def is_benign(self) -> bool:
        """Return whether the pair belongs to the strictest class."""
        plan = self.specification
        return (
            plan.kind in BENIGN_KINDS
            and abs(plan.rotation_degrees) <= BENIGN_ROTATION
            and abs(plan.z_scale) <= BENIGN_Z_SCALE
            and plan.snr >= BENIGN_SNR
            and plan.spots_per_block >= BENIGN_SPOTS
        )

    @property
    def is_rotated(self) -> bool:
        """Return whether there is more rotation or z scale than a benign pair has."""
        plan = self.specification
        return abs(plan.rotation_degrees) > BENIGN_ROTATION or abs(plan.z_scale) > BENIGN_Z_SCALE

    @property
    def is_without_rotation(self) -> bool:
        """Return whether no rotation at all is planted."""
        return self.specification.rotation_degrees == 0


@dataclass(frozen=True)
class Row:
    """One line of the table; `passed` is None where there is nothing to pass."""

    criterion: str
    ours: str
    peer: str
    limit: str
    passed: bool | None


def is_wild(error: NDArray) -> NDArray[np.bool_]:
    """Return (...,): where an error (..., 3) is beyond 1 px on any axis, or there is no shift."""
    return ~(np.abs(error).max(axis=-1) <= WILD)


def rms(error: NDArray) -> NDArray[np.float64]:
    """Return (3,) the root mean square of errors (n, 3), without blocks that have no shift."""
    error = error[np.isfinite(error).all(axis=1)]
    return np.sqrt(np.mean(np.square(error), axis=0)) if len(error) else np.full(3, np.nan)


def fraction_bias(error: NDArray, shift: NDArray) -> NDArray[np.float64]:
    """Return (3,) the amplitude of errors (n, 3) as a sine of the shift's fractional part.

    An estimator that is drawn to whole pixels has errors -a sin(2 pi shift).
    """
    amplitudes = []
    for axis in range(3):
        phase = 2 * np.pi * shift[:, axis]
        model = np.column_stack([np.ones_like(phase), np.sin(phase), np.cos(phase)])
        fit = np.linalg.lstsq(model, error[:, axis], rcond=None)[0]
        amplitudes.append(np.hypot(fit[1], fit[2]))
    return np.array(amplitudes)


def within(error: NDArray, sigma: NDArray, factor: float) -> NDArray[np.float64]:
    """Return (3,) the share of errors (n, 3) within `factor` sigma."""
    if not len(error):
        return np.full(3, np.nan)
    return np.mean(np.abs(error) <= factor * sigma, axis=0)


def pooled(results: Iterable[Result], values: str) -> NDArray:
    """Return the named values (n, ...) of the blocks in the overlap, pair after pair."""
    found = [
        getattr(r.truth if values.startswith("truth") else r, values.removeprefix("truth_"))[
            r.counts
        ]
        for r in results
    ]
    return np.concatenate(found) if found else np.empty((0, 3))


def criteria(results: list[Result]) -> list[Row]:
    """Return a row for each criterion that planted pairs can answer."""
    matching = [r for r in results if r.truth.matches]
    null = [r for r in results if not r.truth.matches]
    return [
        wild_row(matching),
        outside_row(matching),
        *failed_rows(matching, null),
        rms_row("rms, benign pairs", [r for r in matching if r.is_benign], BENIGN_RMS),
        bias_row([r for r in matching if r.is_benign]),
        rms_row("rms, rotation or scale", [r for r in matching if r.is_rotated], ROTATION_RMS),
        peer_row([r for r in matching if r.is_without_rotation and r.peer_error is not None]),
        *calibration_rows(matching),
        *false_accept_rows(matching, null),
        global_row("global shift, no rotation", matching, True, GLOBAL_WITHOUT_ROTATION),
        global_row("global shift, rotation", matching, False, GLOBAL_WITH_ROTATION),
    ]


def wild_row(matching: list[Result]) -> Row:
    """Return how many blocks in the overlap are wild."""
    wild, peer = _wild_counts(matching)
    blocks = sum(int(r.counts.sum()) for r in matching)
    return Row("wild blocks", f"{wild} of {blocks}", peer, "0", blocks > 0 and wild == 0)


def _wild_counts(results: list[Result]) -> tuple[int, str]:
    ours = sum(int(is_wild(r.error[r.counts]).sum()) for r in results)
    compared = [r for r in results if r.peer_error is not None]
    peer = sum(int(is_wild(r.peer_error[r.counts]).sum()) for r in compared)
    return ours, f"{peer}" if compared else "-"


def outside_row(matching: list[Result]) -> Row:
    """Return how many blocks wholly outside the overlap are borrowed."""
    status = np.concatenate([r.status[r.truth.overlap == 0] for r in matching])
    borrowed = int(np.sum(status == "borrowed"))
    return Row(
        "outside the overlap, borrowed",
        f"{borrowed} of {len(status)}",
        "-",
        "all",
        borrowed == len(status),
    )


def failed_rows(matching: list[Result], null: list[Result]) -> list[Row]:
    """Return how many cycles that cannot match are failed, and how many that can are not."""
    caught = sum(bool(np.all(r.status == "failed")) for r in null)
    lost = sum(bool(np.any(r.status == "failed")) for r in matching)
    return [
        Row("cycles of another ROI, failed", f"{caught} of {len(null)}", "-", "all",
            bool(null) and caught == len(null)),
        Row("matching cycles, failed", f"{lost} of {len(matching)}", "-", "0", lost == 0),
    ]  # fmt: skip


def rms_row(name: str, results: list[Result], limit: float) -> Row:
    """Return the rms of the blocks in the overlap; each of them needs a shift to pass."""
    error = pooled(results, "error")
    ours, complete = rms(error), bool(np.isfinite(error).all())
    compared = [r for r in results if r.peer_error is not None]
    peer = _per_axis(rms(pooled(compared, "peer_error"))) if compared else "-"
    passed = complete and bool(np.all(ours <= limit))
    return Row(name, _per_axis(ours), peer, f"{limit}", passed)


def bias_row(results: list[Result]) -> Row:
    """Return the bias towards whole pixels."""
    if not results:
        return Row("bias over fractional part", "-", "-", f"{LARGEST_BIAS}", False)
    truth = pooled(results, "truth_shift_zyx")
    ours = _finite_bias(pooled(results, "error"), truth)
    compared = all(r.peer_error is not None for r in results)
    peer = _per_axis(_finite_bias(pooled(results, "peer_error"), truth)) if compared else "-"
    passed = bool(np.all(ours <= LARGEST_BIAS))
    return Row("bias over fractional part", _per_axis(ours), peer, f"{LARGEST_BIAS}", passed)


def _finite_bias(error: NDArray, shift: NDArray) -> NDArray[np.float64]:
    """Return the bias without wild blocks, which would hide it."""
    keep = ~is_wild(error)
    return fraction_bias(error[keep], shift[keep]) if keep.any() else np.full(3, np.nan)


def peer_row(results: list[Result]) -> Row:
    """Return the rms on those blocks that the peer gets within 1 px."""
    name = "rms, no rotation, peer's blocks"
    if not results:
        return Row(name, "-", "-", "-", None)
    error, peer_error = pooled(results, "error"), pooled(results, "peer_error")
    same = ~is_wild(peer_error)
    ours, peer = rms(error[same]), rms(peer_error[same])
    limit = np.maximum(peer / 2, FLOOR_RMS)
    passed = bool(np.isfinite(error[same]).all() and np.all(ours <= limit))
    return Row(name, _per_axis(ours), _per_axis(peer), _per_axis(limit), passed)


def calibration_rows(matching: list[Result]) -> list[Row]:
    """Return the share of errors within 1 and 2 sigma, of measured and of borrowed blocks."""
    rows = []
    for status in ("measured", "borrowed"):
        error = np.concatenate([r.error[r.status == status] for r in matching])
        sigma = np.concatenate([r.sigma_zyx[r.status == status] for r in matching])
        enough = len(error) >= LEAST_BLOCKS_FOR_SIGMA
        one, two = within(error, sigma, 1), within(error, sigma, 2)
        low, high = WITHIN_1_SIGMA
        rows += [
            Row(f"within 1 sigma, {status} ({len(error)})", _per_axis(one), "-",
                f"{low}-{high}", enough and bool(np.all((one >= low) & (one <= high)))),
            Row(f"within 2 sigma, {status} ({len(error)})", _per_axis(two), "-",
                f">= {WITHIN_2_SIGMA}", enough and bool(np.all(two >= WITHIN_2_SIGMA))),
        ]  # fmt: skip
    return rows


def false_accept_rows(matching: list[Result], null: list[Result]) -> list[Row]:
    """Return how many blocks with nothing in common are above their threshold.

    Those of cycles that cannot match, and the empty ones of cycles that can.
    """
    chosen = [
        ("cycles of another ROI", null, [np.ones(r.confidence.shape, bool) for r in null]),
        ("empty blocks", matching, [r.truth.empty & r.counts for r in matching]),
    ]
    rows = []
    for name, results, blocks in chosen:
        above = [r.confidence > r.confidence_threshold for r in results]
        accepted = sum(int(np.sum(a & b)) for a, b in zip(above, blocks, strict=True))
        count = sum(int(np.sum(b)) for b in blocks)
        pairs = [r.null_pairs for r in results]
        rows.append(
            Row(f"false accepts, {name} ({min(pairs, default=0)} to {max(pairs, default=0)} null"
                " pairs per cycle)", f"{accepted} of {count}", "-", "-", None)
        )  # fmt: skip
    return rows


def global_row(name: str, matching: list[Result], without_rotation: bool, limit: float) -> Row:
    """Return the largest error of the global shift."""
    chosen = [r for r in matching if r.is_without_rotation == without_rotation]
    ours = [np.abs(r.global_yx - r.truth.global_shift_yx).max() for r in chosen]
    peer = [
        np.abs(r.peer_global_yx - r.truth.global_shift_yx).max()
        for r in chosen
        if r.peer_global_yx is not None
    ]
    return Row(
        name,
        _largest(ours, limit),
        _largest(peer, limit) if peer else "-",
        f"{limit}",
        bool(ours) and max(ours) <= limit,
    )


def _largest(errors: list[float], limit: float) -> str:
    """Return the largest error and how many are beyond the limit."""
    beyond = sum(not error <= limit for error in errors)
    return f"{max(errors, default=np.nan):.2f} ({beyond} of {len(errors)} beyond)"


def _per_axis(values: NDArray) -> str:
    """Return three numbers as text: z, y, x."""
    return " ".join(f"{value:.3f}" for value in values)


def breakdown(results: list[Result]) -> list[list[str]]:
    """Return a line for each kind of pair, with the pair that is hardest for ours."""
    lines = []
    for kind in dict.fromkeys(r.specification.kind for r in results if r.truth.matches):
        chosen = [r for r in results if r.specification.kind == kind]
        wild, peer_wild = _wild_counts(chosen)
        error = pooled(chosen, "error")
        seen = np.concatenate([r.status[r.counts] for r in chosen])
        worst = [float(np.nan_to_num(np.abs(r.error[r.counts]), nan=np.inf).max()) for r in chosen]
        lines.append(
            [
                kind,
                f"{len(chosen)}",
                f"{len(error)}",
                f"{np.mean(seen == 'measured'):.0%}",
                f"{wild}",
                peer_wild,
                _per_axis(rms(error)),
                f"{max(worst):.2f} (seed {chosen[int(np.argmax(worst))].seed})",
            ]
        )
    return lines
