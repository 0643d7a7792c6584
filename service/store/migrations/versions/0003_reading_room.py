"""Whose study it is, plain columns for worklist and quality figures, accounts, audit, workers, feedback, produced objects."""

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("studies") as studies:
        studies.add_column(sa.Column("patient_key", sa.String(length=130), nullable=False, server_default=""))
        studies.add_column(sa.Column("patient_id", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("patient_name", sa.String(length=200), nullable=False, server_default=""))
        studies.add_column(sa.Column("birth_date", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("sex", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("age_years", sa.Integer(), nullable=True))
        studies.add_column(sa.Column("study_date", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("accession_number", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("institution", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("station_name", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("manufacturer", sa.String(length=64), nullable=False, server_default=""))
        studies.add_column(sa.Column("search", sa.Text(), nullable=False, server_default=""))
        studies.add_column(sa.Column("agreement", sa.String(length=64), nullable=True))
        studies.add_column(sa.Column("score_right", sa.Float(), nullable=True))
        studies.add_column(sa.Column("score_left", sa.Float(), nullable=True))
        studies.add_column(sa.Column("density_right", sa.String(length=64), nullable=False, server_default="UNKNOWN"))
        studies.add_column(sa.Column("density_left", sa.String(length=64), nullable=False, server_default="UNKNOWN"))
        studies.add_column(sa.Column("concluded_at", sa.DateTime(timezone=True), nullable=True))
        studies.create_index("ix_studies_patient_key", ["patient_key"])
        studies.create_index("ix_studies_accession_number", ["accession_number"])
        studies.create_index("ix_studies_station_name", ["station_name"])
        studies.create_index("ix_studies_agreement_first_received_at", ["agreement", "first_received_at"])
        studies.create_index("ix_studies_concluded_at", ["concluded_at"])
    with op.batch_alter_table("instances") as instances:
        instances.add_column(sa.Column("series_uid", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("sop_class_uid", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("modality", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("station_name", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("manufacturer", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("model_name", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("software_versions", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("reason_code", sa.String(length=64), nullable=False, server_default=""))
        instances.add_column(sa.Column("agreement", sa.String(length=64), nullable=True))
        instances.add_column(sa.Column("cancer_score", sa.Float(), nullable=True))
        instances.add_column(sa.Column("density", sa.String(length=64), nullable=False, server_default=""))
        instances.create_index("ix_instances_series_uid", ["series_uid"])
        instances.create_index("ix_instances_received_at", ["received_at"])
        instances.create_index(
            "ix_instances_quality",
            [
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
            ],
        )
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("subject", sa.String(length=512), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
        sa.UniqueConstraint("subject", name=op.f("uq_users_subject")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_name", sa.String(length=64), nullable=False),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_name"], ["users.name"], name=op.f("fk_sessions_user_name")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_user_name"), "sessions", ["user_name"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("name", name=op.f("uq_api_keys_name")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_api_keys_secret_sha256")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_failures")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=130), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=130), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("models", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_table(
        "samples",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "at", name=op.f("pk_samples")),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=64), nullable=False),
        sa.Column("said", sa.String(length=64), nullable=False),
        sa.Column("right_value", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=130), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_feedback_study_uid")),
        sa.ForeignKeyConstraint(["sop_uid"], ["instances.sop_uid"], name=op.f("fk_feedback_sop_uid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_study_uid"), "feedback", ["study_uid"])
    op.create_index(op.f("ix_feedback_sop_uid"), "feedback", ["sop_uid"])
    op.create_table(
        "produced",
        sa.Column("object_uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_produced_study_uid")),
        sa.PrimaryKeyConstraint("object_uid", name=op.f("pk_produced")),
    )
    op.create_index(op.f("ix_produced_study_uid"), "produced", ["study_uid"])
    op.create_index(op.f("ix_produced_series_uid"), "produced", ["series_uid"])
    op.create_index(op.f("ix_deliveries_finished_at"), "deliveries", ["finished_at"])
    op.create_index(op.f("ix_deliveries_destination_state"), "deliveries", ["destination", "state"])
    _fill_in(op.get_bind())


def _fill_in(connection: sa.Connection) -> None:
    """Fill the columns from the JSON that older versions wrote. Only the files name the patient, so the patient's columns stay empty."""
    metadata = sa.MetaData()
    studies, instances, conclusions = (
        sa.Table(name, metadata, autoload_with=connection) for name in ("studies", "instances", "conclusions")
    )
    opened: set[str] = set()
    for uid, study_uid, header_json, finding_json in connection.execute(
        sa.select(instances.c.sop_uid, instances.c.study_uid, instances.c.header, instances.c.finding).order_by(instances.c.received_at)
    ).all():
        header, finding = json.loads(header_json), json.loads(finding_json) if finding_json else {}
        values = _instance_columns(header) | _finding_columns(finding)
        connection.execute(sa.update(instances).where(instances.c.sop_uid == uid).values(values))
        if study_uid not in opened:
            opened.add(study_uid)
            connection.execute(sa.update(studies).where(studies.c.study_uid == study_uid).values(_study_columns(header)))
    current = sa.select(conclusions.c.study_uid, conclusions.c.conclusion).join(
        studies, sa.and_(studies.c.study_uid == conclusions.c.study_uid, studies.c.version == conclusions.c.version)
    )
    for study_uid, text in connection.execute(current).all():
        conclusion = json.loads(text)
        connection.execute(sa.update(studies).where(studies.c.study_uid == study_uid).values(_conclusion_columns(conclusion)))
        for each in conclusion.get("corrections", ()):
            seen = sa.update(instances).where(instances.c.sop_uid == each["sop_instance_uid"])
            connection.execute(seen.values(agreement=_agreement(each)))


# The rules of this version's software, copied: the software goes on, a migration does not.


def _study_columns(header: dict[str, Any]) -> dict[str, str]:
    copied = ("study_date", "accession_number", "institution", "station_name", "manufacturer")
    searched = ("", "", header.get("accession_number", ""), header["study_instance_uid"])
    search = "\n".join(" ".join(each.split()) for each in searched)
    return {name: _word(header.get(name, "")) for name in copied} | {"search": _word(search, 500).lower()}


def _instance_columns(header: dict[str, Any]) -> dict[str, str]:
    copied = ("modality", "station_name", "manufacturer", "model_name", "software_versions")
    uids = {"series_uid": header["series_instance_uid"], "sop_class_uid": header["sop_class_uid"]}
    return uids | {name: _word(header.get(name, "")) for name in copied}


def _finding_columns(finding: dict[str, Any]) -> dict[str, Any]:
    return {
        "reason_code": (finding.get("reason") or {}).get("code", ""),
        "cancer_score": finding.get("cancer_score"),
        "density": (finding.get("density") or {}).get("value", ""),
    }


def _conclusion_columns(conclusion: dict[str, Any]) -> dict[str, Any]:
    breasts = {breast["laterality"]: breast for breast in conclusion.get("breasts", ())}
    right, left = breasts.get("R", {}), breasts.get("L", {})
    found = {_agreement(each) for each in conclusion.get("corrections", ())}
    return {
        "agreement": next((each for each in ("contradict", "missing", "unsure", "agree") if each in found), None),
        "score_right": right.get("score"),
        "score_left": left.get("score"),
        "density_right": right.get("density", "UNKNOWN"),
        "density_left": left.get("density", "UNKNOWN"),
        "concluded_at": datetime.fromisoformat(conclusion["concluded_at"]).astimezone(UTC),
    }


def _agreement(correction: dict[str, Any]) -> str:
    of_kind = {
        "missing": "missing",
        "contradicts": "contradict",
        "mirrored": "contradict",
        "exchanged": "contradict",
        "view-unknown": "unsure",
    }
    if correction.get("kind") is not None:
        return of_kind[correction["kind"]]
    return "unsure" if "unsure" in (correction["view"], correction["laterality"]) else "agree"


def _word(text: str, longest: int = 64) -> str:
    return "".join(each for each in text if each.isprintable() or each == "\n").strip()[:longest]
