"""The API as its users see it: over a socket, in their words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from service.domain.findings import Agreement, InstanceState
from tests.support.api_server import FOUR_VIEWS, Served, serve_api
from tests.support.eventually import eventually
from tests.support.sample_findings import correction, full_field, skipped


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with serve_api(tmp_path) as served:
        yield served


def test_a_posted_study_is_in_the_ledger_and_on_the_queue_before_the_answer(api: Served) -> None:
    study_instance_uid = generate_uid()
    images = [full_field(side, view, study_instance_uid=study_instance_uid) for side, view in FOUR_VIEWS]
    response = api.post(*images)
    assert response.status_code == 202
    assert response.headers["Location"] == f"/api/v1/studies/{study_instance_uid}"
    assert [each["accepted"] for each in response.json()["received"]] == ["new"] * 4
    assert sorted(api.published) == sorted(str(image.SOPInstanceUID) for image in images)
    assert list(api.store.spool_dir.iterdir()) == []


def test_a_study_posted_twice_is_received_once(api: Served) -> None:
    image = full_field()
    api.post(image)
    again = api.post(image)
    assert [each["accepted"] for each in again.json()["received"]] == ["duplicate"]
    assert len(api.published) == 1


def test_who_prefers_to_wait_gets_the_labels(api: Served) -> None:
    image = full_field("L", "MLO")

    def work() -> None:
        eventually(lambda: api.published)
        api.answer(image, "L", "MLO")

    worker = threading.Thread(target=work)
    worker.start()
    response = api.post(image, prefer="wait=60")
    worker.join()
    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "wait=60"
    (shown,) = response.json()["studies"][0]["instances"]
    assert (shown["view"]["value"], shown["laterality"]["value"]) == ("MLO", "L")


def test_who_waits_in_vain_gets_a_place_to_ask(api: Served) -> None:
    response = api.post(full_field(), prefer="respond-async, wait=1")
    assert response.status_code == 202
    assert response.json()["studies"] == []
    assert api.client.get(response.headers["Location"]).json()["state"] == "receiving"


def test_a_bad_file_does_not_hold_the_good_ones_up(api: Served) -> None:
    response = api.post(b"no DICOM at all", full_field())
    assert response.status_code == 202
    assert [(each["part"], each["code"]) for each in response.json()["refused"]] == [(0, "unparsable")]
    assert len(response.json()["received"]) == 1


@pytest.mark.parametrize("order", ["triage", "received"])
def test_the_worklist_pages_through_every_study_once(api: Served, order: str) -> None:
    scores = {generate_uid(): score for score in (0.1, 0.9, 0.4, 0.7, 0.2)}
    for study_instance_uid, score in scores.items():
        image = full_field(study_instance_uid=study_instance_uid)
        api.post(image)
        api.answer(image, "R", "CC", score)
        api.conclude(study_instance_uid)
    seen: list[str] = []
    cursor = None
    while True:
        asked: dict[str, Any] = {"order": order, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.client.get("/api/v1/studies", params=asked).json()
        seen += [study["study_instance_uid"] for study in page["studies"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    expected = sorted(scores, key=lambda uid: -scores[uid]) if order == "triage" else list(reversed(scores))
    assert seen == expected


def test_the_worklist_can_be_narrowed_to_a_state(api: Served) -> None:
    image = full_field()
    api.post(image, full_field())
    api.answer(image, "R", "CC")
    api.conclude(str(image.StudyInstanceUID))
    concluded = api.client.get("/api/v1/studies", params={"state": "concluded"}).json()["studies"]
    assert [study["study_instance_uid"] for study in concluded] == [image.StudyInstanceUID]


def test_a_study_shows_each_image_with_its_labels_or_the_reason_why_it_has_none(api: Served) -> None:
    study_instance_uid = generate_uid()
    labelled, refused = (
        full_field("R", "CC", study_instance_uid=study_instance_uid),
        full_field("L", "CC", study_instance_uid=study_instance_uid),
    )
    api.post(labelled, refused)
    api.answer(labelled, "R", "MLO", score=0.8)
    api.ledger.instances.record_finding(skipped(str(refused.SOPInstanceUID), "for-processing", "raw detector data"))
    api.conclude(study_instance_uid)
    study = api.client.get(f"/api/v1/studies/{study_instance_uid}").json()
    shown = {image["sop_instance_uid"]: image for image in study["instances"]}
    assert shown[labelled.SOPInstanceUID]["view"]["value"] == "MLO"
    assert shown[labelled.SOPInstanceUID]["cancer"]["score"] == 0.8
    assert shown[refused.SOPInstanceUID]["state"] == "skipped"
    assert shown[refused.SOPInstanceUID]["reason"]["code"] == "for-processing"
    assert shown[refused.SOPInstanceUID]["cancer"] is None
    assert study["versions"] == [1]
    assert study["flag"] == "suspicious"


def test_a_concluded_image_tells_whether_its_header_agrees(api: Served) -> None:
    study_instance_uid = generate_uid()
    bare, fine = (
        full_field("R", "CC", labelled=False, study_instance_uid=study_instance_uid),
        full_field("L", "CC", study_instance_uid=study_instance_uid),
    )
    api.post(bare, fine)
    api.answer(bare, "R", "CC")
    api.answer(fine, "L", "CC")
    uids = str(bare.SOPInstanceUID), str(fine.SOPInstanceUID)
    agreeing = correction(uids[1], ("L", "CC"), ("L", "CC"), view=Agreement.AGREE, laterality=Agreement.AGREE)
    api.conclude(study_instance_uid, [correction(uids[0], ("UNKNOWN", "UNKNOWN"), ("R", "CC")), agreeing])
    study = api.client.get(f"/api/v1/studies/{study_instance_uid}").json()
    shown = {image["sop_instance_uid"]: image["agreement"] for image in study["instances"]}
    (entered,) = study["corrections"]
    assert (shown[uids[0]]["view"], shown[uids[0]]["kind"]) == ("missing", "missing")
    assert (shown[uids[0]]["correction"], shown[uids[0]]["correction_id"]) == ("reported", entered["id"])
    assert (shown[uids[1]]["view"], shown[uids[1]]["kind"], shown[uids[1]]["correction"]) == ("agree", None, None)
    assert study["reasoning"]["verdict"] == "as-declared"


def test_hanging_follows_the_pixels_and_becomes_final(api: Served) -> None:
    study_instance_uid = generate_uid()
    images = {(side, view): full_field(side, "CC", study_instance_uid=study_instance_uid) for side, view in FOUR_VIEWS}
    api.post(*images.values())
    waiting = api.client.get(f"/api/v1/studies/{study_instance_uid}/hanging").json()
    assert waiting["status"] == "provisional"
    assert waiting["missing"] == ["R-MLO", "L-MLO"]
    assert len(waiting["repeated"]["R-CC"]) == 1
    for (side, view), image in images.items():
        api.answer(image, side, view)
    api.conclude(study_instance_uid)
    final = api.client.get(f"/api/v1/studies/{study_instance_uid}/hanging").json()
    assert final["status"] == "final"
    assert final["missing"] == []
    assert {slot: hung["sop_instance_uid"] for slot, hung in final["slots"].items()} == {
        f"{side}-{view}": image.SOPInstanceUID for (side, view), image in images.items()
    }
    assert final["slots"]["L-MLO"]["declared"] == {"view": "CC", "laterality": "L"}
    assert final["slots"]["L-MLO"]["pixels"] == {"view": "MLO", "laterality": "L"}


def test_a_late_image_makes_the_hanging_provisional_again(api: Served) -> None:
    study_instance_uid = generate_uid()
    images = {slot: full_field(*slot, study_instance_uid=study_instance_uid) for slot in FOUR_VIEWS}
    api.post(*images.values())
    for (side, view), image in images.items():
        api.answer(image, side, view)
    api.conclude(study_instance_uid)
    api.post(full_field("R", "CC", study_instance_uid=study_instance_uid))
    assert api.client.get(f"/api/v1/studies/{study_instance_uid}/hanging").json()["status"] == "provisional"


def test_pictures_are_served_once_they_are_drawn(api: Served) -> None:
    image = full_field()
    api.post(image)
    sop_instance_uid = str(image.SOPInstanceUID)
    early = api.client.get(f"/api/v1/instances/{sop_instance_uid}/heatmap.png")
    assert (early.status_code, early.json()["code"]) == (404, "no-picture")
    api.store.write_result(sop_instance_uid, "heatmap.png", b"\x89PNG heat")
    api.store.write_result(sop_instance_uid, "preview.png", b"\x89PNG view")
    for name, content in (("heatmap.png", b"\x89PNG heat"), ("preview.png", b"\x89PNG view")):
        picture = api.client.get(f"/api/v1/instances/{sop_instance_uid}/{name}")
        assert picture.headers["content-type"] == "image/png"
        assert picture.content == content


def test_what_is_known_of_an_image_survives_its_upload_over_http(api: Served) -> None:
    image = full_field()
    api.post(image)
    row = api.ledger.instances.get(str(image.SOPInstanceUID))
    assert row is not None
    assert row.state is InstanceState.RECEIVED
    assert row.calling_ae == "HTTP"
