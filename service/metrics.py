"""Prometheus metrics. The numbers are the ledger's, read when somebody scrapes: right in every process and after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Counts = Mapping[str, Mapping[str, int]]

_HELP = {
    "instances": "Instances received, by state",
    "studies": "Studies received, by state",
    "deliveries": "Objects to deliver, by state",
    "conflicts": "Instances that came with other bytes under a known UID",
}


class LedgerCollector(Collector):
    """Turns the ledger's counts into gauges, one sample a state.

    Parameters
    ----------
    counts
        `Ledger.counts`.
    oldest_unfinished_at
        `Ledger.oldest_unfinished_at`: a queue that stands still shows as an age that grows.
    """

    def __init__(self, counts: Callable[[], Counts], oldest_unfinished_at: Callable[[], datetime | None]) -> None:
        self._counts = counts
        self._oldest_unfinished_at = oldest_unfinished_at

    def describe(self) -> Iterator[Metric]:
        """Name nothing: the ledger is not asked before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        for subject, by_state in self._counts().items():
            family = GaugeMetricFamily(f"mammotriage_{subject}", _HELP.get(subject, subject), labels=["state"])
            for state, count in by_state.items():
                family.add_metric([state], count)
            yield family
        oldest = self._oldest_unfinished_at()
        age_s = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily("mammotriage_oldest_unfinished_seconds", "Age of the instance that waits longest", value=age_s)


def build_registry(counts: Callable[[], Counts], oldest_unfinished_at: Callable[[], datetime | None]) -> CollectorRegistry:
    """A registry of its own (none is global), for `prometheus_client.generate_latest`."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(counts, oldest_unfinished_at))
    return registry
