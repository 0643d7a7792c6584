"""Splits by patient, never by image, stratified and seeded, kept as files."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from training.data.index import Row

PARTS = ("train", "tune", "test")
FRACTIONS = (0.72, 0.08, 0.20)
"""20 % of the patients are held out; a tenth of the rest chooses thresholds and calibration."""


def split_patients(rows: Sequence[Row], seed: int, fractions: Sequence[float] = FRACTIONS) -> dict[str, str]:
    """Assign every patient to a part, the same share of each (data set, machine, cancer) stratum to each part.

    Returns
    -------
    Patient to one of `PARTS`.
    """
    by_patient: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_patient[row.patient].append(row)
    strata: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for patient, images in by_patient.items():
        cancer = any(image.malignant for image in images)
        strata[images[0].dataset, images[0].manufacturer, cancer].append(patient)
    chance = random.Random(seed)
    answer, carried = {}, [0.0] * len(fractions)
    for key in sorted(strata):
        patients = sorted(strata[key])
        chance.shuffle(patients)
        for patient in patients:
            carried = [owed + fraction for owed, fraction in zip(carried, fractions, strict=True)]
            part = max(range(len(fractions)), key=lambda index: (carried[index], -index))
            carried[part] -= 1
            answer[patient] = PARTS[part]
    return answer


def write_split(path: Path, split: dict[str, str]) -> None:
    """Write ``patient,part`` lines, sorted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("patient", "part"))
        writer.writerows(sorted(split.items()))


def read_split(path: Path) -> dict[str, str]:
    """Read what `write_split` wrote."""
    with path.open(newline="", encoding="utf-8") as stream:
        return {line["patient"]: line["part"] for line in csv.DictReader(stream)}
