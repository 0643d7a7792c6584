"""Images whose pixels do not fit their headers, through both networks: the answers that right headers get, or a coded reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pydicom
import pytest

from models.preprocessing.geometry import breast_mask, chest_is_left
from models.preprocessing.picture import picture_from_dataset
from models.vocabulary import ImageKind
from service.analyse.runner import Analyser, Analysis
from service.domain.findings import InstanceState


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(provider="cpu", threads=1)


def analyse(analyser: Analyser, path: Path) -> Analysis:
    return analyser.analyse_file(path, film=True)[0]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("07-voi-lut-narrower-than-declared/input.dcm", ("MLO", "R", "B")),
        ("08-bits-stored-smaller-than-data/a-j2k-14-bit-header-12.dcm", ("MLO", "R", "B")),
        ("09-sign-of-lut-and-padding/a-first-mapped-SS-unsigned-pixels.dcm", ("MLO", "R", "B")),
        ("15-big-endian-upload/input.dcm", ("CC", "L", "B")),
        ("17-iso-2022-ir-58/input.dcm", ("CC", "L", "B")),
        ("18-nul-in-character-set/input.dcm", ("CC", "L", "B")),
        ("14-file-meta-uid-differs/input.dcm", ("CC", "L", "B")),
    ],
)
def test_reported_images_get_the_labels_of_their_pixels(
    analyser: Analyser, reported_cases: Path, name: str, labels: tuple[str, str, str]
) -> None:
    finding = analyse(analyser, reported_cases / name).finding
    assert finding.state is InstanceState.ANALYSED, finding.reason
    assert finding.view and finding.laterality and finding.density
    assert (finding.view.value, finding.laterality.value, finding.density.value) == labels


def test_native_values_above_bits_stored_fail_with_a_reason(analyser: Analyser, reported_cases: Path) -> None:
    finding = analyse(analyser, reported_cases / "08-bits-stored-smaller-than-data/c-native-values-14-bit-header-12.dcm").finding
    assert finding.state is InstanceState.FAILED
    assert finding.reason is not None and finding.reason.code == "pixels-contradict-header"
    assert finding.cancer_score is None


def test_a_narrow_table_gets_the_score_of_a_right_descriptor(analyser: Analyser, reported_cases: Path) -> None:
    dataset = pydicom.dcmread(reported_cases / "07-voi-lut-narrower-than-declared/input.dcm")
    wrong = analyser.analyse_dataset(dataset, film=True).finding
    dataset.VOILUTSequence[0].LUTDescriptor[2] = 12
    right = analyser.analyse_dataset(dataset, film=True).finding
    assert wrong.cancer_score == right.cancer_score is not None


def test_the_labeler_refuses_no_declared_implant(analyser: Analyser, cbis_cases: dict[str, list[Path]]) -> None:
    path = next(path for paths in cbis_cases.values() for path in paths if path.name == "1-133.dcm")
    picture = picture_from_dataset(pydicom.dcmread(path))
    rows, columns = picture.pixels.shape
    side = 0.2 if chest_is_left(breast_mask(picture.pixels)) else 0.8
    pixels = picture.pixels.copy()
    cv2.ellipse(pixels, (int(side * columns), rows // 2), (columns // 4, rows // 5), 0, 0, 360, 240, -1)
    finding = analyser.analyse_picture(replace(picture, pixels=pixels), "2.25.1", ImageKind.FILM, 0.0, implant=True).finding
    assert finding.state is InstanceState.ANALYSED, finding.reason


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"DistanceSourceToDetector": 660, "DistanceSourceToPatient": 367}, "magnification"),
        ({"ImageType": ["DERIVED", "PRIMARY", "SUBTRACTION"]}, "contrast-enhanced"),
        ({"PaddleDescription": "7.5CM SPOT CONTACT"}, "spot"),
        ({"SeriesDescription": "implant displaced"}, "implant-displaced"),
        ({"SeriesDescription": "raw"}, "for-processing"),
    ],
)
def test_an_image_out_of_scope_is_not_scored(analyser: Analyser, reported_cases: Path, change: dict[str, Any], code: str) -> None:
    dataset = pydicom.dcmread(reported_cases / "14-file-meta-uid-differs/input.dcm")
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    finding = analyser.analyse_dataset(dataset, film=True).finding
    assert finding.state is InstanceState.SKIPPED
    assert finding.reason is not None and finding.reason.code == code
