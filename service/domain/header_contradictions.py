"""What a header declares without being understood, and where its own attributes contradict each other."""

from __future__ import annotations

from typing import Literal, NamedTuple

from models.label_words import NOT_UNDERSTOOD
from models.vocabulary import Laterality
from service.domain.display_orientation import find_orientation_side
from service.domain.findings import DeclaredLabel, InstanceHeader

LabelName = Literal["view", "laterality"]

NORMATIVE_KEYWORDS = frozenset({"ViewCodeSequence", "ViewPosition", "ImageLaterality"})
"""Attributes that PS3.3 C.8.11.7 requires for the labels of a mammogram."""
_CODED_KEYWORDS = frozenset({"ViewCodeSequence", "ViewPosition", "ImageLaterality", "Laterality", "FrameLaterality"})
"""Attributes whose only purpose is the label: a value that is not understood counts even beside others that are."""


class Contradiction(NamedTuple):
    """Two attributes of one header that declare different labels."""

    label: LabelName
    first: DeclaredLabel
    second: DeclaredLabel

    @property
    def text(self) -> str:
        """Both witnesses in one sentence."""
        return f"{self.first.keyword} says {self.first.value}, {self.second.keyword} says {self.second.value}"


def find_contradiction(header: InstanceHeader, label: LabelName, shown: Laterality = Laterality.UNKNOWN) -> Contradiction | None:
    """The first two attributes that declare different values of a label.

    Parameters
    ----------
    shown
        The side at which the pixels have the chest wall, as that of the breast that usually has it there; UNKNOWN before the analysis.
        Where Patient Orientation describes the layout that the pixels have, it explains a rotated or mirrored image: no contradiction.
    """
    understood = [each for each in header.declared_labels if each.label == label and each.value != NOT_UNDERSTOOD]
    for other in understood[1:]:
        if other.value != understood[0].value and not _explains_layout(other, header, shown):
            return Contradiction(label, understood[0], other)
    return None


def find_contradictions(header: InstanceHeader, shown: Laterality = Laterality.UNKNOWN) -> tuple[Contradiction, ...]:
    """The contradictions in view and side."""
    found = (find_contradiction(header, "view"), find_contradiction(header, "laterality", shown))
    return tuple(each for each in found if each)


def find_not_understood(header: InstanceHeader, label: LabelName) -> DeclaredLabel | None:
    """An attribute that declares something of a label which the service does not understand.

    Free text and anatomy also say other things: they count only where no attribute that the standard requires is understood. The layout
    that Patient Orientation describes counts only where no attribute at all is understood.
    """
    declared = [each for each in header.declared_labels if each.label == label]
    understood = {each.keyword for each in declared if each.value != NOT_UNDERSTOOD}
    for each in declared:
        explained = understood if each.keyword == "PatientOrientation" else understood & NORMATIVE_KEYWORDS
        if each.value == NOT_UNDERSTOOD and (each.keyword in _CODED_KEYWORDS or not explained):
            return each
    return None


def describe_not_understood(header: InstanceHeader) -> str:
    """Which declared label is not understood, in one sentence; '' where all are."""
    for label, name in (("view", "view"), ("laterality", "side")):
        found = find_not_understood(header, label)  # type: ignore[arg-type]
        if found:
            return f"the declared {name} is not understood: {found.keyword}{f' has {found.word}' if found.word else ''}"
    return ""


def _explains_layout(declared: DeclaredLabel, header: InstanceHeader, shown: Laterality) -> bool:
    if declared.keyword != "PatientOrientation":
        return False
    found = find_orientation_side(header.orientation, header.view)
    if found is None or found.certain:
        return False
    return shown is Laterality.UNKNOWN or {"P": Laterality.R, "A": Laterality.L}.get(header.orientation[0][:1]) is shown
