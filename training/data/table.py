"""The one table that every reader fills: a row an image, with what its set says about it and nothing guessed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the picture after `Row.mirrored` and `Row.inverted` are undone; ends are exclusive."""


@dataclass(frozen=True)
class Roi:
    """One outlined lesion.

    Parameters
    ----------
    box
        Around the lesion, in source pixels.
    kind
        What it is; ``other`` where the set names something else (asymmetry, distortion).
    pathology
        None where the set does not say.
    outline
        (x, y) source pixels of a polygon; empty where only the box is known.
    mask
        File of the same size as the image, non-zero inside the lesion.
    """

    box: Box
    kind: Literal["mass", "calcification", "other"]
    pathology: Literal["malignant", "benign"] | None = None
    outline: tuple[tuple[float, float], ...] = ()
    mask: Path | None = None


@dataclass(frozen=True)
class Row:
    """One image.

    Parameters
    ----------
    patient
        Unique over all sets (prefixed with the set): what splits go by.
    exam
        Images of one visit of one patient share it.
    image
        The set's own name of the image, or its SOP Instance UID.
    view, laterality, density
        ``CC``/``MLO``, ``L``/``R`` and ``A``-``D``; None where the set does not say, or where its pixels are known to disagree.
    breast
        The side as the set declares it: which images belong together, whatever their orientation.
    pathology
        Of this breast. ``negative``: no cancer, benign and normal not distinguished. None where unknown.
    inverted, mirrored
        The file shows air bright, or is flipped left to right against the standard orientation: undo it on reading. Where a set does not
        say whether its air is bright (None), the pixels decide, as they do in the service.
    aspect
        True width to height of the picture, where the set stretched it; None: its pixels are square.
    birads, invasive, implant
        BI-RADS assessment of the breast, whether its cancer is invasive, whether an implant is in the picture; None where unknown.
    tissue
        ``F`` fatty, ``G`` fatty-glandular, ``D`` dense-glandular: the three classes of mini-MIAS, which are no BI-RADS density.
    mammogram
        False for pictures of something else, which a network must learn to refuse; they have no other labels.
    """

    dataset: str
    patient: str
    exam: str
    image: str
    file: Path
    view: str | None
    laterality: str | None
    breast: str
    density: str | None
    pathology: Literal["malignant", "benign", "normal", "negative"] | None
    manufacturer: str
    age: float | None
    rois: tuple[Roi, ...] = ()
    inverted: bool | None = None
    mirrored: bool = False
    aspect: float | None = None
    birads: int | None = None
    invasive: bool | None = None
    implant: bool | None = None
    tissue: str | None = None
    mammogram: bool = True

    @property
    def malignant(self) -> bool | None:
        """Biopsy-proven cancer in this breast; None where unknown."""
        return None if self.pathology is None else self.pathology == "malignant"


@dataclass(frozen=True)
class Skipped:
    """A file or a table line that could not be read, and why; never silently dropped."""

    what: str
    why: str


@dataclass(frozen=True)
class Index:
    """What a reader found."""

    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...] = ()


def fingerprint(rows: Iterable[Row]) -> str:
    """16 hex digits of SHA-256 over the rows: other images or labels change it, another folder or order does not."""
    lines = sorted(
        json.dumps([row.dataset, row.patient, row.exam, row.image, row.view, row.laterality, row.density, row.pathology, len(row.rois)])
        for row in rows
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
