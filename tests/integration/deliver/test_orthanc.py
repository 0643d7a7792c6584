"""Delivery to a real Orthanc: done means that the archive was seen to hold the object."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from service.deliver.attempt import deliver
from service.domain.findings import DeliveryState, ObjectKind
from tests.support.delivery_fixture import DeliveryFixture, produced
from tests.support.orthanc import Orthanc, running
from tests.support.sample_findings import as_received

# pynetdicom does not close the socket of a refused connection; it is freed at once, but Python warns.
no_listener = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def deliveries(tmp_path: Path) -> DeliveryFixture:
    return DeliveryFixture(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "data")


@pytest.mark.parametrize("kind", list(ObjectKind))
def test_each_kind_of_object_arrives_and_is_verified(
    kind: ObjectKind, deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    dataset = produced(tmp_path)[kind]
    delivery = deliveries.plan(dataset, kind)
    assert deliveries.attempt(delivery, dataset, orthanc.destination()) is DeliveryState.VERIFIED
    assert deliveries.row(delivery).state is DeliveryState.VERIFIED
    held = orthanc.instance(dataset.SOPInstanceUID)
    assert held is not None and held["StudyInstanceUID"] == dataset.StudyInstanceUID


def test_a_corrected_film_arrives_in_its_own_compression(
    deliveries: DeliveryFixture, orthanc: Orthanc, cbis_cases: dict[str, list[Path]], tmp_path: Path
) -> None:
    source = pydicom.dcmread(cbis_cases["sfm-benign-0"][3])
    corrected = produced(tmp_path, source)[ObjectKind.CORRECTED]
    delivery = deliveries.plan(corrected, ObjectKind.CORRECTED)
    assert deliveries.attempt(delivery, corrected, orthanc.destination()) is DeliveryState.VERIFIED
    held = orthanc.instance(corrected.SOPInstanceUID)
    assert held is not None
    assert (held["ViewPosition"], held["ImageLaterality"], held["SeriesDescription"]) == ("MLO", "R", "R MLO")


def test_an_object_that_is_there_already_is_verified_without_a_second_copy(
    deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    dataset = produced(tmp_path)[ObjectKind.REPORT]
    delivery = deliveries.plan(dataset)
    deliveries.attempt(delivery, dataset, orthanc.destination())
    before = len(orthanc.ids())
    again = replace(deliveries.row(delivery), state=DeliveryState.PENDING)
    assert deliver(again, dataset, orthanc.destination(), deliveries.ledger, deliveries.settings) is DeliveryState.VERIFIED
    assert len(orthanc.ids()) == before
    assert stores_seen(orthanc, dataset.SOPInstanceUID) == 1


def stores_seen(archive: Orthanc, uid: str) -> int:
    """How often Orthanc wrote of a new instance, by its change log."""
    changes = archive.changes()
    return sum(change["ChangeType"] == "NewInstance" and archive.tags(change["ID"])["SOPInstanceUID"] == uid for change in changes)


def test_an_archive_that_keeps_its_old_copy_ends_in_a_mismatch(deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path) -> None:
    corrected = produced(tmp_path)[ObjectKind.CORRECTED]
    old = as_received(corrected, tmp_path)
    old.ViewPosition = "CC"
    old.ImageLaterality = "L"
    old.save_as(tmp_path / "old.dcm")
    orthanc.upload((tmp_path / "old.dcm").read_bytes())
    delivery = deliveries.plan(corrected, ObjectKind.CORRECTED)
    assert deliveries.finish(delivery, corrected, orthanc.destination()) == [DeliveryState.SENT, DeliveryState.MISMATCH]
    row = deliveries.row(delivery)
    assert row.state is DeliveryState.MISMATCH
    assert row.error == "pacs keeps another copy under this UID; it differs in ViewPosition, ImageLaterality"
    held = orthanc.instance(corrected.SOPInstanceUID)
    assert held is not None and held["ViewPosition"] == "CC"


def test_an_archive_that_overwrites_ends_verified(deliveries: DeliveryFixture, overwriting_orthanc: Orthanc, tmp_path: Path) -> None:
    corrected = produced(tmp_path)[ObjectKind.CORRECTED]
    old = as_received(corrected, tmp_path)
    old.ViewPosition = "CC"
    old.save_as(tmp_path / "old.dcm")
    overwriting_orthanc.upload((tmp_path / "old.dcm").read_bytes())
    delivery = deliveries.plan(corrected, ObjectKind.CORRECTED)
    assert deliveries.attempt(delivery, corrected, overwriting_orthanc.destination()) is DeliveryState.VERIFIED


@pytest.mark.peer
@no_listener
def test_while_the_archive_is_down_a_later_try_is_scheduled_and_succeeds(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    dataset = produced(tmp_path)[ObjectKind.REPORT]
    archive = Orthanc(tmp_path / "orthanc")
    delivery = deliveries.plan(dataset)
    before = datetime.now(UTC)
    assert deliveries.attempt(delivery, dataset, archive.destination()) is DeliveryState.PENDING
    row = deliveries.row(delivery)
    assert row.next_try_at >= before + timedelta(seconds=0.07)
    assert "no association" in str(row.error)
    assert deliveries.ledger.deliveries.due(before) == []
    with running(archive):
        assert deliveries.attempt(delivery, dataset, archive.destination()) is DeliveryState.VERIFIED


@no_listener
def test_an_archive_that_stays_down_ends_failed(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    dataset = produced(tmp_path)[ObjectKind.REPORT]
    archive = Orthanc(tmp_path / "orthanc")
    delivery = deliveries.plan(dataset)
    states = []
    for _ in range(3):
        states.append(deliveries.attempt(delivery, dataset, archive.destination()))
    assert states == [DeliveryState.PENDING, DeliveryState.PENDING, DeliveryState.FAILED]
    assert "given up after 3 tries" in str(deliveries.row(delivery).error)


def test_an_archive_that_forbids_retrieval_keeps_the_delivery_open_until_it_allows_it(
    deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    dataset = produced(tmp_path)[ObjectKind.REPORT]
    delivery = deliveries.plan(dataset)
    assert deliveries.attempt(delivery, dataset, orthanc.destination(calling_ae_title="STRANGER")) is DeliveryState.SENT
    assert "C-FIND" in str(deliveries.row(delivery).error)
    assert deliveries.attempt(delivery, dataset, orthanc.destination()) is DeliveryState.VERIFIED
    assert stores_seen(orthanc, dataset.SOPInstanceUID) == 1


def test_two_deliveries_at_once_leave_one_object(tmp_path: Path, orthanc: Orthanc) -> None:
    dataset = produced(tmp_path)[ObjectKind.REPORT]
    fixtures = [DeliveryFixture(f"sqlite:///{tmp_path / name}.sqlite", tmp_path / name) for name in ("a", "b")]
    states: list[DeliveryState] = []

    def work(deliveries: DeliveryFixture) -> None:
        states.append(deliveries.attempt(deliveries.plan(dataset), dataset, orthanc.destination()))

    threads = [threading.Thread(target=work, args=(deliveries,)) for deliveries in fixtures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [DeliveryState.VERIFIED] * 2
    assert stores_seen(orthanc, dataset.SOPInstanceUID) == 1
