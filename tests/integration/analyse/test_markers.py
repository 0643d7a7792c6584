"""A marker that is plain to read in a real mammogram is in the answer, in every orientation of the picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from service.analyse.runner import Analyser
from training.data.index import read_index
from training.data.table import Row


@pytest.fixture(scope="module")
def lettered(data_folder: Path) -> Row:
    """A right CC of machine 21, which prints its labels beside the breast (one of the patients that the labeler was trained on)."""
    return next(row for row in read_index(data_folder, ["rsna-bcd-640"]) if row.image == "776982430")


def test_the_analysis_of_an_image_names_its_marker(lettered: Row, tmp_path: Path) -> None:
    analyser = Analyser(provider="cpu", threads=1)
    mirrored = tmp_path / "mirrored.png"
    picture = cv2.imread(str(lettered.file), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    cv2.imwrite(str(mirrored), np.ascontiguousarray(picture[:, ::-1]))
    as_it_is, turned = (analyser.analyse_file(path, film=False)[0].finding for path in (lettered.file, mirrored))
    assert as_it_is.marker is not None and turned.marker is not None
    assert (as_it_is.marker.text, turned.marker.text) == ("R CC", "R CC")
    assert as_it_is.laterality is not None and turned.laterality is not None
    assert (as_it_is.laterality.value, turned.laterality.value) == ("R", "L")
