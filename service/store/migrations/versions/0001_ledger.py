"""The first ledger: studies, instances, conflicts, conclusions, deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.String(length=64), nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("finished_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("flag", sa.String(length=64), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("density", sa.String(length=64), nullable=False),
        sa.Column("triage_rank", sa.Integer(), nullable=False),
        sa.Column("triage_position", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_studies")),
    )
    op.create_index(op.f("ix_studies_first_received_at_study_uid"), "studies", ["first_received_at", "study_uid"], unique=False)
    op.create_index(
        "ix_studies_triage_order", "studies", ["triage_rank", "triage_position", "first_received_at", "study_uid"], unique=False
    )
    op.create_index(op.f("ix_studies_unsettled_changed_at"), "studies", ["unsettled", "changed_at"], unique=False)
    op.create_table(
        "conclusions",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("concluded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("conclusion", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_conclusions_study_uid")),
        sa.PrimaryKeyConstraint("study_uid", "version", name=op.f("pk_conclusions")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("source_sop_uid", sa.String(length=64), nullable=True),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("object_uid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_deliveries_study_uid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("object_uid", "destination", name=op.f("uq_deliveries_object_uid_destination")),
    )
    op.create_index(op.f("ix_deliveries_state_next_try_at"), "deliveries", ["state", "next_try_at"], unique=False)
    op.create_index(op.f("ix_deliveries_study_uid_version"), "deliveries", ["study_uid", "version"], unique=False)
    op.create_table(
        "instances",
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("calling_ae", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_instances_study_uid")),
        sa.PrimaryKeyConstraint("sop_uid", name=op.f("pk_instances")),
    )
    op.create_index(op.f("ix_instances_state_touched_at"), "instances", ["state", "touched_at"], unique=False)
    op.create_index(op.f("ix_instances_study_uid"), "instances", ["study_uid"], unique=False)
    op.create_table(
        "conflicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("calling_ae", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sop_uid"], ["instances.sop_uid"], name=op.f("fk_conflicts_sop_uid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflicts")),
        sa.UniqueConstraint("sop_uid", "sha256", name=op.f("uq_conflicts_sop_uid_sha256")),
    )


def downgrade() -> None:
    op.drop_table("conflicts")
    op.drop_index(op.f("ix_instances_study_uid"), table_name="instances")
    op.drop_index(op.f("ix_instances_state_touched_at"), table_name="instances")
    op.drop_table("instances")
    op.drop_index(op.f("ix_deliveries_study_uid_version"), table_name="deliveries")
    op.drop_index(op.f("ix_deliveries_state_next_try_at"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_table("conclusions")
    op.drop_index(op.f("ix_studies_unsettled_changed_at"), table_name="studies")
    op.drop_index("ix_studies_triage_order", table_name="studies")
    op.drop_index(op.f("ix_studies_first_received_at_study_uid"), table_name="studies")
    op.drop_table("studies")
