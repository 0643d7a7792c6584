"""Images of one exam, or of one breast, side by side in fixed places: what DIB-MG learns from (Kim et al. 2018, "Data collection")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.data.table import Row

FOUR_VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
"""Places of an exam: breast and view."""

TWO_VIEWS = ("CC", "MLO")
"""Places of a breast."""


@dataclass(frozen=True)
class Exam:
    """Some images with one label.

    Parameters
    ----------
    places
        Index into the table for each place; None where the exam lacks that view.
    first
        Index of the row that represents the exam: a malignant one where there is one, so that its `Row.malignant` is the exam's.
    malignant
        Any image is; None where none is known to be and some are unknown.
    """

    places: tuple[int | None, ...]
    first: int
    malignant: bool | None


def group_exams(rows: Sequence[Row]) -> list[Exam]:
    """Four-view exams; where a view was taken twice, its first image counts. Images without a view or a side take no part."""
    return _group(rows, by_breast=False)


def group_breasts(rows: Sequence[Row]) -> list[Exam]:
    """Single breasts of an exam, CC and MLO."""
    return _group(rows, by_breast=True)


def leave_out_benign(rows: Sequence[Row], exams: list[Exam]) -> list[Exam]:
    """Exams with cancer and normal ones: "presumed benign cases were not included" (Kim et al., "Data collection").

    A set that has no normal exam keeps its benign ones: they are all that it has to compare cancers with.
    """
    kept = [
        exam for exam in exams if exam.malignant or not any(rows[index].pathology == "benign" for index in exam.places if index is not None)
    ]
    return kept if any(exam.malignant is False for exam in kept) else exams


def _group(rows: Sequence[Row], by_breast: bool) -> list[Exam]:
    slots: dict[tuple[str, ...], list[int | None]] = {}
    members: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        if row.view not in TWO_VIEWS or row.breast not in ("L", "R"):
            continue
        key: tuple[str, ...] = (row.dataset, row.patient, row.exam, *([row.breast] if by_breast else []))
        place = TWO_VIEWS.index(row.view) if by_breast else FOUR_VIEWS.index((row.breast, row.view))
        taken = slots.setdefault(key, [None] * (len(TWO_VIEWS) if by_breast else len(FOUR_VIEWS)))
        if taken[place] is None:
            taken[place] = index
            members.setdefault(key, []).append(index)
    exams = []
    for key, places in slots.items():
        known = [rows[index].malignant for index in members[key]]
        sick = [index for index in members[key] if rows[index].malignant]
        exams.append(Exam(tuple(places), sick[0] if sick else members[key][0], True if sick else None if None in known else False))
    return exams
