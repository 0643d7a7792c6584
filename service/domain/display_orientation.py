"""How a stored image must be rotated and flipped for display: chest walls meet in the middle, the axilla or the lateral side is up."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from models.vocabulary import Laterality, View
from service.domain.findings import InstanceHeader


class Edge(IntEnum):
    """An edge of an image, counted clockwise: a quarter rotation adds one."""

    TOP = 0
    RIGHT = 1
    BOTTOM = 2
    LEFT = 3


class LabelSource(StrEnum):
    """Where a label that an image hangs by comes from."""

    PIXELS = "pixels"
    HEADER = "header"
    NONE = "none"


class DisplayOrientation(NamedTuple):
    """What a viewer does with the stored pixels, in DICOM's order (PS3.3 C.10.6): first the rotation, then the flip."""

    image_horizontal_flip: bool = False
    """Swap left and right after the rotation; Image Horizontal Flip (0070,0041)."""
    image_rotation: int = 0
    """Degrees clockwise: 0, 90, 180 or 270; Image Rotation (0070,0042)."""
    source: LabelSource = LabelSource.NONE
    """Where the side of the chest wall comes from."""


CHEST_WALL_EDGE = {Laterality.R: Edge.RIGHT, Laterality.L: Edge.LEFT}
"""The right breast is displayed at the left of the screen and the left breast at its right, as one faces the patient."""

_MEDIAL = {Laterality.R: ("L", "R"), Laterality.L: ("R", "L")}
"""Letters of medial and of lateral (PS3.3 C.7.6.1.1.1): the middle of the body is to the left of a right breast."""
_FEET = ("F", "H")
_FROM_ABOVE = frozenset({View.CC, View.XCCL, View.XCCM, View.FB})
"""Views along the line from head to feet: they show lateral and medial, and are displayed with lateral up."""
_FROM_THE_SIDE = frozenset({View.ML, View.LM})
"""Views along the line from lateral to medial, which their images therefore do not show."""

_ORIENTATIONS = ((0, False), (0, True), (180, False), (180, True), (90, False), (270, False), (90, True), (270, True))
"""Every rotation with and without a flip, the smallest change first."""


def find_display_orientation(header: InstanceHeader, view: View, side: Laterality, chest_wall_right: bool | None) -> DisplayOrientation:
    """Find the smallest rotation and flip that bring an image into its display orientation.

    Patient Orientation (PS3.3 C.7.6.1.1.1) gives the directions of a row and of a column of the stored pixels. Where it puts the chest
    wall at the top or at the bottom, it alone decides, because the pixels are only examined for left and right. Otherwise the pixels
    decide at which side the chest wall is, and the header which edge is up. Where neither gives a direction, the image is taken to be
    stored as usual.

    Parameters
    ----------
    view, side
        The labels that the image hangs by.
    chest_wall_right
        What the pixels show; None before the analysis.
    """
    if side not in CHEST_WALL_EDGE or view is View.SPECIMEN:
        return DisplayOrientation()
    chest, up = _read_orientation(header.orientation, view, side)
    source = LabelSource.HEADER if chest is not None else LabelSource.NONE
    if chest_wall_right is not None and chest not in (Edge.TOP, Edge.BOTTOM):
        chest, source = (Edge.RIGHT if chest_wall_right else Edge.LEFT), LabelSource.PIXELS
    if chest is None:
        return DisplayOrientation()
    for degrees, flip in _ORIENTATIONS:
        chest_fits = _displayed(chest, degrees, flip) is CHEST_WALL_EDGE[side]
        if chest_fits and (up is None or _displayed(up, degrees, flip) is Edge.TOP):
            return DisplayOrientation(flip, degrees, source)
    raise AssertionError("the eight orientations of a square are complete")


def _displayed(edge: Edge, degrees: int, flip: bool) -> Edge:
    """Where an edge of the stored pixels is after the rotation and the flip."""
    rotated = edge + degrees // 90
    return Edge((-rotated if flip else rotated) % 4)


def _read_orientation(orientation: tuple[str, ...], view: View, side: Laterality) -> tuple[Edge | None, Edge | None]:
    """The edge of the chest wall and the edge that is up, both from the header; None where the header does not give it."""
    if len(orientation) != 2 or not all(orientation):
        return None, None
    row, column = orientation
    chest_along_row = row[0] in "AP"
    if chest_along_row == (column[0] in "AP"):
        return None, None
    towards_chest, across = (row, column) if chest_along_row else (column, row)
    ends = (Edge.RIGHT, Edge.LEFT) if chest_along_row else (Edge.BOTTOM, Edge.TOP)
    chest = ends[0] if towards_chest[0] == "P" else ends[1]
    # Down is the direction of the feet; where the view does not show them, the middle of the body.
    pairs = [_FEET] * (view not in _FROM_ABOVE) + [_MEDIAL[side]] * (view not in _FROM_THE_SIDE)
    for down, up in pairs:
        if (down in across) != (up in across):
            far, near = (Edge.BOTTOM, Edge.TOP) if chest_along_row else (Edge.RIGHT, Edge.LEFT)
            return chest, near if down in across else far
    return chest, None
