"""From the pixels of a real study to each produced object: readers and validators get what was analysed here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from service.analyse.heatmap import decode_png
from service.analyse.runner import Analyser, Analysis
from service.domain.findings import Conclusion
from service.domain.header import read_header
from service.domain.study_conclusion import conclude
from service.domain.study_image import StudyImage
from service.report.cad_report import build_cad_report
from service.report.marks import is_marked
from service.report.presentation_state import build_marks
from service.report.secondary_capture import build_heatmap
from service.report.sr_class import SR_CLASSES
from service.report.structured_report import build_report
from tests.support.tid4000 import find_faults
from tests.support.validators import dciodvfy_errors, dcmpschk, dsrdump

PATIENT_MODULES = ("Patient", "GeneralStudy", "PatientStudy")


class Study:
    """A digitised study of four films, analysed by the networks that ship."""

    def __init__(self, files: list[Path]) -> None:
        analyser = Analyser(provider="cpu", threads=1)
        images = [pydicom.dcmread(path) for path in files]
        # The package gives each film a study of its own.
        for image in images:
            image.StudyInstanceUID = images[0].StudyInstanceUID
        self.sources: dict[str, Dataset] = {str(image.SOPInstanceUID): image for image in images}
        self.analyses: dict[str, Analysis] = {uid: analyser.analyse_dataset(image, True) for uid, image in self.sources.items()}
        seen = [StudyImage(read_header(image), self.analyses[uid].finding) for uid, image in self.sources.items()]
        self.conclusion: Conclusion = conclude(seen, 0.05, datetime(2026, 3, 5, 14, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def study(cbis_cases: dict[str, list[Path]]) -> Study:
    return Study(cbis_cases["sfm-malign-0"])


def new_errors(made: Dataset, source: Dataset, folder: Path) -> list[str]:
    """Errors that the source has not and that are not of its patient and study modules, which are taken over as they are."""
    known = set(dciodvfy_errors(source, folder))
    new = [line for line in dciodvfy_errors(made, folder) if line not in known]
    return [line for line in new if not any(f"Module=<{module}>" in line for module in PATIENT_MODULES)]


def test_every_analysed_image_has_an_outline_around_its_peak(study: Study) -> None:
    for uid, analysis in study.analyses.items():
        finding, source = analysis.finding, study.sources[uid]
        assert finding.peak is not None and 3 <= len(finding.outline) <= 64
        corners = np.array(finding.outline)
        assert corners.min() >= 0 and (corners.max(0) <= [source.Rows, source.Columns]).all()
        assert (corners.min(0) <= [finding.peak.row, finding.peak.column]).all()
        assert (corners.max(0) >= [finding.peak.row, finding.peak.column]).all()


def test_reports_of_the_study_pass_every_validator(study: Study, tmp_path: Path) -> None:
    sources = list(study.sources.values())
    cad = build_cad_report(study.conclusion, sources)
    # These films keep their view in Patient Orientation: that is no direction, so the library has no rows 5 and 6.
    assert [fault for fault in find_faults(cad, study.sources) if not fault.endswith((":5 is missing", ":6 is missing"))] == []
    reports = [build_report(study.conclusion, sources, sop_class_uid=each) for each in SR_CLASSES]
    for made in (cad, *reports):
        assert new_errors(made, sources[0], tmp_path) == []
        dsrdump(made, tmp_path)


def test_marks_and_heatmaps_of_each_image_pass_every_validator(study: Study, tmp_path: Path) -> None:
    marked = 0
    for image in study.conclusion.images:
        source, analysis = study.sources[image.sop_instance_uid], study.analyses[image.sop_instance_uid]
        picture = build_heatmap(study.conclusion, image, source, decode_png(analysis.heatmap_png), decode_png(analysis.preview_png))
        assert new_errors(picture, source, tmp_path) == []
        if is_marked(study.conclusion, image):
            marked += 1
            state = build_marks(study.conclusion, image, source)
            assert new_errors(state, source, tmp_path) == []
            assert dcmpschk(state, tmp_path) == ""
    assert marked, "the threshold of this test is low enough for a mark"
