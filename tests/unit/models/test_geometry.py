"""What is cut out of a picture can be laid back over it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.errors import RecipeUnknown
from models.preprocessing.geometry import Box, Placement, breast_box, breast_mask, cut
from models.preprocessing.polarity import has_white_background
from models.preprocessing.recipe import breast_stretch, find_recipe
from tests.support.phantom import draw_breast

PICTURE = (draw_breast(1000, 800) >> 4).astype(np.uint8)


def test_the_box_holds_the_breast_and_not_the_air() -> None:
    box = breast_box(breast_mask(PICTURE), (1000, 800))
    assert box.top == pytest.approx(80, abs=25) and box.left == 0
    assert box.bottom == pytest.approx(920, abs=25) and box.right == pytest.approx(560, abs=25)


def test_a_marker_and_a_frame_are_not_the_breast() -> None:
    spoiled = PICTURE.copy()
    cv2.putText(spoiled, "LCC", (640, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 4)
    spoiled[:, -6:] = spoiled[:6] = 255
    clean, found = breast_box(breast_mask(PICTURE), (1000, 800)), breast_box(breast_mask(spoiled), (1000, 800))
    assert abs(clean.right - found.right) <= 12
    assert abs(clean.top - found.top) <= 12


def test_a_picture_without_a_breast_is_taken_whole() -> None:
    assert breast_box(breast_mask(np.zeros((600, 400), np.uint8)), (600, 400)) == Box(0, 0, 600, 400)


@pytest.mark.parametrize("shape", [(384, 320), (64, 512), (2000, 1500)])
def test_a_point_goes_there_and_back(shape: tuple[int, int]) -> None:
    box = Box(100, 50, 900, 650)
    placement = cut(PICTURE, box, shape)[1]
    assert placement.to_source(0, 0) == (100, 50)
    assert placement.to_source(*shape) == (900, 650)
    assert placement.to_source(shape[0] / 2, shape[1] / 4) == pytest.approx((500, 200))


def test_a_bright_spot_of_a_map_lands_where_it_was_cut() -> None:
    """Round trip: a spot in the source, cut, made a coarse map, laid back: within one cell of the map."""
    source = np.zeros((1000, 800), np.uint8)
    source[300:340, 200:240] = 255
    box = Box(100, 50, 900, 650)
    pixels, placement = cut(source, box, (400, 300))
    coarse = cv2.resize(pixels, (30, 40), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    laid = placement.map_to_source(coarse)
    assert laid.shape == (1000, 800)
    row, column = np.unravel_index(int(laid.argmax()), laid.shape)
    assert abs(row - 320) <= 20
    assert abs(column - 220) <= 20
    half = placement.map_to_source(coarse, (500, 400))
    row, column = np.unravel_index(int(half.argmax()), half.shape)
    assert abs(row - 160) <= 10
    assert abs(column - 110) <= 10


@pytest.mark.parametrize("shape", [(1000, 800), (333, 77), (10, 8), (1, 1)])
def test_a_map_covers_its_box_and_nothing_else(shape: tuple[int, int]) -> None:
    laid = Placement((1000, 800), Box(990, 790, 1000, 800), (64, 64)).map_to_source(np.ones((4, 4), np.float32), shape)
    assert laid.shape == shape
    assert not laid[: shape[0] * 9 // 10, : shape[1] * 9 // 10].any()


def test_a_recipe_answers_dark_air_and_the_full_range() -> None:
    prepared = breast_stretch(PICTURE, (384, 320))
    assert prepared.pixels.shape == (384, 320)
    assert prepared.pixels.dtype == np.float32
    assert (float(prepared.pixels.min()), float(prepared.pixels.max())) == (0.0, 1.0)
    assert prepared.breast_fraction == pytest.approx(0.46, abs=0.02)
    assert float(prepared.pixels.mean()) == pytest.approx(0.3785, abs=0.002)


def test_recipes_are_found_by_name_and_version() -> None:
    assert find_recipe("breast-stretch@1") is breast_stretch
    with pytest.raises(RecipeUnknown, match="breast-stretch@1"):
        find_recipe("breast-stretch@2")


def test_polarity_is_read_from_the_air() -> None:
    assert not has_white_background(PICTURE)
    assert has_white_background(255 - PICTURE)
