"""One study, one patient: images that name another patient or examination hold their study, and nothing common leaves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from service.analyse.runner import Analyser
from service.destinations import Destination, Source
from service.domain.events import EventKind
from service.domain.findings import TriageFlag
from service.domain.patient import Patient
from service.domain.patients.identity import HoldKind, MixedPatients, PatientIdentity, differences
from service.errors import PatientMismatch
from service.jobs.analysis import analyse_instance
from service.jobs.conclusion import conclude_study
from service.jobs.corrections import release_study
from service.store.dicom_objects import ObjectFilter
from service.store.study_rows import StudyFilter
from tests.support.received_study import FULL_SET, ReceivedStudies, picture
from tests.support.sample_findings import analysed, full_field

PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)

OTHER_VALUES = {
    "PatientID": "PH-2",
    "IssuerOfPatientID": "OTHER",
    "PatientName": "Phantom^Berta",
    "PatientBirthDate": "19700101",
    "PatientSex": "M",
    "AccessionNumber": "A2",
    "StudyDate": "20260306",
}
SAME_VALUES = {
    "PatientID": "PH-1  ",
    "IssuerOfPatientID": "",
    "PatientName": "PHANTOM^ÄUßERST^^^ ",
    "PatientBirthDate": "1960.01.01",
    "PatientSex": "f ",
    "AccessionNumber": " A1",
    "StudyDate": "2026.03.05",
}


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceivedStudies]:
    opened = ReceivedStudies(tmp_path_factory.mktemp("data") / "data", destinations=(PACS,), study_idle_seconds=0.001)
    opened.context.__dict__["analyser"] = SimpleNamespace(threshold=0.5)
    yield opened
    opened.close()


def image_of(study: str, number: int = 0, **values: str) -> Dataset:
    image = full_field(*FULL_SET[number % 4], labelled=True, study_instance_uid=study)
    image.IssuerOfPatientID = "HERE"
    for keyword, value in values.items():
        setattr(image, keyword, value)
    return image


def enter(received: ReceivedStudies, image: Dataset, number: int = 0) -> str:
    """Receive an image, and enter what the networks would say of it."""
    uid = received.receive(image)
    for name in ("heatmap.png", "preview.png"):
        received.context.store.write_result(uid, name, picture())
    received.ledger.instances.count_attempt(uid)
    received.ledger.instances.record_finding(analysed(uid, *FULL_SET[number % 4], score=0.9))
    return uid


def conclude(received: ReceivedStudies, study: str) -> None:
    conclude_study(received.context, study)


def find(received: ReceivedStudies, **wanted: tuple[str, ...]) -> list[str]:
    return received.ledger.dicom_objects.find_studies(ObjectFilter(**wanted), 0, 100)  # type: ignore[arg-type]


@pytest.mark.parametrize("keyword", OTHER_VALUES)
def test_an_image_that_names_another_patient_or_examination_holds_its_study(
    received: ReceivedStudies, keyword: str, caplog: pytest.LogCaptureFixture
) -> None:
    study = generate_uid()
    enter(received, image_of(study))
    with caplog.at_level(logging.WARNING):
        enter(received, image_of(study, 1, **{keyword: OTHER_VALUES[keyword]}), 1)
    conclude(received, study)
    row = received.ledger.studies.get(study)
    assert row is not None and row.hold_kind is HoldKind.MIXED_PATIENTS and keyword in row.hold_reason
    assert row.version == 0 and row.score is None and row.flag is TriageFlag.NOT_SCORED and row.instance_count == 2
    assert received.ledger.deliveries.find(study_instance_uid=study) == []
    (event,) = (each for each in received.ledger.events.find(study_instance_uid=study, limit=500) if each.kind == EventKind.STUDY_HELD)
    assert event.detail == {"hold": "mixed-patients"}
    assert any(getattr(each, "attributes", None) == keyword for each in caplog.records)
    assert OTHER_VALUES[keyword] not in caplog.text and "Phantom" not in caplog.text


@pytest.mark.parametrize("keyword", SAME_VALUES)
def test_another_spelling_of_the_same_value_or_none_is_no_difference(received: ReceivedStudies, keyword: str) -> None:
    study = generate_uid()
    enter(received, image_of(study))
    enter(received, image_of(study, 1, **{keyword: SAME_VALUES[keyword]}), 1)
    conclude(received, study)
    row = received.ledger.studies.get(study)
    assert row is not None and not row.held and row.version == 1 and row.score is not None
    assert row.patient.issuer == "HERE" and row.patient.birth_date == "19600101" and row.study_date == "20260305"


def test_both_patients_are_found_and_a_named_person_releases(received: ReceivedStudies) -> None:
    study = generate_uid()
    enter(received, image_of(study, PatientID="REL-A", PatientName="Alpha^Anna"))
    enter(received, image_of(study, 1, PatientID="REL-B", PatientName="Beta^Berta", AccessionNumber="ACC-B"), 1)
    for text in ("rel-a", "rel-b", "alpha anna", "beta berta", "acc-b"):
        found, _ = received.ledger.studies.find(wanted=StudyFilter(text=text))
        assert study in [each.study_instance_uid for each in found], text
    assert find(received, patient_ids=("REL-A",)) == find(received, patient_ids=("REL-B",)) == [study]
    assert find(received, patient_names=("beta*",), accession_numbers=("ACC-B",)) == [study]
    assert find(received, patient_ids=("REL-A",), patient_names=("beta*",)) == [], "no mixture of both is a patient"

    received.ledger.instances.take_unfinished(0)
    conclude(received, study)
    assert study not in [each.study_instance_uid for each in received.ledger.studies.to_conclude(0)], "the sweeper leaves it alone"
    release_study(received.context, study, "Ada", "the RIS had a typing error; one patient")
    assert study in [each.study_instance_uid for each in received.ledger.studies.to_conclude(0)]
    conclude(received, study)
    row = received.ledger.studies.get(study)
    assert row is not None and not row.held and row.version == 1 and row.score is not None
    enter(received, image_of(study, 2, PatientID="REL-B", PatientName="Beta^Berta", AccessionNumber="ACC-B"), 2)
    assert not received.ledger.holds.withholds_results(study), "a difference that a person has released does not hold again"
    enter(received, image_of(study, 3, PatientID="REL-C"), 3)
    assert received.ledger.holds.withholds_results(study), "a third patient does"


def test_a_late_image_of_another_patient_takes_the_score_off_the_worklist_and_stops_what_waits(received: ReceivedStudies) -> None:
    study = generate_uid()
    for number in range(4):
        enter(received, image_of(study, number), number)
    conclude(received, study)
    planned = received.ledger.deliveries.due(study_instance_uid=study)
    assert planned and (before := received.ledger.studies.get(study)) is not None and before.score is not None
    late = enter(received, image_of(study, PatientID="LATE"))
    row = received.ledger.studies.get(study)
    assert row is not None and row.score is None and row.conclusion is None and row.scores == {"R": None, "L": None}
    assert received.ledger.deliveries.due(study_instance_uid=study) == []
    assert all(received.ledger.deliveries.claim(each.id, 60) is None for each in planned), "reports, heatmaps and CAD reports wait"
    conclude(received, study)
    assert received.ledger.conclusions.versions(study) == [1]
    release_study(received.context, study, "Ada", "one patient")
    assert received.ledger.deliveries.due(study_instance_uid=study) != []
    conclude(received, study)
    assert [image.sop_instance_uid for image in received.ledger.conclusions.of_study(study)[-1].images].count(late) == 1


def test_results_that_a_hold_took_off_the_worklist_come_back_after_the_release(received: ReceivedStudies) -> None:
    study = generate_uid()
    enter(received, image_of(study))
    conclude(received, study)
    before = received.ledger.studies.get(study)
    late = enter(received, image_of(study, 1, PatientID="LATE"), 1)
    release_study(received.context, study, "Ada", "one patient")
    conclude(received, study)
    received.ledger.instances.reopen(late)
    received.ledger.instances.record_finding(analysed(late, *FULL_SET[1], score=0.9))
    conclude(received, study)
    after = received.ledger.studies.get(study)
    assert before is not None and after is not None and after.score == before.score and after.version == 2


@pytest.mark.parametrize("policy", list(MixedPatients))
def test_the_policy_of_the_sender_decides(tmp_path: Path, policy: MixedPatients) -> None:
    sources = (Source(calling_ae="OTHER*"), Source(calling_ae="te?t", mixed_patients=policy))
    received = ReceivedStudies(tmp_path / "data", sources=sources)
    study = generate_uid()
    first, second = image_of(study), image_of(study, 1, PatientID="PH-2")
    received.receive(first)
    if policy is MixedPatients.REFUSE:
        with pytest.raises(PatientMismatch, match="PatientID") as refused:
            received.receive(second)
        assert "PH-2" not in str(refused.value)
        assert received.ledger.instances.get(second.SOPInstanceUID) is None
        assert len(list((tmp_path / "data" / "instances").rglob("*.dcm"))) == 1
    else:
        received.receive(second)
        assert len(received.ledger.instances.of_study(study)) == 2
    assert received.ledger.holds.withholds_results(study) is (policy is MixedPatients.HOLD)
    received.close()


def test_case_03_two_patients_in_one_study(tmp_path: Path, data_folder: Path) -> None:
    folder = data_folder.parent / "cases" / "03-two-patients-one-study"
    if not folder.is_dir():
        pytest.skip("no cases beside the real data")
    received = ReceivedStudies(tmp_path / "data", destinations=(PACS,), study_idle_seconds=0.001)
    received.context.__dict__["analyser"] = Analyser()
    images = [dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    for image in images:
        analyse_instance(received.context, received.receive(image))
    (study,) = {str(image.StudyInstanceUID) for image in images}
    conclude(received, study)
    row = received.ledger.studies.get(study)
    assert row is not None and row.hold_kind is HoldKind.MIXED_PATIENTS and row.score is None and row.version == 0
    for attribute in ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber"):
        assert attribute in row.hold_reason
    assert received.ledger.deliveries.find() == []
    assert find(received, patient_ids=("PAT-A",)) == find(received, patient_ids=("PAT-B",)) == [study]
    received.close()


IDENTITIES = st.fixed_dictionaries(
    {
        "PatientID": st.sampled_from(["", "P1", "P1 ", "P2"]),
        "IssuerOfPatientID": st.sampled_from(["", "H1", "H2"]),
        "PatientName": st.sampled_from(["", "Doe^Jane", "DOE^JANE^^", "Roe^Rita"]),
        "PatientBirthDate": st.sampled_from(["", "19600101", "1960.01.01", "19700202"]),
        "PatientSex": st.sampled_from(["", "F", "M"]),
        "AccessionNumber": st.sampled_from(["", "A1", "A2"]),
        "StudyDate": st.sampled_from(["", "20260305", "2026.03.05", "20260306"]),
    }
)


@given(st.lists(st.tuples(IDENTITIES, st.booleans()), min_size=2, max_size=5))
def test_images_of_two_patients_never_have_a_common_conclusion_and_none_vanishes(
    received: ReceivedStudies, images: list[tuple[dict[str, str], bool]]
) -> None:
    study = generate_uid()
    names: dict[str, PatientIdentity] = {}
    for number, (values, conclude_now) in enumerate(images):
        uid = enter(received, image_of(study, number, **values), number)
        names[uid] = identity_from(values)
        if conclude_now:
            conclude(received, study)
    conclude(received, study)
    assert {each.sop_instance_uid for each in received.ledger.instances.of_study(study)} == names.keys()
    assert all(received.context.store.path(each.path).is_file() for each in received.ledger.instances.of_study(study))
    for conclusion in received.ledger.conclusions.of_study(study):
        together = [names[image.sop_instance_uid] for image in conclusion.images]
        assert not any(differences(one, other) for one, other in combinations(together, 2))
    for patient_id in {identity.patient.patient_id for identity in names.values()} - {""}:
        assert study in received.ledger.dicom_objects.find_studies(ObjectFilter(patient_ids=(patient_id,)), 0, 1000)
    mixed = any(differences(one, other) for one, other in combinations(names.values(), 2))
    row = received.ledger.studies.get(study)
    assert row is not None and row.held is mixed and (row.score is None) is mixed
    if mixed:
        assert received.ledger.deliveries.due(study_instance_uid=study) == []


def identity_from(values: dict[str, str]) -> PatientIdentity:
    patient = Patient(
        patient_id=values["PatientID"].strip(),
        issuer=values["IssuerOfPatientID"],
        name=values["PatientName"],
        birth_date=values["PatientBirthDate"],
        sex=values["PatientSex"],
    )
    return PatientIdentity(patient=patient, accession_number=values["AccessionNumber"], study_date=values["StudyDate"])
