"""A ledger as revision 0003 or 0002 held it, with every word of that time. Written out, because today's classes have other words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import MetaData

from service.store.database import open_engine

AT = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
STUDY, PARTIAL_STUDY, NEW_STUDY = "1.2.3", "1.2.4", "1.2.5"
INSTANCE, SKIPPED, FAILED, RECEIVED = "1.2.3.1", "1.2.3.2", "1.2.4.1", "1.2.5.1"
STATES_OF_DELIVERIES = ("pending", "sent", "verified", "not-applied", "refused", "failed", "left-out")
KINDS_OF_OBJECTS = ("cad-sr", "sr", "sc", "gsps", "corrected", "undone", "kos")
STATES_OF_CORRECTIONS = (
    *("reported", "proposed", "approved", "rejected", "withdrawn"),
    *("applied", "verified", "not-applied", "undoing", "undone"),
)
KINDS_OF_CORRECTIONS = ("missing", "contradicts", "mirrored", "exchanged", "view-unknown")
EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("study.received", {}),
    ("study.concluded", {"version": 2, "flag": "routine", "complete": True}),
    ("label.disagreement", {"version": 2, "instances": [INSTANCE]}),
    ("study.held", {}),
    ("study.released", {"who": "a.curie"}),
    ("delivery.retried", {"delivery": 1, "destination": "pacs", "who": "a.curie"}),
    *(
        (f"delivery.{state}", {"delivery": 1, "kind": "undone", "destination": "pacs", "object_uid": "2.25.1", "tries": 2})
        for state in STATES_OF_DELIVERIES
    ),
    *((f"correction.{state}", {"correction": number, "state": state}) for number, state in enumerate(STATES_OF_CORRECTIONS, 1)),
)

LABELER = {"name": "labeler", "version": "1.0.0", "sha256": "a" * 64, "task": "labeler", "calibration": "none"}
CANCER = {"name": "cancer", "version": "2.1.0", "sha256": "b" * 64, "task": "cancer", "calibration": "platt"}
OLD_FINGERPRINT = "0956ec1d0b80789cf55ec0945d6d33c74fce7efc722e99286d1fed6efb3ebc18"
"""sha256 over the images' UIDs and states and over the networks, with ``not-analysed`` for the skipped image."""


def header(uid: str, study: str) -> dict[str, Any]:
    return {
        "sop_instance_uid": uid,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.2",
        "study_instance_uid": study,
        "series_instance_uid": f"{study}.7",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "modality": "MG",
        "kind": "full-field",
        "view": "MLO",
        "view_modifiers": ["RL"],
        "laterality": "R",
        "view_source": "ViewCodeSequence",
        "laterality_source": "ImageLaterality",
        "has_pixels": True,
        "rows": 4096,
        "columns": 3328,
        "frames": 1,
        "samples_per_pixel": 1,
        "magnification": 1.1,
        "presentation_intent": "FOR PRESENTATION",
        "image_type": ["DERIVED", "PRIMARY"],
        "manufacturer": "Vendor Ä",
        "model_name": "Mammo 3",
        "station_name": "MAMMO1",
        "software_versions": "1.2",
        "institution": "Clinic",
        "study_date": "20261102",
        "accession_number": "A77",
        "partial_view": True,
        "implant": True,
        "quality_control": False,
        "lossy": True,
        "field_of_view_flipped": True,
        "field_of_view_told": True,
        "orientation": ["P", "FR"],
    }


def label(value: str, confidence: float = 0.99) -> dict[str, Any]:
    return {"value": value, "confidence": confidence, "probabilities": {value: confidence}}


def finding(uid: str, state: str = "analysed") -> dict[str, Any]:
    analysed = state == "analysed"
    return {
        "sop_instance_uid": uid,
        "state": state,
        "reason": None if analysed else {"code": "tomosynthesis", "text": "a tomosynthesis image; only 2D mammograms are analysed"},
        "kind": "full-field",
        "view": label("CC") if analysed else None,
        "laterality": label("R") if analysed else None,
        "density": label("C", 0.7) if analysed else None,
        "cancer_score": 0.4 if analysed else None,
        "peak": {"row": 10.5, "column": 20.25, "strength": 0.75} if analysed else None,
        "chest_wall_right": True if analysed else None,
        "outline": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]] if analysed else [],
        "marker": {"text": "R CC", "laterality": "R", "view": "CC", "confidence": 0.9} if analysed else None,
        "inverted": analysed,
        "models": [LABELER, CANCER] if analysed else [],
        "provider": "CPUExecutionProvider" if analysed else "",
        "seconds": 0.5,
    }


def correction(kind: str, view: str = "CC") -> dict[str, Any]:
    return {
        "sop_instance_uid": INSTANCE,
        "view": "contradict",
        "laterality": "agree",
        "declared_view": "MLO" if view == "CC" else "CC",
        "declared_laterality": "R",
        "pixel_view": view,
        "pixel_laterality": "R",
        "kind": kind,
        "confidence": 0.97,
        "evidence": [{"code": "siblings", "text": "the other breast has both views", "sop_instance_uid": SKIPPED}],
        "film": True,
        "obstacle": "the image is marked as a partial view",
        "reason": "the pixels show CC",
    }


def conclusion(study: str, version: int, verdict: str, images: list[dict[str, Any]], fingerprint: str, kind: str = "") -> dict[str, Any]:
    return {
        "study_instance_uid": study,
        "version": version,
        "fingerprint": fingerprint,
        "concluded_at": "2026-11-02T08:00:00Z",
        "complete": False,
        "images": images,
        "breasts": [{"laterality": "R", "score": 0.4, "density": "C", "images": [images[0]["sop_instance_uid"]]}],
        "density": "C",
        "score": 0.4,
        "threshold": 0.5,
        "flag": "routine",
        "corrections": [correction(kind)] if kind else [],
        "reasoning": {"verdict": verdict, "text": "one image is declared MLO, and its pixels show CC"},
        "models": [LABELER, CANCER],
    }


def rows_0002() -> dict[str, list[dict[str, Any]]]:
    """Rows of every table of revision 0002, parents first."""
    state_of = {INSTANCE: (STUDY, "analysed"), SKIPPED: (STUDY, "not-analysed"), FAILED: (PARTIAL_STUDY, "failed")}
    images = [finding(INSTANCE), finding(SKIPPED, "not-analysed")]
    failed = [finding(FAILED, "failed")]
    verdicts = ("unsettled", "one-wrong", "exchanged", "mirrored", "as-declared")
    conclusions = [
        conclusion(STUDY, 1, verdicts[0], images[:1], "f" * 64),
        conclusion(STUDY, 2, verdicts[1], images, OLD_FINGERPRINT, "contradicts"),
        *(conclusion(PARTIAL_STUDY, number, verdict, failed, "e" * 64, "exchanged") for number, verdict in enumerate(verdicts[2:], 1)),
    ]
    versions = {STUDY: 2, PARTIAL_STUDY: 3, NEW_STUDY: 0}
    study_states = {STUDY: "concluded", PARTIAL_STUDY: "partial", NEW_STUDY: "receiving"}
    return {
        "studies": [
            {
                "study_uid": uid, "state": state, "priority": "routine", "first_received_at": AT, "last_received_at": AT, "changed_at": AT,
                "unsettled": uid == NEW_STUDY, "instance_count": 1, "finished_count": 1, "version": versions[uid], "flag": "routine",
                "score": 0.4, "density": "C", "triage_rank": 1, "triage_position": -0.4,
            }
            for uid, state in study_states.items()
        ],
        "instances": [
            {
                "sop_uid": uid, "study_uid": study, "header": json.dumps(header(uid, study)), "sha256": "0" * 64, "path": f"{uid}.dcm",
                "size": 5_000_000_000, "calling_ae": "MODALITY", "priority": "urgent", "state": state,
                "finding": None if state == "received" else json.dumps(finding(uid, state)), "tries": 1, "received_at": AT,
                "touched_at": AT, "finished_at": None if state == "received" else AT,
            }
            for uid, (study, state) in (state_of | {RECEIVED: (NEW_STUDY, "received")}).items()
        ],
        "conflicts": [
            {
                "id": 5, "sop_uid": INSTANCE, "sha256": "1" * 64, "path": "other.dcm", "size": 2, "calling_ae": "MODALITY",
                "received_at": AT,
            }
        ],
        "conclusions": [
            {
                "study_uid": each["study_instance_uid"], "version": each["version"], "fingerprint": each["fingerprint"],
                "concluded_at": AT, "conclusion": json.dumps(each),
            }
            for each in conclusions
        ],
        "corrections": [
            {
                "id": number, "study_uid": STUDY, "sop_uid": INSTANCE, "version": 2, "kind": (kind := KINDS_OF_CORRECTIONS[number % 5]),
                # Ten lives of one image: views keep the changes apart.
                "change": f"{kind}:R:{(view := 'CC' if number > 5 else 'MLO')}", "correction": json.dumps(correction(kind, view)),
                "state": state, "decided_by": "Dr. A", "decided_at": AT, "decided_why": "seen", "created_at": AT, "changed_at": AT,
            }
            for number, state in enumerate(STATES_OF_CORRECTIONS, 1)
        ],
        "correction_history": [
            {"id": number, "correction_id": number, "at": AT, "state": state, "who": "Dr. A", "why": f"because {state}"}
            for number, state in enumerate(STATES_OF_CORRECTIONS, 1)
        ],
        "deliveries": [
            {
                "id": number, "study_uid": STUDY, "version": 2, "kind": kind, "source_sop_uid": INSTANCE, "destination": "pacs",
                "object_uid": f"2.25.{number}", "state": state, "tries": 2, "error": "undone" if state == "not-applied" else None,
                "created_at": AT, "next_try_at": AT, "leased_until": None, "finished_at": None, "status": 272,
                "correction_id": 3 if kind in ("corrected", "undone", "kos") else 0,
            }
            for number, (state, kind) in enumerate(zip(STATES_OF_DELIVERIES, KINDS_OF_OBJECTS, strict=True), 1)
        ],
        "holds": [
            {"study_uid": STUDY, "reason": "both sides are exchanged", "since": AT, "released_at": AT, "released_by": "Dr. A",
             "released_why": "checked"},
            {"study_uid": PARTIAL_STUDY, "reason": "both sides are exchanged", "since": AT},
        ],
        "destination_states": [
            {"name": "pacs", "failures": 2, "open_until": AT, "last_error": "no answer", "last_answer_at": AT,
             "capabilities": json.dumps({"1.2.840.10008.5.1.4.1.1.88.34": True}), "asked_at": AT}
        ],
        "events": [
            {"id": number, "at": AT, "kind": kind, "study_uid": STUDY, "detail": json.dumps(detail)}
            for number, (kind, detail) in enumerate(EVENTS, 1)
        ],
        "webhook_states": [
            {"name": "ris", "last_event_id": 3, "tries": 1, "next_try_at": AT, "leased_until": AT, "last_error": "answered 500"}
        ],
    }  # fmt: skip


def rows_0003() -> dict[str, list[dict[str, Any]]]:
    """Rows of every table of revision 0003, parents first."""
    rows = rows_0002()
    for study in rows["studies"]:
        study |= {"patient_key": "|P1", "patient_id": "P1", "patient_name": "Doe^Jane", "birth_date": "19700101", "sex": "F",
                  "age_years": 56, "study_date": "20261102", "accession_number": "A77", "institution": "Clinic", "station_name": "MAMMO1",
                  "manufacturer": "Vendor Ä", "search": "p1\ndoe jane\na77", "agreement": "contradict", "score_right": 0.4,
                  "density_right": "C", "concluded_at": AT}  # fmt: skip
    for instance in rows["instances"]:
        instance |= {"series_uid": f"{instance['study_uid']}.7", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.2", "modality": "MG",
                     "reason_code": "tomosynthesis" if instance["state"] == "not-analysed" else "", "agreement": "contradict",
                     "cancer_score": 0.4, "density": "C", "station_name": "MAMMO1"}  # fmt: skip
    return rows | {
        "users": [{"name": "a.curie", "display_name": "Dr A. Curie", "role": "approver", "password_hash": "x", "subject": None,
                   "disabled": False, "created_at": AT, "signed_in_at": AT}],
        "sessions": [{"token_sha256": "2" * 64, "user_name": "a.curie", "csrf_token": "c", "created_at": AT, "seen_at": AT,
                      "expires_at": datetime(2099, 1, 1, tzinfo=UTC)}],
        "api_keys": [{"id": 4, "name": "ris", "secret_sha256": "3" * 64, "scopes": '["read"]', "created_by": "a.curie", "created_at": AT}],
        "sign_in_failures": [{"key": "user:a.curie", "count": 2, "last_at": AT, "blocked_until": None}],
        "audit": [{"id": 17, "at": AT, "who": "a.curie", "action": "POST /corrections/*/approve", "subject": "3", "detail": ""}],
        "workers": [{"name": "worker-1", "host": "h", "pid": 1, "provider": "CPUExecutionProvider", "models": json.dumps([LABELER]),
                     "started_at": AT, "seen_at": AT}],
        "samples": [{"name": "analysis", "at": AT, "value": 3.0}],
        "feedback": [{"id": 8, "at": AT, "study_uid": STUDY, "sop_uid": INSTANCE, "label": "view", "verdict": "wrong", "said": "CC",
                      "right_value": "MLO", "note": "", "who": "a.curie", "model": "labeler 1.0.0"}],
        "produced": [{"object_uid": f"2.25.{number}", "study_uid": STUDY, "series_uid": "2.25.99", "sop_class_uid": "1.2.840.1",
                      "modality": "SR", "kind": kind, "size": 5_000_000_000, "made_at": AT}
                     for number, kind in enumerate(KINDS_OF_OBJECTS, 1)],
    }  # fmt: skip


def fill(database_url: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Enter rows into a database of the revision that they belong to."""
    engine, tables = open_engine(database_url), MetaData()
    tables.reflect(engine)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        for name, of_table in rows.items():
            for row in of_table:
                connection.execute(tables.tables[name].insert().values(row))
    engine.dispose()
