"""The worklist as the page asks for it: whose study, filters, search."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from service.domain.findings import Agreement
from tests.support.api_server import Served, serve_api
from tests.support.sample_findings import analysed, correction, full_field


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with serve_api(tmp_path, database_url=database_url) as served:
        yield served


def receive(api: Served, name: str = "Phantom^Anna", patient_id: str = "PH-1", station: str = "M1", day: str = "20260305") -> str:
    """One image of a patient; returns the study's UID."""
    image = full_field()
    image.PatientName, image.PatientID, image.StationName, image.StudyDate = name, patient_id, station, day
    image.AccessionNumber = f"ACC-{patient_id}"
    api.post(image)
    return str(image.StudyInstanceUID)


def conclude(api: Served, study_instance_uid: str, score: float, agreement: Agreement = Agreement.AGREE) -> None:
    (image,) = api.ledger.instances.of_study(study_instance_uid)
    finding = analysed(image.sop_instance_uid, "R", "CC", score)
    api.ledger.instances.record_finding(finding)
    wrong = agreement is Agreement.CONTRADICT
    found = correction(finding.sop_instance_uid, ("R", "MLO" if wrong else "CC"), ("R", "CC"), view=agreement, laterality=Agreement.AGREE)
    api.conclude(study_instance_uid, [found])


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def listed(api: Served, **query: object) -> list[str]:
    answer = api.client.get("/api/v1/studies", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [study["study_instance_uid"] for study in answer.json()["studies"]]


def searched(api: Served, **query: object) -> list[str]:
    answer = api.client.post("/api/v1/studies/search", json=query)
    assert answer.status_code == 200, answer.text
    return [study["study_instance_uid"] for study in answer.json()["studies"]]


def test_a_line_of_the_worklist_says_whose_study_it_is_and_what_was_found(api: Served) -> None:
    study_instance_uid = receive(api)
    (waiting,) = api.client.get("/api/v1/studies").json()["studies"]
    assert waiting["patient"] == {
        "name": "Phantom^Anna",
        "patient_id": "PH-1",
        "birth_date": "19600101",
        "sex": "F",
        "age_years": 66,
    }
    assert (waiting["study_date"], waiting["accession_number"], waiting["station_name"]) == ("20260305", "ACC-PH-1", "M1")
    assert (waiting["agreement"], waiting["concluded_at"], waiting["scores"]) == (None, None, {"R": None, "L": None})
    conclude(api, study_instance_uid, 0.8, Agreement.CONTRADICT)
    (shown,) = api.client.get("/api/v1/studies").json()["studies"]
    assert (shown["scores"], shown["agreement"]) == ({"R": 0.8, "L": None}, "contradict")
    assert shown["densities"]["L"] == "UNKNOWN"
    assert shown["concluded_at"] is not None


def test_each_filter_leaves_the_studies_that_it_names(api: Served) -> None:
    suspicious, routine, waiting = receive(api, station="M1"), receive(api, station="M2"), receive(api, station="M1", day="20260306")
    conclude(api, suspicious, 0.9, Agreement.CONTRADICT)
    conclude(api, routine, 0.1)
    assert listed(api, flag="suspicious") == [suspicious]
    assert listed(api, agreement="contradict") == [suspicious]
    assert listed(api, agreement="agree") == [routine]
    assert listed(api, station="M2") == [routine]
    assert listed(api, state="receiving") == [waiting]
    assert listed(api, study_date="2026-03-06") == listed(api, study_date="20260306") == [waiting]
    assert listed(api, density="A") == []
    assert listed(api, station="M1", flag="suspicious", order="triage") == [suspicious]
    assert listed(api, priority="urgent") == listed(api, held=True) == []
    assert len(listed(api, held=False)) == 3
    a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    assert len(listed(api, since=a_minute_ago.isoformat())) == 3
    assert listed(api, until=a_minute_ago.isoformat()) == []
    assert api.client.get("/api/v1/stations").json() == {"stations": ["M1", "M2"]}


def test_a_patient_is_found_by_name_id_accession_number_and_uid(api: Served) -> None:
    anna, _ = receive(api, "Phantom^Anna", "PH-1"), receive(api, "Muster^Berta", "PH-2")
    for text in ("phantom anna", "PHANTOM^A", "ph-1", "acc-ph-1", anna):
        assert searched(api, text=text) == [anna], text
    assert searched(api, text="nobody") == []
    assert searched(api, text="100%") == []
    assert searched(api, study_instance_uids=[anna, generate_uid()]) == [anna]


def test_pages_of_a_search_hold_every_study_once_in_order(api: Served) -> None:
    scores = {receive(api): score for score in (0.1, 0.9, 0.4, 0.7, 0.2)}
    for study_instance_uid, score in scores.items():
        conclude(api, study_instance_uid, score)
    receive(api, "Muster^Berta", "PH-2")
    expected = {"received": list(reversed(scores)), "triage": sorted(scores, key=lambda uid: -scores[uid])}
    for order, wanted in expected.items():
        seen: list[str] = []
        cursor = None
        while not seen or cursor:
            query = {"text": "anna", "order": order, "limit": 2, "cursor": cursor}
            page = api.client.post("/api/v1/studies/search", json=query).json()
            seen += [study["study_instance_uid"] for study in page["studies"]]
            cursor = page["next_cursor"]
        assert seen == wanted


NONSENSE: tuple[dict[str, str], ...] = (
    {"text": "doe"},
    {"flags": "suspicious"},
    {"since": "0001-01-01T00:00:00+14:00"},
    {"since": "2026-11-02T00:00:00"},
    {"study_date": "yesterday"},
    {"station": "M\x001"},
    {"limit": "501"},
    {"cursor": "bm9uc2Vuc2U"},
    {"cursor": _cursor("triage", 1e308, 1, "2026-01-01T00:00:00Z", "1"), "order": "triage"},
    {"cursor": _cursor("triage", 1, float("nan"), "2026-01-01T00:00:00Z", "1"), "order": "triage"},
    {"cursor": _cursor("received", "0001-01-01T00:00:00+14:00", "1")},
    {"cursor": _cursor("received", "2026-01-01T00:00:00Z", "1\x00")},
    {"cursor": _cursor("received", "2026-01-01T00:00:00Z", "1"), "order": "triage"},
)


def test_a_query_that_makes_no_sense_is_refused(api: Served) -> None:
    for query in NONSENSE:
        answer = api.client.get("/api/v1/studies", params=query)
        assert answer.status_code == 422, query
        assert answer.json()["code"] in ("invalid-request", "invalid-cursor"), query
