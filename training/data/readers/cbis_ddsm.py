"""CBIS-DDSM (Lee et al. 2017, TCIA): case tables, full mammograms, cropped lesions and their masks.

Known mistakes of the tables, all handled here: newlines inside quoted paths; paths of crop and mask swapped in more than half of the
lines; paths that are not those on the disk; several lines (lesions) of one image; the density's column spelled in two ways, and 0 in it;
masks of another size than their image; patients in the mass and the calcification tables, and so in a training and a test table at once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.data.pictures import UNREADABLE, read_dataset, read_levels, reason
from training.data.readers.csv_lines import Line, read_lines
from training.data.readers.header import CBIS, read_header
from training.data.readers.masks import Scan, scan_masks
from training.data.readers.series import SeriesFiles, find_tables
from training.data.table import Index, Roi, Row, Skipped

NAME = "cbis-ddsm"
TABLES = tuple(f"{kind}_case_description_{part}_set.csv" for kind in ("mass", "calc") for part in ("train", "test"))
COLUMNS = ("patient_id", "left_or_right_breast", "image_view", "abnormality_type", "pathology", "image_file_path", "roi_mask_file_path")
DENSITIES = {"1": "A", "2": "B", "3": "C", "4": "D"}
SIDES = {"LEFT": "L", "RIGHT": "R"}
PATHOLOGIES: dict[str, Literal["malignant", "benign"]] = {
    "MALIGNANT": "malignant",
    "BENIGN": "benign",
    "BENIGN_WITHOUT_CALLBACK": "benign",  # not even called back for a biopsy
}
KINDS: dict[str, Literal["mass", "calcification"]] = {"mass": "mass", "calcification": "calcification"}

SMALLEST_MASK = 0.5
"""Share of an image's longer side that a mask's longer side has at least; what is smaller is a cropped lesion."""


@dataclass(frozen=True)
class _Image:
    """The lines of one full mammogram."""

    case: str
    lines: list[Line]
    file: Path
    shape: tuple[int, int]


def read_cbis_ddsm(folder: Path) -> Index:
    """Read the case tables in `folder` (or directly below it) and find their images anywhere below, in any layout of `SeriesFiles`.

    Raises
    ------
    FileNotFoundError
        None of the four case tables is there.
    """
    tables = list(find_tables(folder, *TABLES))
    if not tables:
        raise FileNotFoundError(f"none of {', '.join(TABLES)} in {folder}: TCIA hands them out beside the images")
    skipped = [Skipped(name, "no such table") for name in TABLES if name not in {table.name for table in tables}]
    by_case, pathologies = _read_cases(tables, skipped)
    files = SeriesFiles(folder)
    images = [image for case, lines in by_case.items() if (image := _find_image(case, lines, files, skipped))]
    candidates = {id(line): _lesion_files(line, image, files) for image in images for line in image.lines}
    scans = scan_masks(folder, sorted({path for paths in candidates.values() for path in paths}))
    rows = []
    for image in images:
        first = image.lines[0]
        patient, side = f"{CBIS}-{first['patient_id']}", SIDES[first["left_or_right_breast"]]
        rois = [_roi(line, image, [(path, scans[path]) for path in candidates[id(line)]], skipped) for line in image.lines]
        rows.append(
            Row(
                dataset=NAME,
                patient=patient,
                exam=patient,
                image=image.case,
                file=image.file,
                view=first["image_view"],
                laterality=side,
                breast=side,
                density=DENSITIES.get(first["breast_density"]),
                pathology="malignant" if "malignant" in pathologies[patient, side] else "benign",
                manufacturer="ddsm-film",
                age=None,
                rois=tuple(roi for roi in rois if roi),
            )
        )
    return Index(tuple(rows), tuple(skipped))


def _read_cases(tables: list[Path], skipped: list[Skipped]) -> tuple[dict[str, list[Line]], dict[tuple[str, str], set[str]]]:
    """Lines by image, and what was found in each breast in any table."""
    cases: dict[str, list[Line]] = defaultdict(list)
    pathologies: dict[tuple[str, str], set[str]] = defaultdict(set)
    seen: set[tuple[str, str, str]] = set()
    for line in (line for table in tables for line in read_lines(table, COLUMNS)):
        side, pathology, kind = SIDES.get(line["left_or_right_breast"]), PATHOLOGIES.get(line["pathology"]), line["abnormality_type"]
        wrong = [
            f"{column} {line[column]!r} is unknown"
            for column, known in (
                ("left_or_right_breast", side),
                ("pathology", pathology),
                ("abnormality_type", KINDS.get(kind)),
                ("image_view", line["image_view"] in {"CC", "MLO"}),
            )
            if not known
        ]
        case = line["image_file_path"].split("/")[0]
        key = (case, kind, line["abnormality_id"])
        if wrong or not side or not pathology:
            skipped.append(Skipped(line.place, "; ".join(wrong)))
        elif key in seen:
            skipped.append(Skipped(line.place, "the same lesion is in an earlier line"))
        else:
            seen.add(key)
            cases[case].append(line)
            pathologies[f"{CBIS}-{line['patient_id']}", side].add(pathology)
    return cases, pathologies


def _find_image(case: str, lines: list[Line], files: SeriesFiles, skipped: list[Skipped]) -> _Image | None:
    found = files.below(_series(lines[0]["image_file_path"]), case)
    if not found:
        skipped.append(Skipped(case, "no image file"))
        return None
    shapes = {}
    for path in found:
        try:
            shapes[path] = _shape(path)
        except UNREADABLE as error:
            skipped.append(Skipped(f"{case}/{path.name}", reason(error)))
    if not shapes:
        return None
    file = max(shapes, key=lambda path: math.prod(shapes[path]))  # lesion crops beside it are smaller
    return _Image(case, lines, file, shapes[file])


def _shape(path: Path) -> tuple[int, int]:
    if path.suffix.lower() in {".jpg", ".jpeg", ".png"}:
        levels = read_levels(path)
        return levels.shape[0], levels.shape[1]
    return read_header(read_dataset(path, pixels=False)).shape


def _lesion_files(line: Line, image: _Image, files: SeriesFiles) -> list[Path]:
    """Crop and mask of a lesion, whichever of the two paths names which."""
    found: dict[Path, None] = {}
    for column in ("roi_mask_file_path", "cropped_image_file_path"):
        path = line[column]
        found |= dict.fromkeys(files.below(_series(path), path.split("/")[0]) if path else [])
    return [path for path in found if path != image.file]


def _roi(line: Line, image: _Image, scans: Sequence[tuple[Path, Scan]], skipped: list[Skipped]) -> Roi | None:
    """The lesion of one line: its mask is the file with two grey levels whose size is nearest to the image's."""
    what = f"{image.case}, abnormality {line['abnormality_id']}"
    broken = [f"{path.name}: {scan.error}" for path, scan in scans if scan.error]
    least = SMALLEST_MASK * max(image.shape)
    masks = [(path, scan) for path, scan in scans if scan.box and max(scan.shape) >= least]
    if not masks:
        skipped.append(Skipped(what, "; ".join(broken) or ("no mask among the lesion's files" if scans else "no mask file")))
        return None
    path, scan = min(masks, key=lambda mask: sum(abs(math.log(a / b)) for a, b in zip(mask[1].shape, image.shape, strict=True)))
    rows, columns = image.shape
    down, across = rows / scan.shape[0], columns / scan.shape[1]
    left, top, right, bottom = scan.box or (0, 0, 0, 0)
    return Roi(
        box=(math.floor(left * across), math.floor(top * down), math.ceil(right * across), math.ceil(bottom * down)),
        kind=KINDS[line["abnormality_type"]],
        pathology=PATHOLOGIES[line["pathology"]],
        outline=tuple((x * across, y * down) for x, y in scan.outline),
        mask=path if scan.shape == image.shape else None,  # users of a mask lay it over the image
    )


def _series(path: str) -> str:
    """The series UID in ``subject/study/series/file`` of a table; empty where there is none."""
    parts = path.split("/")
    return parts[-2] if len(parts) >= 3 else ""
