"""The hanging API as hanging-protocol software uses it: over a socket, as a study comes, is read, and changes again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from models.vocabulary import Laterality
from service.destinations import Destination
from service.domain import study_conclusion as assembly
from service.domain.findings import Conclusion, Marker
from service.domain.study_image import StudyImage
from service.jobs.planning import plan_correction, plan_study
from service.store.database import now
from service.store.ledger import Ledger
from tests.support.api_server import FOUR_VIEWS, Served, serve_api
from tests.support.eventually import eventually
from tests.support.ledger_values import header
from tests.support.sample_findings import analysed, full_field, skipped

CORNERS = ("R-CC", "L-CC", "R-MLO", "L-MLO")
SIDES_SWAPPED = [("L", view) if side == "R" else ("R", view) for side, view in FOUR_VIEWS]
"""As the headers of a study declare it whose breasts bear one another's labels."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("hanging")) as served:
        yield served


def hanging(api: Served, study_instance_uid: str, **headers: str) -> httpx.Response:
    return api.client.get(
        f"/api/v1/studies/{study_instance_uid}/hanging", headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def receive(api: Served, *views: tuple[str, str], **fields: object) -> tuple[str, list[Dataset]]:
    study_instance_uid = generate_uid()
    images = [full_field(side, view, study_instance_uid=study_instance_uid) for side, view in views or FOUR_VIEWS]
    for image in images:
        for keyword, value in fields.items():
            setattr(image, keyword, value)
    assert api.post(*images).status_code == 202
    return study_instance_uid, images


def read(api: Served, images: list[Dataset], *views: tuple[str, str], markers: bool = False) -> None:
    """Enter what the networks would say; with markers: and that a burned-in marker says the same side."""
    for image, (side, view) in zip(images, views or FOUR_VIEWS, strict=True):
        marker = Marker(text=f"{side} {view}", laterality=Laterality(side), confidence=0.9) if markers else None
        api.ledger.instances.record_finding(analysed(str(image.SOPInstanceUID), side, view).model_copy(update={"marker": marker}))


def conclude(api: Served, study_instance_uid: str) -> Conclusion | None:
    """As a worker does, by the rules of the house."""
    images = api.ledger.instances.of_study(study_instance_uid)
    study = [StudyImage(row.header, row.finding) for row in images if row.finding]
    destinations = api.settings.destinations
    return api.ledger.record_conclusion(
        assembly.conclude(study, None, now()),
        images,
        lambda numbered: plan_study(numbered, destinations),
        lambda row: plan_correction(row, destinations),
    )


def concluded(api: Served, *views: tuple[str, str]) -> tuple[str, list[Dataset]]:
    study_instance_uid, images = receive(api, *views)
    read(api, images, *views)
    conclude(api, study_instance_uid)
    return study_instance_uid, images


def test_an_unknown_study_is_a_problem(api: Served) -> None:
    answer = hanging(api, "1.2.3")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-study")


def test_a_study_in_work_hangs_by_its_headers_and_says_when_to_ask_again(api: Served) -> None:
    study_instance_uid, images = receive(api)
    answer = hanging(api, study_instance_uid)
    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) > 0
    shown = answer.json()
    assert (shown["status"], shown["version"], shown["complete"]) == ("provisional", 0, True)
    assert {shown["slots"][slot]["view_source"] for slot in CORNERS} == {"header"}
    assert [shown["slots"][slot]["sop_instance_uid"] for slot in CORNERS] == [image.SOPInstanceUID for image in images]
    assert {shown["slots"][slot]["series_instance_uid"] for slot in CORNERS} == {image.SeriesInstanceUID for image in images}


def test_a_concluded_study_hangs_by_its_pixels(api: Served) -> None:
    study_instance_uid, images = receive(api, ("R", "CC"), ("L", "CC"), ("R", "CC"), ("L", "CC"))
    read(api, images)
    conclude(api, study_instance_uid)
    answer = hanging(api, study_instance_uid)
    assert answer.status_code == 200
    assert "Retry-After" not in answer.headers
    shown = answer.json()
    assert (shown["status"], shown["version"], shown["complete"], shown["missing"], shown["repeated"]) == ("final", 1, True, [], {})
    oblique = shown["slots"]["L-MLO"]
    assert (oblique["declared"], oblique["pixels"], oblique["view_source"]) == (
        {"view": "CC", "laterality": "L"},
        {"view": "MLO", "laterality": "L"},
        "pixels",
    )
    assert {(shown["slots"][slot]["image_horizontal_flip"], shown["slots"][slot]["image_rotation"]) for slot in CORNERS} == {(False, 0)}


def test_a_partial_study_is_final_and_names_what_is_missing_and_repeated(api: Served) -> None:
    views = ("R", "CC"), ("R", "CC"), ("R", "MLO")
    study_instance_uid, _ = concluded(api, *views)
    answer = hanging(api, study_instance_uid)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["status"], shown["complete"], shown["missing"]) == ("final", False, ["L-CC", "L-MLO"])
    assert len(shown["repeated"]["R-CC"]) == 1


def test_a_late_image_supersedes_the_answer_twice(api: Served) -> None:
    study_instance_uid, _ = concluded(api, ("R", "CC"), ("L", "CC"))
    before = hanging(api, study_instance_uid)
    late = full_field("R", "MLO", study_instance_uid=study_instance_uid)
    api.post(late)
    waiting = hanging(api, study_instance_uid, If_None_Match=before.headers["ETag"])
    assert (waiting.status_code, waiting.json()["status"], waiting.json()["version"]) == (202, "provisional", 1)
    read(api, [late], ("R", "MLO"))
    conclude(api, study_instance_uid)
    after = hanging(api, study_instance_uid, If_None_Match=before.headers["ETag"])
    assert (after.status_code, after.json()["status"], after.json()["version"]) == (200, "final", 2)
    assert after.json()["slots"]["R-MLO"]["sop_instance_uid"] == late.SOPInstanceUID


def test_an_image_that_is_read_anew_makes_the_answer_provisional_until_it_ended(api: Served) -> None:
    study_instance_uid, images = concluded(api, ("R", "CC"))
    before = hanging(api, study_instance_uid)
    assert before.status_code == 200
    api.ledger.instances.reopen(str(images[0].SOPInstanceUID))
    assert hanging(api, study_instance_uid).status_code == 202
    read(api, images, ("R", "CC"))
    # The same answer as before: no new version, no event, and yet the study is settled.
    assert conclude(api, study_instance_uid) is None
    assert hanging(api, study_instance_uid).headers["ETag"] == before.headers["ETag"]


def test_swapped_sides_are_held_until_somebody_looked(tmp_path: Path) -> None:
    destination = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)
    with serve_api(tmp_path, destinations=(destination,)) as api:
        study_instance_uid, images = receive(api, *SIDES_SWAPPED)
        read(api, images, markers=True)
        conclude(api, study_instance_uid)
        held = hanging(api, study_instance_uid)
        assert (held.status_code, held.json()["held"]) == (200, True)
        assert [held.json()["slots"][slot]["laterality_source"] for slot in CORNERS] == ["pixels"] * 4
        assert [held.json()["slots"][slot]["declared"]["laterality"] for slot in CORNERS] == ["L", "R", "L", "R"]
        api.ledger.decisions.release(study_instance_uid, "A. Reader", "the wristband was asked", lambda row, images: ())
        released = hanging(api, study_instance_uid, If_None_Match=held.headers["ETag"])
        assert (released.status_code, released.json()["held"]) == (200, False)


def test_sides_that_nothing_settles_hang_as_they_are_declared_with_chest_walls_together(api: Served) -> None:
    study_instance_uid, images = receive(api, *SIDES_SWAPPED)
    read(api, images)
    conclude(api, study_instance_uid)
    shown = hanging(api, study_instance_uid).json()
    assert [shown["slots"][slot]["laterality_source"] for slot in CORNERS] == ["header"] * 4
    assert [shown["slots"][slot]["image_horizontal_flip"] for slot in CORNERS] == [True] * 4


def test_a_mirrored_picture_is_flipped_back_in_its_declared_place(api: Served) -> None:
    study_instance_uid, images = receive(api)
    read(api, images, ("L", "CC"), *FOUR_VIEWS[1:])
    conclude(api, study_instance_uid)
    mirrored = hanging(api, study_instance_uid).json()["slots"]["R-CC"]
    assert mirrored["sop_instance_uid"] == images[0].SOPInstanceUID
    assert (mirrored["laterality_source"], mirrored["image_horizontal_flip"], mirrored["orientation_source"]) == ("header", True, "pixels")


def test_objects_that_are_no_mammograms_do_not_hang_and_have_their_reason(api: Served) -> None:
    study_instance_uid = generate_uid()
    raw = full_field("R", "CC", study_instance_uid=study_instance_uid)
    raw.PresentationIntentType = "FOR PROCESSING"
    api.post(raw)
    api.ledger.instances.record_finding(skipped(str(raw.SOPInstanceUID), "for-processing", "raw detector data"))
    conclude(api, study_instance_uid)
    shown = hanging(api, study_instance_uid).json()
    assert shown["status"] == "final"
    assert [(each["sop_instance_uid"], each["reason"]["code"]) for each in shown["not_hung"]] == [(raw.SOPInstanceUID, "for-processing")]


def test_who_holds_the_answer_is_spared_it(api: Served) -> None:
    study_instance_uid, _ = concluded(api)
    tag = hanging(api, study_instance_uid).headers["ETag"]
    for held in (tag, f"W/{tag}", f'"older", {tag}', "*"):
        spared = hanging(api, study_instance_uid, If_None_Match=held)
        assert (spared.status_code, spared.content, spared.headers["ETag"]) == (304, b"", tag)
    assert hanging(api, study_instance_uid, If_None_Match='"older"').status_code == 200


def test_an_unchanged_study_is_answered_without_reading_its_images(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    study_instance_uid, _ = concluded(api)
    first = hanging(api, study_instance_uid)
    monkeypatch.setattr(api.ledger.instances, "of_study", None)  # a read fails from now on
    assert hanging(api, study_instance_uid).content == first.content


def test_who_waits_is_answered_when_the_study_is_final(api: Served) -> None:
    study_instance_uid, images = receive(api)
    answers: list[httpx.Response] = []

    def wait() -> None:
        answers.append(hanging(api, study_instance_uid, Prefer="wait=60"))

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    for each in waiting:
        each.start()
    eventually(lambda: len(api.site.state.feed._followers) == 3)
    read(api, images)
    assert not answers
    conclude(api, study_instance_uid)
    for each in waiting:
        each.join()
    assert [(each.status_code, each.headers["Preference-Applied"]) for each in answers] == [(200, "wait=60")] * 3


def test_who_waits_in_vain_gets_what_is_known(api: Served) -> None:
    study_instance_uid, _ = receive(api, ("R", "CC"))
    tag = hanging(api, study_instance_uid).headers["ETag"]
    assert hanging(api, study_instance_uid, Prefer="wait=1").status_code == 202
    assert hanging(api, study_instance_uid, Prefer="wait=1", If_None_Match=tag).status_code == 304


def test_the_stream_sends_provisional_answers_and_ends_with_the_final_one(api: Served) -> None:
    study_instance_uid, images = receive(api, ("R", "CC"), ("L", "CC"))
    events: list[tuple[str, str, dict[str, Any]]] = []
    with api.client.stream("GET", f"/api/v1/studies/{study_instance_uid}/hanging/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        event = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                event[name] = value
            elif not line and "data" in event:
                events.append((event["event"], event["id"], json.loads(event["data"])))
                event = {}
                if len(events) == 1:
                    read(api, images, ("R", "CC"), ("L", "CC"))
                    conclude(api, study_instance_uid)
    assert events[0][0] == "provisional"
    assert [kind for kind, _, _ in events].count("final") == 1
    last_kind, last_id, last = events[-1]
    assert (last_kind, last["status"], last["slots"]["R-CC"]["view_source"]) == ("final", "final", "pixels")
    # What a browser does when the stream ends: it comes back with the last id, and the server tells it to stop.
    again = api.client.get(f"/api/v1/studies/{study_instance_uid}/hanging/events", headers={"Last-Event-ID": last_id})
    assert again.status_code == 204
    assert hanging(api, study_instance_uid).headers["ETag"] == f'"{last_id}"'


def test_many_studies_are_asked_for_at_once(api: Served) -> None:
    (first, _), (second, _) = concluded(api), receive(api, ("R", "CC"))
    answer = api.client.post("/api/v1/hanging", json={"study_instance_uids": [second, "1.2.3", first, second]})
    assert answer.status_code == 200
    assert [(each["study_instance_uid"], each["status"]) for each in answer.json()["studies"]] == [
        (second, "provisional"),
        (first, "final"),
    ]
    assert answer.json()["unknown"] == ["1.2.3"]
    assert answer.json()["studies"][1] == hanging(api, first).json()


@pytest.mark.parametrize("uids", [[], ["not a uid"], ["1.2"] * 201, "1.2", [None]])
def test_a_wrong_batch_is_a_problem(api: Served, uids: object) -> None:
    answer = api.client.post("/api/v1/hanging", json={"study_instance_uids": uids})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_a_day_of_a_station_is_paged_through(api: Served) -> None:
    today = {receive(api, ("R", "CC"), StudyDate=f"{date.today():%Y%m%d}", StationName="ROOM-7")[0] for _ in range(3)}
    receive(api, ("R", "CC"), StudyDate=f"{date.today():%Y%m%d}", StationName="ROOM-8")
    receive(api, ("R", "CC"), StudyDate="20200101", StationName="ROOM-7")
    seen: list[str] = []
    asked: dict[str, Any] = {"study_date": "today", "station": "ROOM-7", "limit": 2}
    while True:
        page = api.client.get("/api/v1/hanging", params=asked).json()
        seen += [each["study_instance_uid"] for each in page["studies"]]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    assert (len(seen), set(seen)) == (3, today)
    by_day = api.client.get("/api/v1/hanging", params={"study_date": date.today().isoformat(), "station": "ROOM-7"})
    assert len(by_day.json()["studies"]) == 3
    spared = api.client.get(str(by_day.url), headers={"If-None-Match": by_day.headers["ETag"]})
    assert spared.status_code == 304


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"study_date": "2026-02-30"}, "invalid-date"), ({"study_date": "yesterday"}, "invalid-request"), ({"cursor": "x"}, "invalid-cursor")],
)
def test_a_wrong_question_for_a_day_is_a_problem(api: Served, asked: dict[str, str], code: str) -> None:
    answer = api.client.get("/api/v1/hanging", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_both_databases_know_how_far_a_study_is(database_url: str) -> None:
    ledger = Ledger(database_url)
    try:
        assert ledger.study_progress.of_studies(["1.2.3"]) == {}
        image = header("1.2.9")
        ledger.instances.add(image, "a" * 64, Path("x.dcm"), 1, "TEST")
        (standing,) = ledger.study_progress.of_studies([image.study_instance_uid, "1.2.3"]).values()
        assert (standing.version, standing.settled, standing.held, standing.instance_count, standing.finished_count) == (
            0,
            False,
            False,
            1,
            0,
        )
    finally:
        ledger.close()
