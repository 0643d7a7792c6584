"""Any folder of DICOM files, each read by its own header."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from models.errors import Undecodable
from models.vocabulary import ViewModifier
from training.data.pictures import read_dataset, reason
from training.data.readers.header import CBIS, Header, read_header
from training.data.table import Index, Row, Skipped

NAME = "dicom-folder"


def read_dicom_folder(folder: Path) -> Index:
    """Read every file below `folder`, whatever it is called; what is no CC or MLO mammogram is skipped.

    A header knows nothing of biopsies or densities: join them with the reader ``table`` if you have them.
    """
    rows, skipped = [], []
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in tqdm(files, "headers", unit="file"):
        name = path.relative_to(folder).as_posix()
        try:
            header = read_header(read_dataset(path, pixels=False))
        except (Undecodable, OSError) as error:
            skipped.append(Skipped(name, reason(error)))
            continue
        why = unfit(header)
        if why:
            skipped.append(Skipped(name, why))
            continue
        patient = header.patient or header.study or name
        patient = patient if patient.startswith(f"{CBIS}-") else f"{NAME}-{patient}"
        rows.append(
            Row(
                dataset=NAME,
                patient=patient,
                exam=header.study or patient,
                image=header.image or name,
                file=path,
                view=header.view,
                laterality=header.laterality,
                breast=header.laterality or "",
                density=None,
                pathology=None,
                manufacturer=header.manufacturer,
                age=header.age,
            )
        )
    return Index(tuple(rows), tuple(skipped))


def unfit(header: Header) -> str:
    """Why an image is no row of a table of mammograms; empty where it is one.

    Digitised films come as MG, or as another modality with a body part of BREAST.
    """
    if header.modality != "MG" and not (header.body_part == "BREAST" and header.modality in {"RG", "CR", "DX", "OT"}):
        return f"modality {header.modality or 'unknown'} is no mammogram"
    if 0 in header.shape:
        return "no image in it"
    if header.frames > 1:
        return "several frames: tomosynthesis is not read"
    if header.part:
        return "a lesion's crop or mask, not a whole mammogram"
    if header.raw:
        return "For Processing: detector values, not what a reader sees"
    if {ViewModifier.M, ViewModifier.S} & set(header.modifiers):
        return "a magnification or spot view shows a part of the breast"
    if header.view not in {"CC", "MLO"}:
        return f"view {header.view or 'unknown'} is neither CC nor MLO"
    if header.laterality is None:
        return "side unknown"
    return ""
