"""Sets in the flat layout (``labels.csv`` and a folder of pictures) that need no reader of their own kind: INbreast and DDSM thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.data.readers.assessment import UNDECIDED, pathology_of, read_birads
from training.data.readers.csv_lines import Line, parse_notes, parse_number, read_lines
from training.data.table import Index, Row, Skipped

LABELS = "labels.csv"
COLUMNS = ("file", "patient_id", "view", "laterality", "density", "pathology", "notes")
FILM, SIEMENS = "film", "Siemens MammoNovation"


def read_inbreast_flat(folder: Path) -> Index:
    """INbreast as pictures. BI-RADS 3 has a row without pathology: its view, side and density are known (Shen et al. 2017, 3.2.1)."""

    def as_row(line: Line, notes: dict[str, str]) -> Row:
        birads = read_birads(notes.get("BIRADS", ""))
        return Row(
            dataset="inbreast",
            patient=f"inbreast-{line['patient_id']}",
            exam=f"inbreast-{line['patient_id']}-{notes.get('acquired', '')}",
            image=Path(line["file"]).stem.split("_")[0],
            file=folder / line["file"],
            view=line["view"],
            laterality=line["laterality"],
            breast=line["laterality"],
            density=line["density"] or None,
            pathology=None if birads in (None, UNDECIDED) else pathology_of(birads),
            manufacturer=SIEMENS,
            age=None,
            birads=birads,
        )

    return _read(folder, as_row)


def read_ddsm_small(folder: Path) -> Index:
    """Thumbnails of DDSM (Heath et al. 2001). What is not called normal has no pathology here: benign and malignant are one class."""

    def as_row(line: Line, notes: dict[str, str]) -> Row:
        return Row(
            dataset="ddsm-small",
            patient=f"ddsm-{line['patient_id']}",
            exam=f"ddsm-{line['patient_id']}",
            image=Path(line["file"]).stem,
            file=folder / line["file"],
            view=line["view"],
            laterality=line["laterality"],
            breast=line["laterality"],
            density=line["density"] or None,
            pathology="normal" if line["pathology"] == "normal" else None,
            manufacturer=FILM,
            age=parse_number(notes.get("age", "")),
            inverted=False,
        )

    return _read(folder, as_row)


def read_other_pictures(folder: Path) -> Index:
    """Pictures of what is no mammogram, each a patient of its own: other X-rays, phantoms. Their names are their order.

    Raises
    ------
    FileNotFoundError
        There is no picture.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".png", ".dcm"})
    if not files:
        raise FileNotFoundError(f"no .jpg, .png or .dcm in {folder}")
    return Index(
        tuple(
            Row(
                dataset=folder.name,
                patient=f"{folder.name}-{file.stem}",
                exam=f"{folder.name}-{file.stem}",
                image=file.stem,
                file=file,
                view=None,
                laterality=None,
                breast="",
                density=None,
                pathology=None,
                manufacturer="",
                age=None,
                mammogram=False,
            )
            for file in files
        )
    )


def _read(folder: Path, as_row: Callable[[Line, dict[str, str]], Row]) -> Index:
    """Every line whose view is CC or MLO and whose file is there.

    Raises
    ------
    FileNotFoundError
        No labels.csv.
    """
    rows, skipped = [], []
    for line in read_lines(folder / LABELS, COLUMNS):
        if line["view"] not in {"CC", "MLO"}:
            skipped.append(Skipped(line["file"], f"view {line['view'] or 'unknown'} is neither CC nor MLO"))
        elif not (folder / line["file"]).is_file():
            skipped.append(Skipped(line["file"], "no such file"))
        else:
            rows.append(as_row(line, parse_notes(line["notes"])))
    return Index(tuple(rows), tuple(skipped))
