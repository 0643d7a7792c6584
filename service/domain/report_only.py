"""Which images the service never corrects: it only reports what it finds in them."""

from __future__ import annotations

from models.vocabulary import ImageKind, View
from service.domain.eligibility import BIOPSY_IMAGE_TYPES, is_for_processing
from service.domain.findings import InstanceHeader
from service.domain.header_contradictions import describe_not_understood
from service.domain.study_image import TRAINED_VIEWS


def has_untrained_view(header: InstanceHeader) -> bool:
    """Tell whether the header declares a view that the networks were not trained on: they can neither confirm nor correct it."""
    return header.view not in TRAINED_VIEWS | {View.UNKNOWN} or bool(header.view_modifiers)


def report_only_reason(header: InstanceHeader) -> str:
    """Why nobody may correct this image, neither a policy nor a person; empty where a correction is possible.

    Digitised film is not on this list, because a destination can opt in (`service.domain.policy.CorrectionPolicy.film`).
    """
    reasons = (
        (header.view not in TRAINED_VIEWS | {View.UNKNOWN}, f"the networks were not trained on the declared view {header.view}"),
        (bool(header.view_modifiers), "the declared view has a modifier"),
        (bool(unknown := describe_not_understood(header)), unknown),
        (header.partial_view, "the image is a partial view"),
        (header.implant, "the breast has an implant"),
        (header.quality_control, "the image is a quality control image"),
        (is_for_processing(header), "the image is an image for processing"),
        (header.kind is ImageKind.TOMOSYNTHESIS, "the image is a tomosynthesis image"),
        (header.kind is ImageKind.UNKNOWN, "the image is neither a mammogram nor digitised film"),
        (bool(header.scope), "the header puts the image out of scope"),
        (any(word.startswith(BIOPSY_IMAGE_TYPES) for word in header.image_type[2:]), "the image belongs to a biopsy"),
    )
    return next((text for applies, text in reasons if applies), "")
