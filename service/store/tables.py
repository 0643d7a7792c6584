"""The tables of the ledger. `migrations/` creates them; a test proves that both agree."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from service.store.database import UID, WORD, UtcDateTime, metadata

studies = Table(
    "studies",
    metadata,
    Column("study_instance_uid", UID, primary_key=True),
    Column("state", WORD, nullable=False),
    Column("priority", WORD, nullable=False),
    Column("first_received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    # Last time an instance was received, ended or was reopened: the idle time of the study begins here.
    Column("updated_at", UtcDateTime, nullable=False),
    # Something changed since the current conclusion was drawn.
    Column("needs_conclusion", Boolean, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("finished_count", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("flag", WORD, nullable=False),
    Column("score", Float),
    Column("density", WORD, nullable=False),
    # The triage order as plain ascending columns, so that one index serves it and a cursor is one comparison.
    Column("triage_rank", Integer, nullable=False),
    Column("triage_position", Float, nullable=False),
    # What the worklist shows, searches and filters by, so that a page parses no header and no conclusion: see `derived_columns`.
    Column("patient_key", String(130), nullable=False, server_default="", index=True),
    Column("patient_id", WORD, nullable=False, server_default=""),
    Column("patient_name", String(200), nullable=False, server_default=""),
    Column("birth_date", WORD, nullable=False, server_default=""),
    Column("sex", WORD, nullable=False, server_default=""),
    Column("age_years", Integer),
    Column("study_date", WORD, nullable=False, server_default=""),
    Column("accession_number", WORD, nullable=False, server_default="", index=True),
    Column("institution", WORD, nullable=False, server_default=""),
    Column("station_name", WORD, nullable=False, server_default="", index=True),
    Column("manufacturer", WORD, nullable=False, server_default=""),
    # Lower case: patient's ID and name, accession number, study UID.
    Column("search", Text, nullable=False, server_default=""),
    # How headers agree with pixels, of the worst image; NULL before the first conclusion.
    Column("agreement", WORD),
    Column("score_right", Float),
    Column("score_left", Float),
    Column("density_right", WORD, nullable=False, server_default="UNKNOWN"),
    Column("density_left", WORD, nullable=False, server_default="UNKNOWN"),
    Column("concluded_at", UtcDateTime),
    Index("ix_studies_triage_order", "triage_rank", "triage_position", "first_received_at", "study_instance_uid"),
    Index(None, "first_received_at", "study_instance_uid"),
    Index(None, "needs_conclusion", "updated_at"),
    Index(None, "agreement", "first_received_at"),
    Index(None, "concluded_at"),
)

instances = Table(
    "instances",
    metadata,
    Column("sop_instance_uid", UID, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False, index=True),
    Column("header", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("path", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("calling_ae", WORD, nullable=False),
    Column("priority", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("finding", Text),
    Column("tries", Integer, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    # Last time it was queued or attempted.
    Column("last_attempt_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    # What quality figures group by, from header and finding.
    Column("series_instance_uid", UID, nullable=False, server_default="", index=True),
    Column("sop_class_uid", UID, nullable=False, server_default=""),
    Column("modality", WORD, nullable=False, server_default=""),
    Column("station_name", WORD, nullable=False, server_default=""),
    Column("manufacturer", WORD, nullable=False, server_default=""),
    Column("model_name", WORD, nullable=False, server_default=""),
    Column("software_versions", WORD, nullable=False, server_default=""),
    # Why it was not analysed, or failed.
    Column("reason_code", WORD, nullable=False, server_default=""),
    # How its header agrees with its pixels in the current conclusion; NULL before the first one.
    Column("agreement", WORD),
    Column("cancer_score", Float),
    Column("density", WORD, nullable=False, server_default=""),
    Index(None, "state", "last_attempt_at"),
    Index(None, "received_at"),
    # Has all columns that quality figures read, so that a query reads the index and no row.
    Index(
        "ix_instances_quality",
        "finished_at",
        "state",
        "agreement",
        "reason_code",
        "cancer_score",
        "density",
        "station_name",
        "manufacturer",
        "model_name",
        "software_versions",
    ),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sop_instance_uid", UID, ForeignKey("instances.sop_instance_uid"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("path", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("calling_ae", WORD, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("sop_instance_uid", "sha256"),
)

conclusions = Table(
    "conclusions",
    metadata,
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("concluded_at", UtcDateTime, nullable=False),
    Column("conclusion", Text, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", WORD, nullable=False),
    # NULL where it serves no correction.
    Column("correction_id", Integer, ForeignKey("corrections.id")),
    Column("source_sop_instance_uid", UID),
    Column("destination", WORD, nullable=False),
    Column("object_uid", UID, nullable=False),
    # Of the object; empty where that is not known yet.
    Column("sop_class_uid", UID, nullable=False, server_default=""),
    Column("state", WORD, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text),
    # The destination's last answer: a DIMSE status or an HTTP status.
    Column("status", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("object_uid", "destination", "kind", "correction_id"),
    # The constraint above holds two NULLs for different: without a correction, these three are the key.
    Index(
        "uq_deliveries_without_correction",
        "object_uid",
        "destination",
        "kind",
        unique=True,
        sqlite_where=text("correction_id IS NULL"),
        postgresql_where=text("correction_id IS NULL"),
    ),
    Index(None, "study_instance_uid", "version"),
    Index(None, "state", "next_try_at"),
    Index(None, "correction_id"),
    Index(None, "finished_at"),
    Index(None, "destination", "state"),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("sop_instance_uid", UID, ForeignKey("instances.sop_instance_uid"), nullable=False),
    # Of the last conclusion that found the difference.
    Column("version", Integer, nullable=False),
    Column("kind", WORD, nullable=False),
    # What would be written: the same change of the same image is one row, so a rejected change is not proposed again.
    Column("change", WORD, nullable=False),
    Column("correction", Text, nullable=False),
    Column("state", WORD, nullable=False),
    Column("decided_by", WORD),
    Column("decided_at", UtcDateTime),
    Column("decided_reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("sop_instance_uid", "change"),
    Index(None, "study_instance_uid"),
    Index(None, "state", "id"),
)

correction_history = Table(
    "correction_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("correction_id", Integer, ForeignKey("corrections.id"), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("state", WORD, nullable=False),
    Column("actor", WORD, nullable=False),
    Column("reason", Text, nullable=False),
)

study_holds = Table(
    "study_holds",
    metadata,
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("released_at", UtcDateTime),
    Column("released_by", WORD),
    Column("released_reason", Text),
    Column("kind", WORD, nullable=False, server_default="sides-swapped"),
)

study_patients = Table(
    "study_patients",
    metadata,
    Column("id", Integer, primary_key=True),
    # Patients of a study beside the one in its row: empty for a study whose images agree.
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("identity", Text, nullable=False),
    Column("identity_sha256", String(64), nullable=False),
    Column("patient_id", WORD, nullable=False),
    Column("patient_name", String(200), nullable=False),
    Column("birth_date", WORD, nullable=False),
    Column("sex", WORD, nullable=False),
    Column("study_date", WORD, nullable=False),
    Column("accession_number", WORD, nullable=False),
    Column("search", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    UniqueConstraint("study_instance_uid", "identity_sha256"),
    Index(None, "patient_id"),
)

destination_health = Table(
    "destination_health",
    metadata,
    Column("name", WORD, primary_key=True),
    # In a row, since the last answer.
    Column("failures", Integer, nullable=False),
    Column("open_until", UtcDateTime),
    Column("last_error", Text),
    Column("last_answer_at", UtcDateTime),
    # SOP Class UIDs that it accepts and does not accept, as JSON; NULL until it was asked.
    Column("capabilities", Text),
    Column("asked_at", UtcDateTime),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("study_instance_uid", UID, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "study_instance_uid", "id"),
)

webhook_cursors = Table(
    "webhook_cursors",
    metadata,
    Column("name", WORD, primary_key=True),
    # Every event up to this one was delivered or does not concern the webhook.
    Column("last_event_id", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("last_error", Text),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(130), primary_key=True),
    Column("host", WORD, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("provider", WORD, nullable=False),
    # Identities of the models it loaded, as JSON.
    Column("models", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

metric_samples = Table(
    "metric_samples",
    metadata,
    # Queue depth, free disk space and the like, as the sweeper measured them.
    Column("name", WORD, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("value", Float, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False, index=True),
    Column("sop_instance_uid", UID, ForeignKey("instances.sop_instance_uid"), nullable=False, index=True),
    # view, laterality, density or cancer.
    Column("label", WORD, nullable=False),
    # agree or wrong.
    Column("verdict", WORD, nullable=False),
    # The answer of the network, and the value that the person enters.
    Column("predicted_value", WORD, nullable=False),
    Column("corrected_value", WORD, nullable=False),
    Column("note", Text, nullable=False),
    Column("actor", WORD, nullable=False),
    # Name and version of the network that gave the answer.
    Column("model", String(130), nullable=False),
)

derived_instances = Table(
    "derived_instances",
    metadata,
    # Objects that this service built and stored in the data folder.
    Column("object_uid", UID, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False, index=True),
    Column("series_instance_uid", UID, nullable=False, index=True),
    Column("sop_class_uid", UID, nullable=False),
    Column("modality", WORD, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)
