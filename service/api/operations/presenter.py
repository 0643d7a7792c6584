"""From the ledger, the broker and the disk to the one overview of operations."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from service.api.deliveries.presenter import SLOW_AFTER_S, show_destination
from service.api.operations.schemas import (
    DestinationCondition,
    Disk,
    LastReconciliation,
    ModelInUse,
    Overview,
    Points,
    ReasonCount,
    WebhookCondition,
    WorkerOut,
)
from service.destinations import Destination
from service.domain.findings import InstanceState, ModelIdentity
from service.errors import BrokerDown
from service.jobs.context import Context
from service.jobs.heartbeat import LOST_AFTER_S
from service.jobs.reconcile import Reconciliation, Result
from service.jobs.sampling import SAMPLED
from service.settings import Settings
from service.store.failures import Waiting
from service.store.ledger import Ledger
from service.store.workers import WorkerRow

MOST_POINTS = 120
"""Of a plot; the shortest interval that gives no more is taken."""
STEPS_S = (60, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600)


def interval_of(hours: int) -> int:
    """Seconds of one interval, where `hours` are shown."""
    return next((step for step in STEPS_S if hours * 3600 <= step * MOST_POINTS), STEPS_S[-1])


@dataclass(frozen=True)
class Figures:
    """What came and went, and what was seen of queues and disk, in intervals of `step_s` seconds from `since` on."""

    since: datetime
    step_s: int
    throughput: dict[str, Points]
    samples: dict[str, Points]


def count_up(ledger: Ledger, hours: int) -> Figures:
    """Figures of the last hours."""
    step_s = interval_of(hours)
    start = int((datetime.now(UTC) - timedelta(hours=hours)).timestamp()) // step_s * step_s
    since = datetime.fromtimestamp(start, UTC)
    throughput = {name: [(at, float(n)) for at, n in points] for name, points in ledger.throughput.by_interval(since, step_s).items()}
    return Figures(since, step_s, throughput, ledger.samples.means(SAMPLED, since, step_s))


def build_overview(context: Context, checks: Mapping[str, str | None], figures: Figures) -> Overview:
    """Look once.

    Parameters
    ----------
    checks
        What a probe answered: None for each part that works, else what is broken.
    figures
        Over time.
    """
    ledger, settings = context.ledger, context.settings
    at = datetime.now(UTC)
    counts = ledger.counts.by_state()
    oldest = ledger.counts.oldest_unfinished_at()
    workers = [show_worker(row, at) for row in ledger.workers.all()]
    try:
        queues = context.publisher.waiting()
    except BrokerDown:
        queues = None
    usage = shutil.disk_usage(context.store.data_dir)
    return Overview(
        at=at,
        since=figures.since,
        step_seconds=figures.step_s,
        readiness={part: broken or "ok" for part, broken in checks.items()},
        workers=workers,
        queues=queues,
        images=counts["instances"],
        studies=counts["studies"],
        corrections=counts["corrections"],
        oldest_waiting_seconds=(at - oldest).total_seconds() if oldest else 0.0,
        held_studies=ledger.counts.held_studies(),
        conflicts=counts["conflicts"]["kept"],
        reasons=[
            ReasonCount(state=InstanceState(state), code=code, images=n) for (state, code), n in sorted(ledger.failures.reasons().items())
        ],
        destinations=_conditions(ledger, settings.destinations),
        webhooks=_webhooks(ledger, settings),
        disk=Disk(free_bytes=usage.free, total_bytes=usage.total, refuses_below_bytes=settings.disk_free_min_bytes),
        models=_in_use([worker for worker in workers if worker.alive]),
        night=read_night(settings),
        throughput=figures.throughput,
        samples=figures.samples,
    )


def show_worker(row: WorkerRow, at: datetime) -> WorkerOut:
    """A worker, and whether it lives."""
    return WorkerOut(
        name=row.name,
        host=row.host,
        pid=row.pid,
        provider=row.provider,
        models=list(row.models),
        started_at=row.started_at,
        seen_at=row.seen_at,
        alive=(at - row.seen_at).total_seconds() <= LOST_AFTER_S,
    )


def read_night(settings: Settings) -> LastReconciliation | None:
    """What the last nightly comparison found; None before the first one."""
    reports = sorted(settings.reports_dir.glob("reconcile-*.json"))
    if not reports:
        return None
    try:
        report = Reconciliation.model_validate_json(reports[-1].read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None  # the metrics of a report that cannot be read raise the alarm; a page must still open
    results = [each.result for each in report.discrepancies]
    return LastReconciliation(
        finished_at=report.finished_at,
        complete=report.complete,
        studies=report.studies,
        missing=results.count(Result.MISSING),
        changed=results.count(Result.CHANGED),
        unverified=results.count(Result.UNVERIFIED),
    )


def _conditions(ledger: Ledger, destinations: Sequence[Destination]) -> list[DestinationCondition]:
    """Those that are configured first, in their order, then those that deliveries are left of."""
    counted: dict[str, dict[str, int]] = {}
    for (name, state), count in ledger.counts.deliveries_by_destination().items():
        counted.setdefault(name, {})[state] = count
    waiting = ledger.failures.waiting_deliveries(SLOW_AFTER_S)
    known = {row.name: row for row in ledger.destinations.all()}
    nothing = Waiting(0, 0.0)
    answer = []
    for each in destinations:
        shown = show_destination(each, known.get(each.name))
        about = shown.model_dump(include={"name", "state", "failures", "paused_until", "last_error", "last_answer_at"})
        behind = waiting.get(each.name, nothing)
        owed = counted.pop(each.name, {})
        answer.append(DestinationCondition(**about, configured=True, deliveries=owed, stuck=behind.stuck, oldest_seconds=behind.oldest_s))
    for name, owed in sorted(counted.items()):
        row, behind = known.get(name), waiting.get(name, nothing)
        answer.append(
            DestinationCondition(
                name=name,
                configured=False,
                state="unknown",
                failures=row.failures if row else 0,
                paused_until=None,
                last_error=row.last_error if row else None,
                last_answer_at=row.last_answer_at if row else None,
                deliveries=owed,
                stuck=behind.stuck,
                oldest_seconds=behind.oldest_s,
            )
        )
    return answer


def _webhooks(ledger: Ledger, settings: Settings) -> list[WebhookCondition]:
    errors = ledger.webhooks.all()
    answer = []
    for webhook in settings.webhooks:
        behind = ledger.counts.webhook_backlog(webhook.name)
        error = errors[webhook.name][2] if webhook.name in errors else None
        answer.append(
            WebhookCondition(
                name=webhook.name, events_behind=behind.events, seconds_behind=behind.age_s, failures=behind.failures, last_error=error
            )
        )
    return answer


def _in_use(workers: Sequence[WorkerOut]) -> list[ModelInUse]:
    loaded: dict[ModelIdentity, int] = {}
    for worker in workers:
        for model in worker.models:
            loaded[model] = loaded.get(model, 0) + 1
    ordered = sorted(loaded.items(), key=lambda each: (each[0].task, each[0].name, each[0].version))
    return [ModelInUse(**model.model_dump(), workers=count) for model, count in ordered]
