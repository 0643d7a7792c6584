"""Finds the files of a series, whatever a download tool called its folders."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from training.data.readers.csv_lines import Line, read_lines

IMAGE_SUFFIXES = frozenset({"", ".dcm", ".dicom", ".jpg", ".jpeg", ".png"})

NOT_IMAGES = frozenset({"LICENSE", "DICOMDIR", "VERSION"})
"""Files without a suffix that download tools leave beside images."""


def list_images(folder: Path) -> list[Path]:
    """Every file below `folder` that may be an image, by its name; sorted, hidden ones left out."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if _may_be_image(name)]
    return sorted(found)


class SeriesFiles:
    """Images below a folder by the names of the folders that hold them.

    The NBIA Data Retriever makes ``Subject/StudyUID/SeriesUID`` (classic) or ``Subject/date-study-12345/1.0-series-12345`` (descriptive),
    the Imaging Data Commons ``Subject/StudyUID/MG_SeriesUID``, the first release of CBIS-DDSM ``Subject/StudyUID/SeriesUID/000000.dcm``:
    a subject or a series UID names one of the folders in each of them. Where none does, ``File Location`` of metadata.csv counts.
    """

    def __init__(self, folder: Path) -> None:
        self._below: dict[str, list[Path]] = defaultdict(list)
        for path in list_images(folder):
            for part in path.relative_to(folder).parts[:-1]:
                self._below[part.removeprefix("MG_")].append(path)
        for line in read_metadata(folder):
            uid = line.first("series_uid", "seriesinstanceuid")
            location = line["file_location"].replace("\\", "/").removeprefix("./")
            if location and uid not in self._below:
                self._below[uid] += list_images(folder / location)

    def below(self, *names: str) -> list[Path]:
        """The images in the folder of the first name that has any: give the series before its subject."""
        return next((found for name in names if (found := self._below.get(name))), [])


def read_metadata(folder: Path) -> list[Line]:
    """Lines of the series table that NBIA writes (metadata.csv) or that came with the case tables (meta.csv); none is no error."""
    return [line for name in ("metadata.csv", "meta.csv") for path in find_tables(folder, name) for line in read_lines(path)]


def find_tables(folder: Path, *names: str) -> Iterable[Path]:
    """Tables of these names in `folder`, or in a folder directly below it."""
    for name in names:
        yield from [folder / name] if (folder / name).is_file() else sorted(folder.glob(f"*/{name}"))


def _may_be_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and name not in NOT_IMAGES and not name.startswith(".")
