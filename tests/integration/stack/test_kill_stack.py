"""``kill -9`` of every process of the stack, and of the archive, while a study is delivered: real Redis, Celery, networks, Orthanc."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from service.domain.findings import DeliveryState
from service.domain.policy import CorrectionPolicy
from service.errors import ListenerUnreachable
from service.store.deliveries import DeliveryRow
from service.store.ledger import Ledger
from tests.support.full_stack import FullStack, open_full_stack, renew
from tests.support.webhook_receiver import Receiver

LEASE_S = 10.0
"""Longer than any try here, and what a killed worker's delivery waits for."""
PARTS = ("worker", "sweeper", "api", "listener")
OBJECTS = 1 + 1 + 4 + 4
"""CAD report, report, heatmaps and corrected images of four views."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver().up() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def full_stack(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[FullStack]:
    peer = {"breaker_seconds": 2.0, "timeout_seconds": 4.0, "corrections": CorrectionPolicy(film=True)}
    settings = {"delivery_lease_seconds": LEASE_S, "delivery_max_attempts": 30, "webhooks": (receiver.webhook(events=("*",)),)}
    with open_full_stack(tmp_path_factory.mktemp("full_stack"), peer, **settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def ledger(full_stack: FullStack) -> Iterator[Ledger]:
    ledger = Ledger(full_stack.settings.ledger_url)
    yield ledger
    ledger.close()


def kill_part(full_stack: FullStack, name: str) -> None:
    """The watcher of the stack starts it again."""
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):  # the former kill has taken it already
        process = psutil.Process(full_stack.stack.parts[name].process.pid)
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)


def kill_broker(full_stack: FullStack) -> None:
    broker = full_stack.stack.broker
    assert broker is not None and broker._process is not None
    broker._process.kill()
    broker.stop()
    broker.start()


def kill_archive(full_stack: FullStack) -> None:
    full_stack.orthanc.stop(at_once=True)
    full_stack.orthanc.start()


def kill_everything(full_stack: FullStack) -> None:
    for name in PARTS:
        kill_part(full_stack, name)
    kill_broker(full_stack)
    kill_archive(full_stack)


VICTIMS: dict[str, Callable[[FullStack], None]] = {
    "archive": kill_archive,
    "everything": kill_everything,
}


def ended(ledger: Ledger, study: str) -> list[DeliveryRow]:
    return [row for row in ledger.deliveries.find(study_instance_uid=study) if not row.state.is_open]


def is_taken(full_stack: FullStack, paths: list[Path]) -> bool:
    """Send as a modality does, which comes again where nobody listens."""
    try:
        return not any(sent.error for sent in full_stack.send(paths))
    except ListenerUnreachable:
        return False


def assert_delivered(full_stack: FullStack, ledger: Ledger, study: str) -> None:
    """Every object was proved, and the archive holds it once."""
    rows = ledger.deliveries.find(study_instance_uid=study)
    assert len(rows) == OBJECTS
    assert [(row.kind, row.error) for row in rows if row.state is not DeliveryState.VERIFIED] == []
    assert len(full_stack.archived_ids(study)) == OBJECTS
    assert all(full_stack.orthanc.instance(row.object_uid) for row in rows)


@pytest.mark.parametrize("victim", VICTIMS)
def test_what_is_killed_in_the_middle_of_delivering_leaves_one_verified_object_each(
    full_stack: FullStack, ledger: Ledger, cbis_cases: dict[str, list[Path]], tmp_path: Path, victim: str
) -> None:
    study, paths = renew(cbis_cases["sfm-benign-0"], tmp_path / "study")
    assert not any(sent.error for sent in full_stack.send(paths))
    full_stack.wait("the first delivery", lambda: ended(ledger, study))
    VICTIMS[victim](full_stack)
    assert len(ended(ledger, study)) < OBJECTS, "the kill came in the middle of delivering"
    full_stack.wait("all deliveries", lambda: len(ended(ledger, study)) == OBJECTS)
    assert_delivered(full_stack, ledger, study)


def test_the_receiver_of_a_webhook_was_told_everything_once_in_order_and_nothing_of_the_patient(
    full_stack: FullStack, ledger: Ledger, receiver: Receiver
) -> None:
    events = ledger.events.find(limit=10_000)
    assert {"study.concluded", "delivery.verified", "correction.verified"} <= {event.kind for event in events}
    # A sweeper that was killed while it sent an event holds the webhook until its lease ends.
    full_stack.wait("the last event", lambda: events[-1].id in receiver.ids)
    once = list(dict.fromkeys(receiver.ids))
    assert once == sorted(once) and set(once) == {event.id for event in ledger.events.find(limit=10_000)}
    said = " ".join(each.body.decode() for each in receiver.received)
    assert "P_TEST" not in said and "PatientName" not in said


@pytest.mark.slow
def has_all(ledger: Ledger, study: str) -> bool:
    return len(ended(ledger, study)) == OBJECTS


@pytest.mark.timeout(3600)
def test_random_kills_while_studies_come_in_lose_nothing_and_double_nothing(
    full_stack: FullStack, ledger: Ledger, receiver: Receiver, cbis_cases: dict[str, list[Path]], tmp_path: Path
) -> None:
    dice = random.Random(4)
    deaths: list[Callable[[FullStack], None]] = [partial(kill_part, name=name) for name in PARTS]
    deaths += [kill_broker, kill_archive]
    studies = []
    for number in range(6):
        study, paths = renew(cbis_cases["sfm-benign-0"], tmp_path / str(number))
        studies.append(study)
        full_stack.wait("a listener that takes it", partial(is_taken, full_stack, paths))
        for _ in range(3):
            time.sleep(dice.uniform(0.5, 4.0))
            dice.choice(deaths)(full_stack)
    for study in studies:
        full_stack.wait("all deliveries", partial(has_all, ledger, study))
        assert_delivered(full_stack, ledger, study)
    last = ledger.events.last_id()
    full_stack.wait("the last event", lambda: last in receiver.ids)
    once = list(dict.fromkeys(receiver.ids))
    assert once == sorted(once) and set(once) >= {event.id for event in ledger.events.find(limit=100_000)}
