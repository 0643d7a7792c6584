"""Archives on a bad day: for each fault the ledger ends in the state that is true, and nothing is sent twice."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from service.deliver.attempt import deliver
from service.deliver.commitment import WAIT_S
from service.deliver.negotiation import negotiate
from service.deliver.retrieve_inbox import PendingCommitment
from service.domain.findings import DeliveryState, ObjectKind
from service.report.corrected_instance import build_corrected
from service.store.study_rows import StudyDelivery
from tests.support.delivery_fixture import DeliveryFixture, mislabelled, produced
from tests.support.faulty_scp import Fault, FaultyScp, running_scp
from tests.support.sample_findings import as_received, full_field

PENDING, SENT, VERIFIED = DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.VERIFIED
MISMATCH, REFUSED, FAILED, UNSUPPORTED = DeliveryState.MISMATCH, DeliveryState.REJECTED, DeliveryState.FAILED, DeliveryState.UNSUPPORTED


@pytest.fixture
def deliveries(tmp_path: Path) -> DeliveryFixture:
    return DeliveryFixture(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "data")


@pytest.fixture
def report(tmp_path: Path) -> Dataset:
    return produced(tmp_path)[ObjectKind.REPORT]


def test_an_archive_without_a_fault_ends_verified_after_one_store(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NONE)) as archive:
        assert deliveries.finish(deliveries.plan(report), report, archive.destination()) == [VERIFIED]
    assert archive.stores == [report.SOPInstanceUID]


def test_one_refused_object_of_four_leaves_the_study_partial_and_only_that_one_is_sent_again(
    deliveries: DeliveryFixture, tmp_path: Path
) -> None:
    objects = produced(tmp_path)
    four = [ObjectKind.CAD, ObjectKind.REPORT, ObjectKind.HEATMAP, ObjectKind.MARKS]
    planned = {kind: deliveries.plan(objects[kind], kind) for kind in four}
    refused = str(objects[ObjectKind.HEATMAP].SOPInstanceUID)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.REFUSES, refused=(refused,))) as archive:
        ends = {kind: deliveries.finish(planned[kind], objects[kind], archive.destination())[-1] for kind in four}
        assert ends == {kind: REFUSED if kind is ObjectKind.HEATMAP else VERIFIED for kind in four}
        assert (deliveries.row(planned[ObjectKind.HEATMAP]).status, deliveries.row(planned[ObjectKind.HEATMAP]).tries) == (0xC000, 1)
        assert study_state(deliveries, objects[ObjectKind.CAD]) is StudyDelivery.PARTIAL
        archive.fault = Fault.NONE
        deliveries.ledger.decisions.retry(planned[ObjectKind.HEATMAP], "A. Reader")
        assert [row.id for row in deliveries.ledger.deliveries.due()] == [planned[ObjectKind.HEATMAP]]
        assert deliveries.finish(planned[ObjectKind.HEATMAP], objects[ObjectKind.HEATMAP], archive.destination()) == [VERIFIED]
    assert study_state(deliveries, objects[ObjectKind.CAD]) is StudyDelivery.VERIFIED
    assert sorted(archive.stores) == sorted([*(str(objects[kind].SOPInstanceUID) for kind in four), refused])


def study_state(deliveries: DeliveryFixture, dataset: Dataset) -> StudyDelivery | None:
    study = deliveries.ledger.studies.get(str(dataset.StudyInstanceUID))
    assert study is not None
    return study.delivery_state


def test_success_for_an_object_that_is_dropped_ends_in_a_mismatch_after_one_store(
    deliveries: DeliveryFixture, report: Dataset, tmp_path: Path
) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.DROPS)) as archive:
        assert deliveries.finish(delivery, report, archive.destination()) == [SENT, SENT, MISMATCH]
    assert archive.stores == [report.SOPInstanceUID]
    assert deliveries.row(delivery).error == "pacs accepted the object but does not hold it (given up after 3 tries)"


def test_an_archive_that_lists_late_ends_verified_after_one_store(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.INDEXES_LATE, pause_s=60)) as archive:
        assert deliveries.attempt(delivery, report, archive.destination()) is SENT
        archive.fault = Fault.NONE
        assert deliveries.finish(delivery, report, archive.destination())[-1] is VERIFIED
    assert archive.stores == [report.SOPInstanceUID]


def test_an_archive_that_keeps_the_first_copy_ends_in_a_mismatch_after_two_read_backs(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    source, change = mislabelled(tmp_path)
    corrected = build_corrected(change, source, "overwrite")
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.KEEPS_OLD)) as archive:
        source.save_as(archive.folder / f"{source.SOPInstanceUID}.dcm")
        delivery = deliveries.plan(corrected, ObjectKind.CORRECTED, str(source.SOPInstanceUID))
        assert deliveries.finish(delivery, corrected, archive.destination()) == [SENT, MISMATCH]
        assert archive.stores == [corrected.SOPInstanceUID]
        assert str(deliveries.row(delivery).error).startswith("pacs keeps another copy under this UID; it differs in")
        assert "ImageLaterality" in str(deliveries.row(delivery).error)
        archive.fault = Fault.NONE
        deliveries.ledger.decisions.retry(delivery, "A. Reader")
        assert deliveries.finish(delivery, corrected, archive.destination()) == [VERIFIED]


def test_an_association_closed_after_the_object_was_kept_is_verified_without_a_second_store(
    deliveries: DeliveryFixture, report: Dataset, tmp_path: Path
) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.CLOSES)) as archive:
        assert deliveries.finish(delivery, report, archive.destination()) == [PENDING, VERIFIED]
    assert archive.stores == [report.SOPInstanceUID]


def test_an_association_closed_before_the_object_was_kept_is_tried_again_until_it_is_taken(
    deliveries: DeliveryFixture, report: Dataset, tmp_path: Path
) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.HANGS_UP)) as archive:
        assert deliveries.attempt(delivery, report, archive.destination()) is PENDING
        archive.fault = Fault.NONE
        assert deliveries.finish(delivery, report, archive.destination()) == [VERIFIED]
        assert [path.stem for path in archive.paths()] == [report.SOPInstanceUID]


def test_an_archive_that_always_hangs_up_ends_failed(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.HANGS_UP)) as archive:
        assert deliveries.finish(delivery, report, archive.destination()) == [PENDING, PENDING, FAILED]
        assert archive.paths() == []
    assert "given up after 3 tries" in str(deliveries.row(delivery).error)


def test_a_slow_archive_is_waited_for(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.SLOW, pause_s=0.5)) as archive:
        assert deliveries.finish(deliveries.plan(report), report, archive.destination()) == [VERIFIED]
    assert archive.stores == [report.SOPInstanceUID]


def test_an_archive_slower_than_our_timeout_is_read_back_before_anything_is_sent_again(
    deliveries: DeliveryFixture, report: Dataset, tmp_path: Path
) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.SLOW, pause_s=3.0)) as archive:
        assert deliveries.attempt(delivery, report, archive.destination(timeout_seconds=2)) is PENDING
        assert deliveries.finish(delivery, report, archive.destination()) == [VERIFIED]
    assert archive.stores == [report.SOPInstanceUID]


def test_no_common_transfer_syntax_ends_refused_and_nothing_is_sent(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NO_TRANSFER_SYNTAX)) as archive:
        assert deliveries.finish(delivery, report, archive.destination()) == [REFUSED]
    assert archive.stores == []
    assert "does not take Comprehensive 3D SR Storage in" in str(deliveries.row(delivery).error)


@pytest.mark.parametrize(
    ("kind", "end"), [(ObjectKind.REPORT, UNSUPPORTED), (ObjectKind.MARKS, UNSUPPORTED), (ObjectKind.CORRECTED, REFUSED)]
)
def test_an_unsupported_sop_class_is_not_delivered_and_a_correction_is_rejected(
    kind: ObjectKind, end: DeliveryState, deliveries: DeliveryFixture, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = produced(tmp_path)[kind]
    delivery = deliveries.plan(dataset, kind)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NO_SOP_CLASS)) as archive, caplog.at_level(logging.WARNING, "service"):
        assert deliveries.finish(delivery, dataset, archive.destination()) == [end]
    assert archive.stores == []
    assert deliveries.row(delivery).error == f"pacs: does not take {dataset.SOPClassUID.name}"
    known = deliveries.ledger.destinations.health("pacs")
    assert known is not None and known.capabilities is not None and known.capabilities[dataset.SOPClassUID] is False
    logged = [record.message for record in caplog.records if record.name == "service.deliver.attempt"]
    assert logged == (["worker did not deliver an object: the destination does not support its SOP class"] if end is UNSUPPORTED else [])


def test_a_full_disk_that_stays_full_ends_failed_with_its_status(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.FULL)) as archive:
        assert deliveries.finish(delivery, report, archive.destination()) == [PENDING, PENDING, FAILED]
        assert archive.paths() == []
    assert (deliveries.row(delivery).status, deliveries.row(delivery).tries) == (0xA700, 3)


def test_a_full_disk_that_gets_space_again_ends_verified(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.FULL)) as archive:
        assert deliveries.attempt(delivery, report, archive.destination()) is PENDING
        archive.fault = Fault.NONE
        assert deliveries.finish(delivery, report, archive.destination()) == [VERIFIED]


def test_a_wrong_ae_title_ends_refused_and_nothing_is_sent(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.WRONG_AE)) as archive:
        assert deliveries.finish(delivery, report, archive.destination()) == [REFUSED]
    assert archive.stores == []
    assert deliveries.row(delivery).error == "pacs: association rejected, check the AE titles on both sides"


def test_an_archive_that_declines_to_commit_ends_failed_though_it_holds_the_object(
    deliveries: DeliveryFixture, report: Dataset, tmp_path: Path
) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.BREAKS_ITS_WORD)) as archive:
        assert deliveries.finish(delivery, report, archive.destination()) == [SENT, SENT, FAILED]
    assert archive.stores == [report.SOPInstanceUID]
    assert "0x0112" in str(deliveries.row(delivery).error)


def test_a_peer_that_is_not_asked_to_commit_is_verified_by_the_read_back_alone(
    deliveries: DeliveryFixture, report: Dataset, tmp_path: Path
) -> None:
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.BREAKS_ITS_WORD)) as archive:
        assert deliveries.finish(deliveries.plan(report), report, archive.destination(commitment=False)) == [VERIFIED]


def test_a_peer_without_storage_commitment_is_asked_once_in_a_while_only(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    objects = produced(tmp_path)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NONE)) as archive:
        counts = []
        for kind in (ObjectKind.CAD, ObjectKind.REPORT):
            before = archive.associations
            deliveries.finish(deliveries.plan(objects[kind], kind), objects[kind], archive.destination())
            counts.append(archive.associations - before)
    assert counts == [4, 3], "read back, send, ask for commitment, read back"


def test_a_peer_that_never_reports_commitment_is_waited_for_once(
    deliveries: DeliveryFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    patient = PendingCommitment.wait

    def report(pending: PendingCommitment, timeout_s: float) -> Any:
        waited.append(timeout_s)
        return patient(pending, 0.1)

    monkeypatch.setattr(PendingCommitment, "wait", report)
    objects = produced(tmp_path)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NEVER_REPORTS)) as archive:
        for kind in (ObjectKind.CAD, ObjectKind.REPORT):
            assert deliveries.finish(deliveries.plan(objects[kind], kind), objects[kind], archive.destination()) == [VERIFIED]
    assert waited == [WAIT_S]


def test_failures_in_a_row_open_the_breaker_and_an_answer_closes_it(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    objects = produced(tmp_path)
    kinds = list(objects)[:3]
    planned = [deliveries.plan(objects[kind], kind) for kind in kinds]
    archive = FaultyScp(tmp_path / "pacs", Fault.FULL)
    with running_scp(archive):
        nervous = archive.destination(breaker_after=2, breaker_seconds=3600)
        for delivery, kind in zip(planned[:2], kinds[:2], strict=True):
            assert deliveries.attempt(delivery, objects[kind], nervous) is PENDING
        state = deliveries.ledger.destinations.health("pacs")
        assert state is not None and state.failures == 2
        assert state.open_until is not None and state.open_until > deliveries.now()
        assert deliveries.ledger.deliveries.claim(planned[2], 60) is None
        archive.fault = Fault.NONE
        deliveries.skip_pause(planned[2])
        assert deliveries.now() >= state.open_until
        for delivery, kind in zip(planned, kinds, strict=True):
            assert deliveries.finish(delivery, objects[kind], nervous)[-1] is VERIFIED
    state = deliveries.ledger.destinations.health("pacs")
    assert state is not None and (state.failures, state.open_until) == (0, None)
    assert sorted(archive.stores[2:]) == sorted(str(objects[kind].SOPInstanceUID) for kind in kinds)


def test_a_refusal_is_an_answer_and_opens_no_breaker(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    objects = produced(tmp_path)
    everything = tuple(str(dataset.SOPInstanceUID) for dataset in objects.values())
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.REFUSES, refused=everything)) as archive:
        for kind in (ObjectKind.CAD, ObjectKind.REPORT):
            destination = archive.destination(breaker_after=1)
            assert deliveries.finish(deliveries.plan(objects[kind], kind), objects[kind], destination) == [REFUSED]
    state = deliveries.ledger.destinations.health("pacs")
    assert state is not None and (state.failures, state.open_until) == (0, None)


def test_a_late_worker_does_not_change_the_outcome(deliveries: DeliveryFixture, report: Dataset, tmp_path: Path) -> None:
    delivery = deliveries.plan(report)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.SLOW, pause_s=0.0)) as archive:
        claimed = deliveries.ledger.deliveries.claim(delivery, 60)
        assert claimed is not None
        deliveries.ledger.deliveries.finish(delivery, VERIFIED)
        assert deliver(claimed, report, archive.destination(), deliveries.ledger, deliveries.settings) is VERIFIED
    assert deliveries.row(delivery).state is VERIFIED


def test_supported_sop_classes_are_asked_without_sending_anything(tmp_path: Path) -> None:
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NO_SOP_CLASS, taken=(Comprehensive3DSRStorage,))) as archive:
        taken = negotiate(archive.destination(), "MAMMOTRIAGE")
    assert taken[Comprehensive3DSRStorage] is True
    assert taken[produced(tmp_path)[ObjectKind.CAD].SOPClassUID] is False
    assert archive.stores == []


def test_pauses_between_tries_grow(tmp_path: Path) -> None:
    deliveries = DeliveryFixture(
        f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "data", delivery_backoff_seconds=100, delivery_max_attempts=9
    )
    image = as_received(full_field(), tmp_path)
    delivery = deliveries.plan(image, ObjectKind.CORRECTED)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.FULL)) as archive:
        for tries, middle in ((1, 100), (2, 200), (3, 400)):
            before = datetime.now(UTC)
            deliver(replace(deliveries.row(delivery), tries=tries), image, archive.destination(), deliveries.ledger, deliveries.settings)
            least, most = timedelta(seconds=0.75 * middle), timedelta(seconds=1.25 * middle)
            assert before + least <= deliveries.row(delivery).next_try_at <= datetime.now(UTC) + most


def test_no_log_line_error_or_event_contains_patient_data(
    deliveries: DeliveryFixture, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "service"):
        for number, fault in enumerate((Fault.DROPS, Fault.FULL, Fault.NO_SOP_CLASS, Fault.HANGS_UP)):
            image = as_received(full_field(), tmp_path)
            delivery = deliveries.plan(image, ObjectKind.MARKS)
            with running_scp(FaultyScp(tmp_path / str(number), fault)) as archive:
                deliveries.finish(delivery, image, archive.destination(breaker_after=100))
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name.startswith("service")]
    logged += [str(row.error) for row in deliveries.ledger.deliveries.find()] + [
        str(event.detail) for event in deliveries.ledger.events.find()
    ]
    assert len(logged) >= 8
    assert not [line for line in logged for secret in ("Phantom", "PH-1", "19600101") if secret in line]
