"""Which way the patient lies in the picture: Patient Orientation from what the pixels show (PS3.3 C.7.6.1.1.1, C.8.11.7.1.8)."""

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
"""Head to feet part of the way down the picture; a CC picture looks along it."""
LATERAL_ONLY = frozenset({View.ML, View.LM})
"""Views that look along the left to right direction, which their pictures then do not show."""
MEDIAL = {Laterality.R: "L", Laterality.L: "R"}
"""Where the middle of the body lies, seen from a breast."""


def patient_orientation(view: View, side: Laterality, chest_wall_right: bool | None) -> tuple[str, str] | None:
    """Direction of rows and of columns, from the pixels' layout; None where the layout or a label is unknown.

    Rows run towards the chest wall (P) or away from it (A). Columns run down the picture: from lateral to medial, and to the feet
    where the view shows them; that the axilla is up is the way in which mammograms are shown, the pixels do not prove it.
    """
    if chest_wall_right is None or view not in DOWNWARDS or side not in MEDIAL:
        return None
    return _rows(chest_wall_right), DOWNWARDS[view] + ("" if view in LATERAL_ONLY else MEDIAL[side])


def correct_patient_orientation(
    declared: object, view: View, side: Laterality, chest_wall_right: bool | None, former_view: View = View.UNKNOWN
) -> tuple[str, str] | tuple[()] | None:
    """What a declared orientation has to become so that it fits the labels and the layout of the pixels.

    Parameters
    ----------
    former_view
        The view that was declared: where it was an oblique one and the picture looks along head to feet, the feet came from it.

    Returns
    -------
    tuple
        Directions of rows and columns; what was declared is kept as far as it fits, since it may be finer (``P\\FL``) than what the
        pixels show. ``()``: nothing valid was declared, and nothing can be derived. None: it may stay as it is.
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
        # Without a view the letters that the pixels do speak of are put right, the others stand.
        if chest_wall_right is not None and rows[0] in "AP" and rows[0] != _rows(chest_wall_right):
            rows = _rows(chest_wall_right)
        if side in MEDIAL:
            columns = columns.replace(side.value, MEDIAL[side])
    return (rows, columns) if (rows, columns) != tuple(map(str, declared)) else None


def is_valid_orientation(value: object) -> TypeGuard[Sequence[str]]:
    """Two directions, each of one to three of the letters A P R L H F, no letter beside its opposite."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return False
    return len(value) == 2 and all(re.fullmatch(r"(?!.*(?:A.*P|P.*A|R.*L|L.*R|H.*F|F.*H|(.).*\1))[APRLHF]{1,3}", str(way)) for way in value)


def describes(declared: Sequence[str], derived: tuple[str, str]) -> bool:
    """Tell whether a valid declared orientation, perhaps a finer one such as ``P\\FL``, says what the pixels show."""
    return declared[0][0] == derived[0] and set(derived[1]) <= set(declared[1])


def _rows(chest_wall_right: bool) -> str:
    return "P" if chest_wall_right else "A"
