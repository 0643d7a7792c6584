"""What radiologists answered about the service's labels: the CSV of ``mammotriage feedback export`` beside the images.

The table is in the data folder of the service, or in a copy of that folder: its column ``file`` is relative to it. Only images that
a reader spoke of are rows. A label is what the reader leaves it as (column ``value``); where no reader spoke of view or side, the header
says it, as with the reader ``dicom-folder``. Pathology is what a reader entered, never a score that they agreed with. Readers who disagree
leave the label unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from models.errors import Undecodable
from training.data.pictures import read_dataset, reason
from training.data.readers.assessment import DENSITIES
from training.data.readers.csv_lines import Line, read_lines
from training.data.readers.dicom_folder import unfit
from training.data.readers.header import CBIS, read_header
from training.data.readers.own_table import PATHOLOGIES
from training.data.table import Index, Row, Skipped

NAME = "feedback"
FILE_NAME = "feedback.csv"
"""Looked for where a folder is given instead of a file."""

REQUIRED = ("id", "sop_instance_uid", "file", "label", "value", "actor")
VALUES = {"laterality": ("L", "R"), "density": tuple(sorted(set(DENSITIES.values()))), "cancer": PATHOLOGIES}
"""By label; a view may be any, and those that are neither CC nor MLO are skipped with the image."""

Answers = dict[str, set[str]]
"""Values by label, as readers leave them."""


def read_feedback(place: Path) -> Index:
    """Read the table and the headers of its images. Images that are not there or are no CC or MLO mammogram are skipped.

    Raises
    ------
    FileNotFoundError
        No such table.
    ValueError
        A column is missing, or a cell means nothing: the message names line, column and the values that it accepts.
    """
    table = place / FILE_NAME if place.is_dir() else place
    rows: list[Row] = []
    skipped: list[Skipped] = []
    for (file, uid), answers in _last_answers(read_lines(table, REQUIRED)).items():
        skipped += [Skipped(file, f"readers disagree on the {label}: left unknown") for label, values in answers.items() if len(values) > 1]
        row = _row(table.parent / file, uid, {label: _only(values) for label, values in answers.items()})
        if isinstance(row, Row):
            rows.append(row)
        else:
            skipped.append(Skipped(file, row))
    return Index(tuple(rows), tuple(skipped))


def _last_answers(lines: list[Line]) -> dict[tuple[str, str], Answers]:
    """What counts of each image: the last answer of each reader on each label, whether or not the table holds the former ones."""
    counting: dict[tuple[str, str, str, str], tuple[int, str]] = {}
    for line in lines:
        number, label, value = line["id"], line["label"], line["value"]
        if not number.isdigit():
            raise ValueError(f"{line.place}, column id: {number!r} must be a number")
        if label != "view" and label not in VALUES:
            raise ValueError(f"{line.place}, column label: {label!r} must be one of view, {', '.join(VALUES)}")
        if value and label in VALUES and value not in VALUES[label]:
            raise ValueError(f"{line.place}, column value: {value!r} must be one of {', '.join(VALUES[label])}")
        key = (line["file"], line["sop_instance_uid"], label, line["actor"])
        counting[key] = max(counting.get(key, (0, "")), (int(number), value))
    images: dict[tuple[str, str], Answers] = defaultdict(lambda: defaultdict(set))
    for (file, uid, label, _), (_, value) in counting.items():
        if value:
            images[file, uid][label].add(value)
    return images


def _only(values: set[str]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _row(path: Path, uid: str, answers: Mapping[str, str | None]) -> Row | str:
    """A row, or why there is none."""
    try:
        header = read_header(read_dataset(path, pixels=False))
    except (Undecodable, OSError) as error:
        return reason(error)
    if header.image != uid:
        return "another image than the table says"
    header = replace(header, view=answers.get("view", header.view), laterality=answers.get("laterality", header.laterality))
    if why := unfit(header):
        return why
    patient = header.patient or header.study or uid
    return Row(
        dataset=NAME,
        patient=patient if patient.startswith(f"{CBIS}-") else f"{NAME}-{patient}",
        exam=header.study or patient,
        image=uid,
        file=path,
        view=header.view,
        laterality=header.laterality,
        breast=header.laterality or "",
        density=answers.get("density"),
        pathology=answers.get("cancer"),  # type: ignore[arg-type]  # one of VALUES: checked when it was read
        manufacturer=header.manufacturer,
        age=header.age,
    )
