"""The tables that revision 0004 creates, as they are after it. Frozen once 0004 is released: later changes get a revision of their own."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Text, UniqueConstraint

UID = WORD = HASH = sa.String(64)
KEY = sa.String(130)
TIME = sa.DateTime(timezone=True)

tables = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

sa.Table(
    "studies",
    tables,
    Column("study_instance_uid", UID, primary_key=True),
    Column("state", WORD, nullable=False),
    Column("priority", WORD, nullable=False),
    Column("first_received_at", TIME, nullable=False),
    Column("last_received_at", TIME, nullable=False),
    Column("updated_at", TIME, nullable=False),
    Column("needs_conclusion", Boolean, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("finished_count", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("flag", WORD, nullable=False),
    Column("score", Float),
    Column("density", WORD, nullable=False),
    Column("triage_rank", Integer, nullable=False),
    Column("triage_position", Float, nullable=False),
    Column("patient_key", KEY, nullable=False, server_default="", index=True),
    Column("patient_id", WORD, nullable=False, server_default=""),
    Column("patient_name", sa.String(200), nullable=False, server_default=""),
    Column("birth_date", WORD, nullable=False, server_default=""),
    Column("sex", WORD, nullable=False, server_default=""),
    Column("age_years", Integer),
    Column("study_date", WORD, nullable=False, server_default=""),
    Column("accession_number", WORD, nullable=False, server_default="", index=True),
    Column("institution", WORD, nullable=False, server_default=""),
    Column("station_name", WORD, nullable=False, server_default="", index=True),
    Column("manufacturer", WORD, nullable=False, server_default=""),
    Column("search", Text, nullable=False, server_default=""),
    Column("agreement", WORD),
    Column("score_right", Float),
    Column("score_left", Float),
    Column("density_right", WORD, nullable=False, server_default="UNKNOWN"),
    Column("density_left", WORD, nullable=False, server_default="UNKNOWN"),
    Column("concluded_at", TIME),
    Index("ix_studies_triage_order", "triage_rank", "triage_position", "first_received_at", "study_instance_uid"),
    Index(None, "first_received_at", "study_instance_uid"),
    Index(None, "needs_conclusion", "updated_at"),
    Index(None, "agreement", "first_received_at"),
    Index(None, "concluded_at"),
)

sa.Table(
    "instances",
    tables,
    Column("sop_instance_uid", UID, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False, index=True),
    Column("header", Text, nullable=False),
    Column("sha256", HASH, nullable=False),
    Column("path", sa.String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("calling_ae", WORD, nullable=False),
    Column("priority", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("finding", Text),
    Column("tries", Integer, nullable=False),
    Column("received_at", TIME, nullable=False),
    Column("last_attempt_at", TIME, nullable=False),
    Column("finished_at", TIME),
    Column("series_instance_uid", UID, nullable=False, server_default="", index=True),
    Column("sop_class_uid", UID, nullable=False, server_default=""),
    Column("modality", WORD, nullable=False, server_default=""),
    Column("station_name", WORD, nullable=False, server_default=""),
    Column("manufacturer", WORD, nullable=False, server_default=""),
    Column("model_name", WORD, nullable=False, server_default=""),
    Column("software_versions", WORD, nullable=False, server_default=""),
    Column("reason_code", WORD, nullable=False, server_default=""),
    Column("agreement", WORD),
    Column("cancer_score", Float),
    Column("density", WORD, nullable=False, server_default=""),
    Index(None, "state", "last_attempt_at"),
    Index(None, "received_at"),
    Index(
        "ix_instances_quality",
        *("finished_at", "state", "agreement", "reason_code", "cancer_score", "density"),
        *("station_name", "manufacturer", "model_name", "software_versions"),
    ),
)

sa.Table(
    "conflicts",
    tables,
    Column("id", Integer, primary_key=True),
    Column("sop_instance_uid", UID, ForeignKey("instances.sop_instance_uid"), nullable=False),
    Column("sha256", HASH, nullable=False),
    Column("path", sa.String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("calling_ae", WORD, nullable=False),
    Column("received_at", TIME, nullable=False),
    UniqueConstraint("sop_instance_uid", "sha256"),
)

sa.Table(
    "conclusions",
    tables,
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("fingerprint", HASH, nullable=False),
    Column("concluded_at", TIME, nullable=False),
    Column("conclusion", Text, nullable=False),
)

sa.Table(
    "corrections",
    tables,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("sop_instance_uid", UID, ForeignKey("instances.sop_instance_uid"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("change", WORD, nullable=False),
    Column("correction", Text, nullable=False),
    Column("state", WORD, nullable=False),
    Column("decided_by", WORD),
    Column("decided_at", TIME),
    Column("decided_reason", Text),
    Column("created_at", TIME, nullable=False),
    Column("updated_at", TIME, nullable=False),
    UniqueConstraint("sop_instance_uid", "change"),
    Index(None, "study_instance_uid"),
    Index(None, "state", "id"),
)

sa.Table(
    "correction_history",
    tables,
    Column("id", Integer, primary_key=True),
    Column("correction_id", Integer, ForeignKey("corrections.id"), nullable=False, index=True),
    Column("at", TIME, nullable=False),
    Column("state", WORD, nullable=False),
    Column("actor", WORD, nullable=False),
    Column("reason", Text, nullable=False),
)

sa.Table(
    "deliveries",
    tables,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("correction_id", Integer, ForeignKey("corrections.id")),
    Column("source_sop_instance_uid", UID),
    Column("destination", WORD, nullable=False),
    Column("object_uid", UID, nullable=False),
    Column("sop_class_uid", UID, nullable=False, server_default=""),
    Column("state", WORD, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text),
    Column("status", Integer),
    Column("created_at", TIME, nullable=False),
    Column("next_try_at", TIME, nullable=False),
    Column("leased_until", TIME),
    Column("finished_at", TIME),
    UniqueConstraint("object_uid", "destination", "kind", "correction_id"),
    Index(
        *("uq_deliveries_without_correction", "object_uid", "destination", "kind"),
        unique=True,
        sqlite_where=sa.text("correction_id IS NULL"),
        postgresql_where=sa.text("correction_id IS NULL"),
    ),
    Index(None, "study_instance_uid", "version"),
    Index(None, "state", "next_try_at"),
    Index(None, "correction_id"),
    Index(None, "finished_at"),
    Index(None, "destination", "state"),
)

sa.Table(
    "study_holds",
    tables,
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", TIME, nullable=False),
    Column("released_at", TIME),
    Column("released_by", WORD),
    Column("released_reason", Text),
)

sa.Table(
    "destination_health",
    tables,
    Column("name", WORD, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("open_until", TIME),
    Column("last_error", Text),
    Column("last_answer_at", TIME),
    Column("capabilities", Text),
    Column("asked_at", TIME),
)

sa.Table(
    "events",
    tables,
    Column("id", Integer, primary_key=True),
    Column("at", TIME, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("study_instance_uid", UID, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "study_instance_uid", "id"),
)

sa.Table(
    "webhook_cursors",
    tables,
    Column("name", WORD, primary_key=True),
    Column("last_event_id", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", TIME, nullable=False),
    Column("leased_until", TIME),
    Column("last_error", Text),
)

sa.Table(
    "metric_samples",
    tables,
    Column("name", WORD, primary_key=True),
    Column("at", TIME, primary_key=True),
    Column("value", Float, nullable=False),
)

sa.Table(
    "audit_log",
    tables,
    Column("id", Integer, primary_key=True),
    Column("at", TIME, nullable=False, index=True),
    Column("actor", WORD, nullable=False),
    Column("action", WORD, nullable=False),
    Column("subject", KEY, nullable=False),
    Column("detail", Text, nullable=False),
)

sa.Table(
    "feedback",
    tables,
    Column("id", Integer, primary_key=True),
    Column("at", TIME, nullable=False),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False, index=True),
    Column("sop_instance_uid", UID, ForeignKey("instances.sop_instance_uid"), nullable=False, index=True),
    Column("label", WORD, nullable=False),
    Column("verdict", WORD, nullable=False),
    Column("predicted_value", WORD, nullable=False),
    Column("corrected_value", WORD, nullable=False),
    Column("note", Text, nullable=False),
    Column("actor", WORD, nullable=False),
    Column("model", KEY, nullable=False),
)

sa.Table(
    "derived_instances",
    tables,
    Column("object_uid", UID, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False, index=True),
    Column("series_instance_uid", UID, nullable=False, index=True),
    Column("sop_class_uid", UID, nullable=False),
    Column("modality", WORD, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("made_at", TIME, nullable=False),
)
