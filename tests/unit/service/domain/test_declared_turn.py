"""Which images Patient Orientation declares as turned, and which breast an orientation describes."""

from __future__ import annotations

import pytest

from models.vocabulary import Laterality, View
from service.domain.display_orientation import Edge, find_declared_turn, find_orientation_side
from service.domain.findings import InstanceHeader

R, L, UNKNOWN = Laterality.R, Laterality.L, Laterality.UNKNOWN


def header(orientation: str, view: View, side: Laterality, source: str = "ImageLaterality") -> InstanceHeader:
    return InstanceHeader(
        sop_instance_uid="2.25.1",
        sop_class_uid="",
        study_instance_uid="2.25.2",
        series_instance_uid="2.25.3",
        transfer_syntax_uid="",
        view=view,
        laterality=side,
        laterality_source=source if side is not UNKNOWN else "",
        orientation=tuple(orientation.split("\\")),
    )


@pytest.mark.parametrize(
    ("orientation", "view", "side", "turn", "edge"),
    [
        ("P\\HL", View.MLO, L, (False, 180), Edge.RIGHT),
        ("A\\HR", View.MLO, R, (False, 180), Edge.LEFT),
        ("P\\H", View.MLO, L, (False, 180), Edge.RIGHT),
        ("L\\A", View.MLO, L, (False, 270), Edge.TOP),
        ("L\\A", View.CC, L, (False, 270), Edge.TOP),
        ("R\\P", View.CC, L, (False, 90), Edge.BOTTOM),
        ("FR\\P", View.MLO, L, (False, 90), Edge.BOTTOM),
        ("HL\\A", View.MLO, L, (False, 270), Edge.TOP),
        ("P\\FR", View.MLO, L, (True, 0), Edge.RIGHT),
        ("A\\FL", View.MLO, R, (True, 0), Edge.LEFT),
        ("A\\HL", View.MLO, L, (True, 180), Edge.LEFT),
        ("P\\HL", View.UNKNOWN, UNKNOWN, (False, 180), Edge.RIGHT),
    ],
)
def test_a_turned_image_is_turned_back(orientation: str, view: View, side: Laterality, turn: tuple[bool, int], edge: Edge) -> None:
    found = find_declared_turn(header(orientation, view, side))
    assert found is not None
    assert (found.orientation[:2], found.chest_edge) == (turn, edge)


@pytest.mark.parametrize(
    ("orientation", "view", "side"),
    [
        ("A\\FR", View.MLO, L),
        ("P\\FL", View.MLO, R),
        ("A\\R", View.CC, L),
        ("P\\L", View.CC, R),
        ("P\\L", View.CC, L),  # rotated, or a right breast with a wrong label
        ("P\\R", View.CC, L),
        ("P\\F", View.MLO, L),  # mirrored, or a right breast with a wrong label
        ("P\\HL", View.MLO, R),  # the header contradicts itself
        ("A\\P", View.MLO, L),
        ("X\\Y", View.MLO, L),
        ("A", View.MLO, L),
        ("A\\", View.MLO, L),
        ("L\\F", View.MLO, L),
    ],
)
def test_what_is_laid_out_as_usual_or_not_certain_stays(orientation: str, view: View, side: Laterality) -> None:
    assert find_declared_turn(header(orientation, view, side)) is None


@pytest.mark.parametrize(
    ("orientation", "view", "side", "certain"),
    [
        ("P\\FL", View.MLO, R, True),
        ("A\\FL", View.MLO, R, True),
        ("HR\\A", View.LMO, R, True),
        ("P\\FR", View.SIO, R, True),
        ("P\\L", View.CC, R, False),
        ("A\\R", View.CC, L, False),
        ("P\\R", View.CC, UNKNOWN, False),
        ("L\\A", View.CC, UNKNOWN, False),
        ("A\\F", View.ML, L, False),
        ("P\\H", View.ML, L, False),
    ],
)
def test_the_side_that_an_orientation_describes(orientation: str, view: View, side: Laterality, certain: bool) -> None:
    assert find_orientation_side(tuple(orientation.split("\\")), view) == (side, certain)
