"""A copy has the noise of its original, wherever it was moved to; two exposures never have."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import crossreg
from crossreg.fiducial.evidence.exposure_noise import from_text, noise_of
from crossreg.fiducial.summary.copied_cycles import copies_doubted
from crossreg.io.ecsv import Table

SIZE, NOISE = 128, 6.0
Stack = np.ndarray


def specimen(content: str, planes: int) -> Stack:
    """Return the light (Z, Y, X) of beads, or of a texture."""
    random = np.random.default_rng(7)
    light = random.normal(size=(planes, SIZE, SIZE))
    scale = (1.0 if planes > 1 else 0.0, 1.3, 1.3)
    if content == "beads":
        light = np.where(light > 2.5, 1.0, 0.0)
    light = gaussian_filter(light, scale)
    return 300 + 1500 * np.maximum(light, 0) / light.max()


def exposed(light: Stack, seed: int, pattern: float = 0.0) -> Stack:
    """Return what a camera makes of the light: its pattern is part of the variance of its noise."""
    random = np.random.default_rng(seed)
    fixed = np.random.default_rng(0).normal(0, NOISE * np.sqrt(pattern), light.shape[1:])
    noise = random.normal(0, NOISE * np.sqrt(1 - pattern), light.shape)
    return np.rint(random.poisson(light) + fixed + noise).clip(0).astype(np.uint16)


def rolled(stack: Stack, by_yx: tuple[int, int] = (17, -23)) -> Stack:
    return np.roll(stack, by_yx, (1, 2))


def padded(stack: Stack) -> Stack:
    moved = rolled(stack)
    moved[:, :17] = moved[:, :, -23:] = stack.min()
    return moved


def in_8_bits(stack: Stack) -> Stack:
    return ((stack - stack.min()) * (255.0 / np.ptp(stack))).astype(np.uint8)


COPIES: dict[str, Callable[[Stack], Stack]] = {
    "as it is": np.copy,
    "rolled": rolled,
    "cut and padded": padded,
    "other gain and offset": lambda stack: rolled(np.rint(0.7 * stack + 90).astype(np.uint16)),
    "another gamma": lambda stack: rolled(np.rint(20 * np.sqrt(stack)).astype(np.uint16)),
    "8 bits": in_8_bits,
    "8 bits, rolled": lambda stack: rolled(in_8_bits(stack)),
}
MOVED = {"as it is": (0, 0), "8 bits": (0, 0)}


def table(stack: Stack, shift_yx: tuple[float, float] = (0.0, 0.0)) -> Table:
    """Return what a cycle's table says of a stack that was brought to the reference so."""
    noise = noise_of(stack, shift_yx).as_text()
    return Table({}, {"verdict": "registered", "reason": "", "noise": noise})


def named(tables: dict[str, Table]) -> dict[str, str]:
    """Return which cycle each one that is doubtful is a copy of."""
    said = {name: one.meta for name, one in copies_doubted(tables).items()}
    return {
        name: meta["reason"].partition("cycle ")[2].partition(":")[0]
        for name, meta in said.items()
        if meta["verdict"] == "doubtful"
    }


@pytest.mark.parametrize("planes", [1, 2, 7])
@pytest.mark.parametrize("content", ["beads", "texture"])
@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_another_cycle_is_doubtful_and_so_is_the_other(
    kind: str, content: str, planes: int
) -> None:
    light = specimen(content, planes)
    first, second = exposed(light, 1), exposed(light, 2)
    row, column = MOVED.get(kind, (17, -23))
    # Registration finds shifts to some hundredths of a pixel, on either side of a half.
    tables = {
        "A": table(first, (0.48, -0.3)),
        "B": table(second, (0.48, -0.3)),
        "C": table(COPIES[kind](first), (0.52 - row, -0.3 - column)),
    }
    assert named(tables) == {"A": "C", "C": "A"}
    assert tables["A"].meta["verdict"] == "registered"


@pytest.mark.parametrize("planes", [1, 2, 7])
@pytest.mark.parametrize("pattern", [0.0, 0.7])
@pytest.mark.parametrize("content", ["beads", "texture"])
def test_exposures_at_rest_behind_a_pattern_of_the_camera_are_none(
    content: str, pattern: float, planes: int
) -> None:
    light = specimen(content, planes)
    cycles = {name: table(exposed(light, ord(name), pattern)) for name in "ABCD"}
    assert named(cycles) == {}


@pytest.mark.parametrize("fault", ["empty", "clipped", "dark"])
def test_cycles_that_show_no_noise_are_none(fault: str) -> None:
    light = specimen("beads", 3)
    made = {
        "empty": lambda stack: np.zeros_like(stack),
        "clipped": lambda stack: np.minimum(stack, 200),
        "dark": lambda stack: np.where(stack > 1200, stack, 0),
    }[fault]
    cycles = {name: table(made(exposed(light, ord(name)))) for name in "AB"}
    assert named(cycles) == {}


def test_of_three_copies_each_is_doubtful() -> None:
    stack = exposed(specimen("beads", 3), 1)
    assert named({name: table(stack) for name in "ABC"}) == {"A": "B", "B": "A", "C": "A"}


@pytest.mark.parametrize("by", [1, 2])
def test_planes_of_a_copy_may_be_moved_too(by: int) -> None:
    stack = exposed(specimen("texture", 12), 1)
    moved = np.roll(stack, by, axis=0)
    assert named({"A": table(stack), "B": table(moved)}) == {"A": "B", "B": "A"}


def test_cycles_that_failed_are_not_compared() -> None:
    failed = Table({}, {"verdict": "failed", "reason": "no match"})
    assert named({"A": failed, "B": failed}) == {}


def test_noise_is_read_back_from_its_text() -> None:
    noise = noise_of(exposed(specimen("beads", 3), 1), (40.0, 90.0))
    again = from_text(noise.as_text())
    assert again.levels == noise.levels
    assert (again.signs == noise.signs).all()
    assert {-1, 0, 1} == set(np.unique(again.signs))


@pytest.mark.parametrize("planes", [1, 7])
@pytest.mark.parametrize("kind", [kind for kind in COPIES if kind not in MOVED])
def test_a_moved_copy_of_the_reference_is_doubtful(kind: str, planes: int) -> None:
    stack = exposed(specimen("texture", planes), 1)
    found = crossreg.register(stack, COPIES[kind](stack), block_size=32)
    assert found.verdict == "doubtful"
    assert "copied" in found.reason
