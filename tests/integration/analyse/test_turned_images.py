"""An image that is rotated or mirrored as its Patient Orientation declares gets the same answer, in its own layout."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.preprocessing.turn import Turn
from service.analyse.heatmap import decode_png
from service.analyse.runner import Analyser, Analysis
from service.domain.header import read_header
from service.domain.label_evaluation import evaluate_labels
from service.domain.study_image import StudyImage

Make = Callable[[Turn, str], Dataset]


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(provider="cpu", threads=1)


@pytest.fixture(scope="module")
def make(reported_cases: Path) -> Make:
    """A left MLO image, turned from its usual layout, with an orientation."""
    original = reported_cases / "20-turned-picture" / "a-turned-180.dcm"
    upright: NDArray[Any] = np.rot90(pydicom.dcmread(original).pixel_array, 2)

    def build(turn: Turn, orientation: str) -> Dataset:
        dataset = pydicom.dcmread(original)
        pixels = turn.apply(upright)
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.PixelData = pixels.tobytes()
        dataset.PatientOrientation = orientation.split("\\")
        return dataset

    return build


@pytest.fixture(scope="module")
def usual(analyser: Analyser, make: Make) -> Analysis:
    analysis = analyser.analyse_dataset(make(Turn(), "A\\FR"), film=False)
    assert not analysis.finding.turned
    return analysis


TURNED = [
    (Turn(180), "P\\HL"),
    (Turn(180), "P\\H"),
    (Turn(90), "HL\\A"),
    (Turn(90), "L\\A"),
    (Turn(270), "FR\\P"),
    (Turn(270), "R\\P"),
    (Turn(0, True), "P\\FR"),
    (Turn(180, True), "A\\HL"),
    (Turn(90, True), "FR\\A"),
    (Turn(270, True), "HL\\P"),
]


@pytest.mark.parametrize(("turn", "orientation"), TURNED, ids=str)
def test_a_turned_image_has_the_labels_and_the_score_of_the_usual_one(
    analyser: Analyser, make: Make, usual: Analysis, turn: Turn, orientation: str
) -> None:
    dataset = make(turn, orientation)
    analysis = analyser.analyse_dataset(dataset, film=False)
    found, expected = analysis.finding, usual.finding
    assert found.turned
    assert (found.view, found.laterality, found.density, found.cancer_score) == (
        expected.view,
        expected.laterality,
        expected.density,
        expected.cancer_score,
    )
    assert found.peak and expected.peak
    shape = (int(dataset.Rows), int(dataset.Columns))
    assert turn.undo_point(found.peak.row, found.peak.column, shape) == pytest.approx((expected.peak.row, expected.peak.column))
    outline = [turn.undo_point(row, column, shape) for row, column in found.outline]
    assert [pytest.approx(corner) for corner in expected.outline] == outline
    assert np.array_equal(turn.undo(decode_png(analysis.heatmap_png)), decode_png(usual.heatmap_png))
    with np.load(io.BytesIO(analysis.heatmap_npz)) as turned, np.load(io.BytesIO(usual.heatmap_npz)) as plain:
        assert {name: value.shape for name, value in turned.items()}.keys() == plain.keys()
    correction = evaluate_labels([StudyImage(read_header(dataset), found)]).corrections[0]
    assert (correction.view, correction.laterality, correction.kind) == ("agree", "agree", None)


@pytest.mark.parametrize("orientation", ["P\\HL", "L\\A", "R\\P", "P\\FR"])
def test_an_orientation_that_the_pixels_do_not_have_turns_nothing(
    analyser: Analyser, make: Make, usual: Analysis, orientation: str
) -> None:
    found = analyser.analyse_dataset(make(Turn(), orientation), film=False).finding
    assert (found.turned, found.view, found.cancer_score) == (False, usual.finding.view, usual.finding.cancer_score)


def test_the_reported_case_agrees_and_has_its_heatmap_in_place(analyser: Analyser, reported_cases: Path, usual: Analysis) -> None:
    dataset = pydicom.dcmread(reported_cases / "20-turned-picture" / "a-turned-180.dcm")
    found = analyser.analyse_dataset(dataset, film=False).finding
    assert found.peak and usual.finding.peak
    assert (found.peak.row, found.peak.column) == pytest.approx((700 - usual.finding.peak.row, 384 - usual.finding.peak.column))
    assert found.chest_wall_right
