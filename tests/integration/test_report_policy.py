"""From header to corrected image by the policy: what must never be corrected by a machine alone is not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from service.domain.correction import Policy, Seen, compare_labels
from service.domain.findings import CorrectionState
from service.domain.scope import read_header
from service.report.coding import code_item
from service.report.corrected_instance import NothingToCorrect, build_corrected
from tests.integration.answers import analysed, concluded, full_field
from tests.integration.validators import dciodvfy_errors


def correct(source: Dataset, side: str, view: str, policy: Policy) -> Dataset:
    seen = Seen(read_header(source), analysed(source.SOPInstanceUID, side, view))
    correction = compare_labels(seen, [seen], policy)
    return build_corrected(concluded(source.StudyInstanceUID, [seen.finding], [correction]), correction, seen.finding, source)


def with_modifier(image: Dataset) -> None:
    item = code_item("399162004", "SCT", "cranio-caudal")
    item.ViewModifierCodeSequence = [code_item("399011000", "SCT", "Axillary Tail")]
    image.ViewCodeSequence = [item]


def with_other_view(image: Dataset) -> None:
    image.ViewPosition = "XCCL"


OBSTACLES: dict[str, Callable[[Dataset], object]] = {
    "modifier": with_modifier,
    "another view": with_other_view,
    "partial view": lambda image: setattr(image, "PartialView", "YES"),
    "implant": lambda image: setattr(image, "BreastImplantPresent", "YES"),
    "quality control": lambda image: setattr(image, "QualityControlImage", "YES"),
    "stereo": lambda image: setattr(image, "ImageType", ["ORIGINAL", "PRIMARY", "STEREO_PLUS"]),
    "for processing": lambda image: setattr(image, "PresentationIntentType", "FOR PROCESSING"),
}


def test_an_unlabelled_image_is_filled_in() -> None:
    assert correct(full_field(labelled=False), "R", "CC", Policy()).ImageLaterality == "R"


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_is_never_automatic_is_not_written(obstacle: str) -> None:
    image = full_field(labelled=False)
    OBSTACLES[obstacle](image)
    with pytest.raises(NothingToCorrect):
        correct(image, "R", "CC", Policy())


def test_a_contradiction_waits_for_a_person() -> None:
    with pytest.raises(NothingToCorrect):
        correct(full_field("R", "CC"), "R", "MLO", Policy())


def test_digitised_film_is_corrected_only_where_opted_in(cbis_cases: dict[str, list[Path]], tmp_path: Path) -> None:
    source = pydicom.dcmread(cbis_cases["sfm-malign-0"][0])
    with pytest.raises(NothingToCorrect):
        correct(source, "L", "CC", Policy(film=False))
    corrected = correct(source, "L", "CC", Policy(film=True))
    assert (corrected.ImageLaterality, corrected.ViewPosition) == ("L", "CC")
    assert dciodvfy_errors(corrected, tmp_path) == []


def test_a_corrected_image_needs_no_correction(cbis_cases: dict[str, list[Path]]) -> None:
    policy = Policy(film=True)
    buffer = io.BytesIO()
    correct(pydicom.dcmread(cbis_cases["sfm-malign-0"][1]), "L", "MLO", policy).save_as(buffer, enforce_file_format=True)
    corrected = pydicom.dcmread(io.BytesIO(buffer.getvalue()))
    seen = Seen(read_header(corrected), analysed(corrected.SOPInstanceUID, "L", "MLO"))
    assert compare_labels(seen, [seen], policy).state is CorrectionState.REPORT_ONLY


def test_no_real_mammogram_gets_an_error_that_it_had_not(dicom_test_files: Path, tmp_path: Path) -> None:
    built = 0
    for path in sorted((dicom_test_files / "mg").glob("*.dcm")):
        source = pydicom.dcmread(path)
        try:
            corrected = correct(source, "L", "MLO", Policy(film=True))
        except NothingToCorrect:
            continue
        built += 1
        assert corrected.PixelData == source.PixelData
        errors = set(dciodvfy_errors(corrected, tmp_path)) - set(dciodvfy_errors(pydicom.dcmread(path), tmp_path))
        assert errors == set(), path.name
    assert built
