"""INbreast (Moreira et al. 2012): full-field images, BI-RADS by image, outlines in XML property lists, no biopsies in its table."""

from __future__ import annotations

import math
import plistlib
import re
from pathlib import Path
from typing import Any, Literal

from training.data.readers.assessment import UNDECIDED, pathology_of, read_birads, read_density
from training.data.readers.csv_lines import Line, parse_number
from training.data.readers.flat import LABELS, read_inbreast_flat
from training.data.readers.series import find_tables
from training.data.readers.sheets import read_sheet
from training.data.table import Index, Roi, Row, Skipped

NAME = "inbreast"
SHEETS = ("INbreast.csv", "INbreast.xls", "INbreast.xlsx")
MACHINE = "Siemens MammoNovation"
"""Of every image (Moreira et al. 2012, Materials)."""

_DICOM_NAME = re.compile(r"(?P<image>\d+)_(?P<patient>[0-9a-fA-F]+)_.*\.dcm")
"""``20586908_6c613a14b80a8591_MG_R_CC_ANON.dcm``: the only place where the set distinguishes patients."""

_POINT = re.compile(r"\(\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)")


def read_inbreast(folder: Path) -> Index:
    """Read INbreast.csv (semicolons) or INbreast.xls, AllDICOMs and AllXML; where there is neither, ``labels.csv`` and its pictures.

    Images of BI-RADS 3 are skipped, and so are those without an assessment (Shen et al. 2017, 3.2.1). A lesion has no pathology of its
    own; single calcifications are lesions of a pixel or more beside the outline of their cluster.

    Raises
    ------
    FileNotFoundError
        No table.
    ModuleNotFoundError
        The table is .xls, and xlrd is not installed.
    """
    sheet = next(iter(find_tables(folder, *SHEETS)), None)
    if sheet is None and (folder / LABELS).is_file():
        return read_inbreast_flat(folder)
    if sheet is None:
        raise FileNotFoundError(f"none of {', '.join(SHEETS)} in {folder}: one of them comes with INbreast")
    root = sheet.parent
    images = {match["image"]: (path, match["patient"]) for path in root.rglob("*.dcm") if (match := _DICOM_NAME.fullmatch(path.name))}
    outlines = {path.stem: path for path in root.rglob("*.xml") if "pectoral" not in path.parent.name.lower()}
    rows: list[Row] = []
    skipped: list[Skipped] = []
    for line in read_sheet(sheet, ("file_name", "laterality", "view", "acr", "bi-rads")):
        image = line["file_name"]
        if not image:
            continue  # the sheet's legend is below its table
        birads, view, side = read_birads(line["bi-rads"]), line["view"].upper(), line["laterality"].upper()
        if view not in {"CC", "MLO"} or side not in {"L", "R"}:
            skipped.append(Skipped(line.place, f"view {view!r} must be CC or MLO, laterality {side!r} L or R"))
        elif pathology_of(birads) is None:
            why = "BI-RADS 3, left out as in Shen et al. 3.2.1" if birads == UNDECIDED else f"BI-RADS {line['bi-rads']!r} is no assessment"
            skipped.append(Skipped(image, why))
        elif image not in images:
            skipped.append(Skipped(image, "no image file"))
        else:
            file, patient = images[image]
            rows.append(_row(line, file, patient, _read_rois(outlines.get(image), skipped)))
    return Index(tuple(rows), tuple(skipped))


def _row(line: Line, file: Path, patient: str, rois: tuple[Roi, ...]) -> Row:
    side = line["laterality"].upper()
    return Row(
        dataset=NAME,
        patient=f"inbreast-{patient}",
        exam=f"inbreast-{patient}-{line['acquisition_date']}",
        image=line["file_name"],
        file=file,
        view=line["view"].upper(),
        laterality=side,
        breast=side,
        density=read_density(line["acr"]),
        pathology=pathology_of(read_birads(line["bi-rads"])),
        manufacturer=MACHINE,
        age=parse_number(line["patient_age"]),
        rois=rois,
    )


def _read_rois(path: Path | None, skipped: list[Skipped]) -> tuple[Roi, ...]:
    """The outlines of one property list; an image without one has no lesion."""
    if path is None:
        return ()
    try:
        with path.open("rb") as stream:
            images = plistlib.load(stream, fmt=plistlib.FMT_XML)["Images"]
        return tuple(roi for image in images for region in image["ROIs"] if (roi := _roi(region)))
    except Exception as error:  # a property list that was cut short breaks in as many ways as it has values
        skipped.append(Skipped(path.name, f"outlines cannot be read ({type(error).__name__})"))
        return ()


def _roi(region: dict[str, Any]) -> Roi | None:
    points = [(float(match[1]), float(match[2])) for text in region["Point_px"] if (match := _POINT.match(text))]
    if not points or "pectoral" in region.get("Name", "").lower():
        return None
    xs, ys = zip(*points, strict=True)
    box = (max(0, math.floor(min(xs))), max(0, math.floor(min(ys))), math.floor(max(xs)) + 1, math.floor(max(ys)) + 1)
    return Roi(box, _kind(region.get("Name", "")), outline=tuple(points) if len(points) > 2 else ())


def _kind(name: str) -> Literal["mass", "calcification", "other"]:
    """INbreast spells its findings in several ways: ``Calcifications``, ``Espiculated Region``, ``Assymetry``."""
    lower = name.lower()
    if "mass" in lower or "spiculated" in lower:
        return "mass"
    return "calcification" if "calcif" in lower or "cluster" in lower else "other"
