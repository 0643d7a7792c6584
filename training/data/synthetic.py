"""A set of synthetic patients, four views each, written as PNG or DICOM with the truth beside them.

For tests and the tutorial. Layout of the folder::

    labels.csv     file,dataset,patient_id,view,laterality,density,pathology,notes,source_repo,licence (as the other flat sets)
    rois.json      by image file: box, kind, pathology, outline and mask file of each lesion
    images/        s7-0001_R-CC.png (or .dcm): seed, patient
    masks/         s7-0001_R-CC_1.png
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.phantom import Drawing, draw_view
from training.data.synthetic_dicom import full_field_dataset
from training.data.synthetic_patients import FINDINGS, RADII, VIEWS, Finding, Patient, imagine_patients

NAME = "synthetic"
COLUMNS = ("file", "dataset", "patient_id", "view", "laterality", "density", "pathology", "notes", "source_repo", "licence")


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
