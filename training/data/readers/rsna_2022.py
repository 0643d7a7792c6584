"""RSNA Screening Mammography Breast Cancer Detection 2022 as Kaggle publishes it, or converted to pictures."""

from __future__ import annotations

from pathlib import Path

from training.data.readers.csv_lines import Line, parse_number, read_lines
from training.data.readers.rsna_flat import MACHINE_WITH_WRONG_SIDES
from training.data.table import Index, Row, Skipped

NAME = "rsna-2022"
COLUMNS = ("patient_id", "image_id", "laterality", "view", "cancer", "machine_id")
PLACES = ("train_images/{patient}/{image}", "{patient}/{image}", "train_images/{patient}_{image}", "images/{patient}_{image}")
"""Possible places of an image, without its suffix: as kaggle has it, and as conversions to PNG flatten it."""
SUFFIXES = (".dcm", ".png", ".jpg")


def read_rsna_2022(folder: Path) -> Index:
    """Read train.csv. Patients are those of the flat layout: one split serves both.

    Raises
    ------
    FileNotFoundError
        No train.csv.
    """
    rows, skipped = [], []
    for line in read_lines(folder / "train.csv", COLUMNS):
        name = f"{line['patient_id']}/{line['image_id']}"
        view, side, cancer = line["view"].upper(), line["laterality"].upper(), line["cancer"]
        if view not in {"CC", "MLO"}:
            skipped.append(Skipped(name, f"view {view or 'unknown'} is neither CC nor MLO"))
        elif side not in {"L", "R"} or cancer not in {"0", "1"}:
            skipped.append(Skipped(line.place, f"laterality {side!r} must be L or R, cancer {cancer!r} 0 or 1"))
        elif (file := _find(folder, line)) is None:
            skipped.append(Skipped(name, "no image file"))
        else:
            patient = f"rsna-{line['patient_id']}"
            rows.append(
                Row(
                    dataset=NAME,
                    patient=patient,
                    exam=patient,  # the set has one exam a patient
                    image=line["image_id"],
                    file=file,
                    view=view,
                    laterality=None if line["machine_id"] == MACHINE_WITH_WRONG_SIDES else side,
                    breast=side,
                    density=line["density"] if line["density"] in {"A", "B", "C", "D"} else None,
                    pathology="malignant" if cancer == "1" else "negative",
                    manufacturer=line["machine_id"],
                    age=parse_number(line["age"]),
                )
            )
    return Index(tuple(rows), tuple(skipped))


def _find(folder: Path, line: Line) -> Path | None:
    for place in PLACES:
        stem = place.format(patient=line["patient_id"], image=line["image_id"])
        for suffix in SUFFIXES:
            if (path := folder / f"{stem}{suffix}").is_file():
                return path
    return None
