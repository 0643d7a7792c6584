"""A day of a screening unit from two real CBIS-DDSM cases: labelled rightly and wrongly, incomplete, with a prior. Names are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

BENIGN, MALIGNANT = "sfm-benign-0", "sfm-malign-0"
SIDES = {"LEFT": "L", "RIGHT": "R"}
Labels = tuple[str, str]
"""Side and view as a header declares them; empty where it does not."""


@dataclass(frozen=True)
class SampleStudy:
    """One study to be made: whose, when, where, from which case, and what its headers declare of each true (side, view)."""

    case: str
    name: str
    patient_id: str
    study_date: str
    declare: Callable[[Labels], Labels | None]
    """None leaves the image out."""
    station: str = "MAMMO1"
    manufacturer: str = "Vendor A"
    software: str = "2.1"
    birth_date: str = "19640512"
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What else the headers say, by keyword."""


def rightly(true: Labels) -> Labels:
    return true


def not_at_all(true: Labels) -> Labels:
    return ("", "")


def one_view_wrong(true: Labels) -> Labels:
    return ("L", "CC") if true == ("L", "MLO") else true


def sides_swapped(true: Labels) -> Labels:
    return ("L" if true[0] == "R" else "R", true[1])


def without_right_mlo(true: Labels) -> Labels | None:
    return None if true == ("R", "MLO") else true


SAMPLE_STUDIES = (
    SampleStudy(BENIGN, "Curie^Marie", "T-1001", "20241104", rightly),
    SampleStudy(MALIGNANT, "Curie^Marie", "T-1001", "20261121", one_view_wrong),
    SampleStudy(BENIGN, "Noether^Emmy", "T-1002", "20261121", not_at_all, "MAMMO2", "Vendor B", "7.0.3", "19720323"),
    # The detector says that it flipped nothing: the evidence that distinguishes swapped labels from mirrored images.
    SampleStudy(MALIGNANT, "Hopper^Grace", "T-1003", "20261121", sides_swapped, "MAMMO2", attributes={"FieldOfViewHorizontalFlip": "NO"}),
    SampleStudy(BENIGN, "Franklin^Rosalind", "T-1004", "20261121", without_right_mlo, birth_date="19700725"),
    SampleStudy(MALIGNANT, "Meitner^Lise", "T-1005", "20261121", rightly, "MAMMO3", "Vendor A", "2.0", "19581107"),
    SampleStudy(BENIGN, "Germain^Sophie", "T-1006", "20261121", one_view_wrong, "MAMMO3", "Vendor A", "2.0", "19760401"),
)


def make_study(sample: SampleStudy, cases: Mapping[str, list[Path]], folder: Path) -> tuple[str, list[Path]]:
    """Write the images of a sample study to a folder; returns its Study Instance UID and the files."""
    study_instance_uid, series_instance_uid, paths = str(generate_uid()), generate_uid(), []
    folder.mkdir(parents=True, exist_ok=True)
    for path in cases[sample.case]:
        image = pydicom.dcmread(path)
        side, view = str(image.PatientID).split("_")[-2:]  # Mass-Test_P_00173_LEFT_CC
        declared = sample.declare((SIDES[side], view))
        if declared is None:
            continue
        image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = (
            sample.name,
            sample.patient_id,
            sample.birth_date,
            "F",
        )
        image.StudyDate = image.ContentDate = sample.study_date
        image.StationName, image.Manufacturer, image.SoftwareVersions = sample.station, sample.manufacturer, sample.software
        image.AccessionNumber = f"A{study_instance_uid[-8:]}"
        image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = study_instance_uid, series_instance_uid, generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        for keyword in ("Laterality", "PatientOrientation"):
            if keyword in image:
                del image[keyword]
        for keyword, value in sample.attributes.items():
            setattr(image, keyword, value)
        if declared[0]:
            image.ImageLaterality = declared[0]
        if declared[1]:
            image.ViewPosition = declared[1]
        paths.append(folder / f"{study_instance_uid}-{path.name}")
        image.save_as(paths[-1])
    return study_instance_uid, paths
