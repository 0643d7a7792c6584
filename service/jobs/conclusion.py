"""Conclude one study, and plan its deliveries in the same transaction."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from service.domain.study_conclusion import conclude, has_full_view_set
from service.domain.study_image import StudyImage
from service.jobs.context import Context
from service.jobs.corrections import queue_deliveries
from service.jobs.planning import drop_disabled, plan_correction, plan_study

log = logging.getLogger(__name__)


def is_ready(context: Context, study_instance_uid: str) -> bool:
    """Tell whether a study can be concluded before it is idle: all its images have ended, and their pixels show a full view set."""
    rows = context.ledger.instances.of_study(study_instance_uid)
    findings = [row.finding for row in rows if row.finding]
    return len(findings) == len(rows) and has_full_view_set(findings)


def conclude_study(context: Context, study_instance_uid: str) -> None:
    """Conclude a study of which every image has ended; an unchanged study gets no new conclusion.

    The ledger enters a conclusion and its deliveries in one transaction: a worker that is killed at any point leaves either no conclusion
    or one whose deliveries the sweeper finds.
    """
    rows = context.ledger.instances.of_study(study_instance_uid)
    if not rows or any(row.finding is None for row in rows) or context.ledger.holds.withholds_results(study_instance_uid):
        return
    destinations = context.route(rows)
    study = [StudyImage(row.header, row.finding) for row in rows]
    conclusion = drop_disabled(conclude(study, context.analyser.threshold, datetime.now(UTC).replace(microsecond=0)), destinations)
    recorded = context.ledger.record_conclusion(
        conclusion, rows, lambda numbered: plan_study(numbered, destinations), lambda row: plan_correction(row, destinations)
    )
    if recorded is None:
        return
    summary = {"version": recorded.version, "flag": recorded.flag, "complete": recorded.complete, "verdict": recorded.reasoning.verdict}
    log.info("worker concluded a study", extra={"study_instance_uid": study_instance_uid, **summary})
    queue_deliveries(context, study_instance_uid)
