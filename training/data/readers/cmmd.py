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
from training.data.readers.series import SeriesFiles, find_tables
from training.data.readers.sheets import read_sheet
from training.data.table import Index, Row, Skipped

NAME = "cmmd"
SHEETS = ("CMMD_clinicaldata_revision.csv", "CMMD_clinicaldata_revision.xlsx")
PATHOLOGIES: dict[str, Literal["malignant", "benign"]] = {"malignant": "malignant", "benign": "benign"}


def read_cmmd(folder: Path) -> Index:
    """Read the clinical sheet and the images of its patients, in any layout of `SeriesFiles`.

    A breast without a line of its own (the other side was biopsied) has no pathology. The set outlines no lesions and tells no density.

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
    files = SeriesFiles(folder)
    rows: list[Row] = []
    for patient in tqdm(sorted({patient for patient, _ in breasts}), "headers", unit="patient"):
        found = files.below(patient)
        if not found:
            skipped.append(Skipped(patient, "no image file"))
        for path in found:
            name = path.relative_to(folder).as_posix()
            try:
                header = read_header(read_dataset(path, pixels=False))
            except (Undecodable, OSError) as error:
                skipped.append(Skipped(name, reason(error)))
                continue
            if why := unfit(header):
                skipped.append(Skipped(name, why))
            else:
                rows.append(_row(patient, path, header, breasts))
    return Index(tuple(rows), tuple(skipped))


def _row(patient: str, path: Path, header: Header, breasts: dict[tuple[str, str], Line]) -> Row:
    side = header.laterality or ""
    line = breasts.get((patient, side))
    other = next((known for (name, _), known in breasts.items() if name == patient), None) if header.age is None else None
    age = header.age if other is None else parse_number(other["age"])
    return Row(
        dataset=NAME,
        patient=f"cmmd-{patient}",
        exam=header.study or f"cmmd-{patient}",
        image=header.image or path.stem,
        file=path,
        view=header.view,
        laterality=side,
        breast=side,
        density=None,
        pathology=PATHOLOGIES[line["classification"].lower()] if line else None,
        manufacturer=header.manufacturer,
        age=age,
    )
