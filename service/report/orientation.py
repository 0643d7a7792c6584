"""Patient Orientation from the layout of the pixels (PS3.3 C.7.6.1.1.1, C.8.11.7.1.8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeGuard

from models.vocabulary import Laterality, View

DOWNWARDS = {
    View.CC: "",
    View.MLO: "F",
    View.ML: "F",
    View.LM: "F",
    View.LMO: "F",
}
"""The head to feet part of the column direction; a CC image looks along that axis, so it has none."""
LATERAL_ONLY = frozenset({View.ML, View.LM})
"""Views that look along the left to right axis, so that their images do not show it."""
MEDIAL = {Laterality.R: "L", Laterality.L: "R"}
"""Direction from a breast towards the middle of the body."""


def patient_orientation(view: View, side: Laterality, chest_wall_right: bool | None) -> tuple[str, str] | None:
    """Direction of rows and of columns, from the layout of the pixels; None if the layout or a label is unknown.

    Rows run towards the chest wall (P) or away from it (A). Columns run down the image: from lateral to medial, and to the feet if the
    view shows them. That the axilla is at the top is a convention of mammography; the pixels do not prove it.
    """
    if chest_wall_right is None or view not in DOWNWARDS or side not in MEDIAL:
        return None
    return _rows(chest_wall_right), DOWNWARDS[view] + ("" if view in LATERAL_ONLY else MEDIAL[side])


def correct_patient_orientation(
    declared: object, view: View, side: Laterality, chest_wall_right: bool | None, former_view: View = View.UNKNOWN
) -> tuple[str, str] | tuple[()] | None:
    """The orientation that fits the labels and the layout of the pixels, as close to the declared one as possible.

    Parameters
    ----------
    former_view
        The view that was declared. If it was oblique and the new view looks along head to feet, the head or feet direction is dropped.

    Returns
    -------
    tuple
        Directions of rows and columns. Declared directions are kept as far as they fit, because they may be finer (``P\\FL``) than those
        that the pixels show. ``()``: the declared value is not valid and none can be derived. None: the declared value is right.
    """
    derived = patient_orientation(view, side, chest_wall_right)
    if not is_valid_orientation(declared):
        return derived if derived is not None else () if declared else None
    rows, columns = str(declared[0]), str(declared[1])
    if derived is not None:
        if DOWNWARDS.get(former_view) and not DOWNWARDS[view]:
            columns = re.sub("[HF]", "", columns) or derived[1]
        if not describes((rows, columns), derived):
            rows = rows if rows[0] == derived[0] else derived[0]
            columns = columns if set(derived[1]) <= set(columns) else derived[1]
    else:
        # Without a view only the directions that the pixels show are corrected; the others stay.
        if chest_wall_right is not None and rows[0] in "AP" and rows[0] != _rows(chest_wall_right):
            rows = _rows(chest_wall_right)
        if side in MEDIAL:
            columns = columns.replace(side.value, MEDIAL[side])
    return (rows, columns) if (rows, columns) != tuple(map(str, declared)) else None


def is_valid_orientation(value: object) -> TypeGuard[Sequence[str]]:
    """Two directions, each of one to three of the letters A P R L H F, none together with its opposite."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return False
    return len(value) == 2 and all(re.fullmatch(r"(?!.*(?:A.*P|P.*A|R.*L|L.*R|H.*F|F.*H|(.).*\1))[APRLHF]{1,3}", str(way)) for way in value)


def describes(declared: Sequence[str], derived: tuple[str, str]) -> bool:
    """Tell whether a valid declared orientation, perhaps a finer one such as ``P\\FL``, agrees with the pixels."""
    return declared[0][0] == derived[0] and set(derived[1]) <= set(declared[1])


def _rows(chest_wall_right: bool) -> str:
    return "P" if chest_wall_right else "A"
