"""Workers, samples and figures over time, on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.domain.findings import DeliveryState, InstanceState, ObjectKind
from service.store.ledger import Ledger
from service.store.samples import SAMPLES_KEPT
from service.store.workers import FORGOTTEN_AFTER
from tests.support.ledger_values import Clock, header, record
from tests.support.sample_findings import CANCER, LABELER, analysed, concluded, skipped

NAMES = ("queued.routine", "disk-free-bytes")
NOON = datetime(2026, 3, 5, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.time = NOON
    return made


@pytest.fixture
def ledger(database_url: str, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger(database_url, clock)
    yield opened
    opened.close()


def test_a_worker_is_known_while_it_gives_signs_of_life(ledger: Ledger, clock: Clock) -> None:
    ledger.workers.register("here:7", "here", 7, "CPUExecutionProvider", (LABELER, CANCER))
    clock.time += timedelta(minutes=5)
    assert ledger.workers.heartbeat("here:7")
    (row,) = ledger.workers.all()
    assert (row.host, row.pid, row.provider, row.models) == ("here", 7, "CPUExecutionProvider", (LABELER, CANCER))
    assert (row.started_at, row.seen_at) == (NOON, NOON + timedelta(minutes=5))


def test_a_worker_that_stops_in_order_leaves_no_row_and_one_that_died_is_forgotten_after_a_day(ledger: Ledger, clock: Clock) -> None:
    ledger.workers.register("here:7", "here", 7, "cpu", ())
    ledger.workers.register("here:8", "here", 8, "cpu", ())
    ledger.workers.deregister("here:7")
    assert [row.name for row in ledger.workers.all()] == ["here:8"]
    clock.time += FORGOTTEN_AFTER + timedelta(seconds=1)
    assert ledger.workers.all() == []
    ledger.workers.register("here:9", "here", 9, "cpu", ())
    assert not ledger.workers.heartbeat("here:8"), "its row was removed, so a worker that only slept greets again"


def test_a_worker_with_the_name_of_a_dead_one_takes_its_place(ledger: Ledger, clock: Clock) -> None:
    ledger.workers.register("here:7", "here", 7, "cpu", (LABELER,))
    clock.time += timedelta(minutes=1)
    ledger.workers.register("here:7", "here", 7, "cuda", (CANCER,))
    (row,) = ledger.workers.all()
    assert (row.provider, row.models, row.started_at) == ("cuda", (CANCER,), clock.time)


def test_samples_are_kept_once_a_minute_and_for_thirty_days(ledger: Ledger, clock: Clock) -> None:
    for second, value in ((0, 4.0), (30, 99.0), (60, 8.0), (120, 1.0)):
        clock.time = NOON + timedelta(seconds=second)
        ledger.samples.add({"queued.routine": value, "disk-free-bytes": 5e11})
    assert ledger.samples.means(NAMES, NOON, 60)["queued.routine"] == [
        (NOON, 4.0),
        (NOON + timedelta(minutes=1), 8.0),
        (NOON + timedelta(minutes=2), 1.0),
    ]
    assert ledger.samples.means(NAMES, NOON, 120)["queued.routine"] == [(NOON, 6.0), (NOON + timedelta(minutes=2), 1.0)]
    assert ledger.samples.means(NAMES, NOON, 600)["disk-free-bytes"] == [(NOON, 5e11)]
    clock.time = NOON + SAMPLES_KEPT + timedelta(minutes=1, seconds=30)
    ledger.samples.add({"queued.routine": 0.0})
    kept = ledger.samples.means(NAMES, NOON, 60)["queued.routine"]
    assert [at for at, _ in kept] == [NOON + timedelta(minutes=2), clock.time.replace(second=0)]


def test_what_came_and_went_is_counted_by_interval(ledger: Ledger, clock: Clock) -> None:
    study_instance_uid = "1.2.826.1"
    for number in range(3):
        clock.time = NOON + timedelta(minutes=20 * number)
        uid = f"{study_instance_uid}.{number}"
        ledger.instances.add(header(uid, study_instance_uid), "a" * 64, Path("x"), 10, "CT")
    ledger.instances.record_finding(analysed(f"{study_instance_uid}.0", "R", "CC"))
    ledger.instances.record_finding(skipped(f"{study_instance_uid}.1", "not-mammography", "it shows no breast"))
    clock.time = NOON + timedelta(minutes=50)
    ledger.instances.record_finding(skipped(f"{study_instance_uid}.2", "gave-up", "three times", InstanceState.FAILED))
    at = clock.time
    conclusion = concluded(
        study_instance_uid, [row.finding for row in ledger.instances.of_study(study_instance_uid) if row.finding], version=0
    )
    record(ledger, conclusion.model_copy(update={"concluded_at": at}))
    ledger.deliveries.plan(study_instance_uid, 1, ObjectKind.REPORT, None, "pacs", "2.25.1")
    ledger.deliveries.plan(study_instance_uid, 1, ObjectKind.CAD, None, "pacs", "2.25.2")
    for row, state in zip(ledger.deliveries.find(), (DeliveryState.VERIFIED, DeliveryState.FAILED), strict=True):
        ledger.deliveries.claim(row.id, 60)
        ledger.deliveries.finish(row.id, state)
    counted = {name: [count for _, count in points] for name, points in ledger.throughput.by_interval(NOON, 1800).items()}
    assert counted == {
        "received": [2, 1], "analysed": [0, 1], "skipped": [0, 1], "failed": [0, 1], "concluded": [0, 1], "delivered": [0, 1],
    }  # fmt: skip
    assert [at for at, _ in ledger.throughput.by_interval(NOON, 1800)["received"]] == [NOON, NOON + timedelta(minutes=30)]
    later = {
        name: sum(count for _, count in points) for name, points in ledger.throughput.by_interval(NOON + timedelta(minutes=45), 60).items()
    }
    assert later["received"] == 0 and later["failed"] == 1
