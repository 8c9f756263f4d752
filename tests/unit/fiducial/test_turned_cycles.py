"""A cycle turned by up to 15 degrees, and far away at the same time, is right or has failed."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import crossreg
from crossreg.fiducial.global_shift.shift_of_projections import global_shift
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.fiducial.turn import Turn
from two_views import CONTENTS, SIZE, Views, two_views

BLOCK = 64


def errors_of(views: Views, found: crossreg.Registration) -> tuple[np.ndarray, np.ndarray]:
    """Return errors (n, 2) px, and sigmas, of what both images show of a grid of places."""
    last = len(views.reference) - 9
    places = np.stack(np.meshgrid(*2 * [np.linspace(8, last, 12)]), axis=-1).reshape(-1, 2)
    right = views.right_at(places)
    seen = np.all((places - right > 8) & (places - right < last), axis=1)
    where = np.column_stack([np.zeros(len(places)), places])[seen]
    return (found.shift_at(where)[:, 1:] - right[seen], found.sigma_at(where)[:, 1:])


def registered(views: Views, block: int = BLOCK) -> crossreg.Registration:
    return crossreg.register(views.reference[None], views.cycle[None], block_size=block)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("degrees", [4, 6, 8, 11, 15])
def test_a_turned_cycle_is_right_everywhere(degrees: float, content: str) -> None:
    views = two_views(4, degrees=degrees, content=content)
    found = registered(views)
    assert found.verdict == "registered", found.reason
    error, sigma = errors_of(views, found)
    assert np.abs(error).max() < 0.5
    assert np.mean(np.abs(error) > 3 * sigma) < 0.05


@pytest.mark.parametrize("content", ["spots", "texture", "filaments"])
@pytest.mark.parametrize(("size", "block"), [(128, 32), (512, 128)])
def test_images_of_other_sizes_may_be_turned(size: int, block: int, content: str) -> None:
    views = two_views(11, degrees=12, content=content, size=size)
    found = registered(views, block)
    assert found.verdict == "registered", found.reason
    assert np.abs(errors_of(views, found)[0]).max() < 0.5


@pytest.mark.parametrize("seed", [6, 8002])
def test_beads_that_the_border_of_a_turned_cycle_cuts_draw_nothing(seed: int) -> None:
    views = two_views(seed, degrees=8, content="beads", size=512)
    found = registered(views)
    assert found.verdict == "registered", found.reason
    assert np.abs(errors_of(views, found)[0]).max() < 0.3


@pytest.mark.parametrize("content", ["spots", "texture", "filaments"])
def test_a_turned_cycle_may_be_far_away_too(content: str) -> None:
    views = two_views(5, share=0.6, degrees=15, content=content)
    found = registered(views)
    assert found.verdict == "registered", found.reason
    assert np.abs(errors_of(views, found)[0]).max() < 0.5


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("degrees", [0, 10])
def test_a_mirrored_cycle_is_not_turned_until_it_matches(degrees: float, content: str) -> None:
    views = two_views(6, degrees=degrees, content=content)
    mirrored = Views(views.reference, views.cycle[:, ::-1], views.shift_yx, views.matrix)
    assert registered(mirrored).verdict != "registered"


def test_the_global_shift_is_the_mean_over_what_both_images_show() -> None:
    views = two_views(7, degrees=12)
    found = global_shift(views.reference, views.cycle, block_size=128)
    places = np.indices((SIZE, SIZE)).reshape(2, -1).T.astype(float)
    right = views.right_at(places)
    seen = np.all((places - right >= 0) & (places - right <= SIZE - 1), axis=1)
    assert found.shift_yx == pytest.approx(right[seen].mean(axis=0), abs=0.3)
    assert abs(found.turn) == pytest.approx(12, abs=0.5)


def test_a_cycle_that_is_hardly_turned_is_left_as_it_is() -> None:
    views = two_views(8, degrees=2)
    assert global_shift(views.reference, views.cycle, block_size=128).turn == 0


def test_a_turned_cycle_is_warped_onto_the_reference() -> None:
    views = two_views(9, degrees=15, content="texture")
    found = registered(views)
    warped = found.warp(views.cycle[None])[0]
    inside = warped > 0
    assert np.corrcoef(warped[inside], views.reference[inside])[0, 1] > 0.95
    seen = np.array([[0.0, 100.0, 120.0], [0.0, 180.0, 60.0]])
    in_cycle = seen - found.shift_at(seen)
    assert found.to_reference(in_cycle) == pytest.approx(seen, abs=0.01)


def test_own_shifts_of_a_turned_cycle_hold_the_turn() -> None:
    views = two_views(4, degrees=8, content="spots")
    start = global_shift(views.reference, views.cycle, block_size=2 * BLOCK)
    prepared = prepare_reference(views.reference[None], block_size_xy=BLOCK)
    given = {"turn": start.turn, "borrow": False}
    found = local_shifts(prepared, views.cycle[None], start.shift_yx, **given)
    centres = (np.indices((4, 4)).reshape(2, -1).T + 0.5) * BLOCK - 0.5
    error = found.shift_zyx[..., 1:].reshape(-1, 2) + start.shift_yx - views.right_at(centres)
    assert np.abs(error[found.status.ravel() == "measured"]).max() < 0.5


def test_turning_back_undoes_a_turn() -> None:
    turn = Turn(10.0, (64, 96))
    places = np.array([[10.0, 20.0], [31.5, 47.5]])
    nothing = turn.total(places, np.zeros((2, 2)))
    assert nothing[1] == pytest.approx((0, 0))
    assert nothing[0] == pytest.approx(
        places[0] - (turn.middle_yx + turn.matrix @ (places[0] - turn.middle_yx))
    )
    stack = np.zeros((2, 64, 96), dtype=np.uint16)
    row, column = np.rint(places[0] - nothing[0]).astype(int)
    stack[:, row, column] = 1000
    with ThreadPoolExecutor(1) as pool:
        back = turn.stack_turned_back(stack, pool)
    assert np.unravel_index(back[0].argmax(), back[0].shape) == (10, 20)
