"""Prometheus metrics. The numbers are the ledger's, read when somebody scrapes: right in every process and after a restart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_BY_STATE = {
    "instances": "Instances received, by state",
    "studies": "Studies received, by state",
    "conflicts": "Instances that came with other bytes under a known UID",
}


class Backlog(Protocol):
    """What a webhook has not been told: events, the age of the oldest, failures in a row."""

    @property
    def events(self) -> int: ...
    @property
    def age_s(self) -> float: ...
    @property
    def failures(self) -> int: ...


class Numbers(Protocol):
    """What the ledger must be able to count; `service.store.ledger.Ledger` can."""

    def counts(self) -> Mapping[str, Mapping[str, int]]: ...
    def oldest_unfinished_at(self) -> datetime | None: ...
    def deliveries_by_destination(self) -> Mapping[tuple[str, str], int]: ...
    def corrections_by_kind(self) -> Mapping[tuple[str, str], int]: ...
    def oldest_delivery_age_s(self) -> float: ...
    def breakers(self) -> Mapping[str, bool]: ...
    def held_studies(self) -> int: ...
    def webhook_backlog(self, name: str) -> Backlog: ...


class LedgerCollector(Collector):
    """Turns the ledger's numbers into gauges.

    Parameters
    ----------
    destinations, webhooks
        Names of those that are configured: they have their samples before anything happened, and one that was removed from the
        settings raises no alarm for ever.
    """

    def __init__(self, ledger: Numbers, destinations: Iterable[str] = (), webhooks: Iterable[str] = ()) -> None:
        self._ledger = ledger
        self._destinations = tuple(destinations)
        self._webhooks = tuple(webhooks)

    def describe(self) -> Iterator[Metric]:
        """Name nothing: the ledger is not asked before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        counts = self._ledger.counts()
        for subject, help_text in _BY_STATE.items():
            yield _gauge(subject, help_text, ("state",), {(state,): count for state, count in counts.get(subject, {}).items()})
        yield _gauge(
            "deliveries", "Objects to deliver, by destination and state", ("destination", "state"), self._ledger.deliveries_by_destination()
        )
        yield _gauge("corrections", "Corrections, by kind and state", ("kind", "state"), self._ledger.corrections_by_kind())
        oldest = self._ledger.oldest_unfinished_at()
        age_s = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
        yield _single("oldest_unfinished_seconds", "Age of the instance that waits longest", age_s)
        yield _single("oldest_delivery_seconds", "Age of the delivery that is longest on its way", self._ledger.oldest_delivery_age_s())
        yield _single("held_studies", "Studies whose corrections wait for a person's release", self._ledger.held_studies())
        breakers = self._ledger.breakers()
        states = {(name,): int(breakers.get(name, False)) for name in self._destinations}
        yield _gauge("open_breaker", "1 while a destination that did not answer is left alone", ("destination",), states)
        yield from self._webhook_gauges()

    def _webhook_gauges(self) -> Iterator[Metric]:
        behind = {(name,): self._ledger.webhook_backlog(name) for name in self._webhooks}
        events = {name: each.events for name, each in behind.items()}
        yield _gauge("webhook_lag_events", "Events that a webhook has not been told", ("webhook",), events)
        ages = {name: each.age_s for name, each in behind.items()}
        yield _gauge("webhook_lag_seconds", "Age of the oldest event that a webhook has not been told", ("webhook",), ages)
        failures = {name: each.failures for name, each in behind.items()}
        yield _gauge("webhook_failures", "Tries in a row that a webhook did not take", ("webhook",), failures)


def build_registry(ledger: Numbers, destinations: Iterable[str] = (), webhooks: Iterable[str] = ()) -> CollectorRegistry:
    """A registry of its own (none is global), for `prometheus_client.generate_latest`."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(ledger, destinations, webhooks))
    return registry


def _gauge(name: str, help_text: str, labels: tuple[str, ...], samples: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(f"mammotriage_{name}", help_text, labels=labels)
    for values, value in samples.items():
        family.add_metric(values, value)
    return family


def _single(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"mammotriage_{name}", help_text, value=value)
