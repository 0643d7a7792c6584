"""The plain functions behind the tasks, on a real ledger, store and networks; the broker is dead, which must not matter."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID, generate_uid

from service.analyse.runner import Analyser
from service.destinations import Destination
from service.domain.findings import DeliveryState, InstanceState, ObjectKind
from service.domain.policy import CorrectionPolicy
from service.errors import BrokerDown
from service.jobs.analysis import MAX_ATTEMPTS, analyse_instance
from service.jobs.conclusion import conclude_study, is_ready
from service.jobs.context import Context, open_context
from service.jobs.delivery import deliver_object
from service.jobs.object_building import build
from service.jobs.queues import Publisher
from service.jobs.sweeper import sweep
from service.receive.accept import Receipt, ReceiveContext, accept
from service.settings import Settings
from service.stack import EmbeddedRedis
from tests.support.databases import prepare_ledger
from tests.support.ports import free_port
from tests.support.sample_findings import full_field

PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104, corrections=CorrectionPolicy(film=True))


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser()


@pytest.fixture
def context(tmp_path: Path, analyser: Analyser, clean_environment: pytest.MonkeyPatch) -> Context:
    settings = Settings(
        data_dir=tmp_path / "data",
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        analyse_film=True,
        disk_free_min_bytes=0,
        study_idle_seconds=0.01,
        destinations=(PACS,),
    )
    settings.data_dir.mkdir()
    prepare_ledger(settings.ledger_url)
    opened = open_context(settings)
    opened.analyser = analyser  # loaded once for all tests, as a worker loads it once for all images
    return opened


def receive(context: Context, path: Path) -> Receipt:
    copy = context.store.spool_dir / path.name
    shutil.copy(path, copy)
    return accept(copy, "TEST", ReceiveContext(context.store, context.ledger, context.settings, context.publisher.analyse))


@pytest.fixture
def film(context: Context, cbis_cases: dict[str, list[Path]]) -> Receipt:
    return receive(context, cbis_cases["sfm-malign-0"][0])


def state_of(context: Context, receipt: Receipt) -> tuple[InstanceState, str | None]:
    row = context.ledger.instances.get(receipt.sop_instance_uid)
    assert row is not None
    return row.state, row.finding.reason.code if row.finding and row.finding.reason else None


def test_an_image_is_analysed_once_and_its_pictures_are_kept(context: Context, film: Receipt) -> None:
    analyse_instance(context, film.sop_instance_uid)
    first = context.ledger.instances.get(film.sop_instance_uid)
    assert first is not None and first.state is InstanceState.ANALYSED and first.finding is not None
    assert first.finding.provider and {model.task for model in first.finding.models} == {"labeler", "cancer"}
    assert sorted(path.name for path in context.store.results_dir(film.sop_instance_uid).iterdir()) == [
        "heatmap.npz",
        "heatmap.png",
        "preview.png",
    ]
    analyse_instance(context, film.sop_instance_uid)
    again = context.ledger.instances.get(film.sop_instance_uid)
    assert again is not None and again.tries == 1 and again.finding == first.finding


def test_an_image_that_kills_its_workers_is_given_up(context: Context, film: Receipt) -> None:
    for _ in range(MAX_ATTEMPTS):
        context.ledger.instances.count_attempt(film.sop_instance_uid)  # what a worker leaves behind that dies in the middle
    analyse_instance(context, film.sop_instance_uid)
    assert state_of(context, film) == (InstanceState.FAILED, "gave-up")


def test_a_file_that_is_gone_is_an_answer_too(context: Context, film: Receipt) -> None:
    row = context.ledger.instances.get(film.sop_instance_uid)
    assert row is not None
    context.store.path(row.path).unlink()
    analyse_instance(context, film.sop_instance_uid)
    assert state_of(context, film) == (InstanceState.FAILED, "file-missing")


def test_unknown_ids_do_no_harm(context: Context) -> None:
    analyse_instance(context, "1.2.3")
    conclude_study(context, "1.2.3")
    deliver_object(context, 4711)


def test_a_study_waits_for_its_last_image_and_is_concluded_once(context: Context, cbis_cases: dict[str, list[Path]]) -> None:
    (receipt,) = [receive(context, path) for path in cbis_cases["sfm-benign-0"][:1]]
    conclude_study(context, receipt.study_instance_uid)
    assert context.ledger.conclusions.of_study(receipt.study_instance_uid) == []
    analyse_instance(context, receipt.sop_instance_uid)
    assert not is_ready(context, receipt.study_instance_uid), "one view is no full view set: the quiet timer decides"
    conclude_study(context, receipt.study_instance_uid)
    conclude_study(context, receipt.study_instance_uid)
    (conclusion,) = context.ledger.conclusions.of_study(receipt.study_instance_uid)
    assert conclusion.version == 1 and not conclusion.complete
    planned = [delivery.kind for delivery in context.ledger.deliveries.find(study_instance_uid=receipt.study_instance_uid)]
    assert planned == [ObjectKind.CAD, ObjectKind.REPORT, ObjectKind.HEATMAP, ObjectKind.CORRECTED]


def test_a_study_of_which_no_mammogram_can_be_analysed_still_gets_its_reports(context: Context) -> None:
    raw = full_field()
    raw.PresentationIntentType = "FOR PROCESSING"
    path = context.store.spool_dir / "raw.dcm"
    raw.save_as(path, enforce_file_format=True)
    receipt = accept(path, "TEST", ReceiveContext(context.store, context.ledger, context.settings, context.publisher.analyse))
    analyse_instance(context, receipt.sop_instance_uid)
    conclude_study(context, receipt.study_instance_uid)
    assert [delivery.kind for delivery in context.ledger.deliveries.find(study_instance_uid=receipt.study_instance_uid)] == [
        ObjectKind.CAD,
        ObjectKind.REPORT,
    ]


FOREIGN = {
    "a report of another product": ("1.2.840.10008.5.1.4.1.1.88.33", "SR"),
    "a CAD report of another product": ("1.2.840.10008.5.1.4.1.1.88.50", "SR"),
    "a key object selection": ("1.2.840.10008.5.1.4.1.1.88.59", "KO"),
    "a presentation state": ("1.2.840.10008.5.1.4.1.1.11.1", "PR"),
    "a PDF": ("1.2.840.10008.5.1.4.1.1.104.1", "DOC"),
    "a dose report": ("1.2.840.10008.5.1.4.1.1.88.67", "SR"),
    "an ultrasound image": ("1.2.840.10008.5.1.4.1.1.6.1", "US"),
    "a CT slice": ("1.2.840.10008.5.1.4.1.1.2", "CT"),
    "an MR slice": ("1.2.840.10008.5.1.4.1.1.4", "MR"),
}
"""SOP class and modality of objects that a study of the breast may hold, and that are no mammogram."""


PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber")


def receive_foreign(context: Context, name: str, study_instance_uid: str, image: Dataset | None = None) -> Receipt:
    """Receive an object that is no mammogram, of the patient of `image`."""
    foreign = full_field(study_instance_uid=study_instance_uid)
    for keyword in PATIENT if image is not None else ():
        setattr(foreign, keyword, image.get(keyword) if image is not None else None)
    foreign.SOPClassUID, foreign.Modality = UID(FOREIGN[name][0]), FOREIGN[name][1]
    foreign.file_meta.MediaStorageSOPClassUID = foreign.SOPClassUID
    for keyword in ("PositionerType", "OrganExposed", "AnatomicRegionSequence", "BodyPartExamined", "PresentationIntentType"):
        delattr(foreign, keyword)
    path = context.store.spool_dir / "foreign.dcm"
    foreign.save_as(path, enforce_file_format=True)
    return accept(path, "TEST", ReceiveContext(context.store, context.ledger, context.settings, context.publisher.analyse))


@pytest.mark.parametrize("name", FOREIGN)
def test_a_study_without_a_mammogram_gets_no_results_unless_a_destination_asks(context: Context, name: str) -> None:
    asks = PACS.model_copy(update={"name": "research", "without_mammogram": True})
    context.settings = context.settings.model_copy(update={"destinations": (PACS, asks)})
    receipt = receive_foreign(context, name, generate_uid())
    analyse_instance(context, receipt.sop_instance_uid)
    conclude_study(context, receipt.study_instance_uid)
    study = context.ledger.studies.get(receipt.study_instance_uid)
    assert study is not None and study.version == 1 and not study.needs_conclusion
    planned = context.ledger.deliveries.find(study_instance_uid=receipt.study_instance_uid)
    assert {(row.destination, row.kind) for row in planned} == {("research", ObjectKind.CAD), ("research", ObjectKind.REPORT)}


def test_a_foreign_object_in_a_concluded_study_makes_no_new_version(context: Context, film: Receipt) -> None:
    analyse_instance(context, film.sop_instance_uid)
    conclude_study(context, film.study_instance_uid)
    row = context.ledger.instances.get(film.sop_instance_uid)
    assert row is not None
    image = dcmread(context.store.path(row.path), stop_before_pixels=True)
    before = [row.object_uid for row in context.ledger.deliveries.find(study_instance_uid=film.study_instance_uid)]
    assert before
    for name in FOREIGN:
        receipt = receive_foreign(context, name, film.study_instance_uid, image)
        analyse_instance(context, receipt.sop_instance_uid)
        conclude_study(context, film.study_instance_uid)
        study = context.ledger.studies.get(film.study_instance_uid)
        assert study is not None and (study.version, study.needs_conclusion) == (1, False), name
    assert [row.object_uid for row in context.ledger.deliveries.find(study_instance_uid=film.study_instance_uid)] == before


def test_a_mammogram_after_foreign_objects_is_reported_alone_and_replaces_nothing(
    context: Context, cbis_cases: dict[str, list[Path]]
) -> None:
    first = dcmread(cbis_cases["sfm-malign-0"][0], stop_before_pixels=True)
    foreign = receive_foreign(context, "a PDF", str(first.StudyInstanceUID), first)
    analyse_instance(context, foreign.sop_instance_uid)
    conclude_study(context, foreign.study_instance_uid)
    image = receive(context, cbis_cases["sfm-malign-0"][0])
    analyse_instance(context, image.sop_instance_uid)
    conclude_study(context, image.study_instance_uid)
    concluded = context.ledger.conclusions.get(image.study_instance_uid, 2)
    assert concluded is not None and [each.sop_instance_uid for each in concluded.images] == [image.sop_instance_uid]
    for row in context.ledger.deliveries.find(study_instance_uid=image.study_instance_uid):
        if row.kind in (ObjectKind.CAD, ObjectKind.REPORT):
            built = build(context, row, PACS)
            assert isinstance(built, Dataset) and "PredecessorDocumentsSequence" not in built
            assert foreign.sop_instance_uid not in str(built)


def test_a_destination_that_is_no_longer_configured_ends_its_deliveries(context: Context, film: Receipt) -> None:
    analyse_instance(context, film.sop_instance_uid)
    conclude_study(context, film.study_instance_uid)
    without = replace(context, settings=context.settings.model_copy(update={"destinations": ()}))
    for delivery in context.ledger.deliveries.find(study_instance_uid=film.study_instance_uid):
        deliver_object(without, delivery.id)
    ended = context.ledger.deliveries.find(study_instance_uid=film.study_instance_uid)
    assert {delivery.state for delivery in ended} == {DeliveryState.FAILED}
    assert all("no longer configured" in (delivery.error or "") for delivery in ended)


def test_a_delivery_that_kills_its_workers_is_given_up(context: Context, film: Receipt) -> None:
    analyse_instance(context, film.sop_instance_uid)
    conclude_study(context, film.study_instance_uid)
    first = context.ledger.deliveries.find(study_instance_uid=film.study_instance_uid)[0]
    for _ in range(context.settings.delivery_max_attempts):
        assert context.ledger.deliveries.claim(first.id, lease_s=0.0)  # what a worker leaves behind that dies in the middle
    deliver_object(context, first.id)
    ended = context.ledger.deliveries.get(first.id)
    assert ended is not None and ended.state is DeliveryState.FAILED and "given up" in (ended.error or "")


def test_a_picture_that_is_gone_ends_its_delivery(context: Context, film: Receipt) -> None:
    analyse_instance(context, film.sop_instance_uid)
    conclude_study(context, film.study_instance_uid)
    (context.store.results_dir(film.sop_instance_uid) / "heatmap.png").unlink()
    (heatmap,) = [
        row for row in context.ledger.deliveries.find(study_instance_uid=film.study_instance_uid) if row.kind is ObjectKind.HEATMAP
    ]
    deliver_object(context, heatmap.id)
    ended = context.ledger.deliveries.get(heatmap.id)
    assert ended is not None and (ended.state, ended.error) == (DeliveryState.FAILED, "object cannot be built: FileNotFoundError")


def test_a_sweep_without_a_broker_loses_nothing(context: Context, film: Receipt) -> None:
    with pytest.raises(BrokerDown):
        sweep(context, older_than_s=0.0)
    assert [row.sop_instance_uid for row in context.ledger.instances.take_unfinished(0.0)] == [film.sop_instance_uid]


def test_a_queue_without_a_worker_does_not_grow_for_ever(
    context: Context, film: Receipt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.sweeper.MAX_WAITING", 10)
    analyse_instance(context, film.sop_instance_uid)
    conclude_study(context, film.study_instance_uid)
    broker = EmbeddedRedis(tmp_path / "redis")
    broker.start()
    try:
        awake = replace(context, publisher=Publisher(broker.url))
        swept = [sweep(awake).deliveries for _ in range(8)]
        assert swept == [4, 4, 4, 0, 0, 0, 0, 0] and sum(awake.publisher.waiting().values()) == 12
    finally:
        broker.stop()
