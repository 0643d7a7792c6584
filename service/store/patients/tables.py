"""The table of the patients of a study beside the one in its row."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from service.store.database import UID, WORD, UtcDateTime, metadata

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
