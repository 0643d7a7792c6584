"""Turns of an image and back, for maps and for points."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from models.preprocessing.geometry import chest_edge
from models.preprocessing.turn import Turn

ALL = [Turn(degrees, flip) for degrees, flip in product((0, 90, 180, 270), (False, True))]


@pytest.mark.parametrize("turn", ALL, ids=str)
def test_a_map_comes_back_as_it_was(turn: Turn) -> None:
    source = np.arange(15).reshape(3, 5)
    assert np.array_equal(turn.undo(turn.apply(source)), source)


def test_a_rotation_is_clockwise_and_comes_before_the_flip() -> None:
    source = np.array([[1, 2], [3, 4]])
    assert Turn(90).apply(source).tolist() == [[3, 1], [4, 2]]
    assert Turn(90, True).apply(source).tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize("turn", ALL, ids=str)
@pytest.mark.parametrize("point", [(0, 0), (2, 4), (1, 3), (0, 4)])
def test_a_point_goes_to_the_pixel_that_it_came_from(turn: Turn, point: tuple[int, int]) -> None:
    source = np.zeros((3, 5))
    source[point] = 1
    turned = turn.apply(source)
    row, column = np.argwhere(turned)[0]
    back = turn.undo_point(row + 0.5, column + 0.5, (turned.shape[0], turned.shape[1]))
    assert back == (point[0] + 0.5, point[1] + 0.5)


@pytest.mark.parametrize("turn", ALL, ids=str)
def test_the_edge_of_the_chest_wall_is_found_in_every_layout(turn: Turn) -> None:
    rows, columns = np.mgrid[:300, :200]
    breast = (rows - 150) ** 2 / 140**2 + columns**2 / 150**2 < 1
    edge = {(0, False): "left", (0, True): "right", (90, False): "top", (90, True): "top"} | {
        (180, False): "right",
        (180, True): "left",
        (270, False): "bottom",
        (270, True): "bottom",
    }
    assert chest_edge(turn.apply(breast)) == edge[turn.degrees, turn.flip]


def test_an_empty_mask_has_no_chest_wall() -> None:
    assert chest_edge(np.zeros((30, 20), np.bool_)) == ""
