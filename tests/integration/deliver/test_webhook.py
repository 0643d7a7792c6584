"""Webhooks against a real receiver and both kinds of ledger: in order, signed, and every event exactly once by its id."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select

from service.deliver.webhook import LEASE_S, deliver_events, sign
from service.demo.small_pacs import SmallPacs
from service.destinations import Destination, Webhook
from service.domain.findings import DeliveryState, ObjectKind
from service.domain.policy import CorrectionPolicy
from service.jobs.analysis import analyse_instance
from service.jobs.background import run_in_background
from service.jobs.conclusion import conclude_study
from service.store.ledger import Ledger
from service.store.tables import webhook_cursors
from tests.support.eventually import eventually
from tests.support.kill_at_step import Task, choose, count_steps, kill_at
from tests.support.ledger_values import Clock, header
from tests.support.received_study import ReceivedStudies
from tests.support.webhook_receiver import Receiver

STUDY = "1.2.3"


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url)
    ledger.instances.add(header("1.2.3.4", STUDY), "0" * 64, Path("x"), 1, "TEST")
    yield ledger
    ledger.close()


def happen(ledger: Ledger, count: int, state: DeliveryState = DeliveryState.VERIFIED) -> list[int]:
    """Let deliveries end; returns the ids of the events that tell of them."""
    before = ledger.events.last_id()
    for number in range(count):
        ledger.deliveries.plan(STUDY, 1, ObjectKind.REPORT, None, "pacs", f"2.25.{before}.{number}")
        assert ledger.deliveries.finish(ledger.deliveries.find()[-1].id, state)
    return [event.id for event in ledger.events.find(after_id=before, limit=1000)]


def _next_try(ledger: Ledger) -> datetime:
    """When the webhook is due; now if the ledger has posted nothing to it yet."""
    with ledger.database.read() as tx:
        due = tx.execute(select(webhook_cursors.c.next_try_at)).scalar()
    return due or datetime.min.replace(tzinfo=UTC)


def has_received(receiver: Receiver, webhook: Webhook, ledger: Ledger, count: int) -> bool:
    """Deliver what is due; whether the receiver has `count` different events."""
    deliver_events(webhook, ledger)
    return len(set(receiver.ids)) >= count


def test_events_come_in_their_order_with_what_happened_and_a_signature(ledger: Ledger) -> None:
    ids = happen(ledger, 3)
    with Receiver().up() as receiver:
        assert deliver_events(receiver.webhook(), ledger) == 3
        assert deliver_events(receiver.webhook(), ledger) == 0, "an accepted event is not posted again"
    assert receiver.ids == ids == sorted(ids)
    first = receiver.received[0]
    assert first.content["type"] == "delivery.verified" and first.content["data"]["study_instance_uid"] == STUDY
    assert first.content["id"] == first.id and first.content["timestamp"].endswith("Z")
    signed = f"{first.id}.{first.headers['webhook-timestamp']}.".encode() + first.body
    expected = base64.b64encode(hmac.new(b"shared key", signed, hashlib.sha256).digest()).decode()
    assert first.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(first.headers["webhook-timestamp"]) - time.time()) < 60


def test_the_example_of_the_specification_gets_its_signature() -> None:
    # A key written as Standard Webhooks writes it is the bytes behind the prefix.
    key = base64.b64encode(b"0123456789abcdef").decode()
    expected = hmac.new(b"0123456789abcdef", b"7.1674087231.{}", hashlib.sha256).digest()
    assert sign(f"whsec_{key}", 7, 1674087231, b"{}") == f"v1,{base64.b64encode(expected).decode()}"


def test_a_receiver_that_was_down_gets_every_event_once_and_in_order(ledger: Ledger) -> None:
    receiver = Receiver()
    webhook = receiver.webhook()
    ids = happen(ledger, 5)
    assert deliver_events(webhook, ledger) == 0
    _, failures, error = ledger.webhooks.all()["his"]
    assert failures == 1 and error is not None and "no answer" in error and "127.0.0.1" not in error
    ids += happen(ledger, 5)
    with receiver.up():
        assert deliver_events(webhook, ledger) == 0, "its next try is not due"
        eventually(lambda: has_received(receiver, webhook, ledger, 10))
    assert receiver.ids == ids
    assert ledger.webhooks.all()["his"] == (ids[-1], 0, None)


def test_no_answer_of_a_receiver_lets_an_event_be_passed_over(database_url: str) -> None:
    clock = Clock()
    ledger = Ledger(database_url, clock)
    ledger.instances.add(header("1.2.3.4", STUDY), "0" * 64, Path("x"), 1, "TEST")
    ids = happen(ledger, 2)
    with Receiver(500, 404, 307, 429).up() as receiver:
        for answered in (500, 404, 307, 429):
            clock.time = max(clock.time, _next_try(ledger))
            assert deliver_events(receiver.webhook(), ledger) == 0
            assert str(answered) in str(ledger.webhooks.all()["his"][2])
        assert ledger.webhooks.all()["his"][1] == 4 and receiver.received == []
        clock.time = _next_try(ledger)
        assert deliver_events(receiver.webhook(), ledger) == 2
    assert receiver.ids == ids
    ledger.close()


def test_an_event_whose_answer_was_lost_comes_again_under_the_same_id_and_with_the_same_body(ledger: Ledger) -> None:
    ids = happen(ledger, 2)
    with Receiver(None).up() as receiver:
        eventually(lambda: has_received(receiver, receiver.webhook(), ledger, 2))
    assert receiver.ids == [ids[0], *ids]
    assert receiver.received[0].body == receiver.received[1].body


def test_a_receiver_gets_only_the_events_it_asked_for_and_is_not_behind_with_the_rest(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.deliver.webhook.EVENTS_PER_READ", 10)
    happen(ledger, 3)
    wanted = happen(ledger, 2, DeliveryState.FAILED)
    last = happen(ledger, 25)[-1]
    with Receiver().up() as receiver:
        assert deliver_events(receiver.webhook(events=("delivery.failed", "study.concluded")), ledger) == 2
    assert receiver.ids == wanted and ledger.webhooks.all()["his"][0] == last


def test_two_tellers_tell_nothing_twice(ledger: Ledger) -> None:
    ids = happen(ledger, 30)
    with Receiver().up() as receiver:

        def work() -> None:
            while ledger.webhooks.all().get("his", (0,))[0] < ids[-1]:
                deliver_events(receiver.webhook(), ledger)

        tellers = [threading.Thread(target=work) for _ in range(2)]
        for teller in tellers:
            teller.start()
        for teller in tellers:
            teller.join()
    assert receiver.ids == ids


def test_an_event_of_a_teller_that_died_is_anothers_when_its_lease_ends(database_url: str) -> None:
    clock = Clock()
    ledger = Ledger(database_url, clock)
    ledger.instances.add(header("1.2.3.4", STUDY), "0" * 64, Path("x"), 1, "TEST")
    ids = happen(ledger, 1)
    with Receiver().up() as receiver:
        assert ledger.webhooks.claim("his", LEASE_S) == 0
        assert deliver_events(receiver.webhook(), ledger) == 0
        clock.advance(LEASE_S + 1)
        assert deliver_events(receiver.webhook(), ledger) == 1
    assert receiver.ids == ids
    ledger.close()


def test_a_process_killed_at_any_step_leaves_every_event_posted_once_by_its_id(tmp_path: Path) -> None:
    seen = Counter[int]()
    receiver = Receiver()
    with receiver.up():
        for step in [None, *choose(_steps_of_telling(tmp_path, receiver), 6)]:
            data = tmp_path / str(step)
            received = ReceivedStudies(data, webhooks=(receiver.webhook(),))
            received.ledger.instances.add(header("1.2.3.4", STUDY), "0" * 64, Path("x"), 1, "TEST")
            ids = happen(received.ledger, 2)
            receiver.received.clear()
            if step is not None:
                assert kill_at(received.settings, Task("deliver_events"), step)
            posted_before = set(receiver.ids)
            assert received.ledger.webhooks.all().get("his", (0,))[0] <= max(posted_before, default=ids[0] - 1), (
                "no event is noted as accepted that was not posted"
            )
            later = Ledger(received.settings.ledger_url, lambda: datetime.now(UTC) + timedelta(seconds=LEASE_S + 1))
            deliver_events(receiver.webhook(), later)
            assert list(dict.fromkeys(receiver.ids)) == ids and len(receiver.ids) <= len(ids) + 1
            seen[len(posted_before)] += 1
            later.close()
            received.close()
    assert set(seen) >= {0, 1}, "killed before the first event, and between the two"


def _steps_of_telling(tmp_path: Path, receiver: Receiver) -> int:
    received = ReceivedStudies(tmp_path / "counted", webhooks=(receiver.webhook(),))
    received.ledger.instances.add(header("1.2.3.4", STUDY), "0" * 64, Path("x"), 1, "TEST")
    happen(received.ledger, 2)
    steps = count_steps(received.settings, Task("deliver_events"), tmp_path)
    received.close()
    return len(steps)


def test_a_receiver_that_is_down_while_a_real_study_is_worked_on_gets_all_of_its_events_once_it_is_up(
    tmp_path: Path, cbis_cases: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch, clean_environment: pytest.MonkeyPatch
) -> None:
    # Analysed by the real networks, delivered to a real archive, posted by the threads that the sweeper runs.
    monkeypatch.setattr("service.deliver.webhook.FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr("service.deliver.webhook.MAX_PAUSE_S", 0.5)
    monkeypatch.setattr("service.jobs.background.POLL_S", 0.05)
    receiver, archive = Receiver(), SmallPacs(tmp_path / "pacs")
    archive.start()
    pacs = Destination(
        name="pacs",
        ae_title=archive.ae_title,
        host=archive.host,
        port=archive.port,
        commitment=False,
        corrections=CorrectionPolicy(film=True),
    )
    received = ReceivedStudies(
        tmp_path / "data", webhooks=(receiver.webhook(events=("*",)),), destinations=(pacs,), analyse_film=True, study_idle_seconds=0.01
    )
    study_instance_uid, stop = str(generate_uid()), threading.Event()
    with run_in_background(received.context, stop):
        for path in cbis_cases["sfm-malign-0"][:2]:
            image = pydicom.dcmread(path)
            # The package gives each image a study and a patient of its own.
            image.StudyInstanceUID, image.PatientID, image.PatientName = study_instance_uid, "P_00820", "P_00820"
            analyse_instance(received.context, received.receive(image))
        conclude_study(received.context, study_instance_uid)
        assert {row.state for row in received.deliver_all()} <= {DeliveryState.VERIFIED, DeliveryState.UNSUPPORTED}
        assert receiver.received == [] and received.ledger.webhooks.all()["his"][1] > 0, "it was down all the time, and that was noticed"
        expected = received.ledger.events.find(limit=1000)
        with receiver.up():
            eventually(lambda: received.ledger.webhooks.all()["his"][0] >= expected[-1].id)
    assert receiver.ids == [event.id for event in expected], "every event, in order, exactly once"
    kinds = Counter(event.kind for event in expected)
    assert kinds["study.received"] == kinds["study.concluded"] == 1 and kinds["delivery.verified"] >= 2
    assert [each.content["type"] for each in receiver.received] == [event.kind for event in expected]
    assert {each.content["data"]["study_instance_uid"] for each in receiver.received} == {study_instance_uid}
    archive.stop()
    received.close()
