"""Tiny data sets, written file by file in the layouts in which the public ones come."""

from __future__ import annotations

import csv
import plistlib
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tests.support.phantom import draw_breast, make_dataset

ROWS, COLUMNS = 120, 80


def breast(rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint8]:
    return draw_breast(rows, columns, bits=8).astype(np.uint8)


def write_dicom(path: Path, pixels: NDArray[Any] | None = None, **attributes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    make_dataset(breast() if pixels is None else pixels, **attributes).save_as(path, enforce_file_format=True)
    return path


def write_picture(path: Path, pixels: NDArray[Any] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), breast() if pixels is None else pixels)
    return path


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Sequence[object]], delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=delimiter).writerows([columns, *lines])
    return path


def view_code(value: str, scheme: str = "SCT") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "view"
    return [item]


CBIS_COLUMNS = (
    "patient_id", "breast_density", "left or right breast", "image view", "abnormality id", "abnormality type", "mass shape",
    "mass margins", "assessment", "pathology", "subtlety", "image file path", "cropped image file path", "ROI mask file path",
)  # fmt: skip
CBIS_CALC_COLUMNS = tuple(
    {"breast_density": "breast density", "mass shape": "calc type", "mass margins": "calc distribution"}.get(c, c) for c in CBIS_COLUMNS
)


def cbis_mask(box: tuple[int, int, int, int], shape: tuple[int, int] = (ROWS, COLUMNS)) -> NDArray[np.uint8]:
    """White inside left, top, right, bottom."""
    mask = np.zeros(shape, np.uint8)
    left, top, right, bottom = box
    mask[top:bottom, left:right] = 255
    return mask


class CbisCase:
    """One full mammogram of CBIS-DDSM, its lesions, and the place of each file in a layout.

    `layout`: ``original`` (000000.dcm below the paths of the tables), ``classic`` (Subject/Study/Series/1-1.dcm), ``descriptive`` (the
    names that the NBIA Data Retriever makes), ``uid`` (Study/Series only) or ``idc`` (Subject/Study/MG_Series).
    """

    def __init__(
        self, folder: Path, layout: str, patient: str, side: str = "LEFT", view: str = "CC", kind: str = "Mass", part: str = "Training"
    ):
        self.folder, self.layout, self.patient, self.side, self.view, self.kind = folder, layout, patient, side, view, kind
        self.case = f"{kind}-{part}_{patient}_{side}_{view}"
        self.lines: list[list[object]] = []
        write_dicom(
            self._place(self.case, "full", "full mammogram images", 0),
            (breast().astype(np.uint16) * 200), PatientID=self.case, SeriesDescription="full mammogram images", PatientOrientation=view,
        )  # fmt: skip

    def add_lesion(
        self, box: tuple[int, int, int, int], pathology: str = "MALIGNANT", *, density: str = "2", swapped: bool = False,
        apart: bool = False, mask: NDArray[np.uint8] | None = None,
    ) -> CbisCase:  # fmt: skip
        """Write crop and mask of a lesion: in one series, or (`apart`) in two; `swapped`: the table names each by the other's path."""
        number = len(self.lines) + 1
        subject = f"{self.case}_{number}"
        left, top, right, bottom = box
        crop_series, crop_name = ("crop", "cropped images") if apart else ("roi", "ROI mask images")
        at = 0 if apart else 1
        write_dicom(
            self._place(subject, crop_series, crop_name, 0),
            breast()[top:bottom, left:right],
            PatientID=subject,
            SeriesDescription=crop_name,
        )
        mask = cbis_mask(box) if mask is None else mask
        write_dicom(self._place(subject, "roi", "ROI mask images", at), mask, PatientID=subject, SeriesDescription="ROI mask images")
        crop_path, mask_path = self._listed(subject, crop_series, 0), self._listed(subject, "roi", at)
        if swapped:
            crop_path, mask_path = mask_path, crop_path
        self.lines.append(
            [self.patient, density, self.side, self.view, number, "mass" if self.kind == "Mass" else "calcification", "ROUND", "N/A", 4,
             pathology, 3, self._listed(self.case, "full", 0), crop_path, mask_path + "\n"]
        )  # fmt: skip
        return self

    def _uid(self, subject: str, series: str) -> str:
        return f"1.3.6.1.4.{zlib.crc32(subject.encode())}.{zlib.crc32(f'{subject}/{series}'.encode())}"

    def _listed(self, subject: str, series: str, number: int) -> str:
        return f"{subject}/{self._uid(subject, 'study')}/{self._uid(subject, series)}/{number:06}.dcm"

    def _place(self, subject: str, series: str, description: str, number: int) -> Path:
        study, uid = self._uid(subject, "study"), self._uid(subject, series)
        relative = {
            "original": f"{subject}/{study}/{uid}/{number:06}.dcm",
            "classic": f"{subject}/{study}/{uid}/1-{number + 1}.dcm",
            "descriptive": f"{subject}/07-20-2016-DDSM-{study[-5:]}/1.000000-{description}-{uid[-5:]}/1-{number + 1}.dcm",
            "uid": f"{study}/{uid}/1-{number + 1}.dcm",
            "idc": f"{subject}/{study}/MG_{uid}/{number}.dcm",
        }[self.layout]
        return self.folder / "CBIS-DDSM" / relative


def write_cbis_tables(folder: Path, cases: Sequence[CbisCase]) -> None:
    """All four tables; the calcification ones spell the density's column with a blank."""
    for kind, columns in (("Mass", CBIS_COLUMNS), ("Calc", CBIS_CALC_COLUMNS)):
        for part, word in (("train", "Training"), ("test", "Test")):
            lines = [line for case in cases if case.case.startswith(f"{kind}-{word}") for line in case.lines]
            write_table(folder / f"{kind.lower()}_case_description_{part}_set.csv", columns, lines)


INBREAST_COLUMNS = ("Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
INBREAST_LINES: tuple[tuple[object, ...], ...] = (
    ("removed", "removed", "R", "CC", 201001, 20586908, 3, "1"),
    ("removed", "removed", "R", "MLO", 201001, 20586934, 3, "2"),
    ("removed", "removed", "L", "CC", 201001, 20586960, 2, "4a"),
    ("removed", "removed", "L", "MLO", 201001, 20586986, 2, "4c"),
    ("removed", "removed", "R", "CC", 200902, 20587054, 4, "3"),
    ("removed", "removed", "L", "CC", 200902, 20587080, "", "6"),
    ("removed", "removed", "L", "MLO", 200902, 20587148, 1, "5"),
    ("", "", "", "", "", "", "", ""),
)


def write_inbreast(folder: Path) -> None:
    """Seven images of two patients; the last one's file is missing. Images 20586960 and 20586986 have outlines."""
    for line in INBREAST_LINES[:-2]:
        patient = "6c613a14b80a8591" if line[4] == 201001 else "036aff49b8ac84f0"
        write_dicom(folder / "AllDICOMs" / f"{line[5]}_{patient}_MG_{line[2]}_{line[3]}_ANON.dcm")
    regions = [
        {"Name": "Mass", "Point_px": ["(10.5, 20.25)", "(30.0, 20.0)", "(30.0, 40.75)", "(12.0, 38.0)"], "NumberOfPoints": 4},
        {"Name": "Calcification", "Point_px": ["(50.2, 60.9)"], "NumberOfPoints": 1},
        {"Name": "Assymetry", "Point_px": ["(1, 2)", "(3, 2)", "(3, 4)"], "NumberOfPoints": 3},
        {"Name": "Cluster", "Point_px": [], "NumberOfPoints": 0},
        {"Name": "Pectoral Muscle", "Point_px": ["(1, 2)", "(3, 2)", "(3, 4)"], "NumberOfPoints": 3},
    ]
    outlines = folder / "AllXML"
    outlines.mkdir()
    content = plistlib.dumps({"Images": [{"ImageIndex": 0, "NumberOfROIs": len(regions), "ROIs": regions}]})
    (outlines / "20586960.xml").write_bytes(content)
    (folder / "PectoralMuscle").mkdir()
    (folder / "PectoralMuscle" / "20586908.xml").write_bytes(content)
    (outlines / "20586986.xml").write_bytes(content[: len(content) // 2])


def write_xls(path: Path, lines: Sequence[Sequence[object]]) -> None:
    """The oldest worksheet stream there is (BIFF2): labels and numbers, which is all that a table needs."""
    records = struct.pack("<HHHH", 0x0009, 4, 0x0002, 0x0010)
    for row, cells in enumerate(lines):
        for column, cell in enumerate(cells):
            place = struct.pack("<HH3x", row, column)
            if isinstance(cell, int | float):
                body, kind = place + struct.pack("<d", cell), 0x0003
            else:
                text = str(cell).encode("latin-1")
                body, kind = place + struct.pack("<B", len(text)) + text, 0x0004
            records += struct.pack("<HH", kind, len(body)) + body
    path.write_bytes(records + struct.pack("<HH", 0x000A, 0))
