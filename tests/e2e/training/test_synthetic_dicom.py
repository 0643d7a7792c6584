"""A drawn mammogram sent as DICOM is one to the judges from outside, and to the service that ships."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pydicom
import pytest

from service.analyse.runner import Analyser
from service.domain.findings import InstanceState
from tests.support.validators import dciodvfy_errors
from training.data.readers.synthetic import read_synthetic
from training.data.synthetic import write_synthetic
from training.data.table import Row


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    folder = tmp_path_factory.mktemp("sent")
    write_synthetic(folder, 4, seed=5, size=(640, 512), dicom=True)
    return read_synthetic(folder).rows


def test_dciodvfy_finds_no_error(rows: tuple[Row, ...], tmp_path: Path) -> None:
    for row in rows[:8:3]:
        assert dciodvfy_errors(pydicom.dcmread(row.file), tmp_path) == []


def test_the_models_that_ship_agree_with_most_headers_and_refuse_some_drawings(rows: tuple[Row, ...]) -> None:
    """A drawing is no mammogram, and the labeler may say so; what it takes for one gets its labels."""
    analyser = Analyser(provider="cpu")
    agreed: Counter[str] = Counter()
    for row in rows:
        finding = analyser.analyse_dataset(pydicom.dcmread(row.file), film=False).finding
        if finding.state is InstanceState.SKIPPED:
            assert finding.reason and finding.reason.code == "no-mammogram", finding.reason
            continue
        assert finding.state is InstanceState.ANALYSED, finding.reason
        assert finding.view and finding.laterality
        agreed["analysed"] += 1
        for head, label in (("view", finding.view), ("laterality", finding.laterality)):
            agreed[head] += max(label.probabilities, key=label.probabilities.__getitem__) == getattr(row, head)
    assert agreed["analysed"] >= 0.5 * len(rows)
    assert agreed["laterality"] >= 0.9 * agreed["analysed"]
    assert agreed["view"] >= 0.8 * agreed["analysed"]
