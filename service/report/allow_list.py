"""The only attributes of an image that a correction may change, and the check that no other one changed.

All other values of a corrected image are those that were received, the pixel data above all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from service.domain.findings import CorrectionKind
from service.domain.policy import CorrectionMode
from service.errors import UnexpectedAttributeChange
from service.report.label_changes import LABELS
from service.report.original_attributes import shallow_copy

RECORD = ("OriginalAttributesSequence", "ContributingEquipmentSequence")
"""Attributes that record a change."""
SIGNATURES = ("DigitalSignaturesSequence", "MACParametersSequence")
"""A signature covers the image as it was received, so it is not valid for other labels."""
OWN_SERIES = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "ImageType",
    "SourceImageSequence",
    "InstanceCreationDate",
    "InstanceCreationTime",
)
"""Attributes that make a copy an instance of its own that refers to its source image."""

ALLOWED: Mapping[CorrectionMode, frozenset[str]] = MappingProxyType(
    {
        "report": frozenset(),
        "new-series": frozenset((*LABELS, *RECORD, *SIGNATURES, *OWN_SERIES)),
        "overwrite": frozenset((*LABELS, *RECORD, *SIGNATURES, "InstanceCoercionDateTime")),
        "archive-api": frozenset(LABELS),
    }
)
"""By mode, the keywords of every attribute that a correction may write, change or remove."""


def allowed(mode: CorrectionMode, kind: CorrectionKind | None = None) -> frozenset[str]:
    """Keywords that a correction of this kind may change; a mirrored image keeps its labels."""
    return ALLOWED[mode] - (set(LABELS) - {"PatientOrientation"} if kind is CorrectionKind.MIRRORED else set())


def check(source: Dataset, built: Dataset, permitted: frozenset[str]) -> None:
    """Compare an object that was built with its source, element by element.

    Raises
    ------
    UnexpectedAttributeChange
        Names the attributes (never their values) that differ and are not permitted to.
    """
    wrong = [each for each in differing(source, built) if each not in permitted]
    if wrong:
        raise UnexpectedAttributeChange(f"no correction may change {', '.join(wrong)}")


def differing(before: Dataset, after: Dataset) -> Iterator[str]:
    """Keywords, or tags of unknown attributes, of the top-level attributes that are not the same in both."""
    # Decoding changes a dataset in place, so both are compared through copies that share their values.
    before, after = shallow_copy(before), shallow_copy(after)
    for tag in sorted({*before.keys(), *after.keys()}):
        if not _is_same(tag, before, after):
            yield keyword_for_tag(tag) or str(tag)


def _is_same(tag: BaseTag, before: Dataset, after: Dataset) -> bool:
    if tag not in before or tag not in after:
        return False
    first: Any = before.get_item(tag)
    second: Any = after.get_item(tag)
    if isinstance(first, RawDataElement) and isinstance(second, RawDataElement):
        return first is second or (first.VR, first.value) == (second.VR, second.value)
    try:
        first, second = before[tag], after[tag]
    except Exception:  # pydicom raises whatever the bytes of a value provoke; undecodable here and decoded there is not the same
        return False
    return bool(first.VR == second.VR and first.value == second.value)
