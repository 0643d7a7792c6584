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

from models.preprocessing.geometry import breast_box, breast_mask, chest_is_left
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


def add_implant(breast: Pixels, level: int, centre: float, axes: tuple[float, float], slope: float = 0.0) -> Pixels:
    """A smooth bright ellipse without noise: `centre` from the chest wall, `axes` and `slope` (grey levels) over the width and height."""
    rows, columns = breast.shape
    mask: NDArray[Any] = np.zeros(breast.shape, np.float32)
    cv2.ellipse(mask, (int(centre * columns), rows // 2), (int(axes[0] * columns), int(axes[1] * rows)), 0, 0, 360, 1, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (31, 31), 0))
    implant = level - slope * np.mgrid[:rows, :columns][1] / columns
    return np.clip(breast * (1 - mask) + implant * mask, 0, 255).astype(np.uint8)


IMPLANTS = {
    "small": (210, 0.15, (0.3, 0.25)),
    "before the muscle, most of the breast": (200, 0.0, (0.55, 0.4)),
    "behind the gland": (240, 0.3, (0.3, 0.3)),
    "white": (255, 0.0, (0.55, 0.4)),
    "white, off the chest wall": (255, 0.2, (0.48, 0.4)),
    "nearly the whole breast": (255, 0.0, (0.62, 0.41)),
    "grey": (150, 0.0, (0.5, 0.38)),
}


@pytest.mark.parametrize("name", IMPLANTS)
@pytest.mark.parametrize("tissue", [1.0, 0.5, 0.3])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("slope", [0, 20])
def test_an_implant_is_no_test_pattern(name: str, tissue: float, mirrored: bool, slope: float) -> None:
    breast = ((draw_breast(1024, 800) >> 4) * tissue).astype(np.uint8)
    pixels = add_implant(breast, *IMPLANTS[name], slope=slope)
    pixels = np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
    assert not has_white_background(pixels)
    assert looks_like_mammogram(pixels) is None


def test_an_implant_in_a_real_breast_is_no_test_pattern(cbis_cases: dict[str, list[Path]]) -> None:
    for path in (path for files in cbis_cases.values() for path in files):
        pixels = picture_from_dataset(pydicom.dcmread(path)).pixels
        mask = breast_mask(pixels)
        box = breast_box(mask, (pixels.shape[0], pixels.shape[1]))
        part = pixels[box.top : box.bottom, box.left : box.right]
        centre = 0.35 if chest_is_left(mask) else 0.65
        augmented = pixels.copy()
        augmented[box.top : box.bottom, box.left : box.right] = add_implant(part, 230, centre, (0.4, 0.33))
        assert looks_like_mammogram(augmented) is None, path.name


BREAST: Pixels = (draw_breast(1024, 800) >> 4).astype(np.uint8)
DRAWINGS: dict[str, Any] = {
    "a disc on a smooth breast": add_implant(np.asarray(cv2.GaussianBlur(BREAST, (61, 61), 0), np.uint8), 220, 0.2, (0.3, 0.3)),
    "a disc on a ramp": add_implant((COLUMN * 200 // 800).astype(np.uint8), 250, 0.5, (0.3, 0.3)),
    "a disc on patches": add_implant(draw_pattern(), 250, 0.5, (0.3, 0.3)),
    "a bright block in noise": cv2.rectangle(BREAST.copy(), (0, 120), (640, 900), 220, -1),
    "a white page with text": 255 - draw_text(0.6, 1, 12),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_with_a_disc_is_no_implant(name: str) -> None:
    pixels = DRAWINGS[name]
    assert looks_like_mammogram(255 - pixels if has_white_background(pixels) else pixels) is not None


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
