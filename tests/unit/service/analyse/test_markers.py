"""Burned-in markers are read where they are plain, as they are and mirrored, and passed over where they are not."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.vocabulary import Laterality, View
from service.analyse.markers import read_marker


def draw(word: str, height: int = 30, angle: float = 0.0, level: int = 235, rows: int = 1536, columns: int = 1152) -> NDArray[np.uint8]:
    """A noisy drawn breast at the right edge, and a word in letters of so many pixels beside it."""
    picture = np.random.default_rng(5).integers(0, 12, (rows, columns), np.uint8)
    cv2.ellipse(picture, (columns, rows // 2), (columns // 2, rows // 3), 0, 0, 360, 140, -1)
    sheet = np.zeros_like(picture)
    size = height / cv2.getTextSize("M", cv2.FONT_HERSHEY_SIMPLEX, 1, 1)[0][1]
    cv2.putText(sheet, word, (100, 200), cv2.FONT_HERSHEY_SIMPLEX, size, level, max(2, height // 9), cv2.LINE_AA)
    if angle:
        sheet = cv2.warpAffine(sheet, cv2.getRotationMatrix2D((150, 200), angle, 1), (columns, rows))
    return np.maximum(picture, sheet)


@pytest.mark.parametrize("height", [18, 30, 50])
@pytest.mark.parametrize("word", ["R CC", "LCC", "RMLO", "L MLO", "R-CC"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_plain_word_is_read_in_a_mirrored_picture_too(word: str, height: int, mirrored: bool) -> None:
    picture = draw(word, height)
    marker = read_marker(np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture)
    assert marker is not None
    assert (marker.laterality, marker.view) == (Laterality(word[0]), View.MLO if word.endswith("MLO") else View.CC)
    assert marker.text == f"{marker.laterality} {marker.view}" and 0.75 <= marker.confidence <= 1


@pytest.mark.parametrize("word", ["", "R", "L", "CC", "R ML", "LLM", "RXCCL", "LCCM", "RMLOID", "R CV", "12:30", "28 kV", "PORTABLE"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_any_other_lettering_is_passed_over(word: str, mirrored: bool) -> None:
    picture = draw(word)
    assert read_marker(np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture) is None


def test_lettering_that_is_tilted_tiny_or_faint_is_passed_over() -> None:
    assert read_marker(draw("R CC", angle=30)) is None
    assert read_marker(draw("R CC", height=9)) is None
    assert read_marker(draw("R CC", level=30)) is None


def test_two_markers_that_disagree_are_passed_over() -> None:
    both = np.maximum(draw("R CC"), np.roll(draw("L CC"), 750, axis=0))
    assert read_marker(both) is None
    same = np.maximum(draw("R CC"), np.roll(draw("R CC"), 750, axis=0))
    assert read_marker(same) is not None


def test_pictures_of_any_sort_are_survived() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 300), np.uint8)
    stripes = np.tile(np.repeat(np.array([0, 255], np.uint8), 8), (256, 40))
    for picture in (np.zeros((256, 256), np.uint8), np.full((256, 256), 255, np.uint8), noise, stripes, stripes[:1], stripes[:, :1]):
        assert read_marker(np.ascontiguousarray(picture)) is None


def test_reading_costs_little_beside_the_networks() -> None:
    picture = draw("R MLO", rows=4096, columns=3328)
    read_marker(picture)
    spent = []
    for _ in range(3):
        start = time.process_time()
        read_marker(picture)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.15  # 0.03 s as a rule; a busy machine may take longer
