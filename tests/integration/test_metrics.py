"""Metrics are the ledger's numbers of the moment of the scrape: real ledgers of both kinds, no counter of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.deliver.webhook import deliver_events
from service.domain.findings import DeliveryState, ObjectKind
from service.metrics import build_registry
from service.store.ledger import Ledger
from tests.support.ledger_values import Clock, header
from tests.support.webhook_receiver import Receiver

STUDY = "1.2.3"
Samples = dict[tuple[str, ...], float]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url, Clock())
    yield ledger
    ledger.close()


def scrape(ledger: Ledger, destinations: tuple[str, ...] = (), webhooks: tuple[str, ...] = ()) -> Samples:
    """Every sample: name without its prefix, then the values of its labels."""
    text = generate_latest(build_registry(ledger.counts, destinations, webhooks)).decode()
    return {
        (sample.name.removeprefix("mammotriage_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def clock_of(ledger: Ledger) -> Clock:
    assert isinstance(ledger.database.clock, Clock)
    return ledger.database.clock


def receive(ledger: Ledger, sop_instance_uid: str = "1.2.3.4") -> None:
    ledger.instances.add(header(sop_instance_uid, STUDY), "0" * 64, Path("x"), 1, "TEST")


def deliver(ledger: Ledger, destination: str, state: DeliveryState | None) -> None:
    number = len(ledger.deliveries.find())
    ledger.deliveries.plan(STUDY, 1, ObjectKind.REPORT, None, destination, f"2.25.{number}")
    if state:
        ledger.deliveries.finish(ledger.deliveries.find()[-1].id, state)


def test_an_empty_ledger_has_its_samples_and_no_age(ledger: Ledger) -> None:
    samples = scrape(ledger, ("pacs",), ("his",))
    assert samples["instances", "received"] == samples["held_studies",] == samples["open_breaker", "pacs"] == 0
    assert samples["oldest_unfinished_seconds",] == samples["oldest_delivery_seconds",] == 0
    assert samples["webhook_lag_events", "his"] == samples["webhook_lag_seconds", "his"] == 0
    assert samples["corrections", "sides-swapped", "proposed"] == 0


def test_every_terminal_state_of_a_delivery_is_counted_by_its_destination(ledger: Ledger) -> None:
    receive(ledger)
    terminal = [state for state in DeliveryState if not state.is_open]
    for state in terminal:
        deliver(ledger, "pacs", state)
    deliver(ledger, "archive", None)
    samples = scrape(ledger)
    assert {state: samples["deliveries", "pacs", state.value] for state in terminal} == dict.fromkeys(terminal, 1)
    assert samples["deliveries", "archive", "pending"] == 1 and samples["deliveries", "archive", "verified"] == 0


def test_what_stands_still_shows_as_an_age_that_grows(ledger: Ledger) -> None:
    receive(ledger)
    deliver(ledger, "pacs", None)
    clock_of(ledger).advance(90)
    assert scrape(ledger)["oldest_delivery_seconds",] == 90
    assert scrape(ledger)["instances", "received"] == 1 and scrape(ledger)["oldest_unfinished_seconds",] > 0


def test_an_open_breaker_shows_until_it_closes(ledger: Ledger) -> None:
    assert ledger.destinations.record_failure("pacs", "no answer", breaker_after=1, pause_s=30)
    assert scrape(ledger, ("pacs", "other"))["open_breaker", "pacs"] == 1
    assert scrape(ledger, ("pacs", "other"))["open_breaker", "other"] == 0
    clock_of(ledger).advance(31)
    assert scrape(ledger, ("pacs",))["open_breaker", "pacs"] == 0
    assert ledger.destinations.record_failure("pacs", "no answer", breaker_after=1, pause_s=30)
    ledger.destinations.record_answer("pacs")
    assert scrape(ledger, ("pacs",))["open_breaker", "pacs"] == 0


def test_a_webhook_that_was_not_told_lags_and_one_that_was_does_not(ledger: Ledger) -> None:
    receive(ledger)
    for _ in range(3):
        deliver(ledger, "pacs", DeliveryState.VERIFIED)
    clock_of(ledger).advance(60)
    receiver = Receiver()  # of one study received, and three deliveries
    before = scrape(ledger, webhooks=("his",))
    assert before["webhook_lag_events", "his"] == 4 and before["webhook_lag_seconds", "his"] == 60
    deliver_events(receiver.webhook(), ledger)
    assert scrape(ledger, webhooks=("his",))["webhook_failures", "his"] == 1
    # The pause until the next try is counted in real time, and this ledger's clock does not move.
    clock_of(ledger).advance(10**9)
    with receiver.up():
        assert deliver_events(receiver.webhook(), ledger) == 3
    after = scrape(ledger, webhooks=("his",))
    assert after["webhook_lag_events", "his"] == after["webhook_lag_seconds", "his"] == after["webhook_failures", "his"] == 0
