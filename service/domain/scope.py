"""The door: a header becomes enums, and an image that the networks were not made for is named as such before a pixel is read."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from models.attributes import read_count, read_number, read_term, read_terms, read_text, read_words
from models.vocabulary import ImageKind, View, ViewModifier
from service.domain.declared import read_laterality, read_view
from service.domain.findings import Header, Reason

_SECONDARY_CAPTURES = frozenset(
    {
        SecondaryCaptureImageStorage,
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    }
)
_PROJECTIONS = frozenset({BreastProjectionXRayImageStorageForPresentation, BreastProjectionXRayImageStorageForProcessing})
_DIGITAL = frozenset({DigitalMammographyXRayImageStorageForPresentation, DigitalMammographyXRayImageStorageForProcessing})
_ALWAYS_LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})

_SYNTHESISED_TYPES = frozenset({"GENERATED_2D", "TOMO_2D", "SYNTHESIZED_2D", "SYNTHETIC_2D"})
_SYNTHESISED_NAMES = re.compile(
    r"C[- ]?VIEW|S[- ]VIEW|V[- ]?PREVIEW|INTELLIGENT 2D|INSIGHT 2D|SYNTH\w* (2D|MAMMO)|SYNTHETIC|SYNTHESI[ZS]ED"
)
"""Hologic C-View and Intelligent 2D, Siemens Insight 2D, GE V-Preview, Fujifilm S-View."""
_NAMES = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")

MAGNIFIED = 1.4
"""Contact mammography has a factor near 1.1 at most, magnification views 1.5 and more."""


def read_header(dataset: Dataset) -> Header:
    """Parse what rules read. Whatever is absent, odd or unreadable becomes UNKNOWN, empty or the default; nothing is raised.

    Parameters
    ----------
    dataset
        With file meta information, and not read with `stop_before_pixels`: the presence of Pixel Data is one of the answers.
    """
    view, modifiers, view_source = read_view(dataset)
    laterality, laterality_source = read_laterality(dataset)
    syntax = read_text(getattr(dataset, "file_meta", None) or Dataset(), "TransferSyntaxUID")
    magnification = read_number(dataset, "EstimatedRadiographicMagnificationFactor")
    return Header(
        sop_instance_uid=read_text(dataset, "SOPInstanceUID"),
        sop_class_uid=read_text(dataset, "SOPClassUID"),
        study_instance_uid=read_text(dataset, "StudyInstanceUID"),
        series_instance_uid=read_text(dataset, "SeriesInstanceUID"),
        transfer_syntax_uid=syntax,
        modality=read_term(dataset, "Modality"),
        kind=_read_kind(dataset, view),
        view=view,
        view_modifiers=modifiers,
        laterality=laterality,
        view_source=view_source,
        laterality_source=laterality_source,
        has_pixels="PixelData" in dataset,
        rows=read_count(dataset, "Rows"),
        columns=read_count(dataset, "Columns"),
        frames=max(read_count(dataset, "NumberOfFrames", 1), 1),
        samples_per_pixel=max(read_count(dataset, "SamplesPerPixel", 1), 1),
        magnification=magnification if magnification and magnification > 0 else 1.0,
        presentation_intent=read_term(dataset, "PresentationIntentType"),
        image_type=read_terms(dataset, "ImageType"),
        manufacturer=read_text(dataset, "Manufacturer"),
        model_name=read_text(dataset, "ManufacturerModelName"),
        station_name=read_text(dataset, "StationName"),
        software_versions=read_text(dataset, "SoftwareVersions"),
        institution=read_text(dataset, "InstitutionName"),
        study_date=read_text(dataset, "StudyDate"),
        accession_number=read_text(dataset, "AccessionNumber"),
        partial_view=read_term(dataset, "PartialView") == "YES",
        implant=read_term(dataset, "BreastImplantPresent") == "YES",
        quality_control=read_term(dataset, "QualityControlImage") == "YES",
        lossy=read_text(dataset, "LossyImageCompression") == "01" or syntax in _ALWAYS_LOSSY,
        field_of_view_flipped=read_term(dataset, "FieldOfViewHorizontalFlip") == "YES",
        field_of_view_told=read_term(dataset, "FieldOfViewHorizontalFlip") in ("YES", "NO"),
        orientation=read_terms(dataset, "PatientOrientation"),
    )


def _read_kind(dataset: Dataset, view: View) -> ImageKind:
    """Tell film, full-field, synthesised 2D and tomosynthesis apart; UNKNOWN for what is no mammogram."""
    sop_class, modality = read_text(dataset, "SOPClassUID"), read_term(dataset, "Modality")
    image_type = read_terms(dataset, "ImageType")
    if sop_class == BreastTomosynthesisImageStorage or sop_class in _PROJECTIONS:
        return ImageKind.TOMOSYNTHESIS
    if sop_class in _SECONDARY_CAPTURES:
        film = modality == "MG" or (modality == "RG" and view is not View.UNKNOWN and "BREAST" in read_words(dataset, "BodyPartExamined"))
        return ImageKind.FILM if film else ImageKind.UNKNOWN
    if sop_class not in _DIGITAL:
        return ImageKind.UNKNOWN
    names = " ".join(read_term(dataset, keyword) for keyword in _NAMES)
    if _SYNTHESISED_TYPES.intersection(image_type) or _SYNTHESISED_NAMES.search(names):
        return ImageKind.SYNTHESISED
    if any(value.startswith("TOMO") for value in image_type[2:]):
        return ImageKind.TOMOSYNTHESIS
    return ImageKind.FULL_FIELD


def out_of_scope(header: Header, film_allowed: bool) -> Reason | None:
    """Why the networks must not see this image; None where they may.

    Parameters
    ----------
    film_allowed
        The site analyses digitised film (secondary captures) too.
    """
    found = _find_object_reason(header) or _find_acquisition_reason(header)
    if not found and header.kind is ImageKind.FILM and not film_allowed:
        found = "film-not-enabled", "a secondary capture (digitised film); analysing film is not enabled here"
    return Reason(code=found[0], text=found[1]) if found else None


def _find_object_reason(header: Header) -> tuple[str, str] | None:
    """What kind of object it is."""
    if header.sop_class_uid in _PROJECTIONS:
        return "breast-projection", "a projection of a tomosynthesis acquisition"
    if header.kind is ImageKind.TOMOSYNTHESIS:
        return "tomosynthesis", "a tomosynthesis image; only 2D mammograms are analysed"
    if header.kind is ImageKind.UNKNOWN:
        return "not-mammography", f"modality {_plain(header.modality)} in this SOP class is not a mammogram"
    if header.sop_class_uid == DigitalMammographyXRayImageStorageForProcessing or header.presentation_intent == "FOR PROCESSING":
        return "for-processing", "raw detector data (FOR PROCESSING); the networks read images FOR PRESENTATION"
    if not header.has_pixels:
        return "no-pixel-data", "the object has no pixel data"
    if header.samples_per_pixel != 1:
        return "colour", "a colour image"
    if header.frames > 1:
        return "multi-frame", f"{header.frames} frames; a mammogram has one"
    return None


def _find_acquisition_reason(header: Header) -> tuple[str, str] | None:
    """How the picture was taken (ImageType value 3: PS3.3 C.8.11.7.1.4)."""
    if header.quality_control:
        return "quality-control", "a quality control image"
    if any(value.startswith(("STEREO", "PREFIRE", "POSTFIRE")) for value in header.image_type[2:]):
        return "stereo", "an image of a stereotactic procedure"
    if header.view is View.SPECIMEN:
        return "specimen", "a specimen, not a breast"
    if ViewModifier.M in header.view_modifiers or header.magnification >= MAGNIFIED:
        return "magnification", "a magnification view"
    if ViewModifier.S in header.view_modifiers:
        return "spot", "a spot compression view"
    if ViewModifier.ID in header.view_modifiers:
        return "implant-displaced", "an implant-displaced view"
    return None


def _plain(modality: str) -> str:
    """A modality as a word of two letters or so: an odd value may be anything, a name too."""
    return modality if re.fullmatch("[A-Z]{2,4}", modality) else "unknown"
