"""The correction ledger, what is known of destinations, and events for those who want to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("correction_id", sa.Integer(), nullable=False, server_default="0"))
        deliveries.add_column(sa.Column("status", sa.Integer(), nullable=True))
        deliveries.drop_constraint("uq_deliveries_object_uid_destination", type_="unique")
        deliveries.create_unique_constraint(
            "uq_deliveries_object_uid_destination_kind_correction_id", ["object_uid", "destination", "kind", "correction_id"]
        )
        deliveries.create_index("ix_deliveries_correction_id", ["correction_id"])
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("change", sa.String(length=64), nullable=False),
        sa.Column("correction", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_corrections_study_uid")),
        sa.ForeignKeyConstraint(["sop_uid"], ["instances.sop_uid"], name=op.f("fk_corrections_sop_uid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("sop_uid", "change", name=op.f("uq_corrections_sop_uid_change")),
    )
    op.create_index(op.f("ix_corrections_study_uid"), "corrections", ["study_uid"])
    op.create_index(op.f("ix_corrections_state_id"), "corrections", ["state", "id"])
    op.create_table(
        "correction_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("correction_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["correction_id"], ["corrections.id"], name=op.f("fk_correction_history_correction_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction_history")),
    )
    op.create_index(op.f("ix_correction_history_correction_id"), "correction_history", ["correction_id"])
    op.create_table(
        "holds",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.String(length=64), nullable=True),
        sa.Column("released_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_holds_study_uid")),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_holds")),
    )
    op.create_table(
        "destination_states",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_answer_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("capabilities", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_destination_states")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_study_uid_id"), "events", ["study_uid", "id"])
    op.create_table(
        "webhook_states",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("last_event_id", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_webhook_states")),
    )
