"""mini-MIAS: digitised films, all MLO, every one mirrored; in the flat shared layout or as published (Info.txt and .pgm)."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Literal

from training.data.readers.csv_lines import read_lines
from training.data.table import Index, Roi, Row, Skipped

NAME = "mini-mias"

SIDE = 1024
"""Rows and columns of every image, in pixels (README.mias, note 2); centres and radii are in these."""

KINDS: dict[str, Literal["mass", "calcification", "other"]] = {
    "CALC": "calcification",
    "CIRC": "mass",
    "SPIC": "mass",
    "MISC": "mass",
    "ARCH": "other",
    "ASYM": "other",
}
"""Class of abnormality (README.mias, 3rd column); MISC is "other, ill-defined masses"."""

TISSUES = ("F", "G", "D")
"""Character of background tissue (README.mias, 2nd column): fatty, fatty-glandular, dense-glandular."""

Lesion = tuple[str, ...]
"""Class, severity, and where it is known x, y, radius: the cells of Info.txt from the third on."""


def read_mini_mias(folder: Path) -> Index:
    """Read labels.csv where there is one, Info.txt otherwise. The F/G/D tissue classes are not BI-RADS and are not read as such.

    Raises
    ------
    FileNotFoundError
        Neither table is there.
    """
    if (folder / "labels.csv").is_file():
        return _read_shared(folder)
    if (folder / "Info.txt").is_file():
        return _read_published(folder)
    raise FileNotFoundError(f"no labels.csv and no Info.txt in {folder}: one of them comes with mini-MIAS")


def _read_shared(folder: Path) -> Index:
    found: dict[str, list[Lesion]] = {}
    sides, patients, tissues = {}, {}, {}
    for line in read_lines(folder / "labels.csv", ("file", "patient_id", "laterality", "density", "notes")):
        annotations = re.search(r"annotations[^:]*:\s*([^ ;]*(?:;[^ ;]+/[^ ;]*)*)", line["notes"])
        cells = annotations.group(1).split(";") if annotations else []
        found[line["file"]] = [tuple(cell.split("/")) for cell in cells if "/" in cell]
        sides[line["file"]], patients[line["file"]], tissues[line["file"]] = line["laterality"], line["patient_id"], line["density"]
    return _index(folder, found, sides, patients, tissues)


def _read_published(folder: Path) -> Index:
    found: dict[str, list[Lesion]] = defaultdict(list)
    sides, patients, tissues = {}, {}, {}
    for line in (folder / "Info.txt").read_text(encoding="utf-8", errors="replace").splitlines():
        cells = line.split()
        if len(cells) < 3 or not re.fullmatch(r"mdb\d{3}", cells[0]):
            continue
        number = int(cells[0][3:])
        file = next((path.name for path in sorted(folder.glob(f"{cells[0]}.*"))), f"{cells[0]}.pgm")
        found[file] += [tuple(cells[2:])] if cells[2] != "NORM" else []
        # README.mias says the opposite, the markers on the films say odd is left (data README).
        sides[file], patients[file] = "L" if number % 2 else "R", f"mias_p{(number + 1) // 2:03d}"
        tissues[file] = cells[1]
    return _index(folder, found, sides, patients, tissues)


def _index(folder: Path, found: dict[str, list[Lesion]], sides: dict[str, str], patients: dict[str, str], tissues: dict[str, str]) -> Index:
    rows, skipped = [], []
    for name, lesions in found.items():
        file = folder / name
        if not file.is_file():
            skipped.append(Skipped(name, "no such file"))
            continue
        severities = {lesion[1] for lesion in lesions if len(lesion) > 1}
        rows.append(
            Row(
                dataset=NAME,
                patient=f"mias-{patients[name]}",
                exam=f"mias-{patients[name]}",
                image=file.stem,
                file=file,
                view="MLO",
                laterality=sides[name],
                breast=sides[name],
                density=None,
                pathology="malignant" if "M" in severities else "benign" if severities else "normal",
                manufacturer="mias-film",
                age=None,
                rois=tuple(roi for lesion in lesions if (roi := _roi(lesion))),
                inverted=False,
                mirrored=True,
                tissue=tissues[name] if tissues[name] in TISSUES else None,
            )
        )
    return Index(tuple(rows), tuple(skipped))


def _roi(lesion: Lesion) -> Roi | None:
    """The box of one circle in the un-mirrored picture; None where the set gives no place (README.mias, note 4)."""
    try:
        x, y, radius = (int(cell) for cell in lesion[2:5])
    except ValueError:
        return None
    x, y = SIDE - x, SIDE - y  # the film is mirrored, and y counts from the bottom
    box = (max(0, x - radius), max(0, y - radius), min(SIDE, x + radius), min(SIDE, y + radius))
    return Roi(box, KINDS.get(lesion[0], "other"), "malignant" if lesion[1] == "M" else "benign")
