"""The pixel gate lets mammograms through and keeps out what only calls itself one."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from models.preprocessing.picture import picture_from_dataset, picture_from_file
from models.preprocessing.plausibility import looks_like_mammogram
from models.preprocessing.polarity import has_white_background
from tests.support.phantom import draw_breast

Pixels = NDArray[np.uint8]


def draw_text(scale: float, thickness: int, lines: int) -> Pixels:
    page = np.zeros((1024, 800), np.uint8)
    for line in range(lines):
        where = (20, int((line + 1) * 1000 / (lines + 1)))
        cv2.putText(page, "Dose report 29 kV 64 mAs", where, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    return page


def draw_pattern() -> Pixels:
    page = np.full((1024, 800), 30, np.uint8)
    for patch in range(12):
        corner = (20 + patch % 4 * 195, 50 + patch // 4 * 300)
        cv2.rectangle(page, corner, (corner[0] + 195, corner[1] + 300), 60 + patch * 16, -1)
    page[960:1000] = np.linspace(0, 255, 800).astype(np.uint8)
    return page


ROW, COLUMN = np.mgrid[:1024, :800]
NO_MAMMOGRAMS: dict[str, tuple[str, Any]] = {
    "a thumbnail": ("too-small", (draw_breast(200, 160) >> 4).astype(np.uint8)),
    "nothing": ("blank", np.zeros((1024, 800), np.uint8)),
    "a grey nothing": ("blank", np.full((1024, 800), 90, np.uint8)),
    "a flat half disc": ("too-few-grey-levels", cv2.ellipse(np.zeros((1024, 800), np.uint8), (0, 512), (500, 400), 0, 0, 360, 150, -1)),
    "a chess board": ("too-few-grey-levels", ((ROW // 64 + COLUMN // 64) % 2 * 255).astype(np.uint8)),
    "a text page": ("no-breast", draw_text(0.9, 2, 30)),
    "a printed page": ("no-breast", 255 - draw_text(0.9, 2, 30)),
    "noise": ("no-breast", ((ROW * 7919 + COLUMN * 104729 + ROW * COLUMN * 31) % 251).astype(np.uint8)),
    "a ramp": ("test-pattern", (COLUMN * 255 // 800).astype(np.uint8)),
    "patches": ("test-pattern", draw_pattern()),
}


@pytest.mark.parametrize("name", NO_MAMMOGRAMS)
def test_what_is_no_mammogram_is_named(name: str) -> None:
    code, pixels = NO_MAMMOGRAMS[name]
    doubt = looks_like_mammogram(255 - pixels if has_white_background(pixels) else pixels)
    assert doubt is not None
    assert doubt.code == code


def test_a_drawn_breast_with_texture_passes() -> None:
    assert looks_like_mammogram((draw_breast(1024, 800) >> 4).astype(np.uint8)) is None


def test_real_films_pass(cbis_cases: dict[str, list[Path]]) -> None:
    for path in (path for files in cbis_cases.values() for path in files):
        assert looks_like_mammogram(picture_from_dataset(pydicom.dcmread(path)).pixels) is None, path.name


def test_real_dicom_is_told_apart(dicom_test_files: Path) -> None:
    found = {
        name: looks_like_mammogram(picture_from_dataset(pydicom.dcmread(dicom_test_files / name)).pixels)
        for name in (
            "mg/DICOMSamples__MG_Explicit_Little.dcm",
            "mg/dicom-test-files__MG1_J2KI.dcm",
            "negative/dicom-test-files__CT_small.dcm",
        )
    }
    assert [doubt and doubt.code for doubt in found.values()] == ["too-few-grey-levels", None, "too-small"]


@pytest.mark.parametrize(("folder", "every"), [("rsna-bcd-640", 12), ("mini-mias", 4)])
def test_mammograms_of_the_public_sets_pass(data_folder: Path, folder: str, every: int) -> None:
    """Of all 2,661 and 218: refused are the blank one, one whose polarity is misread and one with a grey band over its edge."""
    with (data_folder / folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    files = [row["file"] for row in rows[::every] if "blank=1" not in row["notes"]]
    doubts = {name: looks_like_mammogram(picture_from_file(data_folder / folder / name).pixels) for name in files}
    refused = {name for name, doubt in doubts.items() if doubt}
    assert refused <= {"images/28747_2075658562.jpg"}


def test_the_blank_exposure_is_refused(data_folder: Path) -> None:
    doubt = looks_like_mammogram(picture_from_file(data_folder / "rsna-bcd-640/images/822_1942326353.jpg").pixels)
    assert doubt is not None
    assert doubt.code == "blank"
