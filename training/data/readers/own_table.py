"""A user's own images: a CSV file with these columns, of which only the first two must be there.

====================  ==================================================================================================
column                a cell
====================  ==================================================================================================
file                  path of a DICOM, PNG, JPEG or PGM file, relative to the table
patient               who; images of one patient never cross a split
exam                  one visit; the patient where empty
image                 a name of the image; the file's where empty
dataset               ``table`` where empty
view                  CC or MLO
laterality            L or R, as the pixels show it
breast                L or R, as it is declared; `laterality` where empty
density               A, B, C or D (or 1 to 4)
pathology             malignant, benign, normal or negative (no cancer), of this breast
manufacturer          the machine
age                   years
inverted, mirrored    1 or 0: air is bright; flipped left to right
rois                  lesions as ``kind left top right bottom pathology`` with ``;`` between: ``mass 10 20 60 70 malignant;
                      calcification 5 5 9 9``. Pixels of the picture after `inverted` and `mirrored` are undone
====================  ==================================================================================================

An empty cell is "unknown". In split files a patient is ``dataset-patient``, such as ``table-7``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.data.readers.assessment import DENSITIES
from training.data.readers.csv_lines import Line, parse_number, read_lines
from training.data.table import Index, Roi, Row, Skipped

NAME = "table"
FILE_NAME = "table.csv"
"""Looked for where a folder is given instead of a file."""

REQUIRED = ("file", "patient")
KINDS, ROI_PATHOLOGIES = ("mass", "calcification", "other"), ("malignant", "benign")
PATHOLOGIES = (*ROI_PATHOLOGIES, "normal", "negative")
MESSAGES = 10
"""Mistakes that one error lists; correcting them in one go is easier."""


def read_own_table(place: Path) -> Index:
    """Read a CSV file, or ``table.csv`` in a folder. Missing image files are skipped; mistakes in the table are an error.

    Raises
    ------
    FileNotFoundError
        No such table.
    ValueError
        A column that is unknown or missing, or cells that mean nothing: the message names line, column and the values that it accepts.
    """
    table = place / FILE_NAME if place.is_dir() else place
    lines = read_lines(table, REQUIRED)
    unknown = sorted({column for line in lines for column in line.values} - {*REQUIRED, *_CELLS})
    if unknown:
        raise ValueError(f"{table} has the unknown column {', '.join(unknown)}; known are {', '.join((*REQUIRED, *_CELLS))}")
    mistakes: list[str] = []
    rows = [row for line in lines if (row := _row(line, table.parent, mistakes))]
    if mistakes:
        more = f"; and {len(mistakes) - MESSAGES} more" if len(mistakes) > MESSAGES else ""
        raise ValueError("; ".join(mistakes[:MESSAGES]) + more)
    missing = tuple(Skipped(str(row.file), "no such file") for row in rows if not row.file.is_file())
    return Index(tuple(row for row in rows if row.file.is_file()), missing)


def _row(line: Line, folder: Path, mistakes: list[str]) -> Row | None:
    cells: dict[str, Any] = {}
    if line.surplus:
        mistakes.append(f"{line.place}: {line.surplus[0]!r} is beyond the last column; quote cells that hold a comma")
    for column in REQUIRED:
        if not line[column]:
            mistakes.append(f"{line.place}, column {column}: must not be empty")
    for column, (parse, allowed) in _CELLS.items():
        try:
            cells[column] = parse(line[column]) if line[column] else None
        except (ValueError, KeyError):
            mistakes.append(f"{line.place}, column {column}: {line[column]!r} must be {allowed}")
    if mistakes:
        return None
    dataset = cells["dataset"] or NAME
    patient = f"{dataset}-{line['patient']}"
    return Row(
        dataset=dataset,
        patient=patient,
        exam=f"{patient}-{cells['exam']}" if cells["exam"] else patient,
        image=cells["image"] or Path(line["file"]).stem,
        file=folder / line["file"],
        view=cells["view"],
        laterality=cells["laterality"],
        breast=cells["breast"] or cells["laterality"] or "",
        density=cells["density"],
        pathology=cells["pathology"],
        manufacturer=cells["manufacturer"] or "unknown",
        age=cells["age"],
        rois=cells["rois"] or (),
        inverted=cells["inverted"],
        mirrored=bool(cells["mirrored"]),
    )


def _one_of(*words: str) -> tuple[Callable[[str], str], str]:
    return lambda cell: {word.lower(): word for word in words}[cell.lower()], f"one of {', '.join(words)}"


def _age(cell: str) -> float:
    age = parse_number(cell)
    if age is None or not 0 < age <= 120:
        raise ValueError(cell)
    return age


def _rois(cell: str) -> tuple[Roi, ...]:
    return tuple(_roi(part.split()) for part in cell.split(";") if part.strip())


def _roi(words: list[str]) -> Roi:
    kind, left, top, right, bottom, *pathology = words
    box = (int(left), int(top), int(right), int(bottom))
    if kind not in KINDS or len(pathology) > 1 or not set(pathology) <= set(ROI_PATHOLOGIES):
        raise ValueError(words)
    if not (0 <= box[0] < box[2] and 0 <= box[1] < box[3]):
        raise ValueError(words)
    return Roi(box, kind, pathology[0] if pathology else None)  # type: ignore[arg-type]  # checked above


_CELLS: dict[str, tuple[Callable[[str], Any], str]] = {
    "exam": (str, "text"),
    "image": (str, "text"),
    "dataset": (str, "text"),
    "view": _one_of("CC", "MLO"),
    "laterality": _one_of("L", "R"),
    "breast": _one_of("L", "R"),
    "density": (lambda cell: DENSITIES[cell.upper()], "one of A, B, C, D"),
    "pathology": _one_of(*PATHOLOGIES),
    "manufacturer": (str, "text"),
    "age": (_age, "years from 1 to 120"),
    "inverted": (lambda cell: {"1": True, "0": False}[cell], "1 or 0"),
    "mirrored": (lambda cell: {"1": True, "0": False}[cell], "1 or 0"),
    "rois": (_rois, "lesions as `kind left top right bottom pathology`, ; between them"),
}
"""How each optional column is read, and the values that it accepts."""
