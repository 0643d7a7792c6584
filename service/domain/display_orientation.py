"""How a stored picture must be turned to hang as mammographers expect it: the chest walls of both breasts meet in the middle, the axilla
or the lateral side is up."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from itertools import product
from typing import NamedTuple

from models.vocabulary import Laterality, View
from service.domain.findings import InstanceHeader


class Edge(IntEnum):
    """Of a picture, clockwise: a quarter turn adds one."""

    TOP = 0
    RIGHT = 1
    BOTTOM = 2
    LEFT = 3


class LabelSource(StrEnum):
    """Whose word an image hangs by."""

    PIXELS = "pixels"
    HEADER = "header"
    NONE = "none"


class Turn(NamedTuple):
    """What is done to the stored pixel matrix: first the flip (left to right), then the rotation (clockwise)."""

    flip_horizontal: bool = False
    rotate_degrees: int = 0
    source: LabelSource = LabelSource.NONE
    """Of the side that the chest wall lies at."""


CHEST_WALL_AT = {Laterality.R: Edge.RIGHT, Laterality.L: Edge.LEFT}
"""Right breast at the left of the screen, left breast at its right: seen as the patient is faced, chest walls together."""

_MEDIAL = {Laterality.R: ("L", "R"), Laterality.L: ("R", "L")}
"""Letters of medial and of lateral (PS3.3 C.7.6.1.1.1): the middle of the body lies to the left of a right breast."""
_FEET = ("F", "H")
_FROM_ABOVE = frozenset({View.CC, View.XCCL, View.XCCM, View.FB})
"""Views that look along head to feet: their pictures show lateral and medial, and hang with lateral up."""
_FROM_THE_SIDE = frozenset({View.ML, View.LM})
"""Views that look along lateral to medial, which their pictures do not show."""


def find_turn(header: InstanceHeader, view: View, side: Laterality, chest_wall_right: bool | None) -> Turn:
    """Say how a picture must be turned for its place.

    Patient Orientation (PS3.3 C.7.6.1.1.1) tells the directions of a row and of a column of the stored pixels. Where it puts the chest wall
    at the top or at the bottom, it alone is believed, since the pixels were only asked about left and right; else the pixels say at which
    side the chest wall lies, and the header says which edge is up. What is told nowhere is taken to be as it should be.

    Parameters
    ----------
    view, side
        The labels that the image hangs by.
    chest_wall_right
        What the pixels show; None where they were not read.

    Returns
    -------
    The smallest turn: a picture that only lies the wrong way round is flipped, one that is upside down too is rotated.
    """
    if side not in CHEST_WALL_AT or view is View.SPECIMEN:
        return Turn()
    chest, up = _read_orientation(header.orientation, view, side)
    source = LabelSource.HEADER if chest is not None else LabelSource.NONE
    if chest_wall_right is not None and chest not in (Edge.TOP, Edge.BOTTOM):
        chest, source = (Edge.RIGHT if chest_wall_right else Edge.LEFT), LabelSource.PIXELS
    if chest is None:
        return Turn()
    for degrees, flip in product((0, 180, 90, 270), (False, True)):
        lands_right = _turned(chest, flip, degrees) is CHEST_WALL_AT[side]
        if lands_right and (up is None or _turned(up, flip, degrees) is Edge.TOP):
            return Turn(flip, degrees, source)
    raise AssertionError("the eight turns of a square reach every lie")


def _turned(edge: Edge, flip: bool, degrees: int) -> Edge:
    mirrored = -edge if flip else edge
    return Edge((mirrored + degrees // 90) % 4)


def _read_orientation(orientation: tuple[str, ...], view: View, side: Laterality) -> tuple[Edge | None, Edge | None]:
    """The edge at which the header puts the chest wall, and the one that it puts up; None for what it does not tell."""
    if len(orientation) != 2 or not all(orientation):
        return None, None
    row, column = orientation
    lies = row[0] in "AP"
    if lies == (column[0] in "AP"):
        return None, None
    towards_chest, across = (row, column) if lies else (column, row)
    ends = (Edge.RIGHT, Edge.LEFT) if lies else (Edge.BOTTOM, Edge.TOP)
    chest = ends[0] if towards_chest[0] == "P" else ends[1]
    # Down is where the feet are; where a picture does not show them, where the middle of the body is.
    pairs = [_FEET] * (view not in _FROM_ABOVE) + [_MEDIAL[side]] * (view not in _FROM_THE_SIDE)
    for down, up in pairs:
        if (down in across) != (up in across):
            far, near = (Edge.BOTTOM, Edge.TOP) if lies else (Edge.RIGHT, Edge.LEFT)
            return chest, near if down in across else far
    return chest, None
