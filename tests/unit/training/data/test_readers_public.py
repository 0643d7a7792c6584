"""INbreast, VinDr-Mammo, CMMD, RSNA-2022 and mini-MIAS as published: tiny sets in their layouts, and what is wrong with a file is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from tests.support.data_sets import read_set
from tests.support.dataset_layouts import (
    INBREAST_COLUMNS,
    INBREAST_LINES,
    view_code,
    write_dicom,
    write_inbreast,
    write_picture,
    write_table,
    write_xls,
)
from training.data.pictures import read_picture
from training.data.readers.assessment import pathology_of, read_birads, read_density


@pytest.mark.parametrize("sheet", ["INbreast.csv", "INbreast.xls"])
def test_inbreast_in_either_sheet(tmp_path: Path, sheet: str) -> None:
    write_inbreast(tmp_path)
    if sheet.endswith("csv"):
        write_table(tmp_path / sheet, INBREAST_COLUMNS, INBREAST_LINES, ";")
    else:
        write_xls(tmp_path / sheet, [INBREAST_COLUMNS, *INBREAST_LINES])
    index = read_set(tmp_path, "inbreast")
    assert [(row.image, row.patient, row.view, row.laterality, row.density, row.pathology) for row in index.rows] == [
        ("20586908", "inbreast-6c613a14b80a8591", "CC", "R", "C", "negative"),
        ("20586934", "inbreast-6c613a14b80a8591", "MLO", "R", "C", "negative"),
        ("20586960", "inbreast-6c613a14b80a8591", "CC", "L", "B", "malignant"),
        ("20586986", "inbreast-6c613a14b80a8591", "MLO", "L", "B", "malignant"),
        ("20587080", "inbreast-036aff49b8ac84f0", "CC", "L", None, "malignant"),
    ]
    assert [row.exam for row in index.rows][::4] == ["inbreast-6c613a14b80a8591-201001", "inbreast-036aff49b8ac84f0-200902"]
    assert [(roi.kind, roi.box) for roi in index.rows[2].rois] == [
        ("mass", (10, 20, 31, 41)), ("calcification", (50, 60, 51, 61)), ("other", (1, 2, 4, 5)),
    ]  # fmt: skip
    assert index.rows[2].rois[0].outline[0] == (10.5, 20.25) and index.rows[2].rois[0].pathology is None
    assert not index.rows[0].rois and not index.rows[3].rois
    said = {skipped.what: skipped.why for skipped in index.skipped}
    assert said == {
        "20587054": "BI-RADS 3, left out as in Shen et al. 3.2.1",
        "20587148": "no image file",
        "20586986.xml": said["20586986.xml"],
    }
    assert said["20586986.xml"].startswith("outlines cannot be read")
    assert read_picture(index.rows[0]).ndim == 2


def test_inbreast_without_xlrd_says_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_xls(tmp_path / "INbreast.xls", [INBREAST_COLUMNS, *INBREAST_LINES])
    monkeypatch.setitem(sys.modules, "xlrd", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install xlrd, or save the sheet as INbreast\.csv"):
        read_set(tmp_path, "inbreast")
    monkeypatch.undo()
    (tmp_path / "INbreast.xls").write_bytes(b"\x09\x00rubbish")
    with pytest.raises(ValueError, match=r"cannot be read as a sheet .* save it as INbreast\.csv"):
        read_set(tmp_path, "inbreast")


def test_assessments() -> None:
    assert [read_birads(text) for text in ("1", "4a", "4C ", "BI-RADS 5", "3.0", "6", "0", "7", "", "4d")] == [
        1,
        4,
        4,
        5,
        3,
        6,
        0,
        *[None] * 3,
    ]
    assert [pathology_of(value) for value in (0, 1, 2, 3, 4, 5, 6, None)] == [None, "negative", "negative", None, *["malignant"] * 3, None]
    assert [read_density(text) for text in ("1", "2.0", "DENSITY C", "d", "", "5", "0")] == ["A", "B", "C", "D", None, None, None]


def test_vindr_mammo(tmp_path: Path) -> None:
    columns = (
        "study_id",
        "series_id",
        "laterality",
        "view_position",
        "height",
        "width",
        "image_id",
        "breast_birads",
        "breast_density",
        "split",
    )
    write_table(tmp_path / "breast-level_annotations.csv", columns, [
        ("s1", "x", "L", "CC", 120, 80, "i1", "BI-RADS 4", "DENSITY C", "training"),
        ("s1", "x", "R", "MLO", 120, 80, "i2", "BI-RADS 1", "DENSITY C", "training"),
        ("s2", "x", "R", "CC", 120, 80, "i3", "BI-RADS 3", "DENSITY A", "test"),
        ("s2", "x", "R", "ML", 120, 80, "i4", "BI-RADS 1", "DENSITY A", "test"),
        ("s2", "x", "R", "CC", 120, 80, "i5", "BI-RADS 1", "DENSITY A", "test"),
    ])  # fmt: skip
    findings = ("image_id", "finding_categories", "finding_birads", "xmin", "ymin", "xmax", "ymax")
    write_table(tmp_path / "finding_annotations.csv", findings, [
        ("i1", "['Mass', 'Skin Retraction']", "BI-RADS 4", 10.4, 20.6, 30.2, 40.9),
        ("i1", "['Suspicious Calcification']", "BI-RADS 4", 1, 2, 3, 4),
        ("i1", "['Asymmetry']", "BI-RADS 3", 1, 2, 3, "nan"),
        ("i2", "['No Finding']", "", "", "", "", ""),
        ("i3", "['Architectural Distortion']", "BI-RADS 3", 1, 2, 3, 4),
    ])  # fmt: skip
    write_table(
        tmp_path / "metadata.csv", ("SOP Instance UID", "Patient's Age", "Manufacturer", "Manufacturer's Model Name"),
        [("i1", "053Y", "SIEMENS", "Mammomat Inspiration"), ("i2", "", "IMS s.r.l.", "")],
    )  # fmt: skip
    for study, image in (("s1", "i1"), ("s1", "i2"), ("s2", "i3"), ("s2", "i4")):
        write_dicom(tmp_path / "images" / study / f"{image}.dicom")
    index = read_set(tmp_path, "vindr-mammo")
    assert [
        (row.image, row.patient, row.view, row.laterality, row.density, row.pathology, row.age, row.manufacturer) for row in index.rows
    ] == [
        ("i1", "vindr-s1", "CC", "L", "C", "malignant", 53.0, "SIEMENS Mammomat Inspiration"),
        ("i2", "vindr-s1", "MLO", "R", "C", "negative", None, "IMS s.r.l."),
        ("i3", "vindr-s2", "CC", "R", "A", None, None, "unknown"),
    ]
    assert [[(roi.kind, roi.box) for roi in row.rois] for row in index.rows] == [
        [("mass", (10, 20, 31, 41)), ("calcification", (1, 2, 3, 4))], [], [("other", (1, 2, 3, 4))],
    ]  # fmt: skip
    assert {skipped.what: skipped.why for skipped in index.skipped} == {
        "finding_annotations.csv, line 4": "xmin, ymin, xmax, ymax are no box",
        "breast-level_annotations.csv, line 5": "view_position 'ML' must be CC or MLO, laterality 'R' L or R",
        "s2/i5": "no image file",
    }
    for name in ("finding_annotations.csv", "metadata.csv"):
        (tmp_path / name).unlink()
    index = read_set(tmp_path, "vindr-mammo")
    assert len(index.rows) == 3 and {"finding_annotations.csv", "metadata.csv"} <= {skipped.what for skipped in index.skipped}


@pytest.mark.parametrize("sheet", ["csv", "xlsx"])
def test_cmmd(tmp_path: Path, sheet: str) -> None:
    columns = ("ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype")
    lines = [
        ("D1-0001", "R", 44, 2, "calcification", "Benign", ""),
        ("D1-0002", "L", 40, 2, "both", "Malignant", ""),
        ("D1-0003", "L", 51, 2, "mass", "Malignant", ""),
        ("D1-0004", "X", 51, 2, "mass", "Malignant", ""),
    ]
    if sheet == "csv":
        write_table(tmp_path / "CMMD_clinicaldata_revision.csv", columns, lines)
    else:
        book = openpyxl.Workbook()
        for line in (columns, *lines):
            book.active.append(line)
        book.save(tmp_path / "CMMD_clinicaldata_revision.xlsx")
    mlo, cc = view_code("R-10226", "SRT"), view_code("399162004")
    common: dict[str, Any] = {"Manufacturer": "GE MEDICAL SYSTEMS", "BodyPartExamined": "BREAST", "PatientID": "D1-0001"}
    series = tmp_path / "CMMD" / "D1-0001" / "07-18-2010-NA-NA-79377" / "1.000000-NA-70244"
    write_dicom(series / "1-1.dcm", ImageLaterality="R", ViewCodeSequence=cc, PatientAge="044Y", SOPInstanceUID="1.2.3", **common)
    write_dicom(series / "1-2.dcm", ImageLaterality="R", ViewCodeSequence=mlo, PatientAge="044Y", SOPInstanceUID="1.2.4", **common)
    write_dicom(series / "1-3.dcm", ImageLaterality="L", ViewCodeSequence=mlo, SOPInstanceUID="1.2.5", **common)
    (series / "1-4.dcm").write_bytes(b"cut off")
    common["PatientID"] = "D1-0002"
    study = tmp_path / "CMMD" / "1.3.6.1.4.1.14519.5.2.1"  # as others store it: no folder names the patient
    write_dicom(study / "2-1.dcm", ImageLaterality="L", ViewCodeSequence=cc, **common)
    write_dicom(study / "2-2.dcm", ImageLaterality="L", **common)
    write_dicom(study / "3-1.dcm", ImageLaterality="L", ViewCodeSequence=cc, **(common | {"PatientID": "D2-0009"}))
    index = read_set(tmp_path, "cmmd")
    assert [(row.patient, row.view, row.laterality, row.pathology, row.age, row.manufacturer) for row in index.rows] == [
        ("cmmd-D1-0002", "CC", "L", "malignant", 40.0, "GE MEDICAL SYSTEMS"),
        ("cmmd-D1-0001", "CC", "R", "benign", 44.0, "GE MEDICAL SYSTEMS"),
        ("cmmd-D1-0001", "MLO", "R", "benign", 44.0, "GE MEDICAL SYSTEMS"),
        ("cmmd-D1-0001", "MLO", "L", None, 44.0, "GE MEDICAL SYSTEMS"),
    ]
    said = {Path(skipped.what).name: skipped.why for skipped in index.skipped}
    assert said.pop("1-4.dcm") and said == {
        f"CMMD_clinicaldata_revision.{sheet}, line 5": "LeftRight 'X' or classification 'Malignant' is unknown",
        "2-2.dcm": "view unknown is neither CC nor MLO",
        "3-1.dcm": f"its patient is not in CMMD_clinicaldata_revision.{sheet}",
        "D1-0003": "no image file",
    }


def test_cmmd_without_openpyxl_says_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openpyxl.Workbook().save(tmp_path / "CMMD_clinicaldata_revision.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ModuleNotFoundError, match="pip install openpyxl"):
        read_set(tmp_path, "cmmd")


@pytest.mark.parametrize(
    "place",
    ["train_images/{patient}/{image}.dcm", "train_images/{patient}/{image}.png", "{patient}/{image}.png", "images/{patient}_{image}.jpg"],
)
def test_rsna_2022_of_kaggle(tmp_path: Path, place: str) -> None:
    columns = (
        "site_id",
        "patient_id",
        "image_id",
        "laterality",
        "view",
        "age",
        "cancer",
        "biopsy",
        "invasive",
        "BIRADS",
        "implant",
        "density",
        "machine_id",
        "difficult_negative_case",
    )
    write_table(tmp_path / "train.csv", columns, [
        (2, 10006, 462822612, "L", "CC", 61.0, 0, 0, 0, "", 0, "", 29, False),
        (1, 10011, 220375232, "R", "MLO", "", 1, 1, 1, 0, 0, "B", 49, False),
        (1, 10011, 220375233, "R", "AT", 55, 1, 1, 1, 0, 0, "B", 49, False),
        (1, 10012, 1, "R", "CC", 55, "?", 1, 1, 0, 0, "B", 21, False),
        (1, 10013, 2, "R", "CC", 55, 0, 1, 1, 0, 0, "B", 21, False),
    ])  # fmt: skip
    for patient, image in ((10006, 462822612), (10011, 220375232), (10011, 220375233), (10012, 1)):
        path = tmp_path / place.format(patient=patient, image=image)
        (write_dicom if path.suffix == ".dcm" else write_picture)(path)
    index = read_set(tmp_path, "rsna-2022")
    assert [(row.patient, row.image, row.view, row.laterality, row.breast, row.density, row.pathology, row.age) for row in index.rows] == [
        ("rsna-10006", "462822612", "CC", "L", "L", None, "negative", 61.0),
        ("rsna-10011", "220375232", "MLO", None, "R", "B", "malignant", None),
    ]
    assert {skipped.what: skipped.why for skipped in index.skipped} == {
        "10011/220375233": "view AT is neither CC nor MLO",
        "train.csv, line 5": "laterality 'R' must be L or R, cancer '?' 0 or 1",
        "10013/2": "no image file",
    }
    assert all(read_picture(row).size for row in index.rows)


def test_mini_mias_as_published(tmp_path: Path) -> None:
    """A spot drawn where Info.txt says it is: in the mirrored file, y from the bottom."""
    lesion = np.zeros((1024, 1024), np.uint8)
    lesion[:, 600:] = 60
    lesion[1024 - 300 - 10 : 1024 - 300 + 10, 700 - 10 : 700 + 10] = 250
    for name in ("mdb001", "mdb002", "mdb003", "mdb004"):
        write_picture(tmp_path / f"{name}.pgm", lesion)
    (tmp_path / "mdb004.pgm").unlink()
    (tmp_path / "Info.txt").write_text(
        "This file lists the films\r\nmdb001 G CIRC B 700 300 10\r\nmdb001 G SPIC M 100 900 20\r\n"
        "mdb002 D NORM \r\nmdb003 G CALC M *NOTE 3*\r\nmdb004 F CIRC B\r\n"
    )
    index = read_set(tmp_path, "mini-mias")
    assert [(row.patient, row.laterality, row.pathology, len(row.rois)) for row in index.rows] == [
        ("mias-mias_p001", "L", "malignant", 2), ("mias-mias_p001", "R", "normal", 0), ("mias-mias_p002", "L", "malignant", 0),
    ]  # fmt: skip
    left, top, right, bottom = index.rows[0].rois[0].box
    picture = read_picture(index.rows[0])
    assert picture[top:bottom, left:right].min() == 250 and (picture == 250).sum() == (bottom - top) * (right - left)
    assert [(skipped.what, skipped.why) for skipped in index.skipped] == [("mdb004.pgm", "no such file")]


@pytest.mark.parametrize("name", ["inbreast", "vindr-mammo", "cmmd", "rsna-2022", "rsna-bcd-640", "mini-mias", "synthetic", "table"])
def test_a_folder_without_the_table_is_one_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"no |none "):
        read_set(tmp_path, name)
