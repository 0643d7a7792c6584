"""Each recipe makes the picture that its paper describes, and its placement leads back to the source."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.preprocessing.geometry import breast_mask, chest_is_left
from models.preprocessing.recipe import RECIPES, crop, find_recipe, normalise
from tests.support.phantom import draw_breast

LEFT: NDArray[np.uint8] = (draw_breast(1000, 800) >> 4).astype(np.uint8)
RIGHT: NDArray[np.uint8] = np.ascontiguousarray(LEFT[:, ::-1])


@pytest.mark.parametrize("name", sorted(RECIPES))
@pytest.mark.parametrize("shape", [(128, 128), (160, 96), (64, 200)])
@pytest.mark.parametrize("picture", [LEFT, RIGHT, np.ascontiguousarray(LEFT.T)], ids=["left", "right", "wide"])
def test_both_halves_together_are_the_recipe(name: str, shape: tuple[int, int], picture: NDArray[np.uint8]) -> None:
    recipe = find_recipe(name)
    pixels, placement, fraction = recipe.crop(picture, shape)
    prepared = recipe(picture, shape)
    assert pixels.shape == shape == placement.output_shape and pixels.dtype == np.uint8
    assert np.array_equal(prepared.pixels, recipe.normalise(pixels)) and prepared.pixels.dtype == np.float32
    assert float(prepared.pixels.min()) >= 0 and float(prepared.pixels.max()) <= 1
    assert (prepared.placement, prepared.breast_fraction) == (placement, fraction)


@pytest.mark.parametrize("name", sorted(RECIPES))
@pytest.mark.parametrize("picture", [LEFT, RIGHT], ids=["left", "right"])
def test_a_spot_is_found_where_it_was(name: str, picture: NDArray[np.uint8]) -> None:
    spotted = picture.copy()
    row, column = 400, 200 if picture is LEFT else 600
    spotted[row - 10 : row + 10, column - 10 : column + 10] = 255
    pixels, placement, _ = find_recipe(name).crop(spotted, (256, 256))
    ys, xs = np.nonzero(pixels > 250)
    assert placement.to_source(ys.mean() + 0.5, xs.mean() + 0.5) == pytest.approx((row, column), abs=4)
    laid = placement.map_to_source((pixels > 250).astype(np.float32))
    assert laid.shape == (1000, 800)
    ys, xs = np.nonzero(laid > 0.5)
    assert (ys.mean(), xs.mean()) == pytest.approx((row, column), abs=4)


def test_the_module_functions_are_the_shipped_recipe() -> None:
    assert (find_recipe("breast-stretch@1").crop, find_recipe("breast-stretch@1").normalise) == (crop, normalise)


@pytest.mark.parametrize("picture", [LEFT, RIGHT], ids=["left", "right"])
def test_a_square_is_padded_on_the_air_side(picture: NDArray[np.uint8]) -> None:
    """Kim et al., "Training Set-up": zero-padded on the left side of RCC and RMLO, on the right side of LCC and LMLO."""
    pixels, placement, _ = find_recipe("pad-square@1").crop(picture + 1, (1600, 1600))
    left = picture is LEFT
    padding, image = (pixels[:, 1280:], pixels[:, :1280]) if left else (pixels[:, :320], pixels[:, 320:])
    assert not padding.any() and image.any(axis=0).all(), "1000 x 800 becomes 1600 x 1280, the rest is padding"
    assert chest_is_left(breast_mask(pixels)) is left
    assert placement.box.height == placement.box.width == 1000, "both axes have one scale"
    edge = 1599.5 if left else 0.5
    assert placement.to_source(800, edge)[1] == (800 if left else 0), "a point in the padding goes to the image's edge"


def test_the_side_is_that_of_the_pixels() -> None:
    assert chest_is_left(breast_mask(LEFT)) and not chest_is_left(breast_mask(RIGHT))
    assert chest_is_left(np.zeros((40, 30), np.bool_))


def test_a_whole_image_keeps_its_levels() -> None:
    prepared = find_recipe("whole-stretch@1")(LEFT, (1000, 800))
    assert np.array_equal(prepared.pixels, LEFT.astype(np.float32) / 255)
    assert prepared.breast_fraction == pytest.approx(0.46, abs=0.02)


def test_a_marker_tells_nothing_to_whole_unmarked() -> None:
    spoiled = LEFT.copy()
    cv2.putText(spoiled, "L CC", (600, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 4)
    with_marker = find_recipe("whole-stretch@1").crop(spoiled, (256, 256))[0]
    without = find_recipe("whole-unmarked@1").crop(spoiled, (256, 256))[0]
    clean = find_recipe("whole-stretch@1").crop(LEFT, (256, 256))[0]
    assert int(with_marker[:40, 180:].max()) > 150 and int(without[:40, 180:].max()) == 0
    assert np.array_equal(without[60:190, :100], clean[60:190, :100]), "the breast is untouched"


def test_a_patch_is_taken_whole() -> None:
    patch = LEFT[300:356, 100:156]
    pixels, placement, fraction = find_recipe("patch-stretch@1").crop(patch, (56, 56))
    assert np.array_equal(pixels, patch) and fraction == 1.0 and placement.to_source(56, 56) == (56, 56)


@pytest.mark.parametrize("picture", [LEFT, RIGHT], ids=["left", "right"])
def test_a_breast_that_is_fitted_keeps_its_aspect_and_its_chest_wall(picture: NDArray[np.uint8]) -> None:
    recipe = find_recipe("breast-fit@1")
    box = recipe.crop(picture, (300, 300))[1].box
    assert box.height == pytest.approx(box.width, abs=2), "both axes have one scale"
    for shape in ((300, 300), (200, 600), (600, 100)):
        pixels, placement, _ = recipe.crop(picture, shape)
        assert chest_is_left(breast_mask(pixels)) is (picture is LEFT)
        scales = (shape[0] / placement.box.height, shape[1] / placement.box.width)
        assert scales[0] == pytest.approx(scales[1], rel=0.02)
