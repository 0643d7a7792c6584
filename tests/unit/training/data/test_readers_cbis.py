"""CBIS-DDSM: every layout, every known mistake of its tables, and the real tables with real images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.data_sets import read_set
from tests.support.dataset_layouts import COLUMNS, ROWS, CbisCase, breast, cbis_mask, write_cbis_tables, write_picture, write_table
from training.data.pictures import read_picture
from training.data.readers import masks
from training.data.synthetic_cbis import write_synthetic_cbis
from training.data.table import Index

BOX = (10, 30, 34, 62)


def read(folder: Path) -> Index:
    return read_set(folder, "cbis-ddsm")


@pytest.mark.parametrize("layout", ["original", "classic", "descriptive", "uid", "idc"])
def test_every_download_layout_gives_the_same_table(tmp_path: Path, layout: str) -> None:
    cases = [
        CbisCase(tmp_path, layout, "P_00001").add_lesion(BOX),
        CbisCase(tmp_path, layout, "P_00001", view="MLO").add_lesion((5, 6, 20, 30), swapped=True),
        CbisCase(tmp_path, layout, "P_00002", "RIGHT", kind="Calc", part="Test").add_lesion(BOX, "BENIGN_WITHOUT_CALLBACK", apart=True),
    ]
    write_cbis_tables(tmp_path, cases)
    index = read(tmp_path)
    assert not index.skipped
    assert [(row.image, row.patient, row.view, row.laterality, row.density, row.pathology) for row in index.rows] == [
        ("Mass-Training_P_00001_LEFT_CC", "cbis-P_00001", "CC", "L", "B", "malignant"),
        ("Mass-Training_P_00001_LEFT_MLO", "cbis-P_00001", "MLO", "L", "B", "malignant"),
        ("Calc-Test_P_00002_RIGHT_CC", "cbis-P_00002", "CC", "R", "B", "benign"),
    ]
    rois = [row.rois[0] for row in index.rows]
    assert [roi.box for roi in rois] == [BOX, (5, 6, 20, 30), BOX]
    assert [(roi.kind, roi.pathology) for roi in rois] == [("mass", "malignant"), ("mass", "malignant"), ("calcification", "benign")]
    for row, roi in zip(index.rows, rois, strict=True):
        assert roi.mask is not None and read_picture(row).shape == (ROWS, COLUMNS)
        xs, ys = zip(*roi.outline, strict=True)
        assert (min(xs), min(ys), max(xs) + 1, max(ys) + 1) == roi.box


def test_lesions_of_one_image_become_one_row(tmp_path: Path) -> None:
    case = CbisCase(tmp_path, "descriptive", "P_00007").add_lesion(BOX, "BENIGN").add_lesion((40, 70, 60, 90), swapped=True)
    write_cbis_tables(tmp_path, [case])
    (row,) = read(tmp_path).rows
    assert [(roi.box, roi.pathology) for roi in row.rois] == [(BOX, "benign"), ((40, 70, 60, 90), "malignant")]
    assert row.pathology == "malignant"


def test_a_patient_in_both_tables_and_parts_is_one_patient_with_one_truth_a_breast(tmp_path: Path) -> None:
    cases = [
        CbisCase(tmp_path, "classic", "P_00003", kind="Mass", part="Training").add_lesion(BOX, "BENIGN"),
        CbisCase(tmp_path, "classic", "P_00003", kind="Calc", part="Test").add_lesion(BOX, "MALIGNANT"),
        CbisCase(tmp_path, "classic", "P_00003", "RIGHT", kind="Mass", part="Test").add_lesion(BOX, "BENIGN"),
    ]
    write_cbis_tables(tmp_path, cases)
    rows = read(tmp_path).rows
    assert {row.patient for row in rows} == {"cbis-P_00003"}
    assert {row.image: row.pathology for row in rows} == {
        "Mass-Training_P_00003_LEFT_CC": "malignant",
        "Calc-Test_P_00003_LEFT_CC": "malignant",
        "Mass-Test_P_00003_RIGHT_CC": "benign",
    }
    assert rows[0].rois[0].pathology == "benign", "a lesion keeps its own truth"


def test_a_mask_of_another_size_is_laid_over_the_image(tmp_path: Path) -> None:
    mask = cbis_mask((20, 60, 68, 124), (2 * ROWS, 2 * COLUMNS + 2))
    write_cbis_tables(tmp_path, [CbisCase(tmp_path, "descriptive", "P_00001").add_lesion(BOX, mask=mask)])
    (roi,) = read(tmp_path).rows[0].rois
    assert roi.mask is None and np.abs(np.subtract(roi.box, BOX)).max() <= 1
    assert max(y for _, y in roi.outline) <= ROWS


def test_density_zero_and_odd_cells(tmp_path: Path) -> None:
    cases = [CbisCase(tmp_path, "descriptive", f"P_0000{n}").add_lesion(BOX, density=str(n)) for n in range(5)]
    cases[4].lines[0][9] = "UNSURE"
    cases[3].lines.append(cases[3].lines[0])
    write_cbis_tables(tmp_path, cases)
    index = read(tmp_path)
    assert [row.density for row in index.rows] == [None, "A", "B", "C"]
    assert [skipped.why for skipped in index.skipped] == ["the same lesion is in an earlier line", "pathology 'UNSURE' is unknown"]
    assert "mass_case_description_train_set.csv, line" in index.skipped[0].what


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    cases = [CbisCase(tmp_path, "classic", f"P_0000{n}").add_lesion(BOX) for n in range(4)]
    write_cbis_tables(tmp_path, cases)
    (tmp_path / "calc_case_description_test_set.csv").unlink()
    images = tmp_path / "CBIS-DDSM"
    shutil.rmtree(images / "Mass-Training_P_00000_LEFT_CC")
    next((images / "Mass-Training_P_00001_LEFT_CC").rglob("*.dcm")).write_bytes(b"nothing")
    next((images / "Mass-Training_P_00002_LEFT_CC_1").rglob("1-2.dcm")).unlink()
    broken = next((images / "Mass-Training_P_00003_LEFT_CC_1").rglob("1-2.dcm"))
    broken.write_bytes(broken.read_bytes()[:-3000])
    index = read(tmp_path)
    assert [row.image for row in index.rows] == ["Mass-Training_P_00002_LEFT_CC", "Mass-Training_P_00003_LEFT_CC"]
    assert not any(row.rois for row in index.rows), "an image without a lesion's mask is still an image"
    said = {skipped.what: skipped.why for skipped in index.skipped}
    assert said["calc_case_description_test_set.csv"] == "no such table"
    assert said["Mass-Training_P_00000_LEFT_CC"] == "no image file"
    assert said["Mass-Training_P_00001_LEFT_CC/1-1.dcm"].startswith("the file is neither DICOM")
    assert said["Mass-Training_P_00002_LEFT_CC, abnormality 1"] == "no mask among the lesion's files"
    assert said["Mass-Training_P_00003_LEFT_CC, abnormality 1"].startswith("1-2.dcm: ") and len(said) == 5


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("u1", 0, 255), ("u1", 0, 1), ("u2", 0, 65535), ("u2", 3, 4), ("i2", -1, 1), ("u1", 10, 240)]
)
def test_a_mask_has_two_levels_whatever_they_are(kind: str, low: int, high: int) -> None:
    levels = np.full((50, 40), low, kind)
    levels[10:20, 5:9] = high
    white = masks.as_mask(levels)
    assert white is not None and np.array_equal(white > 0, levels == high) and white.dtype == np.uint8


def test_a_picture_and_an_empty_mask_are_no_masks() -> None:
    assert masks.as_mask(breast()) is None and masks.as_mask(breast().astype(np.uint16) * 200) is None
    assert masks.as_mask(np.zeros((9, 9), np.uint8)) is None and masks.as_mask(np.full((9, 9), 255, np.uint8)) is None


def test_masks_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CbisCase(tmp_path, "classic", "P_00001").add_lesion(BOX)
    write_cbis_tables(tmp_path, [case])
    first = read(tmp_path)
    monkeypatch.setattr(masks, "scan", lambda path: pytest.fail("read twice"))
    assert read(tmp_path) == first
    monkeypatch.undo()
    (tmp_path / masks.MEMORY).write_text("not json")
    assert read(tmp_path) == first


def test_jpeg_conversions_by_series_and_metadata_with_file_locations(tmp_path: Path) -> None:
    """As kaggle's JPEG conversion has it (csv/, jpeg/SERIES/*.jpg), and NBIA's metadata.csv where folders have other names."""
    case = CbisCase(tmp_path / "dicom", "classic", "P_00001").add_lesion(BOX)
    subject, study, full, _ = str(case.lines[0][11]).split("/")
    roi = str(case.lines[0][13]).split("/")[2]
    kaggle = tmp_path / "kaggle"
    write_cbis_tables(kaggle / "csv", [case])
    write_picture(kaggle / "jpeg" / full / "1-001.jpg")
    write_picture(kaggle / "jpeg" / roi / "1-002.jpg", cbis_mask(BOX))
    write_picture(kaggle / "jpeg" / roi / "2-003.jpg")
    (row,) = read(kaggle).rows
    assert row.file.suffix == ".jpg" and np.abs(np.subtract(row.rois[0].box, BOX)).max() <= 1

    renamed = tmp_path / "renamed"
    write_cbis_tables(renamed, [case])
    for name, uid in (("one", full), ("two", roi)):
        shutil.copytree(next((tmp_path / "dicom").rglob(uid)), renamed / "files" / name)
    write_table(
        renamed / "metadata.csv", ("Series UID", "Series Description", "File Location"),
        [(full, "full mammogram images", "./files/one"), (roi, "ROI mask images", ".\\files\\two")],
    )  # fmt: skip
    (row,) = read(renamed).rows
    assert row.image == subject and row.rois[0].box == BOX and study


def test_no_table_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none of mass_case_description_train_set"):
        read(tmp_path)


def test_the_synthetic_set_in_this_layout_is_read(tmp_path: Path) -> None:
    write_synthetic_cbis(tmp_path, 4, 1, (160, 128))
    index = read(tmp_path)
    assert not index.skipped and index.rows
    assert all(len(row.rois) == 1 and row.rois[0].mask and row.density for row in index.rows)
    assert {row.pathology for row in index.rows} == {"malignant", "benign"}


def test_the_real_tables_are_taken_as_they_are(data_folder: Path) -> None:
    index = read(data_folder / "cbis-ddsm-csv")
    assert not index.rows
    assert len(index.skipped) == 3103 and {skipped.why for skipped in index.skipped} == {"no image file"}
    assert len({skipped.what for skipped in index.skipped}) == 3103, "each missing image is named"


def test_real_images_meet_the_real_tables(data_folder: Path, cbis_cases: dict[str, list[Path]], tmp_path: Path) -> None:
    for table in (data_folder / "cbis-ddsm-csv").glob("*.csv"):
        (tmp_path / table.name).symlink_to(table)
    names = ("LEFT_CC", "LEFT_MLO", "RIGHT_CC", "RIGHT_MLO")
    for patient, files in zip(("P_00173", "P_00820"), cbis_cases.values(), strict=True):
        for name, file in zip(names, files, strict=True):
            folder = (
                tmp_path / "CBIS-DDSM" / f"Mass-Test_{patient}_{name}" / "10-04-2016-DDSM-NA-00001" / "1.000000-full mammogram images-00001"
            )
            folder.mkdir(parents=True)
            (folder / "1-1.dcm").symlink_to(file)
    index = read(tmp_path)
    assert [(row.patient, row.view, row.laterality, row.density, row.pathology) for row in index.rows] == [
        ("cbis-P_00173", "CC", "L", "B", "benign"), ("cbis-P_00173", "MLO", "L", "B", "benign"),
        ("cbis-P_00173", "CC", "R", "B", "benign"), ("cbis-P_00173", "MLO", "R", "B", "benign"),
        ("cbis-P_00820", "CC", "L", "C", "malignant"), ("cbis-P_00820", "MLO", "L", "C", "malignant"),
        ("cbis-P_00820", "CC", "R", "C", "benign"), ("cbis-P_00820", "MLO", "R", "C", "benign"),
    ]  # fmt: skip
    assert len([skipped for skipped in index.skipped if skipped.why == "no image file"]) == 3103 - 8
    assert [skipped.why for skipped in index.skipped if "abnormality" in skipped.what] == ["no mask file"] * 10
