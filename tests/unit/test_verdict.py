"""The verdict: few beads of the same specimen are registered, those of another one are not."""

import numpy as np
import pytest

from crossreg.fiducial.global_shift.shift_of_projections import global_shift
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.fiducial.verdict import Evidence, judged
from few_beads import WRONG, pair

SEEDS = range(8)


def registered(reference: np.ndarray, cycle: np.ndarray) -> tuple[LocalShifts, np.ndarray]:
    """Return the local result of two images, and the total shifts (n, 2) of its blocks."""
    start = global_shift(reference, cycle, block_size=64).shift_yx
    found = local_shifts(prepare_reference(reference[None], block_size_xy=32), cycle[None], start)
    return found, (found.shift_zyx[..., 1:] + start).reshape(-1, 2)


@pytest.mark.parametrize("wrong", WRONG)
def test_few_beads_of_another_specimen_are_never_registered(wrong: str) -> None:
    verdicts = [registered(*pair(seed, wrong=wrong)[:2])[0].verdict for seed in SEEDS]
    assert all(verdict.name != "registered" for verdict in verdicts)
    assert sum(verdict.name == "failed" for verdict in verdicts) >= len(SEEDS) - 1
    assert all(verdict.reason for verdict in verdicts)


def test_few_beads_of_the_same_specimen_are_registered() -> None:
    for seed in SEEDS:
        reference, cycle, shift_yx = pair(seed)
        found, total_yx = registered(reference, cycle)
        assert found.verdict.name == "registered", seed
        sure = (found.status == "measured").ravel()
        assert np.abs(total_yx[sure] - shift_yx).max() < 1, seed


def test_a_failed_cycle_has_no_shift_and_says_why() -> None:
    found, _ = registered(*pair(0, wrong="mirrored")[:2])
    assert found.verdict.name == "failed"
    assert set(found.status.ravel()) == {"failed"}
    assert np.isnan(found.shift_zyx).all()
    assert found.field is None


@pytest.mark.parametrize(
    ("odds", "name", "said"),
    [
        (-20.0, "registered", ""),
        (
            -4.0,
            "doubtful",
            "so little structure matches that it may be a coincidence (1 in 10,000)",
        ),
        (-1.0, "failed", "the cycle does not match the reference better than unrelated images"),
    ],
)
def test_the_verdict_follows_the_odds_of_a_coincidence(odds: float, name: str, said: str) -> None:
    verdict = judged(Evidence(odds))
    assert verdict.name == name
    assert verdict.reason.startswith(said)
