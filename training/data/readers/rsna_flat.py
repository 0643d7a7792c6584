"""RSNA-2022 in the flat layout: ``labels.csv`` and ``images/*.jpg``, the facts of the set in a notes column."""

from __future__ import annotations

from pathlib import Path

from training.data.readers.assessment import read_birads
from training.data.readers.csv_lines import parse_notes, parse_number, read_lines
from training.data.table import Index, Row, Skipped

NAME = "rsna-bcd-640"

MACHINE_WITH_WRONG_SIDES = "49"
"""On this machine of RSNA-2022 the chest wall disagrees with the label in 40 % of the images (measured, see data README)."""


ASPECTS = {"49": 0.79, "48": 0.81, "170": 0.79, "21": 0.75, "93": 0.80, "216": 0.83, "190": 0.83, "210": 0.775, "29": 0.92}
"""Width to height, by machine, before the set was stretched to squares: measured, of machines with two formats the mean."""


def read_rsna_flat(folder: Path) -> Index:
    """Read ``labels.csv``; blank images and views other than CC and MLO are skipped.

    Raises
    ------
    FileNotFoundError
        No labels.csv.
    """
    rows, skipped = [], []
    for line in read_lines(folder / "labels.csv", ("file", "patient_id", "view", "laterality", "pathology", "notes")):
        notes = parse_notes(line["notes"])
        file = folder / line["file"]
        if notes.get("blank") == "1":
            skipped.append(Skipped(line["file"], "blank image"))
        elif line["view"] not in {"CC", "MLO"}:
            skipped.append(Skipped(line["file"], f"view {line['view'] or 'unknown'} is neither CC nor MLO"))
        elif not file.is_file():
            skipped.append(Skipped(line["file"], "no such file"))
        else:
            machine = notes.get("machine_id", "")
            rows.append(
                Row(
                    dataset=NAME,
                    patient=f"rsna-{line['patient_id']}",
                    exam=f"rsna-{line['patient_id']}",  # the set has one exam a patient
                    image=file.stem.split("_")[-1],
                    file=file,
                    view=line["view"],
                    laterality=None if machine == MACHINE_WITH_WRONG_SIDES else line["laterality"],
                    breast=line["laterality"],
                    density=line["density"] or None,
                    # BI-RADS 1 is normal and 2 benign, but half of the images have none: no cancer is all that is known of every image.
                    pathology="malignant" if line["pathology"] == "malignant" else "negative",
                    manufacturer=machine,
                    age=parse_number(notes.get("age", "")),
                    inverted=notes.get("inverted") == "1",
                    aspect=ASPECTS.get(machine),
                    birads=read_birads(notes.get("BIRADS", "")),
                    invasive=notes.get("invasive") == "1" if line["pathology"] == "malignant" else None,
                    implant=notes.get("implant") == "1",
                )
            )
    return Index(tuple(rows), tuple(skipped))
