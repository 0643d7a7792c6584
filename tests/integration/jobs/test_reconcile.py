"""Reconciliation names what is missing from our store or from a real Orthanc, counts what is ok, and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
import pytest
from prometheus_client import generate_latest

from service.domain.findings import DeliveryState, ObjectKind
from service.domain.policy import Action, CorrectionPolicy
from service.jobs.background import is_due, report_path, reports_folder, run_in_background, run_nightly_reconciliation
from service.jobs.corrections import approve_correction, undo_correction
from service.jobs.reconcile import Discrepancy, Result, check_file, reconcile
from service.metrics import build_registry
from service.stack import as_environment
from tests.support.eventually import eventually
from tests.support.faulty_scp import Fault, FaultyScp, running_scp
from tests.support.orthanc import Orthanc
from tests.support.received_study import ReceivedStudies

OVERWRITES = CorrectionPolicy(mode="overwrite", missing=Action.AUTO)


@pytest.fixture
def archive(overwriting_orthanc: Orthanc) -> Orthanc:
    return overwriting_orthanc


@pytest.fixture
def received(tmp_path: Path, archive: Orthanc) -> Iterator[ReceivedStudies]:
    """A study of two images whose objects are all verified in the archive."""
    received = ReceivedStudies(tmp_path / "data", destinations=(archive.destination(),))
    received.conclude([("R", "CC"), ("L", "CC")])
    assert {row.state for row in received.deliver_all()} == {DeliveryState.VERIFIED}
    yield received
    received.close()


def remove(archive: Orthanc, sop_instance_uid: str) -> bytes:
    """Take an object out of the archive; returns its file."""
    (found,) = httpx.post(f"{archive.url}/tools/lookup", content=sop_instance_uid, timeout=120).json()
    content = archive.file(found["ID"])
    httpx.delete(f"{archive.url}/instances/{found['ID']}", timeout=120).raise_for_status()
    return content


def summary(discrepancies: list[Discrepancy]) -> list[tuple[str, Result, str]]:
    return [(each.subject, each.result, each.sop_instance_uid) for each in discrepancies]


def test_everything_ok_is_counted_and_nothing_is_sent(received: ReceivedStudies, archive: Orthanc) -> None:
    before, rows = archive.changes(), received.ledger.deliveries.find()
    report = reconcile(received.context)
    assert report.exit_status == 0 and report.complete and report.discrepancies == []
    assert report.studies == 1 and report.instances["ok"] == 2 and report.deliveries["pacs"]["ok"] == len(rows) == 6
    assert archive.changes() == before and received.ledger.deliveries.find() == rows


def test_an_object_that_the_archive_lost_is_named(received: ReceivedStudies, archive: Orthanc) -> None:
    lost = received.ledger.deliveries.find()[0]
    remove(archive, lost.object_uid)
    report = reconcile(received.context)
    assert report.exit_status == 1 and summary(report.discrepancies) == [("delivery", Result.MISSING, lost.object_uid)]
    named = report.discrepancies[0]
    assert (named.destination, named.delivery_id, named.kind, named.state) == ("pacs", lost.id, "cad-sr", "verified")


def test_an_object_that_was_changed_in_the_archive_is_named_with_the_attribute(received: ReceivedStudies, archive: Orthanc) -> None:
    (corrected, *_) = [row for row in received.ledger.deliveries.find() if row.kind is ObjectKind.CORRECTED]
    image = pydicom.dcmread(BytesIO(remove(archive, corrected.object_uid)))
    image.ImageLaterality = "L" if image.ImageLaterality == "R" else "R"
    changed = BytesIO()
    image.save_as(changed)
    archive.upload(changed.getvalue())
    report = reconcile(received.context)
    assert summary(report.discrepancies) == [("delivery", Result.CHANGED, corrected.object_uid)]
    assert "ImageLaterality" in report.discrepancies[0].detail


def test_files_of_ours_that_vanished_or_rotted_are_named(received: ReceivedStudies) -> None:
    rows = received.ledger.instances.of_study(received.ledger.deliveries.find()[0].study_instance_uid)
    gone, rotten = (received.context.store.path(row.path) for row in rows)
    content = bytearray(rotten.read_bytes())
    content[-1] ^= 1
    rotten.write_bytes(content)
    gone.unlink()
    report = reconcile(received.context)
    files = [each for each in report.discrepancies if each.subject == "instance"]
    assert [(each.sop_instance_uid, each.result) for each in files] == [
        (rows[0].sop_instance_uid, Result.MISSING),
        (rows[1].sop_instance_uid, Result.CHANGED),
    ]
    assert report.exit_status == 1 and report.instances == {"ok": 0, "missing": 1, "changed": 1, "unverified": 0}


def test_an_object_that_never_arrived_is_missing_and_one_that_arrived_all_the_same_is_not(
    received: ReceivedStudies, archive: Orthanc
) -> None:
    first, second = received.ledger.deliveries.find()[:2]
    for row in (first, second):
        with received.ledger.database.write() as tx:
            tx.connection.exec_driver_sql(f"UPDATE deliveries SET state = 'failed' WHERE id = {row.id}")
    remove(archive, second.object_uid)
    report = reconcile(received.context)
    assert summary(report.discrepancies) == [("delivery", Result.MISSING, second.object_uid)]
    assert report.discrepancies[0].state == "failed"


def test_a_destination_that_is_away_proves_nothing_and_is_not_waited_for_again_and_again(tmp_path: Path) -> None:
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NONE)) as pacs:
        received = ReceivedStudies(tmp_path / "data", destinations=(pacs.destination(commitment=False),))
        received.conclude()
        assert {row.state for row in received.deliver_all()} == {DeliveryState.VERIFIED}
    report = reconcile(received.context)
    assert report.exit_status == 3 and report.deliveries["pacs"] == {"ok": 0, "missing": 0, "changed": 0, "unverified": 10}
    details = [each.detail for each in report.discrepancies]
    assert details[-7:] == ["the destination does not answer"] * 7 and "no association" in details[0]
    received.close()


def test_labels_that_were_written_and_undone_in_place_are_ok(tmp_path: Path, archive: Orthanc) -> None:
    received = ReceivedStudies(tmp_path / "data", destinations=(archive.destination(corrections=OVERWRITES, objects=()),))
    study = received.conclude([("R", "MLO")])
    assert [row.state for row in received.deliver_all()] == [DeliveryState.VERIFIED]
    assert reconcile(received.context).deliveries["pacs"]["ok"] == 1
    (row,) = received.ledger.corrections.find(study_instance_uid=study)
    undo_correction(received.context, row.id, "Dr. Test", "the header was right")
    assert {each.state for each in received.deliver_all()} == {DeliveryState.VERIFIED}
    report = reconcile(received.context)
    assert report.exit_status == 0 and report.deliveries["pacs"]["ok"] == 1, "one image, as it was written last"
    received.close()


def test_a_report_in_another_sr_class_is_compared_in_that_class(received: ReceivedStudies) -> None:
    (report_row,) = [row for row in received.ledger.deliveries.find() if row.kind is ObjectKind.REPORT]
    taken = {"1.2.840.10008.5.1.4.1.1.88.34": False}
    received.ledger.destinations.record_capabilities("pacs", taken)
    other = received.conclude([("R", "CC")], labelled=True)
    ended = [row for row in received.deliver_all() if row.study_instance_uid == other]
    (renamed,) = [row for row in ended if row.kind is ObjectKind.REPORT]
    assert renamed.state is DeliveryState.VERIFIED and renamed.object_uid != report_row.object_uid
    assert reconcile(received.context).exit_status == 0


def test_a_reconciliation_that_is_stopped_is_not_complete(received: ReceivedStudies) -> None:
    stop = threading.Event()
    stop.set()
    report = reconcile(received.context, stop)
    assert not report.complete and report.studies == 0 and report.exit_status == 3


def test_the_report_of_a_night_is_written_once_and_has_no_patient_data(received: ReceivedStudies, archive: Orthanc) -> None:
    remove(archive, received.ledger.deliveries.find()[0].object_uid)
    night = datetime(2026, 11, 21, received.settings.reconcile_hour, 30)
    reports = reports_folder(received.context)
    assert is_due(night, received.settings.reconcile_hour, reports) and not is_due(
        night.replace(hour=12), received.settings.reconcile_hour, reports
    )
    assert not is_due(night, -1, reports), "-1 is no hour"
    stopped = threading.Event()
    stopped.set()
    run_nightly_reconciliation(received.context, night, stopped)
    assert is_due(night, received.settings.reconcile_hour, reports), "what was stopped begins anew"
    report = run_nightly_reconciliation(received.context, night, threading.Event())
    written = report_path(reports, night).read_text()
    assert report is not None and json.loads(written)["deliveries"]["pacs"]["missing"] == 1
    assert "Phantom" not in written and "PH-1" not in written
    assert run_nightly_reconciliation(received.context, night, threading.Event()) is None
    scraped = generate_latest(build_registry(received.ledger.counts, reports=reports)).decode()
    assert 'mammotriage_reconciled{destination="pacs",result="missing"} 1.0' in scraped
    assert 'mammotriage_reconciled{destination="",result="ok"} 2.0' in scraped and "mammotriage_reconciled_age_seconds" in scraped


def test_the_sweeper_reconciles_by_itself_in_the_hour_of_the_settings(received: ReceivedStudies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.background.CLOCK_S", 0.05)
    now = datetime.now()
    context = replace(received.context, settings=received.settings.model_copy(update={"reconcile_hour": now.hour}))
    written = report_path(reports_folder(context), now)
    with run_in_background(context, threading.Event()):
        eventually(written.exists)
    assert json.loads(written.read_text())["complete"]


def test_a_file_that_is_no_dicom_file_any_more_is_changed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"no DICOM at all")
    assert check_file(broken, "0" * 64)[0] is Result.CHANGED
    assert check_file(tmp_path / "none.dcm", "0" * 64)[0] is Result.MISSING


def test_deliveries_in_progress_are_counted_and_not_compared(received: ReceivedStudies) -> None:
    study = received.conclude([("R", "CC")], wrong=True)
    (row,) = received.ledger.corrections.find(study_instance_uid=study)
    approve_correction(received.context, row.id, "Dr. Test", "seen")
    report = reconcile(received.context, study_instance_uid=study)
    assert (
        report.in_progress == len(received.ledger.deliveries.find(study_instance_uid=study))
        and report.deliveries == {}
        and report.exit_status == 0
    )


def test_the_command_prints_a_table_or_json_and_has_an_exit_status_for_programs(
    received: ReceivedStudies, archive: Orthanc, clean_environment: pytest.MonkeyPatch
) -> None:
    lost = received.ledger.deliveries.find()[0]
    remove(archive, lost.object_uid)
    command = [sys.executable, "-m", "service.cli", "reconcile"]
    environment = os.environ | as_environment(received.settings)
    printed = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert printed.returncode == 1, printed.stderr
    assert "missing" in printed.stdout and "delivered to pacs" in printed.stdout
    completed = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True)
    report = json.loads(completed.stdout)
    assert completed.returncode == 1 and report["complete"] and report["deliveries"]["pacs"]["missing"] == 1
    assert [each["sop_instance_uid"] for each in report["discrepancies"]] == [lost.object_uid]
