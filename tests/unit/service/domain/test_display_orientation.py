"""However an image is stored, the display orientation brings chest wall and upper edge to their places."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from models.vocabulary import Laterality, View
from service.domain.display_orientation import DisplayOrientation, LabelSource, find_display_orientation
from service.domain.hanging import hang
from service.domain.study_image import StudyImage
from tests.support.analysed_images import analysed_image, mirror, standard_study

RIGHT, LEFT = Laterality.R, Laterality.L
LETTER_BEHIND = {"A": "P", "P": "A", "L": "R", "R": "L", "H": "F", "F": "H"}


def as_it_hangs(side: Laterality, upper: str) -> NDArray[np.str_]:
    """An image of two by two, each corner named by its directions: chest wall in the middle of the screen, upper edge up."""
    left, right = ("A", "P") if side is RIGHT else ("P", "A")
    lower = LETTER_BEHIND[upper]
    return np.array([[upper + left, upper + right], [lower + left, lower + right]])


def orientation_of(picture: NDArray[np.str_]) -> tuple[str, str]:
    """Patient Orientation of such a picture: where its rows and its columns lead to."""
    row = (set(picture[0, 1]) - set(picture[0, 0])).pop()
    column = (set(picture[1, 0]) - set(picture[0, 0])).pop()
    return row, column


def apply(orientation: DisplayOrientation, stored: NDArray[np.str_]) -> NDArray[np.str_]:
    """First the rotation, clockwise, then the flip (PS3.3 C.10.6)."""
    rotated = np.rot90(stored, -orientation.image_rotation // 90)
    return np.fliplr(rotated) if orientation.image_horizontal_flip else rotated


@pytest.mark.parametrize(
    ("side", "view", "upper"), [(RIGHT, View.CC, "R"), (LEFT, View.CC, "L"), (RIGHT, View.MLO, "H"), (LEFT, View.ML, "H")]
)
@pytest.mark.parametrize(("flipped", "quarters"), list(product((False, True), range(4))))
def test_however_a_picture_lies_it_is_turned_upright_with_its_chest_wall_inside(
    side: Laterality, view: View, upper: str, flipped: bool, quarters: int
) -> None:
    wanted = as_it_hangs(side, upper)
    stored = np.rot90(np.fliplr(wanted) if flipped else wanted, quarters)
    header = analysed_image("1", (view, side), ("CC", "R"), orientation=orientation_of(stored)).header
    orientation = find_display_orientation(header, view, side, chest_wall_right=None)
    assert apply(orientation, stored).tolist() == wanted.tolist()
    assert orientation.source is LabelSource.HEADER


@pytest.mark.parametrize(
    ("side", "chest_wall_right", "flipped"), [(RIGHT, True, False), (RIGHT, False, True), (LEFT, True, True), (LEFT, False, False)]
)
def test_without_an_orientation_the_pixels_say_where_the_chest_wall_is(side: Laterality, chest_wall_right: bool, flipped: bool) -> None:
    header = analysed_image("1", (View.CC, side), ("CC", side)).header
    assert find_display_orientation(header, View.CC, side, chest_wall_right) == DisplayOrientation(flipped, 0, LabelSource.PIXELS)


def test_pixels_outrank_an_orientation_that_puts_the_chest_wall_at_the_other_side() -> None:
    header = analysed_image("1", (View.MLO, LEFT), ("MLO", "R"), orientation=("A", "FR")).header
    assert find_display_orientation(header, View.MLO, LEFT, chest_wall_right=True) == DisplayOrientation(True, 0, LabelSource.PIXELS)


def test_an_upside_down_picture_is_rotated_and_not_mirrored() -> None:
    header = analysed_image("1", (View.MLO, RIGHT), ("MLO", "R"), orientation=("A", "H")).header
    assert find_display_orientation(header, View.MLO, RIGHT, chest_wall_right=False) == DisplayOrientation(False, 180, LabelSource.PIXELS)


@pytest.mark.parametrize("orientation", [(), ("CC",), ("P", "A"), ("", "L"), ("L", "F"), ("P",)])
def test_an_orientation_that_tells_no_lie_turns_nothing(orientation: tuple[str, ...]) -> None:
    header = analysed_image("1", (View.CC, RIGHT), ("CC", "R"), orientation=orientation).header
    assert find_display_orientation(header, View.CC, RIGHT, None) == DisplayOrientation(False, 0, LabelSource.NONE)


def test_a_picture_of_unknown_side_stays_as_it_is() -> None:
    header = analysed_image("1", (View.CC, Laterality.UNKNOWN), ("CC", "UNKNOWN"), orientation=("P", "L")).header
    assert find_display_orientation(header, View.CC, Laterality.UNKNOWN, True) == DisplayOrientation()


def test_a_mirrored_picture_is_flipped_back_in_its_declared_place() -> None:
    mirrored = mirror(standard_study()[0])
    assert mirrored.finding is not None
    lying = mirrored._replace(finding=mirrored.finding.model_copy(update={"chest_wall_right": False}))
    hung = hang([StudyImage(*each) for each in standard_study(rcc=lying)]).slots["R-CC"]
    assert hung is not None
    assert (hung.image.header.sop_instance_uid, hung.orientation.image_horizontal_flip, hung.orientation.image_rotation) == (
        lying.uid,
        True,
        0,
    )
