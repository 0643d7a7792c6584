"""Objects that archives send back to the listener: it gives them to the worker that asked, and receives the others as new instances."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when the module is loaded
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

from service.deliver.retrieve_inbox import ABANDONED_AFTER_S, CommitmentReport, RetrieveInbox
from tests.support.eventually import TIMEOUT_S
from tests.support.listener_fixture import ListenerFixture, send
from tests.support.sample_findings import full_field

TRANSACTION = "2.25.4711"


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[ListenerFixture]:
    with ListenerFixture(tmp_path / "data").listening() as started:
        yield started


@pytest.fixture
def inbox(receiving: ListenerFixture) -> RetrieveInbox:
    return RetrieveInbox(receiving.settings.data_dir)


def test_an_object_that_a_worker_asked_for_reaches_the_worker_and_is_not_entered(receiving: ListenerFixture, inbox: RetrieveInbox) -> None:
    image = full_field()
    with inbox.expect_object(image.SOPInstanceUID, "ARCHIVE") as pending:
        assert send(receiving.settings, image, "ARCHIVE").Status == 0x0000
        (path,) = pending.files()
        assert dcmread(path).PixelData == image.PixelData
    assert receiving.ledger.instances.get(image.SOPInstanceUID) is None
    assert receiving.published == []


@pytest.mark.parametrize("caller", ["MODALITY", "ARCHIVE2"])
def test_the_same_object_from_another_sender_is_received(caller: str, receiving: ListenerFixture, inbox: RetrieveInbox) -> None:
    image = full_field()
    with inbox.expect_object(image.SOPInstanceUID, "ARCHIVE") as pending:
        send(receiving.settings, image, caller)
        assert pending.files() == []
    assert receiving.published == [image.SOPInstanceUID]


def test_an_object_is_received_once_no_worker_waits_for_it(receiving: ListenerFixture, inbox: RetrieveInbox) -> None:
    image = full_field()
    with inbox.expect_object(image.SOPInstanceUID, "ARCHIVE"):
        pass
    send(receiving.settings, image, "ARCHIVE")
    assert receiving.published == [image.SOPInstanceUID]


def test_the_folder_of_a_dead_worker_does_not_intercept_objects(receiving: ListenerFixture, inbox: RetrieveInbox) -> None:
    image = full_field()
    pending = receiving.settings.data_dir / "retrieve-inbox" / f"{image.SOPInstanceUID}@ARCHIVE"
    pending.mkdir(parents=True)
    long_ago = time.time() - ABANDONED_AFTER_S - 1
    os.utime(pending, (long_ago, long_ago))
    send(receiving.settings, image, "ARCHIVE")
    assert receiving.published == [image.SOPInstanceUID]
    with inbox.expect_report(TRANSACTION):
        assert not pending.exists(), "swept by the next one who waits"


def test_a_commitment_report_reaches_the_worker_that_asked(receiving: ListenerFixture, inbox: RetrieveInbox) -> None:
    with inbox.expect_report(TRANSACTION) as pending:
        assert report_commitment(receiving, TRANSACTION, kept=["1.2.3"], lost={"1.2.4": 0x0112}) == 0x0000
        assert pending.wait(TIMEOUT_S) == CommitmentReport(frozenset({"1.2.3"}), {"1.2.4": 0x0112})


@pytest.mark.parametrize("transaction", ["2.25.999", "../../escape", "..", "."])
def test_a_report_without_a_waiting_worker_is_accepted_and_leaves_no_file(transaction: str, receiving: ListenerFixture) -> None:
    before = {path for path in receiving.settings.data_dir.rglob("*") if "ledger" not in path.name}
    assert report_commitment(receiving, transaction, kept=["1.2.3"], lost={}) == 0x0000
    assert {path for path in receiving.settings.data_dir.rglob("*") if "ledger" not in path.name} == before


def test_a_report_that_does_not_come_times_out(inbox: RetrieveInbox) -> None:
    with inbox.expect_report(TRANSACTION) as pending:
        assert pending.wait(0.1) is None


def test_two_archives_may_be_asked_for_the_same_object_at_once(receiving: ListenerFixture, inbox: RetrieveInbox) -> None:
    image = full_field()
    with inbox.expect_object(image.SOPInstanceUID, "FIRST") as first, inbox.expect_object(image.SOPInstanceUID, "SECOND / 2") as second:
        send(receiving.settings, image, "SECOND / 2")
        assert (len(first.files()), len(second.files())) == (0, 1)


@pytest.mark.parametrize(
    ("proposed", "accepted"),
    [
        (None, False),
        ({"scu_role": True}, False),
        ({"scu_role": True, "scp_role": False}, False),
        ({"scp_role": True}, True),
        ({"scu_role": False, "scp_role": True}, True),
        ({"scu_role": True, "scp_role": True}, True),
    ],
)
def test_commitment_is_taken_from_its_provider_only(receiving: ListenerFixture, proposed: dict[str, bool] | None, accepted: bool) -> None:
    peer = AE("MODALITY")
    peer.add_requested_context(StorageCommitmentPushModel)
    peer.add_requested_context(Verification)
    association = peer.associate(
        "127.0.0.1",
        receiving.settings.dicom_port,
        ext_neg=[build_role(StorageCommitmentPushModel, **proposed)] if proposed else None,
    )
    assert association.is_established
    taken = {context.abstract_syntax: context for context in association.accepted_contexts}
    association.release()
    assert (StorageCommitmentPushModel in taken) is accepted and Verification in taken
    if accepted:
        assert (taken[StorageCommitmentPushModel].as_scu, taken[StorageCommitmentPushModel].as_scp) == (False, True)


def report_commitment(receiving: ListenerFixture, transaction: str, kept: list[str], lost: dict[str, int]) -> int:
    """Call our listener like an archive that answers a request (PS3.4 J.3.3)."""
    information = Dataset()
    information.add_new("TransactionUID", "UI", None)
    information["TransactionUID"]._value = transaction  # as a peer that keeps to no rule would write it
    information.ReferencedSOPSequence = [reference(uid) for uid in kept]
    information.FailedSOPSequence = [reference(uid, reason) for uid, reason in lost.items()]
    archive = AE("ARCHIVE")
    archive.add_requested_context(StorageCommitmentPushModel)
    association = archive.associate(
        "127.0.0.1", receiving.settings.dicom_port, ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)]
    )
    assert association.is_established
    status, _ = association.send_n_event_report(
        information, 2 if lost else 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    association.release()
    return int(status.Status)


def reference(uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.2", uid
    if reason is not None:
        item.FailureReason = reason
    return item
