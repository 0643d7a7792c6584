"""The migrations make what the models say, on an empty database, once, whoever is first."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import BaseModel
from sqlalchemy import Engine, func, inspect, select, text

from service.domain.events import EventKind
from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionKind,
    CorrectionState,
    DeliveryState,
    ImageFinding,
    InstanceHeader,
    InstanceState,
    LabelCorrection,
    ObjectKind,
    Verdict,
)
from service.domain.patient import Patient
from service.domain.study_conclusion import fingerprint
from service.store.accounts.tables import sessions
from service.store.corrections import change_key
from service.store.database import metadata, open_engine
from service.store.events import append_event
from service.store.ledger import Ledger
from service.store.migrate import migrate
from service.store.study_rows import StudyFilter
from service.store.tables import conclusions, derived_instances, instances, workers
from service.store.tables import corrections as corrections_table
from tests.support import older_ledger
from tests.support.ledger_values import record

STUDIES = (older_ledger.STUDY, older_ledger.PARTIAL_STUDY, older_ledger.NEW_STUDY)
ENDED = {state for state in DeliveryState if not state.is_open}
NEW_NAMES = {
    "audit": "audit_log",
    "destination_states": "destination_health",
    "holds": "study_holds",
    "produced": "derived_instances",
    "samples": "metric_samples",
    "webhook_states": "webhook_cursors",
}
JSON_COLUMNS: tuple[tuple[Any, str, type[BaseModel]], ...] = (
    (instances, "header", InstanceHeader),
    (instances, "finding", ImageFinding),
    (corrections_table, "correction", LabelCorrection),
    (conclusions, "conclusion", Conclusion),
)


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """Migrations begin with no tables."""
    return empty_database_url


def test_the_migrated_schema_is_the_modelled_one(database_url: str) -> None:
    migrate(database_url)
    engine = open_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_keys_constraints_and_indexes_have_the_modelled_names(database_url: str) -> None:
    migrate(database_url)
    engine = open_engine(database_url)
    migrated = describe_names(engine)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    assert migrated == describe_names(engine)
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
    assert ledger.counts.by_state()["instances"]["received"] == 0
    ledger.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u@h/d"])
def test_a_database_that_cannot_be_shared_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SQLite file or a PostgreSQL"):
        open_engine(url)


@pytest.mark.parametrize("revision", ["0002", "0003"])
def test_a_ledger_of_an_older_version_keeps_every_row_in_the_words_of_today(database_url: str, revision: str) -> None:
    migrate(database_url, revision)
    rows = older_ledger.rows_0002() if revision == "0002" else older_ledger.rows_0003()
    older_ledger.fill(database_url, rows)
    migrate(database_url)
    assert count_rows(database_url) == {NEW_NAMES.get(name, name): len(of_table) for name, of_table in rows.items()}
    ledger = Ledger(database_url)
    with ledger.database.read() as connection:
        for table, column, model in JSON_COLUMNS:
            for text in connection.execute(select(table.c[column]).where(table.c[column].is_not(None))).scalars():
                assert_written_by_today(model, json.loads(text))

    images = [each for study in STUDIES for each in ledger.instances.of_study(study)]
    assert {each.state for each in images} == set(InstanceState)
    assert [each.finding and each.finding.state for each in images] == [None if each.finished_at is None else each.state for each in images]
    assert all(each.size == 5_000_000_000 and each.received_at == older_ledger.AT for each in images)
    verdicts = {(study, each.version): each.reasoning.verdict for study in STUDIES for each in ledger.conclusions.of_study(study)}
    assert set(verdicts.values()) == set(Verdict) and verdicts[older_ledger.STUDY, 2] is Verdict.ONE_WRONG_LABEL
    assert [row.kind for row in ledger.deliveries.find()] == list(ObjectKind) and [row.state for row in ledger.deliveries.find()] == list(
        DeliveryState
    )
    assert [row.correction_id for row in ledger.deliveries.find()] == [None] * 4 + [3] * 3
    assert [row.error for row in ledger.deliveries.find()].count("reverted") == 1
    corrections = ledger.corrections.find()
    assert [row.state for row in corrections] == list(CorrectionState) and {row.kind for row in corrections} == set(CorrectionKind) - {
        CorrectionKind.HEADER_CONTRADICTS_ITSELF
    }
    assert all(row.kind is row.correction.kind for row in corrections)
    assert [ledger.corrections.history(row.id)[0].state for row in corrections] == list(CorrectionState)
    assert ledger.corrections.history(10)[0].actor == "Dr. A" and ledger.corrections.history(10)[0].reason == "because undone", (
        "a person's words stay"
    )
    assert [(row.study_instance_uid, row.released_reason) for row in ledger.holds.find(False)] == [("1.2.3", "checked"), ("1.2.4", None)]
    (destination,) = ledger.destinations.all()
    assert destination.capabilities == {"1.2.840.10008.5.1.4.1.1.88.34": True} and ledger.webhooks.all() == {"ris": (3, 1, "answered 500")}
    events = {each.kind: each.detail for each in ledger.events.find()}
    assert {f"delivery.{each}" for each in ENDED} | {f"correction.{each}" for each in CorrectionState} <= set(events)
    assert all(detail["state"] == kind.removeprefix("correction.") for kind, detail in events.items() if kind.startswith("correction."))
    assert events["delivery.rejected"]["kind"] == ObjectKind.REVERTED and events["study.released"] == {"actor": "a.curie"}
    assert ledger.counts.by_state()["conflicts"] == {"kept": 1} and len(ledger.instances.conflicts()) == 1
    ledger.close()


def test_people_figures_and_objects_of_an_older_version_are_kept(database_url: str) -> None:
    migrate(database_url, "0003")
    older_ledger.fill(database_url, older_ledger.rows_0003())
    migrate(database_url)
    ledger = Ledger(database_url)
    (entry,), (opinion,), (key,) = ledger.audit_log.find(), ledger.feedback.find(), ledger.api_keys.all()
    assert (entry.id, entry.actor, entry.action) == (17, "a.curie", "POST /corrections/*/approve")
    assert (opinion.predicted_value, opinion.corrected_value, opinion.actor, opinion.value) == ("CC", "MLO", "a.curie", "MLO")
    assert key.id == 4 and [each.name for each in ledger.users.all()] == ["a.curie"]
    assert ledger.samples.means(["analysis"], older_ledger.AT, 60) == {"analysis": [(older_ledger.AT, 3.0)]}
    with ledger.database.read() as connection:
        assert set(connection.execute(select(derived_instances.c.kind)).scalars()) == set(ObjectKind)
        assert connection.execute(select(workers.c.name)).scalars().all() == ["worker-1"]
        assert connection.execute(select(sessions.c.user_name)).scalars().all() == ["a.curie"]
    found, _ = ledger.studies.find(wanted=StudyFilter(text="doe jane", station_name="MAMMO1"))
    assert len(found) == 3 and found[0].patient.name == "Doe^Jane"
    assert [each.needs_conclusion for each in map(ledger.studies.get, STUDIES) if each] == [False, False, True]
    ledger.close()


def test_numbers_go_on_where_the_older_version_stopped(database_url: str) -> None:
    """Also where the last row is gone, on PostgreSQL: an event's number never names two events."""
    migrate(database_url, "0003")
    older_ledger.fill(database_url, older_ledger.rows_0003())
    engine = open_engine(database_url)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('events_id_seq', 1000)"))
            connection.execute(text("SELECT setval('audit_id_seq', 17)"))
    engine.dispose()
    migrate(database_url)
    ledger = Ledger(database_url)
    ledger.audit_log.append("a.curie", "sign-out")
    assert [each.id for each in ledger.audit_log.find()] == [18, 17]
    with ledger.database.write() as tx:
        append_event(tx, EventKind.STUDY_RECEIVED, "1.2.3")
    postgresql = database_url.startswith("postgresql")
    assert ledger.events.last_id() == (1001 if postgresql else len(older_ledger.EVENTS) + 1)
    ledger.close()


def test_what_an_older_version_knew_is_not_concluded_proposed_or_sent_a_second_time(database_url: str) -> None:
    migrate(database_url, "0003")
    older_ledger.fill(database_url, older_ledger.rows_0003())
    migrate(database_url)
    ledger = Ledger(database_url)
    assert all(row.change == change_key(row.correction) for row in changes(ledger))
    conclusion = ledger.conclusions.of_study(older_ledger.STUDY)[-1]
    findings = [row.finding for row in ledger.instances.of_study(older_ledger.STUDY) if row.finding]
    assert conclusion.fingerprint == fingerprint(findings, conclusion.models) != older_ledger.OLD_FINGERPRINT
    assert record(ledger, conclusion) is None
    for row in ledger.deliveries.find()[:4]:
        again = ledger.deliveries.plan(row.study_instance_uid, 2, row.kind, row.source_sop_instance_uid, row.destination, row.object_uid)
        assert not again
    ledger.close()


def test_a_ledger_of_the_second_version_is_filled_in_from_what_it_holds(database_url: str) -> None:
    migrate(database_url, "0002")
    older_ledger.fill(database_url, older_ledger.rows_0002())
    migrate(database_url)
    ledger = Ledger(database_url)
    study = ledger.studies.get(older_ledger.STUDY)
    assert study is not None
    assert (study.station_name, study.manufacturer, study.study_date, study.accession_number) == ("MAMMO1", "Vendor Ä", "20261102", "A77")
    assert study.agreement is Agreement.CONTRADICT and study.scores == {"R": 0.4, "L": None} and study.densities["R"] == "C"
    assert study.concluded_at == older_ledger.AT
    assert study.patient == Patient(), "only the files name the patient"
    found, _ = ledger.studies.find(wanted=StudyFilter(text="a77", station_name="MAMMO1", agreement=Agreement.CONTRADICT))
    assert {each.study_instance_uid for each in found} == {older_ledger.STUDY, older_ledger.PARTIAL_STUDY}
    with ledger.database.read() as connection:
        wanted = select(instances).where(instances.c.sop_instance_uid == older_ledger.INSTANCE)
        row = connection.execute(wanted).one()
        reasons = set(connection.execute(select(instances.c.reason_code)).scalars())
    assert (row.series_instance_uid, row.modality, row.agreement) == ("1.2.3.7", "MG", Agreement.CONTRADICT)
    assert (row.cancer_score, row.density, row.model_name, reasons) == (0.4, "C", "Mammo 3", {"", "tomosynthesis"})
    ledger.close()


def describe_names(engine: Engine) -> dict[str, Any]:
    """Every key, constraint and index of every table, as the database itself names them."""
    with engine.connect() as connection:
        inspector = inspect(connection)
        found = {
            name: (
                inspector.get_pk_constraint(name),
                sorted(inspector.get_foreign_keys(name), key=str),
                sorted(inspector.get_unique_constraints(name), key=str),
                sorted(json.dumps(each, default=str, sort_keys=True) for each in inspector.get_indexes(name)),
            )
            for name in inspector.get_table_names()
            if name != "alembic_version"
        }
        if connection.dialect.name == "postgresql":
            found["sequences"] = sorted(inspector.get_sequence_names())  # type: ignore[assignment]
    return found


def count_rows(database_url: str) -> dict[str, int]:
    """Rows of each table that has any."""
    engine = open_engine(database_url)
    with engine.connect() as connection:
        counted = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one() for name, table in metadata.tables.items()
        }
    engine.dispose()
    return {name: count for name, count in counted.items() if count}


def assert_written_by_today(model: type[BaseModel], written: dict[str, Any]) -> None:
    """Today's class reads the JSON without loss: it would pass over a field that it does not know, in an inner object too.

    Fields that were added since have their defaults.
    """
    assert model.model_validate(written).model_dump(mode="json", exclude_unset=True) == written


def changes(ledger: Ledger) -> list[SimpleNamespace]:
    with ledger.database.read() as connection:
        rows = connection.execute(select(corrections_table.c.change, corrections_table.c.correction)).all()
    return [SimpleNamespace(change=row.change, correction=LabelCorrection.model_validate_json(row.correction)) for row in rows]
