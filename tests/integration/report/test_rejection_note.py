"""A rejection note is a valid key object selection of the study, and names the one instance that it rejects."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from highdicom.ko import KeyObjectSelectionDocument
from pydicom.dataset import Dataset

from models.vocabulary import Code
from service.domain.findings import Agreement
from service.report.corrected_instance import build_corrected
from service.report.label_changes import DecidedCorrection
from service.report.rejection_note import INCORRECT_LABEL, TITLES, build_rejection_note
from service.report.uids import corrected_uid, rejection_uid
from tests.support.sample_findings import analysed, as_received, correction, decided, full_field
from tests.support.validators import dciodvfy_errors, dsrdump


@pytest.fixture
def source(tmp_path: Path) -> Dataset:
    return as_received(full_field("L", "CC"), tmp_path)


def swapped(source: Dataset) -> DecidedCorrection:
    finding = analysed(source.SOPInstanceUID, "R", "CC")
    return decided(correction(source.SOPInstanceUID, ("L", "CC"), ("R", "CC"), Agreement.AGREE, Agreement.CONTRADICT), finding)


def encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("title", TITLES, ids=lambda title: title.value)
def test_a_note_under_every_title_is_valid_and_opens(title: Code, source: Dataset, tmp_path: Path) -> None:
    note = build_rejection_note(swapped(source), source, title)
    assert dciodvfy_errors(note, tmp_path) == []
    assert title.meaning in dsrdump(note, tmp_path)
    opened = KeyObjectSelectionDocument.from_dataset(pydicom.dcmread(io.BytesIO(encoded(note))))
    assert opened.resolve_reference(source.SOPInstanceUID) == (
        source.StudyInstanceUID,
        source.SeriesInstanceUID,
        source.SOPInstanceUID,
    )


def test_it_rejects_an_image_for_a_wrong_label_and_names_its_corrected_copy(source: Dataset) -> None:
    change = swapped(source)
    note = build_rejection_note(change, source)
    assert note.ConceptNameCodeSequence[0].CodeValue == INCORRECT_LABEL.value == "113037"
    assert note.SOPInstanceUID == rejection_uid(source.StudyInstanceUID, source.SOPInstanceUID, "113037")
    images = [item for item in note.ContentSequence if item.ValueType == "IMAGE"]
    assert [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in images] == [source.SOPInstanceUID]
    (description,) = (item for item in note.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "113012")
    assert corrected_uid(source.StudyInstanceUID, change.correction) in description.TextValue
    assert (note.PatientID, note.StudyInstanceUID, note.Modality) == (source.PatientID, source.StudyInstanceUID, "KO")


def test_after_an_undo_it_rejects_the_corrected_copy(source: Dataset, tmp_path: Path) -> None:
    change = swapped(source)
    corrected = build_corrected(change, source, "new-series")
    note = build_rejection_note(change, corrected)
    (series,) = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == corrected.SOPInstanceUID
    assert note.SOPInstanceUID != build_rejection_note(change, source).SOPInstanceUID
    assert dciodvfy_errors(note, tmp_path) == []


def test_the_same_decision_gives_equal_bytes(source: Dataset) -> None:
    change = swapped(source)
    assert encoded(build_rejection_note(change, source)) == encoded(build_rejection_note(change, source))


def test_no_other_title_rejects(source: Dataset) -> None:
    with pytest.raises(ValueError, match="113000"):
        build_rejection_note(swapped(source), source, Code("113000", "Of Interest", scheme="DCM"))


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Änne"),
        ("ISO_IR 192", "Łukasiewicz^Żaneta=漢字^名"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
    ids=["latin1", "utf8", "gb18030", "jis"],
)
def test_the_patient_is_named_in_every_script(charset: str | list[str], name: str, tmp_path: Path) -> None:
    image = full_field("L", "CC")
    image.SpecificCharacterSet, image.PatientName = charset, name
    source = as_received(image, tmp_path)
    note = build_rejection_note(swapped(source), source)
    assert str(pydicom.dcmread(io.BytesIO(encoded(note))).PatientName) == name
    assert dciodvfy_errors(note, tmp_path) == []
