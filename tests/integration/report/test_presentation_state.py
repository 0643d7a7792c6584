"""The presentation state has the mark at the peak of the heatmap, and shows the image in its own grey scale."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from service.domain.findings import Conclusion, ImageFinding, Peak
from service.errors import NothingToMark
from service.report.cad_report import build_cad_report
from service.report.presentation_state import build_marks
from tests.support.sample_findings import NAMES_IN_CHARACTER_SETS, analysed, as_received, concluded, full_field
from tests.support.validators import dciodvfy_errors, dcmpschk

OUTLINE = ((40.0, 50.0), (40.0, 70.0), (60.0, 70.0), (60.0, 50.0))


def marked(source: Dataset, score: float = 0.8, strength: float = 0.9, outline: tuple[tuple[float, float], ...] = OUTLINE) -> ImageFinding:
    peak = Peak(row=50.5, column=60.5, strength=strength)
    side = str(source.get("ImageLaterality", "R"))
    return analysed(str(source.SOPInstanceUID), side, "CC", score).model_copy(update={"peak": peak, "outline": outline})


def conclude(source: Dataset, finding: ImageFinding) -> Conclusion:
    return concluded(source.StudyInstanceUID, [finding]).model_copy(update={"threshold": 0.5})


def marks(source: Dataset, finding: ImageFinding | None = None) -> Dataset:
    finding = finding or marked(source)
    return build_marks(conclude(source, finding), finding, source)


def encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def check(state: Dataset, folder: Path) -> None:
    assert dciodvfy_errors(state, folder) == []
    assert dcmpschk(state, folder) == ""
    written = encoded(state)
    assert encoded(pydicom.dcmread(io.BytesIO(written))) == written


def graphic(state: Dataset) -> Dataset:
    return state.GraphicAnnotationSequence[0].GraphicObjectSequence[0]


def table(first: int, entries: int) -> Dataset:
    """A look-up table from `first` on, rising to white."""
    item = Dataset()
    item.LUTDescriptor = [entries, first, 16]
    item.LUTData = np.linspace(0, 65535, entries).astype(np.uint16).tobytes()
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
    return item


@pytest.mark.parametrize("side", ["R", "L"])
def test_the_outline_is_drawn_over_the_image_it_was_found_in(side: str, tmp_path: Path) -> None:
    source = as_received(full_field(side), tmp_path)
    state = marks(source)
    check(state, tmp_path)
    assert graphic(state).GraphicType == "POLYLINE"
    assert list(graphic(state).GraphicData) == [50, 40, 70, 40, 70, 60, 50, 60, 50, 40]
    reference = state.ReferencedSeriesSequence[0]
    assert reference.SeriesInstanceUID == source.SeriesInstanceUID
    assert reference.ReferencedImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert (state.StudyInstanceUID, state.Laterality) == (source.StudyInstanceUID, side)
    assert "Not for diagnosis" in state.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue


def test_both_breasts_have_a_series_of_their_own() -> None:
    study_instance_uid = generate_uid()
    states = [marks(full_field(side, study_instance_uid=study_instance_uid)) for side in ("R", "L", "R")]
    first, second, third = (state.SeriesInstanceUID for state in states)
    assert first == third != second


@pytest.mark.parametrize("column", [60.5, 191.0])
def test_a_region_without_outline_gets_a_circle_inside_the_image(column: float, tmp_path: Path) -> None:
    source = full_field()
    finding = marked(source, outline=()).model_copy(update={"peak": Peak(row=50.5, column=column, strength=0.9)})
    state = marks(source, finding)
    check(state, tmp_path)
    assert graphic(state).GraphicType == "CIRCLE"
    assert list(graphic(state).GraphicData)[:2] == [column, 50.5]
    assert 0 <= graphic(state).GraphicData[2] <= source.Columns


def test_corners_beyond_the_image_are_drawn_at_its_edge(tmp_path: Path) -> None:
    source = full_field()
    state = marks(source, marked(source, outline=((-3.0, 10.0), (20.0, 400.0), (300.0, 10.0))))
    check(state, tmp_path)
    assert list(graphic(state).GraphicData) == [10, 0, 192, 20, 10, 256, 10, 0]


@pytest.mark.parametrize(("score", "strength"), [(0.4, 0.9), (0.9, 0.4)])
def test_a_score_below_the_operating_point_gives_no_mark(score: float, strength: float) -> None:
    source = full_field()
    with pytest.raises(NothingToMark):
        marks(source, marked(source, score, strength))


def test_a_colour_image_bears_no_mark() -> None:
    source = full_field()
    source.PhotometricInterpretation = "RGB"
    with pytest.raises(NothingToMark):
        marks(source)


def test_marks_and_cad_report_agree_on_the_region() -> None:
    source = full_field()
    finding = marked(source)
    report = build_cad_report(conclude(source, finding), [source])
    text = report.to_json()
    assert str(finding.outline[0][1]) in text
    assert list(graphic(marks(source)).GraphicData)[:2] == [finding.outline[0][1], finding.outline[0][0]]


def test_the_grey_scale_is_that_of_the_image(tmp_path: Path) -> None:
    source = full_field()
    source.WindowCenter, source.WindowWidth, source.VOILUTFunction = [1000, 2000], [800, 900], "SIGMOID"
    source.RescaleIntercept, source.RescaleSlope = "-5", "2"
    state = marks(as_received(source, tmp_path))
    check(state, tmp_path)
    window = state.SoftcopyVOILUTSequence[0]
    assert (window.WindowCenter, window.WindowWidth, window.VOILUTFunction) == (1000, 800, "SIGMOID")
    assert (state.RescaleIntercept, state.RescaleSlope, state.PresentationLUTShape) == (-5, 2, "IDENTITY")


@pytest.mark.parametrize(
    ("interpretation", "shape", "expected"),
    [("MONOCHROME1", "INVERSE", "INVERSE"), ("MONOCHROME1", None, "INVERSE"), ("MONOCHROME2", None, "IDENTITY")],
)
def test_a_white_background_stays_white(interpretation: str, shape: str | None, expected: str, tmp_path: Path) -> None:
    source = full_field()
    source.PhotometricInterpretation, source.PresentationLUTShape = interpretation, shape
    state = marks(source)
    check(state, tmp_path)
    assert state.PresentationLUTShape == expected


@pytest.mark.parametrize("implicit", [False, True])
def test_tables_are_taken_over_whatever_the_encoding_of_the_image(implicit: bool, tmp_path: Path) -> None:
    source = full_field()
    for keyword in ("WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope", "RescaleType"):
        delattr(source, keyword)
    source.VOILUTSequence = [table(0, 4096)]
    source.ModalityLUTSequence = [table(0, 4096)]
    source.ModalityLUTSequence[0].ModalityLUTType = "US"
    if implicit:
        source.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    state = marks(as_received(source, tmp_path))
    check(state, tmp_path)
    held = pydicom.dcmread(io.BytesIO(encoded(state)))
    assert list(held.SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTDescriptor) == [4096, 0, 16]
    assert list(held.ModalityLUTSequence[0].LUTDescriptor) == [4096, 0, 16]


def test_dcmtk_shows_the_image_through_the_state_as_without_it(tmp_path: Path) -> None:
    if shutil.which("dcmp2pgm") is None:
        pytest.skip("dcmp2pgm is not installed (Debian package dcmtk)")
    source = full_field()
    source.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    marks(source).save_as(tmp_path / "state.dcm", enforce_file_format=True)
    for name, options in (("with", ["-p", "state.dcm"]), ("without", [])):
        subprocess.run(["dcmp2pgm", *options, "image.dcm", f"{name}.pgm"], cwd=tmp_path, check=True, timeout=60)
    shown = (tmp_path / "with.pgm").read_bytes()
    assert shown == (tmp_path / "without.pgm").read_bytes() and len(shown) > 40_000


def test_building_again_gives_equal_bytes(tmp_path: Path) -> None:
    source = full_field()
    finding = marked(source)
    first = encoded(build_marks(conclude(source, finding), finding, source))
    travelled = Conclusion.model_validate_json(conclude(source, finding).model_dump_json())
    assert encoded(build_marks(travelled, travelled.images[0], as_received(source, tmp_path))) == first


@pytest.mark.parametrize(("charset", "name"), NAMES_IN_CHARACTER_SETS)
def test_every_character_set_survives(charset: str | list[str], name: str, tmp_path: Path) -> None:
    image = full_field()
    image.SpecificCharacterSet, image.PatientName = charset, name
    state = pydicom.dcmread(io.BytesIO(encoded(marks(as_received(image, tmp_path)))))
    assert state.get_item("PatientName").value == as_received(image, tmp_path).get_item("PatientName").value
    assert str(state.PatientName) == name
    # dcmpschk knows no UTF-8 and takes its bytes for control characters.
    assert dciodvfy_errors(state, tmp_path) == []


def test_real_mammograms_can_bear_marks(dicom_test_files: Path, tmp_path: Path) -> None:
    checked = 0
    for path in sorted((dicom_test_files / "mg").glob("*.dcm")):
        source = pydicom.dcmread(path, stop_before_pixels=True)
        if source.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
            continue
        checked += 1
        state = marks(source)
        known = set(dciodvfy_errors(pydicom.dcmread(path), tmp_path))
        patient = {"Patient", "GeneralStudy", "PatientStudy"}
        new = [line for line in dciodvfy_errors(state, tmp_path) if line not in known]
        assert [line for line in new if not any(f"Module=<{module}>" in line for module in patient)] == [], path.name
        assert dcmpschk(state, tmp_path) == "", path.name
    assert checked
