"""The set that `training.data.synthetic` writes: ``labels.csv`` in the flat layout and every lesion in ``rois.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.data.readers.csv_lines import parse_notes, parse_number, read_lines
from training.data.table import Index, Roi, Row, Skipped

NAME = "synthetic"


def read_synthetic(folder: Path) -> Index:
    """Read ``labels.csv`` and ``rois.json``; a file that is not there is skipped and named.

    Raises
    ------
    FileNotFoundError
        One of the two tables is absent.
    """
    lines = read_lines(folder / "labels.csv", ("file", "patient_id", "view", "laterality", "density", "pathology", "notes"))
    found: dict[str, list[dict[str, Any]]] = json.loads((folder / "rois.json").read_text(encoding="utf-8"))
    rows, skipped = [], []
    for line in lines:
        file = folder / line["file"]
        if not file.is_file():
            skipped.append(Skipped(line["file"], "no such file"))
            continue
        notes = parse_notes(line["notes"])
        patient = f"{NAME}-{line['patient_id']}"
        pathology = line["pathology"]
        rows.append(
            Row(
                dataset=NAME,
                patient=patient,
                exam=patient,  # the set has one exam a patient
                image=file.stem,
                file=file,
                view=line["view"],
                laterality=line["laterality"],
                breast=line["laterality"],
                density=line["density"],
                pathology="malignant" if pathology == "malignant" else "benign" if pathology == "benign" else "normal",
                manufacturer=notes.get("manufacturer", ""),
                age=parse_number(notes.get("age", "")),
                rois=tuple(_roi(folder, each) for each in found.get(line["file"], [])),
                inverted=notes.get("inverted") == "1",
            )
        )
    return Index(tuple(rows), tuple(skipped))


def _roi(folder: Path, found: dict[str, Any]) -> Roi:
    left, top, right, bottom = found["box"]
    outline = tuple((float(x), float(y)) for x, y in found["outline"])
    return Roi((left, top, right, bottom), found["kind"], found["pathology"], outline, folder / found["mask"])
