"""From a DICOM data set to an `InstanceHeader`. What is absent or unreadable becomes UNKNOWN, empty or the default."""

from __future__ import annotations

import re
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    EnhancedCTImageStorage,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from models.attributes import read_count, read_date, read_term, read_terms, read_text, read_words
from models.scope import read_magnification, read_scope
from models.vocabulary import ImageKind, View
from service.domain.findings import InstanceHeader
from service.domain.header_labels import find_laterality, find_view, gather_labels, read_modifiers

BREAST_PROJECTIONS = frozenset({BreastProjectionXRayImageStorageForPresentation, BreastProjectionXRayImageStorageForProcessing})

_SECONDARY_CAPTURES = frozenset(
    {
        SecondaryCaptureImageStorage,
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    }
)
_DIGITAL_MAMMOGRAPHY = frozenset({DigitalMammographyXRayImageStorageForPresentation, DigitalMammographyXRayImageStorageForProcessing})
_COMPUTED_TOMOGRAPHY = frozenset({CTImageStorage, EnhancedCTImageStorage})
"""Early tomosynthesis units stored their slices in these classes."""
_LOSSY_SYNTAXES = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})
_SYNTHESISED_TYPES = frozenset({"GENERATED_2D", "TOMO_2D", "SYNTHESIZED_2D", "SYNTHETIC_2D"})
"""Image Type values of synthesised 2D mammograms."""
_SYNTHESISED_NAMES = re.compile(
    r"C[- ]?VIEW|S[- ]VIEW|V[- ]?PREVIEW|INTELLIGENT 2D|INSIGHT 2D|SYNTH\w* (2D|MAMMO)|SYNTHETIC|SYNTHESI[ZS]ED"
)
"""Names of synthesised 2D mammograms: Hologic C-View and Intelligent 2D, Siemens Insight 2D, GE V-Preview, Fujifilm S-View."""
_NAME_KEYWORDS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")


def read_header(dataset: Dataset) -> InstanceHeader:
    """Parse the attributes that the rules use. What is absent or unreadable becomes UNKNOWN, empty or the default; nothing is raised.

    Parameters
    ----------
    dataset
        With file meta information, and not read with `stop_before_pixels`: the header says whether there is Pixel Data.
    """
    declared = gather_labels(dataset)
    view, view_source = find_view(declared)
    laterality, laterality_source = find_laterality(declared)
    syntax = read_text(getattr(dataset, "file_meta", None) or Dataset(), "TransferSyntaxUID")
    return InstanceHeader(
        sop_instance_uid=read_text(dataset, "SOPInstanceUID"),
        sop_class_uid=read_text(dataset, "SOPClassUID"),
        study_instance_uid=read_text(dataset, "StudyInstanceUID"),
        series_instance_uid=read_text(dataset, "SeriesInstanceUID"),
        transfer_syntax_uid=syntax,
        modality=read_term(dataset, "Modality"),
        kind=_read_kind(dataset, view),
        view=view,
        view_modifiers=read_modifiers(dataset),
        laterality=laterality,
        view_source=view_source,
        laterality_source=laterality_source,
        declared_labels=declared,
        has_pixels="PixelData" in dataset,
        rows=read_count(dataset, "Rows"),
        columns=read_count(dataset, "Columns"),
        frames=max(read_count(dataset, "NumberOfFrames", 1), 1),
        samples_per_pixel=max(read_count(dataset, "SamplesPerPixel", 1), 1),
        magnification=read_magnification(dataset),
        presentation_intent=read_term(dataset, "PresentationIntentType"),
        image_type=read_terms(dataset, "ImageType"),
        manufacturer=read_text(dataset, "Manufacturer"),
        model_name=read_text(dataset, "ManufacturerModelName"),
        station_name=read_text(dataset, "StationName"),
        software_versions=read_text(dataset, "SoftwareVersions"),
        institution=read_text(dataset, "InstitutionName"),
        study_date=read_date(dataset, "StudyDate"),
        accession_number=read_text(dataset, "AccessionNumber"),
        partial_view=read_term(dataset, "PartialView") == "YES",
        implant=read_term(dataset, "BreastImplantPresent") == "YES",
        quality_control=read_term(dataset, "QualityControlImage") == "YES",
        lossy=read_text(dataset, "LossyImageCompression") == "01" or syntax in _LOSSY_SYNTAXES,
        field_of_view_horizontal_flip=_read_flip(dataset),
        orientation=read_terms(dataset, "PatientOrientation"),
        scope=read_scope(dataset),
    )


def _read_flip(dataset: Dataset) -> Literal["YES", "NO"] | None:
    match read_term(dataset, "FieldOfViewHorizontalFlip"):
        case "YES":
            return "YES"
        case "NO":
            return "NO"
    return None


def _read_kind(dataset: Dataset, view: View) -> ImageKind:
    """Film, full-field, synthesised 2D or tomosynthesis; UNKNOWN for an object that is no mammogram."""
    sop_class, modality = read_text(dataset, "SOPClassUID"), read_term(dataset, "Modality")
    image_type = read_terms(dataset, "ImageType")
    if sop_class == BreastTomosynthesisImageStorage or sop_class in BREAST_PROJECTIONS:
        return ImageKind.TOMOSYNTHESIS
    breast = "BREAST" in read_words(dataset, "BodyPartExamined")
    if sop_class in _COMPUTED_TOMOGRAPHY:
        return ImageKind.TOMOSYNTHESIS if modality == "MG" or (breast and view is not View.UNKNOWN) else ImageKind.UNKNOWN
    if sop_class in _SECONDARY_CAPTURES:
        film = modality == "MG" or (modality == "RG" and view is not View.UNKNOWN and breast)
        return ImageKind.FILM if film else ImageKind.UNKNOWN
    if sop_class not in _DIGITAL_MAMMOGRAPHY:
        return ImageKind.UNKNOWN
    names = " ".join(read_term(dataset, keyword) for keyword in _NAME_KEYWORDS)
    if _SYNTHESISED_TYPES.intersection(image_type) or _SYNTHESISED_NAMES.search(names):
        return ImageKind.SYNTHESISED
    if any(value.startswith("TOMO") for value in image_type[2:]):
        return ImageKind.TOMOSYNTHESIS
    return ImageKind.FULL_FIELD
