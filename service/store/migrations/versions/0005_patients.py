"""Further patients of a study, and the kind of a hold."""

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
    # Until now only swapped sides held a study.
    op.add_column("study_holds", Column("kind", WORD, nullable=False, server_default="sides-swapped"))
