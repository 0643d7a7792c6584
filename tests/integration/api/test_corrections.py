"""People decide over HTTP: with their name and a reason, once, and with everything on record."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.uid import generate_uid

from service.destinations import Destination
from service.domain.findings import DeliveryState, Evidence
from service.domain.policy import CorrectionPolicy
from tests.support.api_server import Served, serve_api
from tests.support.mislabelled_studies import PACS, SIGNED, add_contradicted_study, add_swapped_study


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with serve_api(tmp_path, destinations=(PACS,)) as served:
        yield served


def decide(api: Served, number: int, what: str, **body: str) -> httpx.Response:
    return api.client.post(f"/api/v1/corrections/{number}/{what}", json=body or SIGNED)


def test_a_difference_is_listed_with_both_labels_and_the_reason(api: Served) -> None:
    number = add_contradicted_study(api, evidence=(Evidence(code="contralateral", text="the other breast agrees"),))
    (shown,) = api.client.get("/api/v1/corrections", params={"state": "proposed"}).json()["corrections"]
    assert (shown["id"], shown["kind"], shown["state"]) == (number, "contradicts", "proposed")
    assert (shown["declared"]["view"], shown["pixels"]["view"], shown["proposed"]["view"]) == ("CC", "MLO", "MLO")
    assert shown["evidence"][0]["code"] == "contralateral"
    assert shown["reason"]
    assert api.client.get("/api/v1/corrections", params={"state": "verified"}).json()["corrections"] == []


def test_the_list_pages_through_every_correction_once_and_narrows_to_a_study(api: Served) -> None:
    study_instance_uid = generate_uid()
    numbers = [add_contradicted_study(api), add_contradicted_study(api, study_instance_uid), add_contradicted_study(api)]
    seen: list[int] = []
    cursor = None
    while True:
        page = api.client.get("/api/v1/corrections", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [each["id"] for each in page["corrections"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == numbers
    (only,) = api.client.get("/api/v1/corrections", params={"study": study_instance_uid}).json()["corrections"]
    assert only["study_instance_uid"] == study_instance_uid


def test_an_approved_correction_is_queued_and_its_life_written_down(api: Served) -> None:
    number = add_contradicted_study(api)
    approved = decide(api, number, "approve")
    assert approved.status_code == 200
    shown = approved.json()
    assert (shown["state"], shown["decided_by"], shown["decided_reason"]) == ("approved", SIGNED["actor"], SIGNED["reason"])
    assert [(step["state"], step["actor"]) for step in shown["history"]] == [("proposed", "policy"), ("approved", SIGNED["actor"])]
    (delivery,) = shown["deliveries"]
    assert (delivery["kind"], delivery["state"], delivery["correction"]) == ("corrected", "pending", number)
    assert delivery["id"] in api.queued
    api.deliver(delivery["id"])
    assert api.client.get(f"/api/v1/corrections/{number}").json()["state"] == "verified"


def test_an_applied_correction_is_undone_by_the_same_road(api: Served) -> None:
    number = add_contradicted_study(api)
    decide(api, number, "approve")
    api.deliver(api.ledger.deliveries.find(correction_id=number)[0].id)
    reverted = decide(api, number, "undo", actor="B. Reader", reason="the marker was right").json()
    assert reverted["state"] == "reverting"
    back = reverted["deliveries"][-1]
    assert (back["kind"], back["destination"]) == ("reverted", "pacs")
    assert back["id"] in api.queued
    api.deliver(back["id"])
    assert api.client.get(f"/api/v1/corrections/{number}").json()["state"] == "reverted"


def test_a_rejected_correction_sends_nothing(api: Served) -> None:
    number = add_contradicted_study(api)
    rejected = decide(api, number, "reject").json()
    assert (rejected["state"], rejected["deliveries"]) == ("rejected", [])
    assert api.ledger.deliveries.find(correction_id=number) == []


def test_what_is_decided_is_not_decided_again(api: Served) -> None:
    number = add_contradicted_study(api)
    decide(api, number, "reject")
    for what in ("approve", "reject", "undo"):
        again = decide(api, number, what)
        assert (again.status_code, again.json()["code"]) == (409, "decision-refused")
        assert "rejected" in again.json()["detail"]


def test_what_nobody_may_apply_is_refused_with_the_reason(api: Served) -> None:
    refused = decide(api, add_contradicted_study(api, blocked_reason="the breast has an implant"), "approve")
    assert refused.status_code == 409
    assert "implant" in refused.json()["detail"]


def test_a_correction_that_no_destination_takes_is_not_approved_in_silence(tmp_path: Path) -> None:
    reports_only = PACS.model_copy(update={"corrections": CorrectionPolicy(mode="report")})
    with serve_api(tmp_path, destinations=(reports_only,)) as served:
        refused = decide(served, add_contradicted_study(served), "approve")
        assert refused.status_code == 409
        assert "corrections.mode" in refused.json()["detail"]


NO_DECISION: tuple[dict[str, object], ...] = (
    {},
    {"actor": "Dr. A. Jones"},
    {"reason": "because"},
    {"actor": "Dr. A. Jones", "reason": "  "},
    {"actor": " ", "reason": "because"},
    {"actor": "Policy", "reason": "because"},
    {"actor": "Dr. A. Jones", "reason": "two\nlines"},
    {"actor": "x" * 65, "reason": "because"},
    {"actor": "Dr. A. Jones", "reason": "because", "force": True},
)


@pytest.mark.parametrize("what", ["approve", "reject", "undo"])
def test_no_decision_without_a_name_and_a_reason(api: Served, what: str) -> None:
    number = add_contradicted_study(api)
    for body in NO_DECISION:
        refused = api.client.post(f"/api/v1/corrections/{number}/{what}", json=body)
        code = "actor-missing" if body == {"reason": "because"} else "invalid-request"
        assert (refused.status_code, refused.json()["code"]) == (422, code), body
    assert len(api.ledger.corrections.history(number)) == 1


def test_who_is_signed_in_signs_with_their_own_name_and_no_other(api: Served) -> None:
    first, second = add_contradicted_study(api), add_contradicted_study(api)
    with api.person("approver") as anna:
        approved = anna.post(f"/api/v1/corrections/{first}/approve", json={"reason": "compared with the prior"})
        assert (approved.status_code, approved.json()["decided_by"]) == (200, "Anna Approver")
        other = anna.post(f"/api/v1/corrections/{second}/reject", json={"actor": "Dr. A. Jones", "reason": "because"})
        assert (other.status_code, other.json()["code"]) == (422, "actor-differs")
        own = anna.post(f"/api/v1/corrections/{second}/reject", json={"actor": "anna approver", "reason": "because"})
        assert (own.status_code, own.json()["decided_by"]) == (200, "Anna Approver")
        lost = api.ledger.deliveries.find(correction_id=first)[0].id
        api.deliver(lost, DeliveryState.FAILED, "no answer")
        assert anna.post(f"/api/v1/deliveries/{lost}/retry", json={}).status_code == 200
        api.deliver(lost, DeliveryState.FAILED, "no answer")
    assert [event.detail["actor"] for event in api.ledger.events.find() if event.kind == "delivery.retried"] == ["Anna Approver"]
    refused = api.client.post(f"/api/v1/deliveries/{lost}/retry", json={})
    assert (refused.status_code, refused.json()["code"]) == (422, "actor-missing"), "software says for whom"


def test_a_viewer_sees_corrections_and_decides_nothing(api: Served) -> None:
    number = add_contradicted_study(api)
    with api.person("viewer") as vera:
        assert vera.get(f"/api/v1/corrections/{number}").status_code == 200
        refused = vera.post(f"/api/v1/corrections/{number}/approve", json={"reason": "I want to"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert len(api.ledger.corrections.history(number)) == 1


def test_where_signing_in_is_off_a_decision_still_names_its_person(tmp_path: Path) -> None:
    with serve_api(tmp_path, destinations=(PACS,), sign_in="off") as served:
        number = add_contradicted_study(served)
        nameless = served.client.post(f"/api/v1/corrections/{number}/reject", json={"reason": "because"})
        assert (nameless.status_code, nameless.json()["code"]) == (422, "actor-missing")
        assert decide(served, number, "reject").json()["decided_by"] == SIGNED["actor"]


def test_the_list_is_narrowed_to_a_kind_and_turned_round(api: Served) -> None:
    numbers = [add_contradicted_study(api) for _ in range(3)]
    turned = api.client.get("/api/v1/corrections", params={"order": "newest", "limit": 2}).json()
    rest = api.client.get("/api/v1/corrections", params={"order": "newest", "cursor": turned["next_cursor"]}).json()
    assert [each["id"] for each in turned["corrections"] + rest["corrections"]] == numbers[::-1]
    assert len(api.client.get("/api/v1/corrections", params={"kind": "contradicts"}).json()["corrections"]) == 3
    assert api.client.get("/api/v1/corrections", params={"kind": "mirrored"}).json()["corrections"] == []


def test_what_does_not_exist_is_said_so(api: Served) -> None:
    for path, code in (
        ("corrections/99", "unknown-correction"),
        ("corrections/99/approve", "unknown-correction"),
        ("corrections/99/reject", "unknown-correction"),
        ("corrections/99/undo", "unknown-correction"),
        ("studies/1.2.3/release", "not-held"),
        ("deliveries/99", "unknown-delivery"),
        ("deliveries/99/retry", "unknown-delivery"),
    ):
        body = {"actor": "A. Smith"} if path.endswith("retry") else SIGNED
        method = "GET" if path.endswith("99") else "POST"
        answer = api.client.request(method, f"/api/v1/{path}", json=body if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, code), path


def test_a_wrong_filter_is_a_problem_that_repeats_nothing(api: Served) -> None:
    for path in ("corrections", "deliveries", "corrections.csv"):
        for query in ("state=lost", "study=Doe^Jane", "cursor=-1", "cursor=x", "limit=0")[: 2 if path.endswith("csv") else None]:
            answer = api.client.get(f"/api/v1/{path}?{query}")
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), (path, query)
            assert "Doe" not in answer.text


def test_a_study_with_swapped_sides_is_held_until_a_named_person_releases_it(tmp_path: Path) -> None:
    approving = PACS.model_copy(update={"corrections": CorrectionPolicy(sides_swapped="approve")})
    with serve_api(tmp_path, destinations=(approving,)) as api:
        study_instance_uid = add_swapped_study(api)
        (hold,) = api.client.get("/api/v1/holds").json()["holds"]
        assert (hold["study_instance_uid"], hold["released_at"]) == (study_instance_uid, None)
        assert "swapped" in hold["reason"]
        assert api.client.get(f"/api/v1/studies/{study_instance_uid}").json()["held"] is True
        for row in api.ledger.corrections.find(study_instance_uid=study_instance_uid):
            approved = decide(api, row.id, "approve").json()
            assert (approved["held"], approved["deliveries"]) == (True, [])
        nameless = api.client.post(f"/api/v1/studies/{study_instance_uid}/release", json={"reason": "checked"})
        assert nameless.status_code == 422
        released = api.client.post(f"/api/v1/studies/{study_instance_uid}/release", json=SIGNED).json()
        assert (released["released_by"], released["released_reason"]) == (SIGNED["actor"], SIGNED["reason"])
        assert {row.id for row in api.ledger.deliveries.find(study_instance_uid=study_instance_uid) if row.correction_id} <= set(api.queued)
        assert sum(bool(row.correction_id) for row in api.ledger.deliveries.find(study_instance_uid=study_instance_uid)) == 2
        assert api.client.get("/api/v1/holds").json()["holds"] == []
        assert len(api.client.get("/api/v1/holds", params={"released": True}).json()["holds"]) == 1
        again = api.client.post(f"/api/v1/studies/{study_instance_uid}/release", json=SIGNED)
        assert (again.status_code, again.json()["code"]) == (409, "decision-refused")


def test_the_ledger_is_exported_as_csv_and_json(api: Served) -> None:
    first, second = add_contradicted_study(api), add_contradicted_study(api)
    decide(api, first, "reject", actor="Dr. A. Jones", reason='=HYPERLINK("x"), he said; "quoted"')
    answer = api.client.get("/api/v1/corrections.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "corrections.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["id"], row["state"]) for row in rows] == [(str(first), "rejected"), (str(second), "proposed")]
    assert rows[0]["decided_reason"] == '\'=HYPERLINK("x"), he said; "quoted"'
    assert "rejected Dr. A. Jones" in rows[0]["history"]
    exported = api.client.get("/api/v1/corrections.json").json()
    assert [(each["id"], len(each["history"])) for each in exported] == [(first, 2), (second, 1)]
    assert exported[0]["decided_reason"].startswith("=HYPERLINK")
    narrowed = api.client.get("/api/v1/corrections.json", params={"state": "rejected"}).json()
    assert [each["id"] for each in narrowed] == [first]
    assert json.loads(api.client.get("/api/v1/corrections.json", params={"state": "reverted"}).text) == []


def test_an_export_is_longer_than_a_page(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.corrections.export.PAGE", 2)
    numbers = [add_contradicted_study(api) for _ in range(5)]
    assert [each["id"] for each in api.client.get("/api/v1/corrections.json").json()] == numbers


def test_deliveries_are_listed_by_state_and_destination(api: Served) -> None:
    add_contradicted_study(api)
    (report,) = api.ledger.deliveries.find()
    api.deliver(report.id, DeliveryState.FAILED, "pacs: no association")
    (failed,) = api.client.get("/api/v1/deliveries", params={"state": "failed", "destination": "pacs"}).json()["deliveries"]
    assert (failed["id"], failed["kind"], failed["error"], failed["next_try_at"]) == (report.id, "sr", "pacs: no association", None)
    assert api.client.get("/api/v1/deliveries", params={"destination": "elsewhere"}).json()["deliveries"] == []
    assert api.client.get(f"/api/v1/deliveries/{report.id}").json() == failed


def test_only_what_ended_without_proof_is_tried_again_and_by_somebody(api: Served) -> None:
    add_contradicted_study(api)
    (report,) = api.ledger.deliveries.find()
    early = api.client.post(f"/api/v1/deliveries/{report.id}/retry", json={"actor": "A. Smith"})
    assert (early.status_code, early.json()["code"]) == (409, "decision-refused")
    api.deliver(report.id, DeliveryState.FAILED, "pacs: no association")
    assert api.client.post(f"/api/v1/deliveries/{report.id}/retry", json={}).status_code == 422
    before = len(api.queued)
    again = api.client.post(f"/api/v1/deliveries/{report.id}/retry", json={"actor": "A. Smith"})
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    assert again.json()["next_try_at"] is not None
    assert api.queued[before:] == [report.id]
    api.deliver(report.id)
    assert api.client.post(f"/api/v1/deliveries/{report.id}/retry", json={"actor": "A. Smith"}).status_code == 409


def test_destinations_are_shown_with_their_policy_and_condition_and_without_secrets(tmp_path: Path) -> None:
    web = {"url": "https://x/dicom-web", "user": "u", "password": "geheim", "token": "geheim"}
    peers = (PACS, Destination.model_validate({"name": "web", "dicomweb": web}))
    with serve_api(tmp_path, destinations=peers) as api:
        api.ledger.destinations.record_capabilities("pacs", {"1.2.840.10008.5.1.4.1.1.88.50": False})
        api.ledger.destinations.record_answer("pacs")
        assert api.ledger.destinations.record_failure("web", "web: no answer", breaker_after=1, pause_s=60)
        answer = api.client.get("/api/v1/destinations")
        assert "geheim" not in answer.text
        pacs, other = answer.json()["destinations"]
        assert (pacs["state"], pacs["takes"]) == ("up", {"1.2.840.10008.5.1.4.1.1.88.50": False})
        assert pacs["policy"]["contradicts"] == "approve"
        assert (other["state"], other["last_error"], other["dicomweb"]) == ("circuit-open", "web: no answer", "https://x/dicom-web")
        assert other["paused_until"] is not None


def test_the_new_routes_explain_themselves(api: Served) -> None:
    document = api.client.get("/openapi.json").json()
    approve = document["paths"]["/api/v1/corrections/{correction_id}/approve"]["post"]
    refused = document["components"]["responses"][approve["responses"]["409"]["$ref"].rpartition("/")[2]]
    assert "application/problem+json" in refused["content"]
    for schema in ("CorrectionPage", "CorrectionDetail", "Decision", "Retry", "HoldOut", "DeliveryPage", "DestinationOut"):
        assert document["components"]["schemas"][schema]["examples"], schema
