"""Which images the networks may analyse: an ineligible image gets a reason from its header, before a pixel is read."""

from __future__ import annotations

import re

from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from models.scope import MAGNIFIED
from models.vocabulary import ImageKind, View, ViewModifier
from service.domain.findings import NOT_MAMMOGRAPHY, InstanceHeader, Reason
from service.domain.header import BREAST_PROJECTIONS

BIOPSY_IMAGE_TYPES = ("STEREO", "PREFIRE", "POSTFIRE")
"""How value 3 of Image Type begins for images of a stereotactic biopsy (PS3.3 C.8.11.7.1.4)."""


def ineligible_reason(header: InstanceHeader, film_allowed: bool) -> Reason | None:
    """Why the networks must not analyse this image; None for an eligible one.

    Parameters
    ----------
    film_allowed
        The site also analyses digitised film (secondary captures).
    """
    found = _find_object_reason(header) or _find_acquisition_reason(header)
    if not found and header.kind is ImageKind.FILM and not film_allowed:
        found = "film-not-enabled", "a secondary capture (digitised film); analysing film is not enabled here"
    return Reason(code=found[0], text=found[1]) if found else None


def is_for_processing(header: InstanceHeader) -> bool:
    """Raw detector data, by SOP class, Presentation Intent Type, Image Type or name."""
    declared = header.sop_class_uid == DigitalMammographyXRayImageStorageForProcessing or header.presentation_intent == "FOR PROCESSING"
    return declared or "for-processing" in header.scope


def _find_object_reason(header: InstanceHeader) -> tuple[str, str] | None:
    """Reasons in the kind of object."""
    if header.sop_class_uid in BREAST_PROJECTIONS:
        return "breast-projection", "a projection of a tomosynthesis acquisition"
    if header.kind is ImageKind.TOMOSYNTHESIS:
        return "tomosynthesis", "a tomosynthesis image; only 2D mammograms are analysed"
    if header.kind is ImageKind.UNKNOWN:
        return NOT_MAMMOGRAPHY, f"modality {_plain(header.modality)} in this SOP class is not a mammogram"
    if "tomosynthesis" in header.scope and header.kind is not ImageKind.SYNTHESISED:
        return "tomosynthesis", "an image of a tomosynthesis in the class of a 2D mammogram"
    if is_for_processing(header):
        return "for-processing", "raw detector data (FOR PROCESSING); the networks read images FOR PRESENTATION"
    if not header.has_pixels:
        return "no-pixel-data", "the object has no pixel data"
    if header.samples_per_pixel != 1:
        return "colour", "a colour image"
    if header.frames > 1:
        return "multi-frame", f"{header.frames} frames; a mammogram has one"
    return None


def _find_acquisition_reason(header: InstanceHeader) -> tuple[str, str] | None:
    """Reasons in the acquisition."""
    if header.quality_control or "quality-control" in header.scope:
        return "quality-control", "a quality control image"
    if "stereo" in header.scope or any(value.startswith(BIOPSY_IMAGE_TYPES) for value in header.image_type[2:]):
        return "stereo", "an image of a stereotactic procedure"
    if header.view is View.SPECIMEN or "specimen" in header.scope:
        return "specimen", "a specimen, not a breast"
    if "contrast-enhanced" in header.scope:
        return "contrast-enhanced", "an image after contrast that is not the low-energy image"
    if ViewModifier.M in header.view_modifiers or header.magnification >= MAGNIFIED or "magnification" in header.scope:
        return "magnification", "a magnification view"
    if ViewModifier.S in header.view_modifiers or "spot" in header.scope:
        return "spot", "a spot compression view"
    if ViewModifier.ID in header.view_modifiers or "implant-displaced" in header.scope:
        return "implant-displaced", "an implant-displaced view"
    return None


def _plain(modality: str) -> str:
    """A modality of two to four letters as it is. Any other value stays out of the message: it can be anything, even a name."""
    return modality if re.fullmatch("[A-Z]{2,4}", modality) else "unknown"
