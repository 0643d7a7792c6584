"""One's own data: a CSV table that says what is wrong with it, and a folder of DICOM read by its own tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.data_sets import read_set
from tests.support.dataset_layouts import view_code, write_dicom, write_picture, write_table
from training.data.pictures import read_picture
from training.data.readers import own_table
from training.data.table import Roi

COLUMNS = (
    "file", "patient", "exam", "image", "dataset", "view", "laterality", "breast", "density", "pathology", "manufacturer", "age",
    "inverted", "mirrored", "rois",
)  # fmt: skip


def test_every_documented_column_is_read(tmp_path: Path) -> None:
    write_picture(tmp_path / "a" / "one.png")
    write_dicom(tmp_path / "two.dcm")
    rois = "mass 10 20 60 70 malignant; calcification 5 5 9 9"
    table = write_table(tmp_path / "mine.csv", COLUMNS, [
        ("a/one.png", "7", "first", "pic", "hospital", "cc", "l", "", "b", "Malignant", "Acme One", "61", 0, 1, rois),
        ("two.dcm", "8", *[""] * 13),
        ("gone.png", "9", *[""] * 13),
    ])  # fmt: skip
    index = read_set(table, "table")
    first, second = index.rows
    assert (first.dataset, first.patient, first.exam, first.image) == ("hospital", "hospital-7", "hospital-7-first", "pic")
    assert (first.view, first.laterality, first.breast, first.density, first.pathology) == ("CC", "L", "L", "B", "malignant")
    assert (first.manufacturer, first.age, first.inverted, first.mirrored) == ("Acme One", 61.0, False, True)
    assert first.rois == (Roi((10, 20, 60, 70), "mass", "malignant"), Roi((5, 5, 9, 9), "calcification"))
    assert (second.dataset, second.patient, second.exam, second.image, second.view) == ("table", "table-8", "table-8", "two", None)
    assert (second.pathology, second.malignant, second.inverted, second.rois) == (None, None, None, ())
    assert read_picture(first).shape == read_picture(second).shape
    assert [(Path(skipped.what).name, skipped.why) for skipped in index.skipped] == [("gone.png", "no such file")]
    documented = (own_table.__doc__ or "").split()
    assert all(column in documented or f"{column}," in documented for column in COLUMNS)


def test_only_two_columns_are_needed_and_a_folder_holds_table_csv(tmp_path: Path) -> None:
    write_picture(tmp_path / "one.png")
    write_table(tmp_path / "table.csv", ("File", "Patient"), [("one.png", "7")], ";")
    assert len(read_set(tmp_path, "table").rows) == 1


def test_unknown_and_missing_columns_are_named(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", ("file", "patient", "viwe"), [("one.png", "7", "CC")])
    with pytest.raises(ValueError, match=r"unknown column viwe; known are file, patient, .*view"):
        read_set(table, "table")
    table = write_table(tmp_path / "t.csv", ("file", "view"), [("one.png", "CC")])
    with pytest.raises(ValueError, match=r"t\.csv has no column patient; it has file, view"):
        read_set(table, "table")


def test_a_comma_that_was_not_quoted_and_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,patient,manufacturer\none.png,7,Acme, Inc.\n")
    with pytest.raises(ValueError, match=r"line 2: 'Inc\.' is beyond the last column"):
        read_set(tmp_path / "t.csv", "table")
    (tmp_path / "t.csv").write_text("file,patient\n" + "x" * 200_000 + ",7\n")
    with pytest.raises(ValueError, match=r"t\.csv, line 2: no CSV"):
        read_set(tmp_path / "t.csv", "table")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("view", "LCC", "'LCC' must be one of CC, MLO"),
        ("laterality", "left", "'left' must be one of L, R"),
        ("density", "E", "'E' must be one of A, B, C, D"),
        ("pathology", "cancer", "'cancer' must be one of malignant, benign, normal, negative"),
        ("age", "old", "'old' must be years from 1 to 120"),
        ("age", "1961", "'1961' must be years from 1 to 120"),
        ("inverted", "yes", "'yes' must be 1 or 0"),
        ("rois", "mass 1 2 3", "must be lesions as"),
        ("rois", "mass 9 2 3 4", "must be lesions as"),
        ("rois", "lump 1 2 3 4", "must be lesions as"),
        ("rois", "mass 1 2 3 4 bad", "must be lesions as"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(tmp_path: Path, column: str, cell: str, message: str) -> None:
    lines = [("one.png", "7", ""), ("two.png", "8", cell), ("", "9", "")]
    table = write_table(tmp_path / "t.csv", ("file", "patient", column), lines)
    with pytest.raises(ValueError) as caught:
        read_set(table, "table")
    assert f"t.csv, line 3, column {column}: " in str(caught.value) and message in str(caught.value)
    assert "t.csv, line 4, column file: must not be empty" in str(caught.value)


def test_dicom_folder_reads_what_headers_say(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", PatientID="p", StudyInstanceUID="1.2", SOPInstanceUID="1.2.1", ImageLaterality="L", ViewPosition="CC",
                Manufacturer="Acme", ManufacturerModelName="One", PatientAge="061Y")  # fmt: skip
    write_dicom(tmp_path / "deep" / "b", PatientID="p", StudyInstanceUID="1.2", Laterality="R", ViewCodeSequence=view_code("399368009"),
                PatientBirthDate="19500615", StudyDate="20200614")  # fmt: skip
    write_dicom(tmp_path / "c.dcm", PatientID="q", SeriesDescription="Left MLO", PatientAge="999Y")
    write_dicom(tmp_path / "d.dcm", PatientID="q", ViewPosition="RMLO", Modality="CR", BodyPartExamined="BREAST")
    write_dicom(tmp_path / "ml.dcm", PatientID="q", ViewPosition="ML", ImageLaterality="L")
    write_dicom(tmp_path / "noside.dcm", PatientID="q", ViewPosition="CC")
    write_dicom(tmp_path / "chest.dcm", PatientID="q", Modality="CR", BodyPartExamined="CHEST")
    write_dicom(tmp_path / "tomo.dcm", PatientID="q", ViewPosition="CC", ImageLaterality="L", NumberOfFrames=30)
    write_dicom(tmp_path / "raw.dcm", PatientID="q", ViewPosition="CC", ImageLaterality="L", PresentationIntentType="FOR PROCESSING")
    magnified = view_code("399162004")
    magnified[0].ViewModifierCodeSequence = view_code("399163009")
    write_dicom(tmp_path / "mag.dcm", PatientID="q", ViewCodeSequence=magnified, ImageLaterality="L")
    write_dicom(tmp_path / "roi.dcm", PatientID="Mass-Training_P_00001_LEFT_CC_1", ViewPosition="CC", ImageLaterality="L")
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / "empty.dcm").write_bytes(b"")
    index = read_set(tmp_path, "dicom-folder")
    assert [(row.file.name, row.patient, row.exam, row.view, row.laterality, row.age) for row in index.rows] == [
        ("a.dcm", "dicom-folder-p", "1.2", "CC", "L", 61.0),
        ("c.dcm", "dicom-folder-q", "dicom-folder-q", "MLO", "L", None),
        ("d.dcm", "dicom-folder-q", "dicom-folder-q", "MLO", "R", None),
        ("b", "dicom-folder-p", "1.2", "MLO", "R", 69.0),
    ]
    assert index.rows[0].image == "1.2.1" and index.rows[0].manufacturer == "Acme One"
    said = {skipped.what: skipped.why for skipped in index.skipped}
    assert said.pop("notes.txt") == said.pop("empty.dcm") == "the file is neither DICOM nor PNG, JPEG or PGM"
    assert said == {
        "ml.dcm": "view ML is neither CC nor MLO",
        "noside.dcm": "side unknown",
        "chest.dcm": "modality CR is no mammogram",
        "tomo.dcm": "several frames: tomosynthesis is not read",
        "raw.dcm": "For Processing: detector values, not what a reader sees",
        "mag.dcm": "a magnification or spot view shows a part of the breast",
        "roi.dcm": "a lesion's crop or mask, not a whole mammogram",
    }


def test_dicom_folder_of_real_films_knows_that_four_patient_ids_are_one_patient(cbis_cases: dict[str, list[Path]]) -> None:
    index = read_set(next(iter(cbis_cases.values()))[0].parents[1], "dicom-folder")
    assert not index.skipped
    assert [(row.patient, row.exam, row.view, row.laterality) for row in index.rows] == [
        (patient, patient, view, side) for patient in ("cbis-P_00173", "cbis-P_00820") for side in "LR" for view in ("CC", "MLO")
    ]
    picture = read_picture(index.rows[0])
    assert picture.shape == (4432, 2864)


def test_dicom_folder_of_awkward_real_files(dicom_test_files: Path) -> None:
    index = read_set(dicom_test_files, "dicom-folder")
    assert {(row.file.name, row.view, row.laterality) for row in index.rows} == {
        ("DICOMSamples__MG_Explicit_Little.dcm", "CC", "R"),
        ("dicom-test-files__MG1_J2KI.dcm", "MLO", "L"),
        ("dicom-test-files__MG1_JPLY.dcm", "MLO", "L"),
        ("fo-dicom__OutOfBoundsOverlay.dcm", "CC", "L"),
    }
    assert len(index.skipped) == 9 and sum(skipped.why.endswith("is no mammogram") for skipped in index.skipped) == 8
