"""The synthetic patients in the layout in which The Cancer Imaging Archive publishes CBIS-DDSM.

Films (Secondary Capture, the view in Patient Orientation, a Patient ID of its own for every view), of each lesion a cropped picture and a
mask in one series "ROI mask images", four case tables. As in CBIS-DDSM there is neither a healthy woman nor the healthy breast of an
affected one. The folders are those that the NBIA Data Retriever makes.
"""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import SecondaryCaptureImageStorage

from training.data.phantom import Breast, Outline, View, draw_view
from training.data.synthetic import to_integers
from training.data.synthetic_dicom import make_uid, new_file, put_pixels
from training.data.synthetic_patients import MACHINES, Patient, imagine_patients

STUDY_DATE = "20160101"
WORDS = {"R": "RIGHT", "L": "LEFT", "mass": "Mass", "calcification": "Calc"}
DESCRIPTIONS = {
    ("mass", "malignant"): ("IRREGULAR", "SPICULATED", "5"),
    ("mass", "benign"): ("OVAL", "CIRCUMSCRIBED", "3"),
    ("calcification", "malignant"): ("PLEOMORPHIC", "CLUSTERED", "4"),
    ("calcification", "benign"): ("COARSE", "REGIONAL", "2"),
}
"""Shape and margins of a mass, or type and distribution of calcifications; assessment."""

MASS_COLUMNS = ("breast_density", "mass shape", "mass margins")
CALC_COLUMNS = ("breast density", "calc type", "calc distribution")
"""The two kinds of tables spell the density's column differently."""


@dataclass(frozen=True)
class Series:
    """Where a picture belongs: the Patient ID with kind, part and view in it, and the series' description."""

    patient_id: str
    description: str
    seed: int

    @property
    def study(self) -> str:
        return make_uid("synthetic-cbis", self.seed, self.patient_id)

    @property
    def series(self) -> str:
        return make_uid("synthetic-cbis", self.seed, self.patient_id, self.description)

    @property
    def folder(self) -> Path:
        """As the NBIA Data Retriever names it: the last five digits of each UID."""
        return Path(self.patient_id, f"01-01-2016-DDSM-{self.study[-5:]}", f"1.000000-{self.description}-{self.series[-5:]}")

    def table_path(self, number: int) -> str:
        """As the case tables name it, which is not its real place."""
        return f"{self.patient_id}/{self.study}/{self.series}/{number:06}.dcm"


def write_synthetic_cbis(folder: Path, patients: int, seed: int, size: tuple[int, int] = (640, 512)) -> None:
    """Write the affected breasts of `patients` women below ``folder/CBIS-DDSM``, and the case tables into `folder`.

    Parameters
    ----------
    folder
        Made where absent; the reader ``cbis-ddsm`` reads it.
    size
        Rows, columns in pixels; real ones have about 5000 x 3000.

    Raises
    ------
    FileExistsError
        The folder holds a set already.
    """
    if (folder / "CBIS-DDSM").exists():
        raise FileExistsError(f"{folder} holds a set already: name an empty folder, or remove it")
    with ThreadPoolExecutor() as pool:
        cases = list(chain.from_iterable(pool.map(lambda each: _write_patient(folder, each, seed, size), imagine_patients(patients, seed))))
    for kind, part, columns in (
        ("mass", "Training", MASS_COLUMNS),
        ("mass", "Test", MASS_COLUMNS),
        ("calcification", "Training", CALC_COLUMNS),
        ("calcification", "Test", CALC_COLUMNS),
    ):
        chosen = [case for case_kind, case_part, case in cases if (case_kind, case_part) == (kind, part)]
        short = "train" if part == "Training" else "test"
        _write_table(folder / f"{WORDS[kind].lower()}_case_description_{short}_set.csv", columns, chosen)


def _write_patient(folder: Path, patient: Patient, seed: int, size: tuple[int, int]) -> list[tuple[str, str, list[str]]]:
    number = int(patient.name.rsplit("-", 1)[1])
    part = "Test" if number % 5 == 0 else "Training"
    cases: list[tuple[str, str, list[str]]] = []
    for breast in (patient.right, patient.left):
        if not breast.lesions:
            continue
        kind = breast.lesions[0].kind
        for view in ("CC", "MLO"):
            case = f"{WORDS[kind]}-{part}_P_{number:05}_{WORDS[breast.side]}_{view}"
            cases.append((kind, part, _write_view(folder / "CBIS-DDSM", case, breast, view, size, seed)))
    return cases


def _write_view(folder: Path, case: str, breast: Breast, view: View, size: tuple[int, int], seed: int) -> list[str]:
    """Write the three pictures of a lesion in a view; give its line of the case table."""
    film = replace(MACHINES[0], air=0.02)
    drawing = draw_view(breast, view, film, size)
    outline = drawing.outlines[0]
    full = Series(case, "full mammogram images", seed)
    region = Series(f"{case}_1", "ROI mask images", seed)
    pixels = np.asarray(to_integers(drawing.levels, 16), np.uint16)
    _save(folder, full, 0, pixels, breast.side, view)
    _save(folder, region, 0, _cropped(pixels, outline), breast.side, view)
    _save(folder, region, 1, outline.mask, breast.side, view)
    lesion = outline.lesion
    first, second, assessment = DESCRIPTIONS[lesion.kind, lesion.pathology]
    cropped, mask = region.table_path(0), region.table_path(1)
    names = [str(1 + "ABCD".index(breast.density)), WORDS[breast.side], view, "1", lesion.kind, first, second, assessment]
    return [case.split("_", 1)[1].rsplit("_", 2)[0], *names, lesion.pathology.upper(), "3", full.table_path(0), cropped, mask]


def _cropped(pixels: NDArray[np.uint16], outline: Outline) -> NDArray[np.uint16]:
    left, top, right, bottom = outline.box
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _save(folder: Path, series: Series, number: int, pixels: NDArray[np.uint8] | NDArray[np.uint16], side: str, view: str) -> None:
    path = folder / series.folder / f"1-{number + 1}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    _film(series, number, pixels, side, view).save_as(path, enforce_file_format=True)


def _film(series: Series, number: int, pixels: NDArray[np.uint8] | NDArray[np.uint16], side: str, view: str) -> FileDataset:
    """A digitised film with the attributes that CBIS-DDSM has, and no others."""
    dataset = new_file(SecondaryCaptureImageStorage, make_uid(series.series, number))
    dataset.StudyDate, dataset.StudyTime, dataset.ContentDate, dataset.ContentTime = STUDY_DATE, "120000", STUDY_DATE, "120000"
    dataset.AccessionNumber, dataset.ReferringPhysicianName, dataset.StudyID = "", "", "DDSM"
    dataset.Modality, dataset.ConversionType, dataset.BodyPartExamined = "MG", "WSD", "BREAST"
    dataset.SeriesDescription, dataset.SeriesNumber, dataset.InstanceNumber = series.description, 1, number + 1
    dataset.PatientName = dataset.PatientID = series.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = "", ""
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = series.study, series.series
    dataset.PatientOrientation, dataset.Laterality = view, side
    put_pixels(dataset, pixels, 8 * pixels.itemsize)
    return dataset


def _write_table(path: Path, columns: tuple[str, str, str], cases: list[list[str]]) -> None:
    density, first, second = columns
    header = ["patient_id", density, "left or right breast", "image view", "abnormality id", "abnormality type", first, second]
    header += ["assessment", "pathology", "subtlety", "image file path", "cropped image file path", "ROI mask file path"]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerows([header, *cases])
