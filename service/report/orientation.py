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


def patient_orientation(view: View, side: Laterality, chest_wall_right: bool | None) -> tuple[str, str] | None:
    """Direction of rows and of columns, from the pixels' layout; None where the layout or a label is unknown.

    Rows run towards the chest wall (P) or away from it (A). Columns run down the picture: from lateral to medial, and to the feet
    where the view shows them; that the axilla is up is the way in which mammograms are shown, the pixels do not prove it.
    """
    if chest_wall_right is None or view not in DOWNWARDS or side not in (Laterality.R, Laterality.L):
        return None
    medial = "" if view in LATERAL_ONLY else {Laterality.R: "L", Laterality.L: "R"}[side]
    return ("P" if chest_wall_right else "A"), DOWNWARDS[view] + medial


def is_valid_orientation(value: object) -> TypeGuard[Sequence[str]]:
    """Two directions, each of one to three of the letters A P R L H F."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return len(value) == 2 and all(re.fullmatch(r"[APRLHF]{1,3}", str(direction)) for direction in value)


def describes(declared: Sequence[str], derived: tuple[str, str]) -> bool:
    """Tell whether a valid declared orientation, perhaps a finer one such as ``P\\FL``, says what the pixels show."""
    return declared[0][0] == derived[0] and set(derived[1]) <= set(declared[1])
