"""Public data sets as one table: a row an image, the same columns for each set."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One image.

    Parameters
    ----------
    view, laterality, density
        ``CC``/``MLO``, ``L``/``R`` and ``A``-``D``; None where the set does not say, or where its pixels are known to disagree.
    breast
        The side as the set declares it: which images belong together, whatever their orientation.
    malignant
        Biopsy-proven cancer in this breast; None where unknown.
    inverted, mirrored
        The file shows air bright, or is flipped left to right against the standard orientation: undo it on reading.
    """

    dataset: str
    patient: str
    file: Path
    view: str | None
    laterality: str | None
    breast: str
    density: str | None
    malignant: bool | None
    manufacturer: str
    age: float | None
    inverted: bool = False
    mirrored: bool = False


MACHINE_WITH_WRONG_SIDES = "49"
"""On this machine of RSNA-2022 the chest wall disagrees with the label in 40 % of the images (measured, see data README)."""


def read_rsna(folder: Path) -> list[Row]:
    """RSNA-2022 in the flat layout: labels.csv and images/*.jpg. Blank images and views other than CC and MLO are dropped."""
    rows = []
    for line in _lines(folder / "labels.csv"):
        notes = dict(note.split("=", 1) for note in line["notes"].split(";") if "=" in note)
        if notes.get("blank") == "1" or line["view"] not in {"CC", "MLO"}:
            continue
        machine = notes["machine_id"]
        rows.append(
            Row(
                dataset="rsna-bcd-640",
                patient=f"rsna-{line['patient_id']}",
                file=folder / line["file"],
                view=line["view"],
                laterality=None if machine == MACHINE_WITH_WRONG_SIDES else line["laterality"],
                breast=line["laterality"],
                density=line["density"] or None,
                malignant=line["pathology"] == "malignant",
                manufacturer=machine,
                age=float(notes["age"]) if notes.get("age") else None,
                inverted=notes.get("inverted") == "1",
            )
        )
    return rows


def read_mini_mias(folder: Path) -> list[Row]:
    """mini-MIAS: digitised films, all MLO, every one mirrored. Its F/G/D tissue classes are not BI-RADS and are not read as such."""
    return [
        Row(
            dataset="mini-mias",
            patient=f"mias-{line['patient_id']}",
            file=folder / line["file"],
            view="MLO",
            laterality=line["laterality"],
            breast=line["laterality"],
            density=None,
            malignant=None,
            manufacturer="mias-film",
            age=None,
            mirrored=True,
        )
        for line in _lines(folder / "labels.csv")
    ]


READERS: dict[str, Callable[[Path], list[Row]]] = {"rsna-bcd-640": read_rsna, "mini-mias": read_mini_mias}


def read_index(data: Path, names: Iterable[str]) -> list[Row]:
    """Read the named sets below `data`; a file that is missing is left out.

    Raises
    ------
    FileNotFoundError
        A set's folder is absent: the message names it.
    """
    rows = []
    for name in names:
        folder = data / name
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}: point --data at the folder that holds {name}/labels.csv")
        rows += [row for row in READERS[name](folder) if row.file.is_file()]
    return rows


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
