"""What a PACS administrator asks: what is stuck, what failed and why, who works, and what came and went."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.findings import DeliveryState, InstanceState
from service.jobs.queues import ANALYSE
from service.store.tables import deliveries, workers
from tests.support.api_server import Served, serve_api
from tests.support.mislabelled_studies import PACS, add_contradicted_study
from tests.support.sample_findings import CANCER, LABELER, full_field, skipped


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("overview"), destinations=(PACS,)) as served:
        yield served


def failed(api: Served, code: str = "unparsable", state: InstanceState = InstanceState.FAILED) -> str:
    """An image that got no labels; its UID."""
    image = full_field()
    api.post(image)
    uid = str(image.SOPInstanceUID)
    api.ledger.instances.record_finding(skipped(uid, code, f"because of {code}", state))
    return uid


def grow_old(api: Served, delivery_id: int) -> None:
    """Make a delivery look as if it had been waiting for an hour."""
    with api.ledger.database.write() as tx:
        aged = deliveries.update().where(deliveries.c.id == delivery_id).values(created_at=datetime.now(UTC) - timedelta(hours=1))
        tx.execute(aged)


def test_one_look_tells_how_everything_is_doing(api: Served) -> None:
    add_contradicted_study(api)
    api.ledger.workers.register("reader-1:7", "reader-1", 7, "CPUExecutionProvider", (LABELER, CANCER))
    api.ledger.samples.add({"disk-free-bytes": 5e11})
    shown = api.client.get("/api/v1/operations", params={"hours": 1}).json()
    assert shown["readiness"]["ledger"] == "ok"
    (worker,) = shown["workers"]
    assert (worker["name"], worker["alive"], [model["name"] for model in worker["models"]]) == (
        "reader-1:7", True, [LABELER.name, CANCER.name],
    )  # fmt: skip
    assert [(model["version"], model["workers"]) for model in shown["models"]] == [(CANCER.version, 1), (LABELER.version, 1)]
    assert shown["queues"] is None, "no broker runs here, and that is no empty queue"
    assert sum(count for _, count in shown["throughput"]["received"]) == 1
    assert len(shown["throughput"]["received"]) in (60, 61)
    assert [value for _, value in shown["samples"]["disk-free-bytes"]] == [5e11]
    assert shown["disk"]["free_bytes"] > 0
    (pacs,) = shown["destinations"]
    assert (pacs["name"], pacs["configured"], pacs["state"], pacs["deliveries"]["pending"]) == ("pacs", True, "unknown", 1)


def test_a_worker_without_signs_of_life_is_lost_and_its_models_are_in_use_no_more(api: Served) -> None:
    api.ledger.workers.register("reader-2:8", "reader-2", 8, "cpu", (LABELER.model_copy(update={"version": "0.9"}),))
    with api.ledger.database.write() as tx:
        silent = workers.update().where(workers.c.name == "reader-2:8").values(seen_at=datetime.now(UTC) - timedelta(seconds=40))
        tx.execute(silent)
    shown = api.client.get("/api/v1/operations").json()
    assert {worker["name"]: worker["alive"] for worker in shown["workers"]}["reader-2:8"] is False
    assert "0.9" not in [model["version"] for model in shown["models"]]


def test_what_failed_is_listed_with_its_reason_and_paged_through_once(api: Served) -> None:
    uids = [failed(api) for _ in range(3)]
    film = failed(api, "film", InstanceState.SKIPPED)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.client.get("/api/v1/instances", params={"limit": 2, "cursor": cursor}).json()
        seen += [image["sop_instance_uid"] for image in page["images"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(uids)
    (other,) = api.client.get("/api/v1/instances", params={"state": "skipped", "reason": "film"}).json()["images"]
    assert (other["sop_instance_uid"], other["reason"]) == (film, {"code": "film", "text": "because of film"})
    counted = {(each["state"], each["code"]): each["images"] for each in api.client.get("/api/v1/operations").json()["reasons"]}
    assert counted[("failed", "unparsable")] == 3 and counted[("skipped", "film")] == 1


def test_an_image_that_failed_is_analysed_anew_and_one_with_labels_is_not(api: Served) -> None:
    uid = failed(api, "out-of-memory")
    answer = api.client.post(f"/api/v1/instances/{uid}/analyse")
    assert (answer.status_code, answer.json()["state"], answer.json()["tries"]) == (202, "received", 0)
    assert (ANALYSE, uid) == api.publisher.asked[-1]
    again = api.client.post(f"/api/v1/instances/{uid}/analyse")
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-do")
    labelled = full_field()
    api.post(labelled)
    api.answer(labelled, "R", "CC")
    refused = api.client.post(f"/api/v1/instances/{labelled.SOPInstanceUID}/analyse")
    assert (refused.status_code, "analysed" in refused.json()["detail"]) == (409, True)
    assert api.client.post("/api/v1/instances/1.2.3/analyse").json()["code"] == "unknown-instance"


def test_deliveries_that_failed_or_hang_need_a_look_and_those_in_time_do_not(api: Served) -> None:
    owed = []
    for _ in range(4):
        image = full_field()
        api.post(image)
        api.answer(image, "R", "CC")
        api.conclude(str(image.StudyInstanceUID))
        owed.append(api.ledger.deliveries.find(study_instance_uid=str(image.StudyInstanceUID))[0].id)
    in_time, hanging, lost, proved = owed
    grow_old(api, hanging)
    api.deliver(lost, DeliveryState.FAILED, "no answer")
    api.deliver(proved)
    first = api.client.get("/api/v1/deliveries/troubled", params={"limit": 1}).json()
    second = api.client.get("/api/v1/deliveries/troubled", params={"cursor": first["next_cursor"]}).json()
    assert [each["id"] for each in first["deliveries"] + second["deliveries"]] == [lost, hanging]
    assert first["deliveries"][0]["error"] == "no answer"
    assert api.client.get("/api/v1/deliveries/troubled", params={"destination": "elsewhere"}).json()["deliveries"] == []
    (pacs,) = api.client.get("/api/v1/operations").json()["destinations"]
    assert pacs["stuck"] == 1 and pacs["oldest_seconds"] > 3500
    assert in_time not in [each["id"] for each in first["deliveries"]]


def test_other_bytes_under_a_known_uid_are_shown_with_their_sender(api: Served) -> None:
    image = full_field()
    api.post(image)
    image.SeriesDescription = "another text"
    api.post(image)
    (conflict,) = api.client.get("/api/v1/conflicts").json()["conflicts"]
    assert (conflict["sop_instance_uid"], conflict["study_instance_uid"]) == (str(image.SOPInstanceUID), str(image.StudyInstanceUID))
    assert api.client.get("/api/v1/operations").json()["conflicts"] == 1


def test_nothing_about_a_patient_is_in_operations(api: Served) -> None:
    image = full_field()
    for path in ("operations", "instances?state=failed", "instances?state=received", "deliveries/troubled", "conflicts"):
        text = api.client.get(f"/api/v1/{path}").text
        assert str(image.PatientID) not in text and "Phantom^" not in text


QUESTIONS_WRONG = (
    "operations?hours=0", "operations?hours=721", "instances?state=analysed", "instances?cursor=x", "instances?cursor=1-Doe^J",
    f"instances?cursor={'9' * 18}-1.2", "instances?reason=%00", "deliveries?destination=%00", "deliveries/troubled?destination=%00",
)  # fmt: skip


def test_a_wrong_question_is_a_problem(api: Served) -> None:
    for query in QUESTIONS_WRONG:
        answer = api.client.get(f"/api/v1/{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), query
