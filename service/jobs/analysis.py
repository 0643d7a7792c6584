"""Analyse one image: read its file, run the networks, store the heatmap and the preview, record the finding."""

from __future__ import annotations

import logging

from models.errors import ModelsError
from models.foreign_parsers import read_dicom
from service.analyse.runner import Analysis
from service.domain.findings import ImageFinding, InstanceState, Reason
from service.errors import BrokerDown
from service.jobs.conclusion import is_ready
from service.jobs.context import Context
from service.store.instances import InstanceRow

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""An image whose analysis killed its worker this often is not analysed again."""

PICTURES = {"heatmap.png": "heatmap_png", "preview.png": "preview_png", "heatmap.npz": "heatmap_npz"}


def analyse_instance(context: Context, sop_instance_uid: str) -> None:
    """Analyse one received instance and record its terminal state. A second run, or an unknown UID, changes nothing."""
    row = context.ledger.instances.get(sop_instance_uid)
    if row is None or row.state is not InstanceState.RECEIVED:
        return
    tries = context.ledger.instances.count_attempt(sop_instance_uid)
    if tries > MAX_ATTEMPTS:
        reason = Reason(
            code="gave-up", text=f"the analysis killed its worker {MAX_ATTEMPTS} times, or was killed: check the memory of the worker"
        )
        finding = ImageFinding(sop_instance_uid=sop_instance_uid, state=InstanceState.FAILED, reason=reason, kind=row.header.kind)
    else:
        analysis = _analyse(context, row)
        finding = analysis.finding
        for name, attribute in PICTURES.items():
            if data := getattr(analysis, attribute):
                context.store.write_result(sop_instance_uid, name, data)
    if context.ledger.instances.record_finding(finding):
        log.info(
            "worker recorded the finding of an instance",
            extra={"sop_instance_uid": sop_instance_uid, "state": finding.state, "reason": finding.reason and finding.reason.code},
        )
        if is_ready(context, row.study_instance_uid):
            try:
                context.publisher.conclude(row.study_instance_uid, row.priority)
            except BrokerDown:
                log.warning("worker could not queue a conclusion: the sweeper will", extra={"study_instance_uid": row.study_instance_uid})


def _analyse(context: Context, row: InstanceRow) -> Analysis:
    try:
        dataset = read_dicom(context.store.path(row.path), force=True)
        return context.analyser.analyse_dataset(dataset, context.settings.analyse_film, row.header)
    except FileNotFoundError:
        reason = Reason(code="file-missing", text="the stored file is gone: send the instance again")
    except MemoryError:
        reason = Reason(
            code="out-of-memory", text="the image does not fit into memory: lower MAMMOTRIAGE_MAX_PIXELS or give the worker more memory"
        )
    except ModelsError as error:
        reason = Reason(code=error.code, text=str(error))
    except (ValueError, TypeError, LookupError, AttributeError, EOFError, NotImplementedError) as error:
        # An unforeseen value fails this image with a reason; the worker goes on with the queue.
        log.exception("worker could not analyse an instance", extra={"sop_instance_uid": row.sop_instance_uid})
        reason = Reason(code="unparsable", text=f"the instance cannot be analysed ({type(error).__name__})")
    return Analysis(ImageFinding(sop_instance_uid=row.sop_instance_uid, state=InstanceState.FAILED, reason=reason, kind=row.header.kind))
