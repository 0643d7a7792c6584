"""Prometheus metrics. The ledger has the numbers, and each scrape reads them: they are right in every process and after a restart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_BY_STATE = {
    "instances": "Instances received, by state",
    "studies": "Studies received, by state",
    "conflicts": "Instances that arrived with other bytes under a known UID",
}


Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the number."""


class Backlog(Protocol):
    """Events that a webhook has not yet received: their number, the age of the oldest, and failures in a row."""

    @property
    def events(self) -> int: ...
    @property
    def age_s(self) -> float: ...
    @property
    def failures(self) -> int: ...


class Numbers(Protocol):
    """What the ledger must be able to count; `service.store.counts.Counts` can."""

    def by_state(self) -> Mapping[str, Mapping[str, int]]: ...
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
        Configured names: each has samples from the start, and one that is removed from the settings raises no alarm any more.
    reports
        Folder of the nightly reports.
    """

    def __init__(
        self, numbers: Numbers, destinations: Iterable[str] = (), webhooks: Iterable[str] = (), reports: Path | None = None
    ) -> None:
        self._numbers = numbers
        self._reports = reports
        self._destinations = tuple(destinations)
        self._webhooks = tuple(webhooks)

    def describe(self) -> Iterator[Metric]:
        """Name no metric, so that registration does not read the ledger."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        counts = self._numbers.by_state()
        for subject, help_text in _BY_STATE.items():
            yield _gauge(subject, help_text, ("state",), (((state,), count) for state, count in counts.get(subject, {}).items()))
        deliveries = self._numbers.deliveries_by_destination()
        yield _gauge("deliveries", "Objects to deliver, by destination and state", ("destination", "state"), deliveries.items())
        yield _gauge("corrections", "Corrections, by kind and state", ("kind", "state"), self._numbers.corrections_by_kind().items())
        oldest = self._numbers.oldest_unfinished_at()
        age_s = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
        yield _single("oldest_unfinished_seconds", "Age of the oldest instance that waits", age_s)
        yield _single("oldest_delivery_seconds", "Age of the oldest open delivery", self._numbers.oldest_delivery_age_s())
        yield _single("held_studies", "Studies whose corrections wait for a release by a person", self._numbers.held_studies())
        breakers = self._numbers.breakers()
        states = [((name,), int(breakers.get(name, False))) for name in self._destinations]
        yield _gauge("open_breaker", "1 while the circuit breaker of a destination is open", ("destination",), states)
        yield from self._webhook_gauges()
        yield from self._reconciliation_gauges()

    def _webhook_gauges(self) -> Iterator[Metric]:
        behind = {name: self._numbers.webhook_backlog(name) for name in self._webhooks}
        events = [((name,), each.events) for name, each in behind.items()]
        yield _gauge("webhook_lag_events", "Events that a webhook has not yet received", ("webhook",), events)
        ages = [((name,), each.age_s) for name, each in behind.items()]
        yield _gauge("webhook_lag_seconds", "Age of the oldest event that a webhook has not yet received", ("webhook",), ages)
        failures = [((name,), each.failures) for name, each in behind.items()]
        yield _gauge("webhook_failures", "Failed posts in a row to a webhook", ("webhook",), failures)

    def _reconciliation_gauges(self) -> Iterator[Metric]:
        """Results of the last nightly reconciliation; nothing before the first one."""
        reports = sorted(self._reports.glob("reconcile-*.json")) if self._reports else []
        if not reports:
            return
        report = json.loads(reports[-1].read_text(encoding="utf-8"))
        instances = [(("", result), count) for result, count in report["instances"].items()]
        deliveries = [((name, result), count) for name, counts in report["deliveries"].items() for result, count in counts.items()]
        help_text = "Objects at the last nightly reconciliation, by destination (none: received files) and result"
        yield _gauge("reconciled", help_text, ("destination", "result"), [*instances, *deliveries])
        age_s = (datetime.now(UTC) - datetime.fromisoformat(report["finished_at"])).total_seconds()
        yield _single("reconciled_age_seconds", "Time since the end of the last nightly reconciliation", age_s)


def build_registry(
    numbers: Numbers, destinations: Iterable[str] = (), webhooks: Iterable[str] = (), reports: Path | None = None
) -> CollectorRegistry:
    """A registry of its own (none is global), for `prometheus_client.generate_latest`; parameters as for `LedgerCollector`."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(numbers, destinations, webhooks, reports))
    return registry


def _gauge(name: str, help_text: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = GaugeMetricFamily(f"mammotriage_{name}", help_text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _single(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"mammotriage_{name}", help_text, value=value)
