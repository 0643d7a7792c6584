"""The migrations make what the models say, on an empty database, once, whoever is first."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, select

from service.domain.findings import Agreement
from service.domain.patient import Patient
from service.store.database import open_engine
from service.store.ledger import Ledger
from service.store.migrate import migrate
from service.store.rows import StudyFilter
from service.store.tables import instances, metadata
from tests.support.ledger_values import header
from tests.support.sample_findings import analysed, concluded, correction


def test_the_migrated_schema_is_the_modelled_one(database_url: str) -> None:
    migrate(database_url)
    engine = open_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_migrated_database_is_left_alone(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
    with_tables = Ledger(database_url)
    with_tables.ping()
    with_tables.close()


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as processes:
        for done in [processes.submit(migrate, database_url) for _ in range(3)]:
            done.result(timeout=60)
    ledger = Ledger(database_url)
    assert ledger.counts()["instances"]["received"] == 0
    ledger.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u@h/d"])
def test_a_database_that_cannot_be_shared_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SQLite file or a PostgreSQL"):
        open_engine(url)


def test_a_ledger_of_an_older_version_is_filled_in_from_what_it_holds(database_url: str) -> None:
    migrate(database_url, "0002")
    told = header("1.2.3.4", "1.2.3").model_copy(
        update={"station_name": "MAMMO1", "manufacturer": "Vendor A", "study_date": "20261102", "accession_number": "A77", "modality": "MG"}
    )
    at = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    finding = analysed("1.2.3.4", "R", "CC", score=0.4, density="C")
    conclusion = concluded("1.2.3", [finding], [correction("1.2.3.4", ("R", "MLO"), ("R", "CC"), view=Agreement.CONTRADICT)], version=1)
    engine = open_engine(database_url)
    old = MetaData()
    old.reflect(engine, only=["studies", "instances", "conclusions"])
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.execute(
            old.tables["studies"].insert().values(
                study_uid="1.2.3", state="concluded", priority="routine", first_received_at=at, last_received_at=at, changed_at=at,
                unsettled=False, instance_count=1, finished_count=1, version=1, flag="routine", score=0.4, density="C", triage_rank=1,
                triage_position=-0.4,
            )
        )  # fmt: skip
        connection.execute(
            old.tables["instances"].insert().values(
                sop_uid="1.2.3.4", study_uid="1.2.3", header=told.model_dump_json(), sha256="0" * 64, path="x", size=1,
                calling_ae="MODALITY", priority="routine", state="analysed", finding=finding.model_dump_json(), tries=1,
                received_at=at, touched_at=at, finished_at=at,
            )
        )  # fmt: skip
        connection.execute(
            old.tables["conclusions"]
            .insert()
            .values(study_uid="1.2.3", version=1, fingerprint="f", concluded_at=at, conclusion=conclusion.model_dump_json())
        )
    engine.dispose()

    migrate(database_url)
    ledger = Ledger(database_url)
    (study,), _ = ledger.studies()
    assert (study.station_name, study.manufacturer, study.study_date, study.accession_number) == ("MAMMO1", "Vendor A", "20261102", "A77")
    assert study.agreement is Agreement.CONTRADICT and study.scores["R"] == conclusion.breasts[0].score and study.concluded_at
    assert study.patient == Patient(), "whose study it is stands in the files only"
    found, _ = ledger.studies(wanted=StudyFilter(text="a77", station_name="MAMMO1", agreement=Agreement.CONTRADICT))
    assert [each.study_instance_uid for each in found] == ["1.2.3"]
    with ledger._read() as connection:
        row = connection.execute(select(instances).where(instances.c.sop_instance_uid == "1.2.3.4")).one()
    assert (row.series_instance_uid, row.modality, row.agreement) == (told.series_instance_uid, "MG", Agreement.CONTRADICT)
    assert (row.cancer_score, row.density) == (0.4, "C")
    ledger.close()
