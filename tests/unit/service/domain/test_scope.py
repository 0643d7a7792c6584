"""An image is out of scope where any attribute says so, in any of the ways in which devices say it."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DigitalMammographyXRayImageStorageForProcessing,
    EnhancedCTImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from models.scope import read_magnification
from models.vocabulary import ImageKind
from service.domain.eligibility import ineligible_reason
from service.domain.header import read_header
from service.domain.report_only import report_only_reason
from tests.support.mammogram_header import code, mammogram

CC = {"ViewPosition": "CC"}


def reason(**attributes: Any) -> str | None:
    found = ineligible_reason(read_header(mammogram(**(CC | attributes))), film_allowed=True)
    return found.code if found else None


def item(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def meaning(text: str) -> Dataset:
    found = code("12345", "99LOCAL")
    found.CodeMeaning = text
    return found


OUT_OF_SCOPE: dict[str, list[dict[str, Any]]] = {
    "magnification": [
        {"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 367},
        {"DistanceSourceToDetector": "650", "DistanceSourceToPatient": "433"},
        {"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 367, "EstimatedRadiographicMagnificationFactor": 1.0},
        {"EstimatedRadiographicMagnificationFactor": 1.5, "DistanceSourceToDetector": 660, "DistanceSourceToPatient": 660},
        {"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.0556, 0.0556], "PixelSpacingCalibrationType": "GEOMETRY"},
        {"SeriesDescription": "R CC Mag"},
        {"SeriesDescription": "Vergrößerungsaufnahme CC li"},
        {"ProtocolName": "CC agrandissement G"},
        {"SeriesDescription": "ampliación CC D"},
        {"PaddleDescription": "10CM MAG"},
        {"ViewCodeSequence": [code("399162004", ViewModifierCodeSequence=[meaning("Magnification")])]},
        {"ImageType": ["DERIVED", "PRIMARY", "MAGNIFIED"]},
    ],
    "spot": [
        {"PaddleDescription": "7.5CM SPOT CONTACT"},
        {"SeriesDescription": "L CC spot compression"},
        {"SeriesDescription": "Compression localisée CC"},
        {"SeriesDescription": "CC compresión focalizada"},
        {"ProtocolName": "CC_SPOT"},
        {"SeriesDescription": "Zielaufnahme CC"},
        {"ViewModifierCodeSequence": [meaning("Spot compression")]},
    ],
    "implant-displaced": [
        {"SeriesDescription": "R CC implant displaced"},
        {"SeriesDescription": "R MLO ID", "ViewPosition": "MLO"},
        {"ProtocolName": "Eklund CC"},
        {"SeriesDescription": "Implantat verdrängt CC"},
        {"SeriesDescription": "CC prothèse refoulée"},
        {"AcquisitionDeviceProcessingDescription": "CC IMPLANT_DISPLACED"},
        {"ViewCodeSequence": [code("399162004", ViewModifierCodeSequence=[meaning("Implant displaced")])]},
        {"ViewModifierCodeSequence": [meaning("implant displaced view")]},
        {"ViewPosition": "CCID"},
        {"ImageComments": "push back"},
    ],
    "specimen": [
        {"SeriesDescription": "Specimen"},
        {"SeriesDescription": "Präparatradiographie"},
        {"ProtocolName": "PIECE OPERATOIRE"},
        {"BodyPartExamined": "BREAST SPECIMEN"},
        {"SpecimenDescriptionSequence": [item(SpecimenIdentifier="1")]},
        {"AnatomicRegionSequence": [meaning("Tissue specimen from breast")]},
        {"ViewCodeSequence": [code("127457009")]},
    ],
    "contrast-enhanced": [
        {"ImageType": ["DERIVED", "PRIMARY", "SUBTRACTION"]},
        {"ImageType": ["DERIVED", "PRIMARY", "", "RECOMBINED"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "HIGH_ENERGY"]},
        {"ContrastBolusAgent": "Iohexol 300"},
        {"ContrastBolusAgentSequence": [meaning("Iodine")]},
        {"SeriesDescription": "R CC CESM recombined"},
        {"SeriesDescription": "L MLO CEM subtracted"},
        {"SeriesDescription": "TiCEM RC CC"},
        {"SeriesDescription": "Dual energy CC"},
        {"DerivationDescription": "weighted subtraction"},
        {"DerivationCodeSequence": [code("113062", "DCM")]},
        {"ContrastBolusAgent": "Iohexol", "SeriesDescription": "low energy subtracted"},
    ],
    "tomosynthesis": [
        {"SOPClassUID": CTImageStorage},
        {"SOPClassUID": EnhancedCTImageStorage, "NumberOfFrames": 50},
        {"SOPClassUID": CTImageStorage, "Modality": "CT", "BodyPartExamined": "BREAST"},
        {"SeriesDescription": "R CC Tomo", "NumberOfFrames": 60},
        {"SeriesDescription": "R CC DBT slices"},
        {"SeriesDescription": "Tomosynthese CC"},
        {"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "TOMO_PROJ"]},
        {"TomoClass": "TOMOSYNTHESIS"},
        {"XRay3DReconstructionSequence": [item(SeriesDescription="x")]},
    ],
    "multi-frame": [
        {"NumberOfFrames": 2},
        {"NumberOfFrames": 60},
        {"SOPClassUID": MultiFrameGrayscaleByteSecondaryCaptureImageStorage, "NumberOfFrames": 60},
    ],
    "for-processing": [
        {"SOPClassUID": DigitalMammographyXRayImageStorageForProcessing},
        {"PresentationIntentType": "FOR PROCESSING"},
        {"PresentationIntentType": "FOR_PROCESSING"},
        {"PresentationIntentType": "for processing "},
        {"PresentationIntentType": "RAW"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "RAW"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "FOR_PROCESSING"]},
        {"SeriesDescription": "R CC raw"},
        {"SeriesDescription": "Rohdaten CC"},
        {"ProtocolName": "CC (For Processing)"},
        {"SOPClassUID": SecondaryCaptureImageStorage, "SeriesDescription": "CC données brutes"},
    ],
    "quality-control": [
        {"SeriesDescription": "ACR phantom"},
        {"BodyPartExamined": "PHANTOM"},
        {"SeriesDescription": "Flat field"},
        {"ProtocolName": "QC weekly"},
        {"QualityControlImage": "YES"},
    ],
    "stereo": [
        {"SeriesDescription": "Stereotactic biopsy"},
        {"SeriesDescription": "post-fire"},
        {"ProtocolName": "STEREO PAIR"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "STEREO_SCOUT"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "PREFIRE"]},
    ],
}


ROWS = [(expected, row) for expected, rows in OUT_OF_SCOPE.items() for row in rows]


@pytest.mark.parametrize(("expected", "attributes"), ROWS, ids=lambda value: str(value)[:60])
def test_an_image_that_any_attribute_puts_out_of_scope_is_not_analysed(expected: str, attributes: dict[str, Any]) -> None:
    assert reason(**attributes) == expected
    assert report_only_reason(read_header(mammogram(**(CC | attributes)))) or expected == "multi-frame"


IN_SCOPE: list[dict[str, Any]] = [
    {"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 640},
    {"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 590},
    {"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 0},
    {"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 66},
    {"DistanceSourceToDetector": "", "DistanceSourceToPatient": 367},
    {"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.05, 0.05]},
    {"SeriesDescription": "R CC C-View"},
    {"SeriesDescription": "ComboHD Tomo R CC"},
    {"SeriesDescription": "Tomo 2D CC"},
    {"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]},
    {"ContrastBolusAgent": "Iohexol", "ImageType": ["DERIVED", "PRIMARY", "", "LOW_ENERGY"]},
    {"ContrastBolusAgent": "Iohexol", "SeriesDescription": "R CC CEM Low Energy"},
    {"ContrastBolusAgentSequence": [meaning("Iodine")], "SeriesDescription": "CESM LE CC"},
    {"SeriesDescription": "Dual energy, low energy image, CC"},
    {"SeriesDescription": "TiCEM Niederenergie CC"},
    {"ContrastBolusAgent": "NONE"},
    {"ContrastBolusAgent": ""},
    {"BreastImplantPresent": "YES"},
    {"SeriesDescription": "R CC, implant not displaced"},
    {"SeriesDescription": "R CC", "ImageComments": "no phantom, no raw data and no contrast were at hand for this one"},
    {"AcquisitionDeviceProcessingDescription": "standard processing, image processed"},
    {"PresentationIntentType": ""},
    {"ViewPosition": "SPECIMEN", "SeriesDescription": "BREAST SPECIMEN"},
    {"PaddleDescription": "24CM X 29CM SCREENING"},
    {"SeriesDescription": "Image du sein droit, CC"},
]


@pytest.mark.parametrize("attributes", IN_SCOPE, ids=lambda value: str(value)[:60])
def test_an_ordinary_mammogram_stays_in_scope(attributes: dict[str, Any]) -> None:
    assert reason(**attributes) is None


def test_slices_in_a_ct_class_are_tomosynthesis_and_other_ct_is_no_mammogram() -> None:
    assert read_header(mammogram(SOPClassUID=CTImageStorage)).kind is ImageKind.TOMOSYNTHESIS
    assert reason(SOPClassUID=CTImageStorage, Modality="CT", BodyPartExamined="CHEST", ViewPosition=None) == "not-mammography"


@pytest.mark.parametrize(
    ("attributes", "factor"),
    [
        ({}, 1.0),
        ({"EstimatedRadiographicMagnificationFactor": 1.07}, 1.07),
        ({"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 600}, 1.1),
        ({"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 330, "EstimatedRadiographicMagnificationFactor": 1.8}, 2.0),
        ({"EstimatedRadiographicMagnificationFactor": -3}, 1.0),
        ({"DistanceSourceToDetector": 6600, "DistanceSourceToPatient": 66}, 1.0),
    ],
)
def test_the_magnification_is_stated_or_computed(attributes: dict[str, Any], factor: float) -> None:
    assert read_magnification(mammogram(**attributes)) == pytest.approx(factor)
