"""Whether the declared view and laterality agree with the pixels; one rule for both."""

from __future__ import annotations

from collections.abc import Iterable

from models.vocabulary import Laterality, View
from service.domain.findings import Agreement, CorrectionKind, InstanceHeader, Label, LabelCorrection
from service.domain.header_contradictions import find_contradiction, find_not_understood

NORMATIVE_VIEW_SOURCES = frozenset({"ViewCodeSequence", "ViewPosition"})
NORMATIVE_LATERALITY_SOURCES = frozenset({"ImageLaterality"})
"""Attributes that PS3.3 C.8.11.7 requires for the labels of a mammogram. A label in another attribute only (film) counts as missing."""


def compare_view(header: InstanceHeader, label: Label | None) -> Agreement:
    """Compare the declared view with the view in the pixels.

    The networks were trained on CC and MLO only (Yi et al. 2019): they can neither confirm nor contradict any other declared view. A header
    that contradicts itself, or that declares what the service does not understand, cannot be compared either.
    """
    pixels = View(label.value) if label else View.UNKNOWN
    if header.view not in {View.CC, View.MLO, View.UNKNOWN} or header.view_modifiers:
        return Agreement.UNSURE
    if find_contradiction(header, "view") or find_not_understood(header, "view"):
        return Agreement.UNSURE
    return _compare(header.view, pixels, header.view_source in NORMATIVE_VIEW_SOURCES)


def compare_laterality(header: InstanceHeader, label: Label | None) -> Agreement:
    """Compare the declared side with the side in the pixels; as for the view, what is not understood cannot be compared."""
    pixels = Laterality(label.value) if label else Laterality.UNKNOWN
    if header.laterality is Laterality.B or find_contradiction(header, "laterality", pixels) or find_not_understood(header, "laterality"):
        return Agreement.UNSURE
    return _compare(header.laterality, pixels, header.laterality_source in NORMATIVE_LATERALITY_SOURCES)


def _compare(declared: str, pixels: str, normative: bool) -> Agreement:
    if pixels == "UNKNOWN":
        return Agreement.UNSURE
    if declared == "UNKNOWN":
        return Agreement.MISSING
    if declared != pixels:
        return Agreement.CONTRADICT
    return Agreement.AGREE if normative else Agreement.MISSING


_OF_KIND = {
    CorrectionKind.MISSING: Agreement.MISSING,
    CorrectionKind.CONTRADICTS: Agreement.CONTRADICT,
    CorrectionKind.MIRRORED: Agreement.CONTRADICT,
    CorrectionKind.SIDES_SWAPPED: Agreement.CONTRADICT,
    CorrectionKind.VIEW_UNKNOWN: Agreement.UNSURE,
    CorrectionKind.HEADER_CONTRADICTS_ITSELF: Agreement.CONTRADICT,
}
_WORST_FIRST = (Agreement.CONTRADICT, Agreement.MISSING, Agreement.UNSURE, Agreement.AGREE)


def summarise_image(correction: LabelCorrection) -> Agreement:
    """The agreement of an image in one word."""
    if correction.kind is not None:
        return _OF_KIND[correction.kind]
    return Agreement.UNSURE if Agreement.UNSURE in (correction.view, correction.laterality) else Agreement.AGREE


def summarise_study(corrections: Iterable[LabelCorrection]) -> Agreement | None:
    """The agreement of a study in one word: that of its worst image; None where no image was compared."""
    found = {summarise_image(each) for each in corrections}
    return next((each for each in _WORST_FIRST if each in found), None)
