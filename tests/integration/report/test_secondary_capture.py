"""The heatmap picture is a valid secondary capture that no hanging protocol takes for the mammogram."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from service.report.secondary_capture import build_heatmap
from tests.support.sample_findings import LABELER, NAMES_IN_CHARACTER_SETS, NEVER_CALIBRATED, analysed, as_received, concluded, full_field
from tests.support.validators import dciodvfy_errors


def heatmap(source: Dataset, overlay: np.ndarray, side: str = "R", preview: np.ndarray | None = None, **values: object) -> Dataset:
    finding = analysed(source.SOPInstanceUID, side, "CC").model_copy(update=values)
    return build_heatmap(concluded(source.StudyInstanceUID, [finding]), finding, source, overlay, preview)


@pytest.mark.parametrize("shape", [(301, 211, 3), (32, 31, 3), (1024, 800, 3)], ids=["odd", "tiny", "large"])
@pytest.mark.parametrize("side", ["R", "UNKNOWN"])
def test_it_is_valid_and_shows_image_and_heatmap_side_by_side_and_untouched(shape: tuple[int, int, int], side: str, tmp_path: Path) -> None:
    preview, overlay = np.random.default_rng(1).integers(0, 255, (2, *shape), np.uint8)
    capture = heatmap(as_received(full_field(), tmp_path), overlay, side, preview)
    assert dciodvfy_errors(capture, tmp_path) == []
    picture = pydicom.dcmread(tmp_path / "judged.dcm").pixel_array
    rows, columns = shape[:2]
    assert np.array_equal(picture[:rows, :columns], preview) and np.array_equal(picture[:rows, -columns:], overlay)
    assert picture[rows:].max() > 100, "the legend is below"


def test_the_heatmap_is_alone_if_the_preview_is_gone(tmp_path: Path) -> None:
    overlay = np.random.default_rng(1).integers(0, 255, (300, 200, 3), np.uint8)
    capture = heatmap(full_field(), overlay)
    assert dciodvfy_errors(capture, tmp_path) == []
    assert np.array_equal(capture.pixel_array[:300], overlay)


def test_pictures_of_two_images_are_never_put_side_by_side() -> None:
    with pytest.raises(ValueError, match="side by side"):
        heatmap(full_field(), np.zeros((300, 200, 3), np.uint8), "R", np.zeros((300, 201, 3), np.uint8))


def test_the_legend_differs_by_score_and_model() -> None:
    black = np.zeros((600, 500, 3), np.uint8)
    legends = {
        heatmap(full_field(), black, **values).pixel_array[600:].tobytes()
        for values in ({}, {"cancer_score": 0.3}, {"cancer_score": None}, {"models": (LABELER, NEVER_CALIBRATED)})
    }
    assert len(legends) == 4
    bar = heatmap(full_field(), black).pixel_array[-20, 8:-8].astype(int)
    assert bar[0].argmax() == 2 and bar[-1].argmax() == 0, "the scale of colours runs from blue to red"


def test_it_stays_in_the_study_and_names_its_source(tmp_path: Path) -> None:
    source = as_received(full_field(), tmp_path)
    capture = heatmap(source, np.zeros((300, 200, 3), np.uint8))
    assert capture.StudyInstanceUID == source.StudyInstanceUID
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert "CC" not in capture.SeriesDescription
    assert str(capture.PatientName) == str(source.PatientName)


def test_building_again_gives_equal_bytes() -> None:
    source = full_field()
    encodings = []
    for _ in range(2):
        buffer = io.BytesIO()
        heatmap(source, np.zeros((300, 200, 3), np.uint8)).save_as(buffer, enforce_file_format=True)
        encodings.append(buffer.getvalue())
    assert encodings[0] == encodings[1]


@pytest.mark.parametrize(("charset", "name"), NAMES_IN_CHARACTER_SETS)
def test_every_character_set_survives(charset: str | list[str], name: str, tmp_path: Path) -> None:
    image = full_field()
    image.SpecificCharacterSet, image.PatientName = charset, name
    buffer = io.BytesIO()
    heatmap(as_received(image, tmp_path), np.zeros((300, 200, 3), np.uint8)).save_as(buffer, enforce_file_format=True)
    capture = pydicom.dcmread(io.BytesIO(buffer.getvalue()))
    assert capture.get_item("PatientName").value == as_received(image, tmp_path).get_item("PatientName").value
    assert str(capture.PatientName) == name
    assert dciodvfy_errors(capture, tmp_path) == []
