"""The ledger of corrections as one file, CSV for spreadsheets and JSON for programs, written row by row."""

from __future__ import annotations

from collections.abc import Iterator

from service.api.corrections.presenter import show_correction, show_history
from service.api.corrections.schemas import CorrectionOut, ExportedCorrection
from service.api.http.csv_lines import csv_line
from service.domain.findings import CorrectionState
from service.store.corrections import CorrectionRow, Corrections

PAGE = 500
COLUMNS = (
    "id",
    "study_instance_uid",
    "sop_instance_uid",
    "version",
    "kind",
    "state",
    "declared_laterality",
    "declared_view",
    "pixel_laterality",
    "pixel_view",
    "proposed_laterality",
    "proposed_view",
    "confidence",
    "reason",
    "blocked_reason",
    "evidence",
    "decided_by",
    "decided_at",
    "decided_reason",
    "created_at",
    "updated_at",
    "history",
)


def write_csv(corrections: Corrections, state: CorrectionState | None = None, study_instance_uid: str | None = None) -> Iterator[str]:
    """A header line, then a line for each correction; its history as ``time state who: why`` joined by ``|``.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    yield csv_line(COLUMNS)
    for row in _rows(corrections, state, study_instance_uid):
        shown = show_correction(row)
        steps = [f"{each.at.isoformat()} {each.state} {each.actor}: {each.reason}" for each in corrections.history(row.id)]
        yield csv_line([*_cells(shown), " | ".join(steps)])


def write_json(corrections: Corrections, state: CorrectionState | None = None, study_instance_uid: str | None = None) -> Iterator[str]:
    """One array with an object for each correction, its history in it."""
    before = "["
    for row in _rows(corrections, state, study_instance_uid):
        exported = ExportedCorrection(**show_correction(row).model_dump(), history=show_history(corrections.history(row.id)))
        yield f"{before}\n{exported.model_dump_json()}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _rows(corrections: Corrections, state: CorrectionState | None, study_instance_uid: str | None) -> Iterator[CorrectionRow]:
    after_id = 0
    while page := corrections.find(state=state, study_instance_uid=study_instance_uid, after_id=after_id, limit=PAGE):
        yield from page
        after_id = page[-1].id


def _cells(shown: CorrectionOut) -> list[object]:
    return [
        shown.id,
        shown.study_instance_uid,
        shown.sop_instance_uid,
        shown.version,
        shown.kind,
        shown.state,
        shown.declared.laterality,
        shown.declared.view,
        shown.pixels.laterality,
        shown.pixels.view,
        shown.proposed.laterality,
        shown.proposed.view,
        shown.confidence,
        shown.reason,
        shown.blocked_reason,
        " ".join(each.code for each in shown.evidence),
        shown.decided_by,
        shown.decided_at and shown.decided_at.isoformat(),
        shown.decided_reason,
        shown.created_at.isoformat(),
        shown.updated_at.isoformat(),
    ]
