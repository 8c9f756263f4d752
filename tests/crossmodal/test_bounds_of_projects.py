"""One box of integers for all projects, and the sections that have a partner."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossreg.crossmodal.freeze.parameters import normalised
from crossreg.crossmodal.freeze.records import LeftOut
from crossreg.crossmodal.freeze.sections_and_box import (
    layer_size,
    layer_warning,
    left_out_without_lm,
    project_bounds,
    selected_sections,
)
from crossreg.io.errors import UserError

EM = {"minX": -10.5, "minY": 3.0, "maxX": 200.25, "maxY": 90.0, "minZ": 1.0, "maxZ": 5.0}


def parameters(**given):
    return normalised({"inputStack": "EM", "LMstack": "LM"} | given, "p.json")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, (-11, 3, 201, 90)),
        ({"minX": 5.5}, (5, 3, 201, 90)),
        ({"minX": 0, "maxY": 50.1}, (0, 3, 201, 51)),
        ({"buffersize": 100}, (-111, -97, 301, 190)),
        ({"buffersize": 0.5}, (-11, 2, 201, 91)),
    ],
)
def test_each_side_defaults_on_its_own_and_is_rounded_outwards(given, wanted):
    bounds = project_bounds(parameters(**given), EM)
    assert tuple(bounds.values()) == wanted
    assert all(isinstance(side, int) for side in bounds.values())


def test_the_box_of_a_tile_gives_the_bounds():
    bounds = project_bounds(parameters(tile="t", buffersize=5), EM, (10.5, 20.0, 30.5, 40.0))
    assert tuple(bounds.values()) == (5, 15, 36, 45)
    assert layer_size(bounds) == {"width": 31, "height": 30}


def test_an_empty_box_is_told():
    with pytest.raises(UserError, match="'minX' is 500 and 'maxX' is 201"):
        project_bounds(parameters(minX=500), EM)


# Multiples of 1/64 px: the differences below are exact.
place = st.integers(-(10**9), 10**9).map(lambda number: number / 64)
size = st.integers(1, 10**8).map(lambda number: number / 64)


@given(place, place, size, size, st.integers(0, 5000))
def test_the_box_contains_what_was_asked_for_and_little_more(x, y, width, height, buffersize):
    em = {"minX": x, "minY": y, "maxX": x + width, "maxY": y + height}
    bounds = project_bounds(parameters(buffersize=buffersize), em)
    assert -1 < bounds["minX"] - (x - buffersize) <= 0
    assert 0 <= bounds["maxX"] - (em["maxX"] + buffersize) < 1
    assert -1 < bounds["minY"] - (y - buffersize) <= 0
    assert 0 <= bounds["maxY"] - (em["maxY"] + buffersize) < 1


@pytest.mark.parametrize(
    ("width", "told"), [(65_536, None), (65_537, "the layers are 65,537 x 10 px; above 65,536")]
)
def test_a_large_layer_is_a_warning(width, told):
    warning = layer_warning({"width": width, "height": 10})
    assert warning is None if told is None else told in warning


def test_a_layer_that_cannot_be_held_is_an_error():
    assert layer_warning({"width": 10, "height": 2**24}) is not None
    with pytest.raises(UserError, match="10 x 16,777,217 px, but TrakEM2 can hold 16,777,216"):
        layer_warning({"width": 10, "height": 2**24 + 1})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, [1.0, 2.0, 2.5, 5.0]),
        ({"minZ": 2}, [2.0, 2.5, 5.0]),
        ({"minZ": 2, "maxZ": 2.5}, [2.0, 2.5]),
        ({"sections": [5, 1]}, [1.0, 5.0]),
    ],
)
def test_sections_are_those_asked_for(given, wanted):
    assert (
        selected_sections(parameters(**given), [2.5, 1.0, 5.0, 2.0], {"LM": [1.0, 2.0]}) == wanted
    )


def test_no_match_prints_both_ranges():
    told = (
        "no EM section has the z of an LM section: 'EM' has 2 sections, z = 1.0 to 2.0;"
        " 'A' has 2 sections, z = 1.5 to 7.0; 'B' has no sections."
    )
    with pytest.raises(UserError) as error:
        selected_sections(parameters(), [1.0, 2.0], {"A": [7.0, 1.5], "B": []})
    assert str(error.value) == told


def test_sections_that_are_not_there_are_told():
    with pytest.raises(UserError, match=r"asks for z = 8, 9, but 'EM' has 2 sections, z = 1"):
        selected_sections(parameters(sections=[9, 1, 8]), [1.0, 2.0], {"LM": [1.0]})
    with pytest.raises(UserError, match=r"'minZ' \(7\) and 'maxZ' \(None\).*2 sections"):
        selected_sections(parameters(minZ=7), [1.0, 2.0], {"LM": [1.0]})


def test_sections_without_lm_are_an_error_or_left_out():
    assert left_out_without_lm("error", []) == []
    with pytest.raises(UserError, match=r"z = 1.0, 2.0: no tile of an LM stack.*'skip'"):
        left_out_without_lm("error", [1.0, 2.0])
    with pytest.raises(UserError, match=r"0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more:"):
        left_out_without_lm("error", list(range(30)))
    left = left_out_without_lm("skip", [2.0])
    assert left == [LeftOut(2.0, "no tile of an LM stack in the box")]
