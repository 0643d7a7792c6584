"""Who a study's images are of: patients that differ, holds with a kind, conflicts with a state, patient values that a person corrected."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, ForeignKey, Index, Integer, Text, UniqueConstraint

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UID = WORD = sa.String(64)
TIME = sa.DateTime(timezone=True)

tables = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
sa.Table("studies", tables, Column("study_instance_uid", UID, primary_key=True))
STUDY_PATIENTS = sa.Table(
    "study_patients",
    tables,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", UID, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("identity", Text, nullable=False),
    Column("identity_sha256", UID, nullable=False),
    Column("patient_id", WORD, nullable=False),
    Column("patient_name", sa.String(200), nullable=False),
    Column("birth_date", WORD, nullable=False),
    Column("sex", WORD, nullable=False),
    Column("study_date", WORD, nullable=False),
    Column("accession_number", WORD, nullable=False),
    Column("search", Text, nullable=False),
    Column("since", TIME, nullable=False),
    UniqueConstraint("study_instance_uid", "identity_sha256"),
    Index(None, "patient_id"),
)


def upgrade() -> None:
    STUDY_PATIENTS.create(op.get_bind())
    op.add_column("studies", Column("patient_update", Text))
    op.add_column("instances", Column("patient", Text))
    # Until now only swapped sides held a study.
    op.add_column("study_holds", Column("kind", WORD, nullable=False, server_default="sides-swapped"))
    # Until now the first data set stayed in use, and the other was kept beside it.
    op.add_column("conflicts", Column("state", WORD, nullable=False, server_default="kept-both"))
    op.add_column("conflicts", Column("kind", WORD, nullable=False, server_default="unknown"))
    op.add_column("conflicts", Column("study_instance_uid", UID, nullable=False, server_default=""))
    op.add_column("conflicts", Column("header", Text))
    op.add_column("conflicts", Column("patient", Text))
    op.add_column("conflicts", Column("decided_at", TIME))
    op.add_column("conflicts", Column("decided_by", WORD))
    op.add_column("conflicts", Column("decided_reason", Text))
    op.execute(
        "UPDATE conflicts SET study_instance_uid = (SELECT i.study_instance_uid FROM instances AS i"
        " WHERE i.sop_instance_uid = conflicts.sop_instance_uid)"
    )
    op.create_index("ix_conflicts_study_instance_uid", "conflicts", ["study_instance_uid"])
    op.create_index("ix_conflicts_state", "conflicts", ["state"])
