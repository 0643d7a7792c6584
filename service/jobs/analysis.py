"""One image: read, analyse, keep the pictures, write the answer down."""

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

MOST_TRIES = 3
"""An image that took its worker down this often is not given to another one."""

PICTURES = {"heatmap.png": "heatmap_png", "preview.png": "preview_png", "heatmap.npz": "heatmap_npz"}


def analyse_instance(context: Context, sop_instance_uid: str) -> None:
    """Bring one received instance to its terminal state. Running it twice, or for an unknown id, does no harm."""
    row = context.ledger.instances.get(sop_instance_uid)
    if row is None or row.state is not InstanceState.RECEIVED:
        return
    tries = context.ledger.instances.count_attempt(sop_instance_uid)
    if tries > MOST_TRIES:
        reason = Reason(
            code="gave-up", text=f"analysis ended without an answer {MOST_TRIES} times: the process was killed or ran out of memory"
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
            "instance ended",
            extra={"sop_instance_uid": sop_instance_uid, "state": finding.state, "reason": finding.reason and finding.reason.code},
        )
        if is_ready(context, row.study_instance_uid):
            try:
                context.publisher.conclude(row.study_instance_uid, row.priority)
            except BrokerDown:
                log.warning("conclusion not queued, the sweeper will", extra={"study_instance_uid": row.study_instance_uid})


def _analyse(context: Context, row: InstanceRow) -> Analysis:
    try:
        dataset = read_dicom(context.store.path(row.path), force=True)
        return context.analyser.analyse_dataset(dataset, context.settings.analyse_film, row.header)
    except FileNotFoundError:
        reason = Reason(code="file-missing", text="the stored file is gone: receive the instance again")
    except MemoryError:
        reason = Reason(
            code="out-of-memory", text="the image does not fit into memory: lower MAMMOTRIAGE_MAX_PIXELS or give the worker more"
        )
    except ModelsError as error:
        reason = Reason(code=error.code, text=str(error))
    except (ValueError, TypeError, LookupError, AttributeError, EOFError, NotImplementedError) as error:
        # Values that nobody foresaw end this image with a reason, and the queue goes on.
        log.exception("instance failed", extra={"sop_instance_uid": row.sop_instance_uid})
        reason = Reason(code="unparsable", text=f"the instance cannot be analysed ({type(error).__name__})")
    return Analysis(ImageFinding(sop_instance_uid=row.sop_instance_uid, state=InstanceState.FAILED, reason=reason, kind=row.header.kind))
