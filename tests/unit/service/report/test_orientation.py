"""Patient Orientation follows labels and layout, keeps finer directions, and never has both of two opposites."""

from __future__ import annotations

import pytest

from models.vocabulary import Laterality, View
from service.report.orientation import correct_patient_orientation, is_valid_orientation, patient_orientation

R, L, CC, MLO, UNKNOWN = Laterality.R, Laterality.L, View.CC, View.MLO, View.UNKNOWN


@pytest.mark.parametrize(
    ("view", "side", "chest_wall_right", "orientation"),
    [
        (CC, R, True, ("P", "L")),
        (CC, L, False, ("A", "R")),
        (MLO, R, True, ("P", "FL")),
        (MLO, L, False, ("A", "FR")),
        (MLO, R, False, ("A", "FL")),
        (View.ML, L, True, ("P", "F")),
        (CC, R, None, None),
        (UNKNOWN, R, True, None),
        (CC, Laterality.UNKNOWN, True, None),
        (View.XCCL, R, True, None),
    ],
)
def test_it_is_derived_from_the_layout(
    view: View, side: Laterality, chest_wall_right: bool | None, orientation: tuple[str, str] | None
) -> None:
    assert patient_orientation(view, side, chest_wall_right) == orientation


@pytest.mark.parametrize("value", [["P", "L"], ["A", "FR"], ["PFL", "FL"], ("P", "FL")])
def test_what_is_valid(value: object) -> None:
    assert is_valid_orientation(value)


@pytest.mark.parametrize(
    "value", [None, "", "MLO", ["P"], ["P", ""], ["P", "FRL"], ["AP", "L"], ["P", "LL"], ["x", "L"], ["P", "L", "F"], 7]
)
def test_what_is_not(value: object) -> None:
    assert not is_valid_orientation(value)


@pytest.mark.parametrize(
    ("declared", "view", "side", "chest_wall_right", "mended"),
    [
        (["P", "FL"], CC, R, True, None),
        (["P", "L"], CC, R, True, None),
        (["PF", "L"], CC, R, True, None),
        (["P", "L"], MLO, R, True, ("P", "FL")),
        (["P", "FL"], MLO, R, False, ("A", "FL")),
        (["P", "FL"], CC, L, True, ("P", "R")),
        ("MLO", MLO, L, False, ("A", "FR")),
        ("", CC, L, False, ("A", "R")),
        (None, CC, L, False, ("A", "R")),
        ("MLO", UNKNOWN, L, False, ()),
        (None, UNKNOWN, L, False, None),
        (["P", "FL"], UNKNOWN, L, None, ("P", "FR")),
        (["P", "FL"], UNKNOWN, L, False, ("A", "FR")),
        (["P", "FL"], UNKNOWN, R, True, None),
        (["L", "F"], UNKNOWN, L, False, None),
    ],
)
def test_it_is_mended_where_it_does_not_fit_and_kept_where_it_is_finer(
    declared: object, view: View, side: Laterality, chest_wall_right: bool | None, mended: tuple[str, ...] | None
) -> None:
    assert correct_patient_orientation(declared, view, side, chest_wall_right) == mended


def test_the_feet_direction_is_dropped_with_the_view_that_declared_it() -> None:
    assert correct_patient_orientation(["P", "FL"], CC, R, True, MLO) == ("P", "L")
    assert correct_patient_orientation(["P", "F"], CC, R, True, MLO) == ("P", "L")
    assert correct_patient_orientation(["P", "FL"], MLO, R, True, MLO) is None
