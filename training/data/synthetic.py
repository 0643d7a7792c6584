"""A set of synthetic patients: who has what, four views each, written as PNG or DICOM with the truth beside them.

For tests and the tutorial. Layout of the folder::

    labels.csv     file,dataset,patient_id,view,laterality,density,pathology,notes,source_repo,licence (as the other flat sets)
    rois.json      by image file: box, kind, pathology, outline and mask file of each lesion
    images/        s7-0001_R-CC.png (or .dcm): seed, patient
    masks/         s7-0001_R-CC_1.png
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.phantom import Breast, Density, Drawing, Lesion, Machine, Side, View, draw_view
from training.data.synthetic_dicom import full_field_dataset

NAME = "synthetic"
T = TypeVar("T")
COLUMNS = ("file", "dataset", "patient_id", "view", "laterality", "density", "pathology", "notes", "source_repo", "licence")

MACHINES = (
    Machine("Alder Imaging", "Alder One", gamma=1.0, gain=1.0, air=0.004, noise=0.020),
    Machine("Birch Medical", "B-300", gamma=0.8, gain=1.1, air=0.0, noise=0.026),
    Machine("Cedar Systems", "Selvatica", gamma=1.25, gain=1.15, air=0.012, noise=0.016),
    Machine("Dogwood Health", "D-Screen", gamma=0.95, gain=1.0, air=0.004, noise=0.022, inverted=True),
)
"""Invented manufacturers; the last one shows air white."""

Finding = tuple[Literal["mass", "calcification"], Literal["malignant", "benign"]]
FINDINGS: tuple[Finding | None, ...] = (
    ("mass", "malignant"),
    ("mass", "benign"),
    ("calcification", "malignant"),
    ("calcification", "benign"),
    ("mass", "malignant"),
    None,
)
"""What six patients in a row have, in some order: half have cancer, one has nothing."""

RADII = (0.036, 0.062)
"""Least and largest radius of a lesion as shares of the image's longer side: diameters of 17 to 30 mm on a field of 240 mm."""

VIEWS: tuple[tuple[Side, View], ...] = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


@dataclass(frozen=True)
class Patient:
    """One woman and her one exam; `name` tells her from the women of other seeds."""

    name: str
    age: int
    machine: Machine
    right: Breast
    left: Breast
    marker: bool

    def breast(self, side: Side) -> Breast:
        return self.right if side == "R" else self.left


def imagine_patients(
    count: int, seed: int, findings: Sequence[Finding | None] = FINDINGS, radii: tuple[float, float] = RADII
) -> Iterator[Patient]:
    """Patients 1 to `count`, the same for the same seed; the first n are the same whatever the count.

    Findings, densities and machines take turns, each in an order drawn anew for each round, so that small sets hold them all. They do so
    without regard to one another: nothing but the lesion tells the finding. Age does a little, as in life.
    """
    for number in range(1, count + 1):
        finding = _take_turns(findings, number, (seed, 0))
        density: Density = _take_turns(get_args(Density), number, (seed, 1))
        machine = _take_turns(MACHINES, number, (seed, 2))
        chance = np.random.default_rng((seed, 3, number))
        reach, spread = chance.uniform(0.46, 0.76), chance.uniform(0.32, 0.43)
        lesion = _imagine_lesion(finding, radii, chance) if finding else None
        affected: Side = "R" if chance.random() < 0.5 else "L"
        breasts = {
            side: Breast(
                side,
                density,
                float(np.clip(reach * chance.uniform(0.95, 1.05), 0.4, 0.8)),
                float(spread * chance.uniform(0.96, 1.04)),
                (lesion,) if lesion and side == affected else (),
                int(chance.integers(2**31)),
            )
            for side in get_args(Side)
        }
        old = finding is not None and finding[1] == "malignant"
        age = int(np.clip(chance.normal(60 if old else 53, 10), 35, 89))
        yield Patient(f"s{seed}-{number:04}", age, machine, breasts["R"], breasts["L"], marker=bool(chance.random() < 0.8))


def _take_turns(values: Sequence[T], number: int, seed: tuple[int, int]) -> T:
    """The value of the `number`-th (from 1) when all take turns, in a new order each round."""
    turn, place = divmod(number - 1, len(values))
    return values[int(np.random.default_rng((*seed, turn)).permutation(len(values))[place])]


def _imagine_lesion(finding: Finding, radii: tuple[float, float], chance: np.random.Generator) -> Lesion:
    depth, across, height = chance.uniform(0.4, 0.8), chance.uniform(-0.7, 0.7), chance.uniform(-0.6, 0.6)
    return Lesion(*finding, depth, across, height, chance.uniform(*radii), int(chance.integers(2**31)))


def write_synthetic(
    folder: Path,
    patients: int,
    seed: int,
    size: tuple[int, int] = (640, 512),
    dicom: bool = False,
    bits: Literal[8, 16] = 8,
    findings: Sequence[Finding | None] = FINDINGS,
    radii: tuple[float, float] = RADII,
) -> None:
    """Write `patients` four-view exams below `folder`.

    Parameters
    ----------
    folder
        Made where absent; the reader ``synthetic`` reads it.
    seed
        The same seed, count and size write the same files, byte for byte.
    size
        Rows, columns in pixels; at least 256 each, or the service takes the pictures for no mammograms.
    dicom
        Write Digital Mammography X-Ray Image Storage - For Presentation with the tags that a hospital sends, instead of PNG.
    bits
        Of the PNG files; DICOM has 12 bits in 16.
    findings
        What the patients have, in turns; None is nothing.
    radii
        Least and largest radius of a lesion as shares of the longer side: larger ones are learnt sooner.

    Raises
    ------
    FileExistsError
        The folder holds a set already.
    """
    if (folder / "labels.csv").exists():
        raise FileExistsError(f"{folder} holds a set already: name an empty folder, or remove it")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    imagined = imagine_patients(patients, seed, findings, radii)
    with ThreadPoolExecutor() as pool:
        written = list(pool.map(lambda patient: _write_patient(folder, patient, seed, size, dicom, bits), imagined))
    lines = [line for each, _ in written for line in each]
    rois = {file: found for _, each in written for file, found in each.items()}
    (folder / "rois.json").write_text(json.dumps(rois, indent=1), encoding="utf-8")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)


def _write_patient(
    folder: Path, patient: Patient, seed: int, size: tuple[int, int], dicom: bool, bits: int
) -> tuple[list[dict[str, str]], dict[str, list[dict[str, object]]]]:
    lines, rois = [], {}
    for side, view in VIEWS:
        breast = patient.breast(side)
        drawing = draw_view(breast, view, patient.machine, size, patient.marker)
        name = f"{patient.name}_{side}-{view}"
        file = f"images/{name}.{'dcm' if dicom else 'png'}"
        if dicom:
            full_field_dataset(drawing.levels, patient, side, view, seed).save_as(folder / file, enforce_file_format=True)
        else:
            write_png(folder / file, to_integers(drawing.levels, bits))
        pathology = breast.lesions[0].pathology if breast.lesions else "normal"
        notes = f"age={patient.age};manufacturer={patient.machine.manufacturer};inverted={int(patient.machine.inverted and not dicom)}"
        row = (file, NAME, patient.name, view, side, breast.density, pathology, notes, "training.data.synthetic", "none: drawn")
        lines.append(dict(zip(COLUMNS, row, strict=True)))
        rois[file] = _write_rois(folder, name, drawing)
    return lines, {file: found for file, found in rois.items() if found}


def _write_rois(folder: Path, name: str, drawing: Drawing) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for number, outline in enumerate(drawing.outlines, start=1):
        mask = f"masks/{name}_{number}.png"
        write_png(folder / mask, outline.mask)
        kind, pathology = outline.lesion.kind, outline.lesion.pathology
        found.append({"box": outline.box, "kind": kind, "pathology": pathology, "outline": outline.polygon, "mask": mask})
    return found


def to_integers(levels: NDArray[np.float32], bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Levels of 0 to 1 as grey levels of `bits` bits: uint8 up to 8 of them, else uint16."""
    whole = np.rint(levels * (2**bits - 1))
    return np.asarray(whole, np.uint8) if bits <= 8 else np.asarray(whole, np.uint16)


def write_png(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write grey pixels; fast rather than small."""
    done, encoded = cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 1))
    if not done:
        raise OSError(f"{path} could not be encoded")
    path.write_bytes(encoded.tobytes())
