"""The objects of deliveries, built from the ledger: references to earlier reports, and the SR class of a report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, EnhancedSRStorage
from sqlalchemy import update

from service.destinations import Destination
from service.domain.findings import ObjectKind
from service.errors import FileUnreadable, NotBuildable
from service.jobs.object_building import build
from service.jobs.planning import plan_study
from service.report.uids import cad_uid, report_uid
from service.store.deliveries import DeliveryRow
from service.store.tables import deliveries
from tests.support.received_study import ReceivedStudies

PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)


@pytest.fixture
def received(tmp_path: Path) -> Iterator[ReceivedStudies]:
    studies = ReceivedStudies(tmp_path / "data", destinations=(PACS,))
    yield studies
    studies.close()


def planned(received: ReceivedStudies, kind: ObjectKind, version: int = 1) -> DeliveryRow:
    (row,) = [each for each in received.ledger.deliveries.find() if (each.kind, each.version) == (kind, version)]
    return row


def predecessor(report: Dataset) -> str:
    (study,) = report.PredecessorDocumentsSequence
    return str(study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def test_an_unreadable_image_of_an_earlier_version_does_not_stop_a_new_report(received: ReceivedStudies) -> None:
    study = received.conclude([("R", "CC"), ("L", "CC")], labelled=True)
    first = received.ledger.conclusions.get(study, 1)
    assert first is not None
    images = received.ledger.instances.of_study(study)
    gone, kept = first.images
    smaller = first.model_copy(update={"images": (kept,), "fingerprint": "0" * 64, "corrections": ()})
    assert received.ledger.record_conclusion(smaller, images, lambda numbered: plan_study(numbered, (PACS,))) is not None
    (path,) = [row.path for row in images if row.sop_instance_uid == gone.sop_instance_uid]
    received.context.store.path(path).unlink()
    for kind, uid in ((ObjectKind.REPORT, report_uid(first)), (ObjectKind.CAD, cad_uid(first))):
        built = build(received.context, planned(received, kind, version=2), PACS)
        assert isinstance(built, Dataset) and predecessor(built) == uid
    with pytest.raises((FileNotFoundError, FileUnreadable)):
        build(received.context, planned(received, ObjectKind.REPORT), PACS)


def test_a_report_is_built_in_the_class_that_its_row_holds(received: ReceivedStudies) -> None:
    study = received.conclude([("R", "CC")], labelled=True)
    conclusion = received.ledger.conclusions.get(study, 1)
    assert conclusion is not None
    row = planned(received, ObjectKind.REPORT)
    assert (row.sop_class_uid, row.object_uid) == (Comprehensive3DSRStorage, report_uid(conclusion))
    changed = received.ledger.deliveries.change_sop_class(row.id, EnhancedSRStorage, report_uid(conclusion, EnhancedSRStorage))
    assert changed == planned(received, ObjectKind.REPORT) and changed.object_uid != row.object_uid
    built = build(received.context, changed, PACS)
    assert isinstance(built, Dataset)
    assert (built.SOPClassUID, built.SOPInstanceUID) == (EnhancedSRStorage, changed.object_uid)


def test_a_row_from_before_the_column_of_the_class_is_recognised_by_its_uid(received: ReceivedStudies) -> None:
    study = received.conclude([("R", "CC")], labelled=True)
    conclusion = received.ledger.conclusions.get(study, 1)
    assert conclusion is not None
    for expected in (EnhancedSRStorage, Comprehensive3DSRStorage):
        uid = report_uid(conclusion, expected)
        with received.ledger.database.write() as tx:
            tx.execute(update(deliveries).where(deliveries.c.kind == ObjectKind.REPORT).values(object_uid=uid, sop_class_uid=""))
        built = build(received.context, planned(received, ObjectKind.REPORT), PACS)
        assert isinstance(built, Dataset) and built.SOPClassUID == expected
    with received.ledger.database.write() as tx:
        tx.execute(update(deliveries).where(deliveries.c.kind == ObjectKind.REPORT).values(object_uid="1.2.3"))
    with pytest.raises(NotBuildable):
        build(received.context, planned(received, ObjectKind.REPORT), PACS)
