"""One study: draw its conclusion, and write down in the same breath what has to be delivered."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from service.domain.assembly import conclude, has_full_view_set
from service.domain.correction import Seen
from service.domain.errors import BrokerDown
from service.domain.findings import Conclusion, CorrectionState, InstanceState, ObjectKind, Priority
from service.jobs.context import Context
from service.report.uids import corrected_uid, heatmap_uid, report_uid
from service.destinations import Destination
from service.store.rows import PlannedDelivery

log = logging.getLogger(__name__)


def is_ready(context: Context, study_uid: str) -> bool:
    """Tell whether a study need not wait for the quiet timer: everything received has ended, and the pixels show a full view set."""
    rows = context.ledger.instances_of(study_uid)
    findings = [row.finding for row in rows if row.finding]
    return len(findings) == len(rows) and has_full_view_set(findings)


def conclude_study(context: Context, study_uid: str) -> None:
    """Conclude a study from what has ended; an unchanged study changes nothing.

    The deliveries that follow from a conclusion are entered with it, in one transaction: a worker killed at any point leaves
    either no conclusion or one whose deliveries the sweeper finds.
    """
    rows = context.ledger.instances_of(study_uid)
    if not rows or any(row.finding is None for row in rows):
        return
    study = [Seen(row.header, row.finding) for row in rows if row.finding]
    threshold = context.analyser.threshold
    conclusion = conclude(study, context.policy, threshold, datetime.now(UTC).replace(microsecond=0))
    recorded = context.ledger.record_conclusion(conclusion, lambda numbered: list(plan(numbered, context.settings.destinations)))
    if recorded is None:
        return
    log.info(
        "study concluded", extra={"study_uid": study_uid, "version": recorded.version, "flag": recorded.flag, "complete": recorded.complete}
    )
    queue_deliveries(context, study_uid)


def plan(conclusion: Conclusion, destinations: Iterable[Destination]) -> Iterator[PlannedDelivery]:
    """Which objects go where. A study without any analysed image still gets its report: it says why nothing was done."""
    analysed = {finding.sop_instance_uid: finding for finding in conclusion.images if finding.state is InstanceState.ANALYSED}
    for destination in destinations:
        if ObjectKind.REPORT in destination.objects:
            yield PlannedDelivery(ObjectKind.REPORT, None, destination.name, report_uid(conclusion))
        if ObjectKind.HEATMAP in destination.objects:
            for uid, finding in analysed.items():
                yield PlannedDelivery(ObjectKind.HEATMAP, uid, destination.name, heatmap_uid(conclusion, finding))
        if ObjectKind.CORRECTED in destination.objects:
            for correction in conclusion.corrections:
                if correction.state is CorrectionState.APPROVED:
                    uid = correction.sop_instance_uid
                    yield PlannedDelivery(ObjectKind.CORRECTED, uid, destination.name, corrected_uid(conclusion, correction, analysed[uid]))


def queue_deliveries(context: Context, study_uid: str) -> None:
    """Put a study's pending deliveries on the queue at once, instead of waiting for the sweeper."""
    study = context.ledger.study(study_uid)
    for delivery in context.ledger.due_deliveries(study_uid=study_uid):
        try:
            context.publisher.deliver(delivery.id, study.priority if study else Priority.ROUTINE)
        except BrokerDown:
            log.warning("deliveries not queued, the sweeper will", extra={"study_uid": study_uid})
            return
