"""The heatmap picture is a valid secondary capture that no hanging protocol takes for the mammogram."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from service.report.secondary_capture import build_heatmap
from tests.integration.answers import analysed, as_received, concluded, full_field
from tests.integration.validators import dciodvfy_errors


def heatmap(source: Dataset, overlay: np.ndarray, side: str = "R") -> Dataset:
    finding = analysed(source.SOPInstanceUID, side, "CC")
    return build_heatmap(concluded(source.StudyInstanceUID, [finding]), finding, source, overlay)


@pytest.mark.parametrize("shape", [(301, 211, 3), (32, 31, 3), (1024, 800, 3)], ids=["odd", "tiny", "large"])
@pytest.mark.parametrize("side", ["R", "UNKNOWN"])
def test_it_is_valid_and_shows_the_overlay_untouched(shape: tuple[int, int, int], side: str, tmp_path: Path) -> None:
    overlay = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    capture = heatmap(as_received(full_field(), tmp_path), overlay, side)
    assert dciodvfy_errors(capture, tmp_path) == []
    picture = pydicom.dcmread(tmp_path / "judged.dcm").pixel_array
    assert np.array_equal(picture[: shape[0]], overlay)
    assert picture[shape[0] :].max() > 100, "a legend stands below"


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
