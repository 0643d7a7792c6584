"""Public data sets as one table: one reader for each layout, the same columns for all (see `training.data.table`)."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from training.data.readers.cbis_ddsm import read_cbis_ddsm
from training.data.readers.cmmd import read_cmmd
from training.data.readers.dicom_folder import read_dicom_folder
from training.data.readers.feedback import read_feedback
from training.data.readers.flat import read_ddsm_small, read_other_pictures
from training.data.readers.inbreast import read_inbreast
from training.data.readers.mini_mias import read_mini_mias
from training.data.readers.own_table import read_own_table
from training.data.readers.rsna_2022 import read_rsna_2022
from training.data.readers.rsna_flat import read_rsna_flat
from training.data.readers.synthetic import read_synthetic
from training.data.readers.vindr_mammo import read_vindr_mammo
from training.data.table import Index, Row, Skipped

log = logging.getLogger(__name__)

Reader = Callable[[Path], Index]

READERS: dict[str, Reader] = {
    "cbis-ddsm": read_cbis_ddsm,
    "inbreast": read_inbreast,
    "ddsm-small": read_ddsm_small,
    "mini-mias": read_mini_mias,
    "not-mammograms": read_other_pictures,
    "phantoms": read_other_pictures,
    "rsna-2022": read_rsna_2022,
    "rsna-bcd-640": read_rsna_flat,
    "vindr-mammo": read_vindr_mammo,
    "cmmd": read_cmmd,
    "dicom-folder": read_dicom_folder,
    "table": read_own_table,
    "feedback": read_feedback,
    "synthetic": read_synthetic,
}
"""Reader by the name of its layout. ``NAME`` reads the sub-folder NAME of the data folder, ``NAME:/a/path`` reads that path."""

NAMED_IN_SUMMARY = 3
"""Examples that a summary names for each reason; a reader's `Index` has all of them."""


def locate(data: Path, name: str) -> tuple[Reader, Path]:
    """The reader and the folder behind ``NAME`` or ``NAME:/a/path``.

    Raises
    ------
    ValueError
        No reader has that name.
    FileNotFoundError
        The set's folder is absent: the message names it.
    """
    kind, _, place = name.partition(":")
    if kind not in READERS:
        raise ValueError(f"no reader named {kind!r}; there are: {', '.join(READERS)}")
    folder = Path(place).expanduser() if place else data / kind
    if not folder.exists():
        raise FileNotFoundError(f"no folder {folder}: point --data at the folder that holds {kind}/, or name the place as {kind}:/path")
    return READERS[kind], folder


def read_index(data: Path, names: Iterable[str]) -> list[Row]:
    """Read the named sets; what cannot be read is skipped, and a summary of it is logged as a warning.

    Parameters
    ----------
    data
        Folder that holds a sub-folder for each set.
    names
        ``NAME`` or ``NAME:/a/path``, names as in `READERS`.

    Raises
    ------
    ValueError
        No reader has that name.
    FileNotFoundError
        A set's folder, or the table in it, is absent: the message names it.
    """
    rows: list[Row] = []
    for name in names:
        reader, folder = locate(data, name)
        index = reader(folder)
        rows += index.rows
        for line in summarise(index.skipped):
            log.warning("%s: %s", name, line)
    return rows


def summarise(skipped: Sequence[Skipped]) -> list[str]:
    """One line a reason: how many, and the first few by name."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for item in skipped:
        by_reason[item.why].append(item.what)
    return [
        f"skipped {len(names)} ({why}): {', '.join(names[:NAMED_IN_SUMMARY])}{', ...' if len(names) > NAMED_IN_SUMMARY else ''}"
        for why, names in by_reason.items()
    ]
