"""CMMD, the Chinese Mammography Database (Cai et al. 2023, TCIA): biopsies by breast in a sheet, views and sides in the headers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tqdm import tqdm

from models.errors import Undecodable
from training.data.pictures import read_dataset, reason
from training.data.readers.csv_lines import Line, parse_number
from training.data.readers.dicom_folder import unfit
from training.data.readers.header import Header, read_header
from training.data.readers.series import find_tables, list_images
from training.data.readers.sheets import read_sheet
from training.data.table import Index, Row, Skipped

NAME = PREFIX = "cmmd"
SHEETS = ("CMMD_clinicaldata_revision.csv", "CMMD_clinicaldata_revision_CSV.csv", "CMMD_clinicaldata_revision.xlsx")
PATHOLOGIES: dict[str, Literal["malignant", "benign"]] = {"malignant": "malignant", "benign": "benign"}


def read_cmmd(folder: Path) -> Index:
    """Read the clinical sheet and every DICOM file below `folder`; the header names the patient, whatever the folders are called.

    A breast without a line of its own (the other side was biopsied) has no pathology. The set outlines no lesions and has no density.

    Raises
    ------
    FileNotFoundError
        No clinical sheet.
    ModuleNotFoundError
        The sheet is .xlsx, and openpyxl is not installed.
    """
    sheet = next(iter(find_tables(folder, *SHEETS)), None)
    if sheet is None:
        raise FileNotFoundError(f"no {' or '.join(SHEETS)} in {folder}: TCIA hands it out beside the images")
    skipped: list[Skipped] = []
    breasts: dict[tuple[str, str], Line] = {}
    for line in read_sheet(sheet, ("id1", "leftright", "classification")):
        if line["leftright"] in {"L", "R"} and line["classification"].lower() in PATHOLOGIES:
            known = breasts.setdefault((line["id1"], line["leftright"]), line)
            if line["classification"].lower() == "malignant" != known["classification"].lower():  # two lesions: the worse one counts
                breasts[line["id1"], line["leftright"]] = line
        else:
            skipped.append(Skipped(line.place, f"LeftRight {line['leftright']!r} or classification {line['classification']!r} is unknown"))
    rows: list[Row] = []
    images = [path for path in list_images(folder) if path.suffix.lower() in {"", ".dcm", ".dicom"}]
    for path in tqdm(images, "headers", unit="file"):
        name = path.relative_to(folder).as_posix()
        try:
            header = read_header(read_dataset(path, pixels=False))
        except (Undecodable, OSError) as error:
            skipped.append(Skipped(name, reason(error)))
            continue
        if why := unfit(header):
            skipped.append(Skipped(name, why))
        elif not {(header.patient, "L"), (header.patient, "R")} & breasts.keys():
            skipped.append(Skipped(name, f"its patient is not in {sheet.name}"))
        else:
            rows.append(_row(path, header, breasts))
    seen = {row.patient for row in rows}
    missing = sorted({patient for patient, _ in breasts if f"{PREFIX}-{patient}" not in seen})
    return Index(tuple(rows), (*skipped, *(Skipped(patient, "no image file") for patient in missing)))


def _row(path: Path, header: Header, breasts: dict[tuple[str, str], Line]) -> Row:
    patient, side = header.patient, header.laterality or ""
    line = breasts.get((patient, side))
    known = line or breasts.get((patient, "R" if side == "L" else "L"))
    return Row(
        dataset=NAME,
        patient=f"{PREFIX}-{patient}",
        exam=header.study or f"{PREFIX}-{patient}",
        image=header.image or path.stem,
        file=path,
        view=header.view,
        laterality=side,
        breast=side,
        density=None,
        pathology=PATHOLOGIES[line["classification"].lower()] if line else None,
        manufacturer=header.manufacturer,
        age=parse_number(known["age"]) if header.age is None and known else header.age,
    )
