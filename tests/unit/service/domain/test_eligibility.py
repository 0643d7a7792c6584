"""Headers at the door: what they declare, what kind of picture they speak of, and why the networks must not see it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastTomosynthesisImageStorage,
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForProcessing,
    JPEGBaseline8Bit,
    SecondaryCaptureImageStorage,
)

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.domain.eligibility import ineligible_reason
from service.domain.findings import InstanceHeader
from service.domain.header import read_header
from tests.support.mammogram_header import code, mammogram

SECONDARY = {"SOPClassUID": SecondaryCaptureImageStorage}


def reason(film: bool = True, **attributes: Any) -> str | None:
    found = ineligible_reason(read_header(mammogram(**attributes)), film)
    return found.code if found else None


def view_code(value: str, scheme: str = "SCT", modifiers: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"ViewCodeSequence": [code(value, scheme, ViewModifierCodeSequence=[code(each) for each in modifiers])]}


@pytest.mark.parametrize(
    ("attributes", "view", "source"),
    [
        (view_code("399162004"), View.CC, "ViewCodeSequence"),
        (view_code("R-10226", "SRT"), View.MLO, "ViewCodeSequence"),
        (view_code("R-10226", "SNM3"), View.MLO, "ViewCodeSequence"),
        (view_code("Y-X1770", "99SDM"), View.XCCL, "ViewCodeSequence"),
        (view_code("399162004") | {"ViewPosition": "MLO"}, View.CC, "ViewCodeSequence"),
        (view_code("399162004", "OTHER") | {"ViewPosition": "MLO"}, View.MLO, "ViewPosition"),
        (view_code("1234") | {"ViewPosition": "ML"}, View.ML, "ViewPosition"),
        ({"ViewPosition": "LCC"}, View.CC, "ViewPosition"),
        ({"ViewPosition": "RMLO"}, View.MLO, "ViewPosition"),
        ({"ViewPosition": "LM"}, View.LM, "ViewPosition"),
        ({"ViewPosition": "LMO"}, View.LMO, "ViewPosition"),
        ({"ViewPosition": "LLMO"}, View.LMO, "ViewPosition"),
        ({"ViewPosition": "LML"}, View.ML, "ViewPosition"),
        ({"ViewPosition": "mlo "}, View.MLO, "ViewPosition"),
        ({"ViewPosition": "PA"}, View.UNKNOWN, ""),
        ({"PatientOrientation": "CC"}, View.CC, "PatientOrientation"),
        ({"PatientOrientation": ["A", "R"]}, View.UNKNOWN, ""),
        ({"SeriesDescription": "Mammo L-MLO"}, View.MLO, "SeriesDescription"),
        ({"SeriesDescription": "CC and MLO, both"}, View.UNKNOWN, ""),
        ({"SeriesDescription": "iohexol 100 ml"}, View.UNKNOWN, ""),
        ({"SeriesDescription": "iso certified"}, View.UNKNOWN, ""),
        ({"ImageComments": "RIGHT CC"}, View.CC, "ImageComments"),
        ({}, View.UNKNOWN, ""),
    ],
)
def test_the_declared_view(attributes: dict[str, Any], view: View, source: str) -> None:
    header = read_header(mammogram(**attributes))
    assert (header.view, header.view_source) == (view, source)


@pytest.mark.parametrize(
    ("attributes", "modifiers"),
    [
        (view_code("399162004", modifiers=("399163009", "399055006")), {ViewModifier.M, ViewModifier.S}),
        (view_code("399162004", modifiers=("999",)), {ViewModifier.UNKNOWN}),
        (view_code("399162004") | {"ViewPosition": "CCID"}, {ViewModifier.ID}),
        ({"ViewPosition": "MCC"}, {ViewModifier.M}),
        ({"ViewPosition": "RSMLO"}, {ViewModifier.S}),
        ({"ViewPosition": "LMLOID"}, {ViewModifier.ID}),
        ({"ViewPosition": "CC MAG"}, {ViewModifier.M}),
        ({"ViewPosition": "CC SPOT"}, {ViewModifier.S}),
        ({"ViewPosition": "MLO"}, set()),
        ({"ViewPosition": "CC", "SeriesDescription": "R CC spot magnification"}, {ViewModifier.M, ViewModifier.S}),
        ({"ViewPosition": "CC", "SeriesDescription": "patient ID at axilla"}, set()),
    ],
)
def test_the_declared_modifiers(attributes: dict[str, Any], modifiers: set[ViewModifier]) -> None:
    assert set(read_header(mammogram(**attributes)).view_modifiers) == modifiers


@pytest.mark.parametrize(
    ("attributes", "side", "source"),
    [
        ({"ImageLaterality": "R", "Laterality": "L"}, Laterality.R, "ImageLaterality"),
        ({"ImageLaterality": "", "Laterality": "L"}, Laterality.L, "Laterality"),
        ({"ImageLaterality": "B"}, Laterality.B, "ImageLaterality"),
        ({"Laterality": "left"}, Laterality.L, "Laterality"),
        ({"Laterality": "?", "ViewPosition": "RCC"}, Laterality.R, "ViewPosition"),
        ({"PatientOrientation": ["A", "R"]}, Laterality.L, "PatientOrientation"),
        ({"PatientOrientation": ["L", "F"]}, Laterality.UNKNOWN, ""),
        ({"SeriesDescription": "L CC"}, Laterality.L, "SeriesDescription"),
        ({"SeriesDescription": "R and L"}, Laterality.UNKNOWN, ""),
        ({}, Laterality.UNKNOWN, ""),
    ],
)
def test_the_declared_side(attributes: dict[str, Any], side: Laterality, source: str) -> None:
    header = read_header(mammogram(**attributes))
    assert (header.laterality, header.laterality_source) == (side, source)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({}, ImageKind.FULL_FIELD),
        (SECONDARY, ImageKind.FILM),
        (SECONDARY | {"Modality": "RG", "BodyPartExamined": "BREAST", "ViewPosition": "MLO"}, ImageKind.FILM),
        (SECONDARY | {"Modality": "RG", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}, ImageKind.UNKNOWN),
        (SECONDARY | {"Modality": "OT"}, ImageKind.UNKNOWN),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]}, ImageKind.SYNTHESISED),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO_2D"]}, ImageKind.SYNTHESISED),
        ({"SeriesDescription": "R CC C-View"}, ImageKind.SYNTHESISED),
        ({"SeriesDescription": "L MLO Intelligent 2D"}, ImageKind.SYNTHESISED),
        ({"SeriesDescription": "Insight 2D"}, ImageKind.SYNTHESISED),
        ({"SeriesDescription": "V-Preview"}, ImageKind.SYNTHESISED),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO", "NONE"]}, ImageKind.TOMOSYNTHESIS),
        ({"SOPClassUID": BreastTomosynthesisImageStorage}, ImageKind.TOMOSYNTHESIS),
        ({"SOPClassUID": ComputedRadiographyImageStorage, "Modality": "CR"}, ImageKind.UNKNOWN),
    ],
)
def test_kinds_of_picture_are_told_apart(attributes: dict[str, Any], kind: ImageKind) -> None:
    assert read_header(mammogram(**attributes)).kind is kind


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"ViewPosition": "XCCL"}, None),
        ({"BreastImplantPresent": "YES"}, None),
        ({"SeriesDescription": "C-View"}, None),
        (SECONDARY, None),
        ({"EstimatedRadiographicMagnificationFactor": 1.07}, None),
        ({"SOPClassUID": ComputedRadiographyImageStorage, "Modality": "CR"}, "not-mammography"),
        (SECONDARY | {"Modality": "OT"}, "not-mammography"),
        ({"SOPClassUID": None, "Modality": None}, "not-mammography"),
        ({"SOPClassUID": DigitalMammographyXRayImageStorageForProcessing}, "for-processing"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing"),
        ({"SOPClassUID": BreastTomosynthesisImageStorage, "NumberOfFrames": 60}, "tomosynthesis"),
        ({"SOPClassUID": BreastProjectionXRayImageStorageForPresentation}, "breast-projection"),
        ({"PixelData": None}, "no-pixel-data"),
        ({"SamplesPerPixel": 3}, "colour"),
        (SECONDARY | {"SamplesPerPixel": 3}, "colour"),
        ({"NumberOfFrames": 2}, "multi-frame"),
        ({"QualityControlImage": "YES"}, "quality-control"),
        ({"ImageType": ["DERIVED", "PRIMARY", "STEREO", "LEFT"]}, "stereo"),
        ({"ImageType": ["DERIVED", "PRIMARY", "PREFIRE_PLUS"]}, "stereo"),
        (view_code("127457009"), "specimen"),
        ({"ViewPosition": "MCC"}, "magnification"),
        ({"EstimatedRadiographicMagnificationFactor": 1.8}, "magnification"),
        ({"ViewPosition": "SCC"}, "spot"),
        ({"ViewPosition": "CCID"}, "implant-displaced"),
    ],
)
def test_what_the_networks_were_not_made_for_is_named(attributes: dict[str, Any], expected: str | None) -> None:
    assert reason(**attributes) == expected


def test_film_is_analysed_only_where_the_site_opts_in() -> None:
    assert reason(film=False, **SECONDARY) == "film-not-enabled"
    assert reason(film=True, **SECONDARY) is None
    assert reason(film=False) is None


def test_an_empty_data_set_is_a_header_too() -> None:
    header = read_header(Dataset())
    assert header == InstanceHeader(
        sop_instance_uid="", sop_class_uid="", study_instance_uid="", series_instance_uid="", transfer_syntax_uid=""
    )


def test_values_that_cannot_be_read_are_unknown() -> None:
    dataset = mammogram()
    odd = ("Rows", "NumberOfFrames", "ViewCodeSequence", "ImageLaterality", "EstimatedRadiographicMagnificationFactor")
    for tag in map(pydicom.tag.Tag, odd):
        vr = pydicom.datadict.dictionary_VR(tag)
        dataset[tag] = pydicom.dataelem.RawDataElement(tag, vr, 3, b"\xff\x00\xfe", 0, False, True)
    header = read_header(dataset)
    assert (header.view, header.laterality) == (View.UNKNOWN, Laterality.UNKNOWN)
    assert (header.rows, header.frames, header.magnification) == (0, 1, 1.0)


def test_a_reason_never_quotes_an_odd_value() -> None:
    found = ineligible_reason(read_header(mammogram(SOPClassUID=None, Modality="DOE^JANE")), True)
    assert found is not None
    assert "DOE" not in found.text


def test_lossy_pictures_and_flags_are_noted() -> None:
    dataset = mammogram(PartialView="YES", FieldOfViewHorizontalFlip="YES", BreastImplantPresent="NO", AccessionNumber="aB1")
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    header = read_header(dataset)
    assert (header.lossy, header.partial_view, header.detector_flipped, header.implant) == (True, True, True, False)
    assert header.accession_number == "aB1"
    assert read_header(mammogram(LossyImageCompression="01")).lossy


def test_the_flip_of_the_detector_is_read_where_the_header_declares_it() -> None:
    headers = [read_header(mammogram(FieldOfViewHorizontalFlip=value)) for value in ("YES", "NO", "", None, "MAYBE")]
    assert [header.field_of_view_horizontal_flip for header in headers] == ["YES", "NO", None, None, None]
    assert [header.detector_flipped for header in headers] == [True, False, False, False, False]
    assert read_header(mammogram(PatientOrientation=["P", "FL"])).orientation == ("P", "FL")
    assert read_header(mammogram(PatientOrientation=None)).orientation == ()


def test_sequences_of_nothing_say_nothing() -> None:
    assert read_header(mammogram(ViewCodeSequence=Sequence())).view is View.UNKNOWN


REAL_FILES = {
    "mg/DICOMSamples__MG_Explicit_Little.dcm": ("magnification", ImageKind.FULL_FIELD, View.CC, Laterality.R),
    "mg/dicom-test-files__MG1_J2KI.dcm": (None, ImageKind.FILM, View.MLO, Laterality.L),
    "mg/dicom-test-files__MG1_JPLY.dcm": (None, ImageKind.FILM, View.MLO, Laterality.L),
    "mg/fo-dicom__OutOfBoundsOverlay.dcm": ("stereo", ImageKind.FULL_FIELD, View.CC, Laterality.L),
}


def test_real_files_get_the_right_reason(dicom_test_files: Path) -> None:
    for path in sorted(dicom_test_files.glob("*/*.dcm")):
        header = read_header(pydicom.dcmread(path))
        found = ineligible_reason(header, True)
        if path.parent.name == "negative":
            assert found is not None, path.name
            assert (found.code, header.kind) == ("not-mammography", ImageKind.UNKNOWN), path.name
        else:
            expected = REAL_FILES[f"mg/{path.name}"]
            assert (found.code if found else None, header.kind, header.view, header.laterality) == expected, path.name


def test_real_films_declare_view_and_side(cbis_cases: dict[str, list[Path]]) -> None:
    for files in cbis_cases.values():
        headers = [read_header(pydicom.dcmread(path)) for path in files]
        assert {(header.view, header.laterality) for header in headers} == set(product((View.CC, View.MLO), (Laterality.L, Laterality.R)))
        assert {(header.view_source, header.laterality_source) for header in headers} == {("PatientOrientation", "Laterality")}
        assert all(ineligible_reason(header, True) is None for header in headers)
