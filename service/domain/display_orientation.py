"""What Patient Orientation (PS3.3 C.7.6.1.1.1) says: which breast it describes, and how the image must be rotated and flipped for display.

On a display the chest walls meet in the middle, and the axilla or the lateral side is up.
"""

from __future__ import annotations

import re
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

_INFEROLATERAL_PLANES = frozenset({View.SIO, View.ISO})
"""Oblique views whose plane goes from superior medial to inferior lateral, the other way round than that of MLO and LMO."""
_OPPOSITE = {Laterality.R: Laterality.L, Laterality.L: Laterality.R}
_DIRECTION = re.compile("[APLRHF]{1,3}")

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


class OrientationSide(NamedTuple):
    """A side, and whether anatomy alone gives it."""

    side: Laterality
    """UNKNOWN where the orientation shows a breast and does not decide which one."""
    certain: bool
    """True for an oblique plane: the axilla is above and lateral. False where the side follows only from the usual layout."""


def find_orientation_side(orientation: tuple[str, ...], view: View) -> OrientationSide | None:
    """The breast that an orientation describes; None where it does not describe the layout of a breast.

    In the plane of an MLO image the feet are where the middle of the body is: ``FL`` or ``HR`` along the chest wall is a right breast in
    any layout. In a CC image ``P\\L`` is a right breast in the usual layout (chest wall at the right, lateral at the top) and a left breast
    that is rotated by 180 degrees. ``P\\R`` is mirrored and can be either breast.
    """
    if len(orientation) != 2 or not all(_DIRECTION.fullmatch(each) for each in orientation):
        return None
    row, column = orientation
    along_row = row[0] in "AP"
    if along_row == (column[0] in "AP"):
        return None
    across = column if along_row else row
    if view in _FROM_ABOVE:
        across = across[:1]
    medial = {"L": Laterality.R, "R": Laterality.L}.get(next(iter(re.findall("[LR]", across)), ""))
    vertical = next(iter(re.findall("[HF]", across)), "")
    if medial and vertical:
        as_usual = (vertical == "F") != (view in _INFEROLATERAL_PLANES)
        return OrientationSide(medial if as_usual else _OPPOSITE[medial], True)
    layout = (Laterality.R if row[0] == "P" else Laterality.L) if along_row else None
    if layout and vertical:
        return OrientationSide(layout if vertical == "F" else _OPPOSITE[layout], False)
    return OrientationSide(layout if layout and layout is medial else Laterality.UNKNOWN, False)


class DeclaredTurn(NamedTuple):
    """How an image must be turned so that it is laid out as usual, and the edge at which the header puts its chest wall."""

    orientation: DisplayOrientation
    chest_edge: Edge


def find_declared_turn(header: InstanceHeader) -> DeclaredTurn | None:
    """The turn that Patient Orientation declares of an image that is not laid out as usual; None where there is nothing to turn.

    A CC image whose rows go along the body is left as it is: ``P\\L`` is a right breast or a rotated left one, and a turn by its declared
    side would hide a wrong label. So is an image whose orientation contradicts its declared side.
    """
    found = find_orientation_side(header.orientation, header.view)
    if found is None:
        return None
    row, column = header.orientation
    along_row = row[0] in "AP"
    if along_row and (header.view in _FROM_ABOVE or not set("HF").intersection(column)):
        return None
    sides = _sides_to_try(header, found)
    turns = [find_display_orientation(header, header.view, side, None) for side in sides]
    if not found.certain:  # anatomy does not prove that the image is mirrored: a plain rotation comes first
        turns.sort(key=lambda turn: turn.image_horizontal_flip)
    if not turns or turns[0][:2] == (False, 0):
        return None
    chest = _read_orientation(header.orientation, header.view, sides[0])[0]
    return DeclaredTurn(turns[0], chest) if chest is not None else None


def _sides_to_try(header: InstanceHeader, found: OrientationSide) -> tuple[Laterality, ...]:
    """The side that the orientation proves; otherwise the declared one, and both where none is declared."""
    declared = header.laterality if header.laterality_source != "PatientOrientation" else Laterality.UNKNOWN
    if found.certain:
        return (found.side,) if declared in (Laterality.UNKNOWN, found.side) else ()
    if found.side is not Laterality.UNKNOWN:
        return (found.side,)
    return (declared,) if declared in CHEST_WALL_EDGE else (Laterality.R, Laterality.L)
