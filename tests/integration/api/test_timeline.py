"""What happened to a study, and which studies came before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from service.destinations import Destination
from service.domain.findings import DeliveryState, InstanceState
from tests.support.api_server import FOUR_VIEWS, Served, serve_api
from tests.support.sample_findings import correction, full_field, skipped

ARCHIVE = Destination(name="archive", ae_title="ARCHIVE", host="127.0.0.1", port=104)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("api"), destinations=(ARCHIVE,)) as served:
        yield served


def timeline(api: Served, study_instance_uid: str) -> list[dict[str, Any]]:
    answer = api.client.get(f"/api/v1/studies/{study_instance_uid}/timeline").raise_for_status().json()
    assert answer["study_instance_uid"] == study_instance_uid
    entries: list[dict[str, Any]] = answer["entries"]
    return entries


def examine(api: Served, **attributes: str) -> list[Dataset]:
    study_instance_uid = generate_uid()
    images = [full_field(side, view, study_instance_uid=study_instance_uid) for side, view in FOUR_VIEWS]
    for image in images:
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
    api.post(*images)
    return images


def test_a_study_tells_its_way_from_the_first_image_to_the_proof(api: Served) -> None:
    images = examine(api)
    study_instance_uid = str(images[0].StudyInstanceUID)
    for image, (side, view) in list(zip(images, FOUR_VIEWS, strict=True))[:3]:
        api.answer(image, side, view)
    odd = str(images[3].SOPInstanceUID)
    api.ledger.instances.record_finding(skipped(odd, "undecodable-pixel-data", "the pixel data are truncated", InstanceState.FAILED))
    api.conclude(study_instance_uid, [correction(str(images[0].SOPInstanceUID), ("UNKNOWN", "UNKNOWN"), ("R", "CC"))])
    delivery = api.ledger.deliveries.find(study_instance_uid=study_instance_uid)[0]
    api.deliver(delivery.id, DeliveryState.REJECTED, "0x0122 SOP class not supported")
    entries = timeline(api, study_instance_uid)
    steps = [entry["step"] for entry in entries]
    # The conclusion of the test has a day of its own; within a second, what follows from another comes after it.
    seconds = [entry["at"][:19] for entry in entries if entry["step"] != "concluded"]
    assert seconds == sorted(seconds)
    assert (steps.count("received"), steps.count("analysed"), steps.count("concluded")) == (4, 4, 1)
    (failed,) = [entry for entry in entries if entry["state"] == "failed"]
    assert (failed["sop_instance_uid"], failed["text"]) == (odd, "the pixel data are truncated")
    (concluded,) = [entry for entry in entries if entry["step"] == "concluded"]
    assert (concluded["version"], concluded["state"]) == (1, "complete")
    (delivered,) = [entry for entry in entries if entry["step"] == "delivered"]
    assert (delivered["delivery"], delivered["state"], delivered["destination"]) == (delivery.id, "rejected", "archive")
    assert delivered["text"] == "0x0122 SOP class not supported"
    assert any(entry["step"] == "correction" and entry["actor"] == "policy" for entry in entries)
    assert steps.index("received") < steps.index("analysed") < steps.index("planned") < steps.index("delivered")


def test_nothing_of_the_patient_stands_in_a_timeline(api: Served) -> None:
    images = examine(api, PatientName="Phantom^Secret", PatientID="SECRET-7", AccessionNumber="SECRET-8")
    for image, (side, view) in zip(images, FOUR_VIEWS, strict=True):
        api.answer(image, side, view)
    api.conclude(str(images[0].StudyInstanceUID))
    assert "secret" not in str(timeline(api, str(images[0].StudyInstanceUID))).lower()


def test_priors_are_other_studies_of_the_same_patient_newest_first(api: Served) -> None:
    old = examine(api, StudyDate="20200101", PatientID="P-1")
    older = examine(api, StudyDate="20180101", PatientID="P-1")
    now = examine(api, StudyDate="20260101", PatientID="P-1")
    examine(api, StudyDate="20210101", PatientID="P-2")
    namesake = examine(api, StudyDate="20210101", PatientID="P-1", IssuerOfPatientID="elsewhere")
    answer = api.client.get(f"/api/v1/studies/{now[0].StudyInstanceUID}/priors").raise_for_status().json()
    assert [prior["study_instance_uid"] for prior in answer["priors"]] == [old[0].StudyInstanceUID, older[0].StudyInstanceUID]
    assert api.client.get(f"/api/v1/studies/{namesake[0].StudyInstanceUID}/priors").json() == {"priors": []}


@pytest.mark.parametrize("what", ["timeline", "priors"])
def test_an_unknown_study_is_a_problem(api: Served, what: str) -> None:
    answer = api.client.get(f"/api/v1/studies/1.2.3/{what}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-study")
