"""VinDr-Mammo (Nguyen et al. 2023, PhysioNet): four views an exam, BI-RADS and density a breast, findings as boxes, no biopsies."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Literal

from training.data.readers.assessment import pathology_of, read_birads, read_density
from training.data.readers.csv_lines import Line, parse_number, read_lines
from training.data.table import Index, Roi, Row, Skipped

NAME = "vindr-mammo"
BREASTS, FINDINGS, METADATA = "breast-level_annotations.csv", "finding_annotations.csv", "metadata.csv"
SUFFIXES = (".dicom", ".dcm", ".png", ".jpg")


def read_vindr_mammo(folder: Path) -> Index:
    """Read the breast-level table, the findings, and age and machine from metadata.csv where it is there.

    ``pathology`` is the assessment (see `training.data.readers.assessment`), None for BI-RADS 3; lesions have none of their own. The set
    names studies, not women: each study counts as a patient.

    Raises
    ------
    FileNotFoundError
        No breast-level table.
    """
    lines = read_lines(folder / BREASTS, ("study_id", "image_id", "laterality", "view_position", "breast_birads", "breast_density"))
    rows: list[Row] = []
    skipped: list[Skipped] = []
    headers = _by(folder / METADATA, "sop_instance_uid", skipped)
    findings = _by(folder / FINDINGS, "image_id", skipped)
    for line in lines:
        study, image = line["study_id"], line["image_id"]
        view, side = line["view_position"].upper(), line["laterality"].upper()
        if view not in {"CC", "MLO"} or side not in {"L", "R"}:
            skipped.append(Skipped(line.place, f"view_position {view!r} must be CC or MLO, laterality {side!r} L or R"))
            continue
        stem = folder / "images" / study / image
        file = next((path for suffix in SUFFIXES if (path := stem.with_name(image + suffix)).is_file()), None)
        if file is None:
            skipped.append(Skipped(f"{study}/{image}", "no image file"))
            continue
        header = next(iter(headers.get(image, [])), None)
        rows.append(
            Row(
                dataset=NAME,
                patient=f"vindr-{study}",
                exam=f"vindr-{study}",
                image=image,
                file=file,
                view=view,
                laterality=side,
                breast=side,
                density=read_density(line["breast_density"]),
                pathology=pathology_of(read_birads(line["breast_birads"])),
                manufacturer=(header and " ".join(filter(None, (header["manufacturer"], header["manufacturer's_model_name"]))))
                or "unknown",
                age=parse_number(header["patient's_age"]) if header else None,
                rois=tuple(roi for finding in findings.get(image, []) if (roi := _roi(finding, skipped))),
            )
        )
    return Index(tuple(rows), tuple(skipped))


def _by(table: Path, column: str, skipped: list[Skipped]) -> dict[str, list[Line]]:
    """Lines of a table by one of its columns; an absent table is named and does without."""
    if not table.is_file():
        skipped.append(Skipped(table.name, "no such table"))
        return {}
    answer: dict[str, list[Line]] = defaultdict(list)
    for line in read_lines(table, (column,)):
        answer[line[column]].append(line)
    return answer


def _roi(line: Line, skipped: list[Skipped]) -> Roi | None:
    """The box of one finding; ``No Finding`` has none."""
    categories = line["finding_categories"].lower()
    if "no finding" in categories:
        return None
    corners = [parse_number(line[name]) for name in ("xmin", "ymin", "xmax", "ymax")]
    left, top, right, bottom = (-1.0 if corner is None or not math.isfinite(corner) else corner for corner in corners)
    if not (0 <= left < right and 0 <= top < bottom):
        skipped.append(Skipped(line.place, "xmin, ymin, xmax, ymax are no box"))
        return None
    kind: Literal["mass", "calcification", "other"] = (
        "mass" if "mass" in categories else "calcification" if "calcification" in categories else "other"
    )
    return Roi((math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)), kind)
