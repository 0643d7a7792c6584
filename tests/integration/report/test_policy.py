"""From header to corrected image by rule and policy: what must never be corrected by a machine alone is not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from service.domain.findings import CorrectionKind, LabelCorrection, Verdict
from service.domain.header import read_header
from service.domain.label_evaluation import evaluate_labels
from service.domain.policy import Action, CorrectionPolicy, ObjectMode
from service.domain.study_image import StudyImage
from service.errors import NothingToCorrect
from service.report.coding import code_item
from service.report.corrected_instance import build_corrected
from tests.support.sample_findings import analysed, decided, full_field
from tests.support.validators import dciodvfy_errors

EAGER = CorrectionPolicy(missing="auto", contradicts="auto", mirrored="auto", sides_swapped="auto", view_unknown="auto", film=True)
"""A site that would have everything corrected without asking."""


def compare(source: Dataset, side: str, view: str) -> tuple[StudyImage, LabelCorrection]:
    """What follows from an image alone whose pixels show a side and a view."""
    seen = StudyImage(read_header(source), analysed(source.SOPInstanceUID, side, view))
    ((correction,), *_) = evaluate_labels([seen])
    return seen, correction


def correct(source: Dataset, side: str, view: str) -> Dataset:
    seen, correction = compare(source, side, view)
    assert seen.finding is not None
    return build_corrected(decided(correction, seen.finding), source, "new-series")


def with_modifier(image: Dataset) -> None:
    item = code_item("399162004", "SCT", "cranio-caudal")
    item.ViewModifierCodeSequence = [code_item("399011000", "SCT", "Axillary Tail")]
    image.ViewCodeSequence = [item]


def with_other_view(image: Dataset) -> None:
    image.ViewPosition = "XCCL"


REPORT_ONLY: dict[str, Callable[[Dataset], object]] = {
    "modifier": with_modifier,
    "another view": with_other_view,
    "partial view": lambda image: setattr(image, "PartialView", "YES"),
    "implant": lambda image: setattr(image, "BreastImplantPresent", "YES"),
    "quality control": lambda image: setattr(image, "QualityControlImage", "YES"),
    "stereo": lambda image: setattr(image, "ImageType", ["ORIGINAL", "PRIMARY", "STEREO_PLUS"]),
    "for processing": lambda image: setattr(image, "PresentationIntentType", "FOR PROCESSING"),
    "flipped by the detector": lambda image: setattr(image, "FieldOfViewHorizontalFlip", "YES"),
}


def test_an_unlabelled_image_is_filled_in_by_default() -> None:
    source = full_field(labelled=False)
    assert CorrectionPolicy().action(compare(source, "R", "CC")[1]) is Action.AUTO
    assert correct(source, "R", "CC").ImageLaterality == "R"


@pytest.mark.parametrize("case", REPORT_ONLY)
def test_a_report_only_difference_is_not_written_even_if_a_destination_asks_for_it(case: str) -> None:
    image = full_field(labelled=False)
    REPORT_ONLY[case](image)
    assert EAGER.action(compare(image, "R", "CC")[1]) is Action.REPORT
    with pytest.raises(NothingToCorrect, match="reported only"):
        correct(image, "R", "CC")


def test_a_contradicted_view_waits_for_a_person_and_without_evidence_not_even_that() -> None:
    wrong, sibling = compare(full_field("R", "CC"), "R", "MLO")[0], compare(full_field("R", "CC"), "R", "CC")[0]
    correction = evaluate_labels([wrong, sibling]).corrections[0]
    assert (correction.kind, CorrectionPolicy().action(correction)) == (CorrectionKind.CONTRADICTS, Action.APPROVE)
    assert EAGER.action(evaluate_labels([wrong]).corrections[0]) is Action.REPORT


def test_a_contradicted_side_without_evidence_is_not_written() -> None:
    source = full_field("R", "CC")
    assert EAGER.action(compare(source, "L", "CC")[1]) is Action.REPORT
    with pytest.raises(NothingToCorrect, match="no second evidence"):
        correct(source, "L", "CC")


SHOWN = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


def see(images: list[Dataset]) -> list[StudyImage]:
    """A study whose pixels show the four views."""
    return [StudyImage(read_header(image), analysed(str(image.SOPInstanceUID), *shown)) for image, shown in zip(images, SHOWN, strict=True)]


@pytest.mark.parametrize("wrong", [("L", "CC"), ("R", "MLO"), ("L", "MLO")], ids=["side", "view", "both"])
@pytest.mark.parametrize("mode", ["new-series", "overwrite"])
def test_a_wrong_label_that_the_study_bears_out_is_right_after_the_correction(wrong: tuple[str, str], mode: ObjectMode) -> None:
    images = [full_field(*wrong), *(full_field(*shown) for shown in SHOWN[1:])]
    study = see(images)
    corrections, reasoning, _ = evaluate_labels(study)
    assert reasoning.verdict is Verdict.ONE_WRONG_LABEL
    assert CorrectionPolicy().action(corrections[0]) is Action.APPROVE
    assert study[0].finding is not None
    images[0] = build_corrected(decided(corrections[0], study[0].finding), images[0], mode)
    assert images[0].PatientOrientation[0] == "P" and "L" in images[0].PatientOrientation[1]
    assert [each.kind for each in evaluate_labels(see(images)).corrections] == [None] * 4


def test_a_mirrored_picture_keeps_its_labels_and_gets_the_orientation_that_explains_it() -> None:
    images = [full_field(*shown) for shown in SHOWN]
    study = see(images)
    study[0] = study[0]._replace(finding=analysed(str(images[0].SOPInstanceUID), "L", "CC"))
    correction = evaluate_labels(study).corrections[0]
    assert correction.kind is CorrectionKind.MIRRORED
    assert study[0].finding is not None
    images[0] = build_corrected(decided(correction, study[0].finding), images[0], "overwrite")
    assert (images[0].ImageLaterality, images[0].ViewPosition, list(images[0].PatientOrientation)) == ("R", "CC", ["A", "L"])
    again = study[0]._replace(header=read_header(images[0]))
    assert evaluate_labels([again, *study[1:]]).corrections[0].kind is None


def test_a_side_that_patient_orientation_explains_is_no_difference() -> None:
    source = full_field("L", "CC")
    source.PatientOrientation = ["P", "R"]
    assert compare(source, "R", "CC")[1].kind is None


def test_digitised_film_is_corrected_only_where_opted_in(cbis_cases: dict[str, list[Path]], tmp_path: Path) -> None:
    source = pydicom.dcmread(cbis_cases["sfm-malign-0"][0])
    correction = compare(source, "L", "CC")[1]
    assert CorrectionPolicy().action(correction) is Action.REPORT
    assert CorrectionPolicy(film=True).action(correction) is Action.AUTO
    corrected = correct(source, "L", "CC")
    assert (corrected.ImageLaterality, corrected.ViewPosition) == ("L", "CC")
    assert dciodvfy_errors(corrected, tmp_path) == []


def test_a_corrected_image_needs_no_correction(cbis_cases: dict[str, list[Path]]) -> None:
    buffer = io.BytesIO()
    correct(pydicom.dcmread(cbis_cases["sfm-malign-0"][1]), "L", "MLO").save_as(buffer, enforce_file_format=True)
    assert compare(pydicom.dcmread(io.BytesIO(buffer.getvalue())), "L", "MLO")[1].kind is None


def test_no_real_mammogram_gets_an_error_that_it_had_not(dicom_test_files: Path, tmp_path: Path) -> None:
    built = 0
    for path in sorted((dicom_test_files / "mg").glob("*.dcm")):
        source = pydicom.dcmread(path)
        try:
            corrected = correct(source, "L", "MLO")
        except NothingToCorrect:
            continue
        built += 1
        assert corrected.PixelData == source.PixelData
        errors = set(dciodvfy_errors(corrected, tmp_path)) - set(dciodvfy_errors(pydicom.dcmread(path), tmp_path))
        assert errors == set(), path.name
    assert built
