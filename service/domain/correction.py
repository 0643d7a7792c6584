"""One image's labels, declared and shown, and what may never be corrected by a machine alone (design notes, dicom.md section 1)."""

from __future__ import annotations

from typing import NamedTuple

from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from models.vocabulary import ImageKind, Laterality, View
from service.domain.agreement import compare_laterality, compare_view
from service.domain.findings import Agreement, ImageFinding, InstanceHeader

KNOWN_VIEWS = frozenset({View.CC, View.MLO})
"""What the networks were taught (Yi et al. 2019)."""


class Seen(NamedTuple):
    """One image of a study: what its header says and what its pixels show."""

    header: InstanceHeader
    finding: ImageFinding

    @property
    def uid(self) -> str:
        return self.header.sop_instance_uid

    @property
    def pixel_view(self) -> View:
        return View(self.finding.view.value) if self.finding.view else View.UNKNOWN

    @property
    def pixel_laterality(self) -> Laterality:
        return Laterality(self.finding.laterality.value) if self.finding.laterality else Laterality.UNKNOWN

    @property
    def view(self) -> Agreement:
        return compare_view(self.header, self.finding.view)

    @property
    def laterality(self) -> Agreement:
        """Declared side against the lie of the picture: taken alone it does not tell a wrong label from a mirrored picture."""
        return compare_laterality(self.header, self.finding.laterality)


def has_foreign_view(header: InstanceHeader) -> bool:
    """Tell whether the declared view is one that the networks do not know: they can neither confirm nor correct it."""
    return header.view not in KNOWN_VIEWS | {View.UNKNOWN} or bool(header.view_modifiers)


def report_only_reason(header: InstanceHeader) -> str:
    """Why an image is reported only, whatever policy or a person says; empty where nothing stands in the way.

    Digitised film is not on this list: a destination may opt in for it (`service.domain.policy.CorrectionPolicy.film`).
    """
    processing = header.presentation_intent == "FOR PROCESSING" or header.sop_class_uid == DigitalMammographyXRayImageStorageForProcessing
    obstacles = (
        (header.view not in KNOWN_VIEWS | {View.UNKNOWN}, f"the declared view {header.view} is none that the networks know"),
        (bool(header.view_modifiers), "the declared view has a modifier"),
        (header.partial_view, "a partial view"),
        (header.implant, "a breast with an implant"),
        (header.quality_control, "a quality control image"),
        (processing, "an image for processing"),
        (header.kind is ImageKind.TOMOSYNTHESIS, "tomosynthesis"),
        (header.kind is ImageKind.UNKNOWN, "neither a mammogram nor digitised film"),
        (any(word.startswith(("STEREO", "PREFIRE", "POSTFIRE")) for word in header.image_type[2:]), "an image of a biopsy"),
    )
    return next((text for stands, text in obstacles if stands), "")
