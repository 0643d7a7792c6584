"""From a decision to the archive and back: what waits for whom, what is refused, what a destination ends up with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from models.vocabulary import Laterality, View
from service.demo.small_pacs import SmallPacs
from service.destinations import Destination
from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionState,
    DeliveryState,
    ImageFinding,
    InstanceState,
    ObjectKind,
)
from service.domain.policy import CorrectionPolicy
from service.errors import DecisionRefused
from service.jobs.corrections import approve_correction, reject_correction, retry_delivery, undo_correction
from service.jobs.planning import drop_disabled, plan_study
from service.store.corrections import CorrectionRow
from service.store.database import open_engine
from service.store.deliveries import DeliveryRow
from service.store.ledger import Ledger
from service.store.migrate import MIGRATIONS, migrate
from tests.support.received_study import ReceivedStudies
from tests.support.sample_findings import analysed, concluded, correction, full_field

State, End = CorrectionState, DeliveryState


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SmallPacs]:
    archive = SmallPacs(tmp_path / "pacs")
    archive.start()
    yield archive
    archive.stop()


def destination(archive: SmallPacs, name: str = "pacs", **corrections: object) -> Destination:
    policy = CorrectionPolicy.model_validate(corrections)
    return Destination(
        name=name, ae_title=archive.ae_title, host=archive.host, port=archive.port, objects=(), corrections=policy, commitment=False
    )


def open_ward(tmp_path: Path, *destinations: Destination, wrong: bool = False) -> ReceivedStudies:
    received = ReceivedStudies(tmp_path / "data", destinations=destinations)
    received.conclude([("R", "CC")], wrong=wrong)
    return received


def only(received: ReceivedStudies) -> CorrectionRow:
    (row,) = received.ledger.corrections.find()
    return row


def of_kind(received: ReceivedStudies, kind: ObjectKind) -> list[DeliveryRow]:
    return [row for row in received.ledger.deliveries.find() if row.kind is kind]


def held(archive: SmallPacs, uid: str) -> pydicom.Dataset | None:
    return next((pydicom.dcmread(path) for path in archive.paths() if path.stem == uid), None)


def test_a_person_approves_and_undoes_and_the_archive_holds_the_decided_labels(tmp_path: Path, archive: SmallPacs) -> None:
    received = open_ward(tmp_path, destination(archive), wrong=True)
    assert only(received).state is State.PROPOSED and received.deliver_all() == []
    approve_correction(received.context, only(received).id, "Ada", "the marker says R")
    received.deliver_all()
    (sent,) = of_kind(received, ObjectKind.CORRECTED)
    corrected = held(archive, sent.object_uid)
    assert only(received).state is State.VERIFIED and corrected is not None and corrected.ImageLaterality == "R"
    undo_correction(received.context, only(received).id, "Ada", "wrong image")
    received.deliver_all()
    (undone,) = of_kind(received, ObjectKind.REVERTED)
    former = held(archive, undone.object_uid)
    assert only(received).state is State.REVERTED and former is not None and former.ImageLaterality == "L"
    assert len(former.OriginalAttributesSequence) == 2, "the undo is recorded as well as the correction"


def test_a_retry_does_not_write_a_correction_that_a_person_undid_or_rejected(tmp_path: Path, archive: SmallPacs) -> None:
    received = open_ward(tmp_path, destination(archive))
    (planned,) = of_kind(received, ObjectKind.CORRECTED)
    assert undo_correction(received.context, only(received).id, "Ada", "too early").state is State.REVERTED
    with pytest.raises(DecisionRefused, match=r"correction 1, which is reverted: it is not written again"):
        retry_delivery(received.context, planned.id, "Bob")
    assert received.ledger.deliveries.due() == [] and archive.paths() == []
    with pytest.raises(DecisionRefused, match="is reverted"):
        reject_correction(received.context, only(received).id, "Bob", "again")


def test_an_undo_that_is_retried_counts_as_an_undo_again(tmp_path: Path, archive: SmallPacs) -> None:
    received = open_ward(tmp_path, destination(archive))
    received.deliver_all()
    undo_correction(received.context, only(received).id, "Ada", "wrong")
    (undone,) = of_kind(received, ObjectKind.REVERTED)
    received.ledger.deliveries.finish(undone.id, End.REJECTED, "no")
    assert only(received).state is State.VERIFIED
    retry_delivery(received.context, undone.id, "Bob")
    assert only(received).state is State.REVERTING
    received.deliver_all()
    assert only(received).state is State.REVERTED


def test_an_undo_waits_for_the_worker_that_is_just_sending_the_correction(tmp_path: Path, archive: SmallPacs) -> None:
    received = open_ward(tmp_path, destination(archive))
    (planned,) = of_kind(received, ObjectKind.CORRECTED)
    assert received.ledger.deliveries.claim(planned.id, 300.0) is not None
    undo_correction(received.context, only(received).id, "Ada", "stop")
    (undone,) = of_kind(received, ObjectKind.REVERTED)
    assert received.ledger.deliveries.due() == [] and (undone.next_try_at - undone.created_at).total_seconds() > 200
    received.deliver_all()
    assert only(received).state is State.REVERTED


def test_an_undo_that_cannot_reach_who_took_the_correction_is_refused_and_changes_nothing(tmp_path: Path, archive: SmallPacs) -> None:
    received = open_ward(tmp_path, destination(archive))
    received.deliver_all()
    received.context.settings = received.settings.model_copy(update={"destinations": (destination(archive, mode="report"),)})
    with pytest.raises(DecisionRefused, match="went to pacs, which can no longer be written to"):
        undo_correction(received.context, only(received).id, "Ada", "wrong")
    assert only(received).state is State.VERIFIED


def test_an_undo_goes_where_the_correction_went_although_policy_asks_for_approval_by_now(tmp_path: Path, archive: SmallPacs) -> None:
    received = open_ward(tmp_path, destination(archive))
    received.deliver_all()
    received.context.settings = received.settings.model_copy(update={"destinations": (destination(archive, missing="approve"),)})
    undo_correction(received.context, only(received).id, "Ada", "wrong")
    assert len(of_kind(received, ObjectKind.REVERTED)) == 1


def test_while_one_destination_asks_for_approval_none_gets_the_correction(tmp_path: Path, archive: SmallPacs) -> None:
    received = open_ward(tmp_path, destination(archive, "at-once"), destination(archive, "asks", missing="approve"))
    assert only(received).state is State.PROPOSED and received.ledger.deliveries.find() == []
    approve_correction(received.context, only(received).id, "Ada", "right")
    assert [row.destination for row in of_kind(received, ObjectKind.CORRECTED)] == ["at-once", "asks"]


class TestRejectionNotes:
    def test_an_image_is_rejected_once_its_corrected_copy_is_verified(self, tmp_path: Path, archive: SmallPacs) -> None:
        received = open_ward(tmp_path, destination(archive, rejection_note=True))
        (copy,), (note,) = of_kind(received, ObjectKind.CORRECTED), of_kind(received, ObjectKind.REJECTION)
        received.deliver_all(only=[note.id], rounds=2)
        assert of_kind(received, ObjectKind.REJECTION)[0].state is End.PENDING and archive.paths() == []
        received.deliver_all()
        assert [row.state for row in received.ledger.deliveries.find()] == [End.VERIFIED, End.VERIFIED]
        stored_note = held(archive, note.object_uid)
        assert stored_note is not None and stored_note.ConceptNameCodeSequence[0].CodeValue == "113037"
        assert only(received).sop_instance_uid in stored_note.to_json() and held(archive, copy.object_uid) is not None

    def test_an_image_whose_copy_did_not_arrive_is_not_rejected(self, tmp_path: Path, archive: SmallPacs) -> None:
        received = open_ward(tmp_path, destination(archive, rejection_note=True))
        (copy,), (note,) = of_kind(received, ObjectKind.CORRECTED), of_kind(received, ObjectKind.REJECTION)
        received.ledger.deliveries.finish(copy.id, End.REJECTED, "no")
        received.deliver_all()
        assert of_kind(received, ObjectKind.REJECTION)[0].state is End.MISMATCH and held(archive, note.object_uid) is None

    def test_an_undo_rejects_the_corrected_copy(self, tmp_path: Path, archive: SmallPacs) -> None:
        received = open_ward(tmp_path, destination(archive, rejection_note=True))
        received.deliver_all()
        undo_correction(received.context, only(received).id, "Ada", "wrong")
        received.deliver_all()
        stored_note = held(archive, of_kind(received, ObjectKind.REJECTION)[-1].object_uid)
        assert stored_note is not None and of_kind(received, ObjectKind.CORRECTED)[0].object_uid in stored_note.to_json()
        assert {row.state for row in received.ledger.deliveries.find()} == {End.VERIFIED}


class TestReportsOfStudiesWithoutPictures:
    def test_no_cad_report_can_be_made_and_the_next_version_has_one_without_a_predecessor(self, tmp_path: Path, archive: SmallPacs) -> None:
        peer = Destination(name="pacs", ae_title="X", host=archive.host, port=archive.port, objects=(ObjectKind.CAD,), commitment=False)
        received = ReceivedStudies(tmp_path / "data", destinations=(peer,))
        text_only, image = full_field("R", "CC"), full_field("L", "CC")
        image.StudyInstanceUID = text_only.StudyInstanceUID
        for keyword in ("Rows", "Columns", "PixelData"):
            delattr(text_only, keyword)
        self._conclude(received, ImageFinding(sop_instance_uid=received.receive(text_only), state=InstanceState.SKIPPED))
        (first,) = received.deliver_all()
        assert first.state is End.UNSUPPORTED and "no such object" in (first.error or "")
        self._conclude(received, analysed(received.receive(image), "L", "CC"))
        last = received.deliver_all()[-1]
        report = held(archive, last.object_uid)
        assert last.state is End.VERIFIED and report is not None and "PredecessorDocumentsSequence" not in report

    def _conclude(self, received: ReceivedStudies, finding: ImageFinding) -> None:
        received.ledger.instances.record_finding(finding)
        row = received.ledger.instances.get(finding.sop_instance_uid)
        assert row is not None
        images = received.ledger.instances.of_study(row.study_instance_uid)
        found = [each.finding for each in images if each.finding]
        conclusion = concluded(row.study_instance_uid, found, [], complete=False).model_copy(update={"fingerprint": str(len(found))})
        assert (
            received.ledger.record_conclusion(conclusion, images, lambda numbered: plan_study(numbered, received.settings.destinations))
            is not None
        )


def test_a_kind_that_is_off_everywhere_counts_as_not_compared(archive: SmallPacs) -> None:
    finding = analysed("1.2.3.4", "R", "CC")
    missing = correction("1.2.3.4", (Laterality.UNKNOWN, View.UNKNOWN), ("R", "CC"))
    conclusion = concluded("1.2.3", [finding], [missing], complete=False)
    off, on = destination(archive, "off", missing="off"), destination(archive, "on", missing="report")
    assert drop_disabled(conclusion, (off, on)) == conclusion and len(plan_study(conclusion, (off, on)).corrections) == 1
    silent = drop_disabled(conclusion, (off,))
    (quiet,) = silent.corrections
    assert quiet.view is quiet.laterality is Agreement.UNSURE and quiet.kind is None and plan_study(silent, (off,)).corrections == ()


def test_a_ledger_of_the_former_schema_keeps_its_open_deliveries(empty_database_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = open_engine(empty_database_url)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        at = "2026-11-02 08:00:00.000000"
        connection.execute(
            text(
                "INSERT INTO studies VALUES ('1.2.3', 'concluded', 'routine', :at, :at, :at, false, 1, 1, 1, 'routine', 0.5, 'B', 1, -0.5)"
            ),
            {"at": at},
        )
        connection.execute(
            text(
                "INSERT INTO deliveries (id, study_uid, version, kind, destination, object_uid, state, tries, "
                "created_at, next_try_at) "
                "VALUES (1, '1.2.3', 1, 'sr', 'pacs', '2.25.1', 'pending', 2, :at, :at)"
            ),
            {"at": at},
        )
    engine.dispose()
    migrate(empty_database_url)
    ledger = Ledger(empty_database_url)
    (row,) = ledger.deliveries.due()
    assert (row.object_uid, row.tries, row.correction_id, row.status) == ("2.25.1", 2, None, None)
    assert not ledger.deliveries.plan("1.2.3", 1, ObjectKind.REPORT, None, "pacs", "2.25.1"), "it is still owed once"
    ledger.close()


def test_a_conclusion_of_the_former_version_is_still_read() -> None:
    finding = analysed("1.2.3.4", "R", "CC")
    now = concluded("1.2.3", [finding], [correction("1.2.3.4", ("R", "CC"), ("R", "CC"))], complete=False).model_dump(mode="json")
    now.pop("reasoning")
    (former,) = now["corrections"]
    for name in ("kind", "confidence", "evidence", "film", "blocked_reason"):
        former.pop(name)
    former["state"] = "report-only"
    assert Conclusion.model_validate(now).corrections[0].kind is None
