"""Every error is a problem (RFC 9457), says what to do, and quotes nothing of the request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.api_server import Served, as_bytes, serve_api
from tests.support.sample_findings import full_field


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with serve_api(tmp_path, max_instance_bytes=200_000) as served:
        yield served


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["title"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/studies/1.2.3", 404, "unknown-study"),
        ("/api/v1/studies/1.2.3/hanging", 404, "unknown-study"),
        ("/api/v1/instances/1.2.3/heatmap.png", 404, "unknown-instance"),
        ("/api/v1/studies/not-a-uid", 422, "invalid-request"),
        ("/api/v1/studies?limit=0", 422, "invalid-request"),
        ("/api/v1/studies?order=random", 422, "invalid-request"),
        ("/api/v1/studies?cursor=bogus", 422, "invalid-cursor"),
        ("/nowhere", 404, "not-found"),
        ("/api/v1/corrections/1/approve", 405, "method-not-allowed"),
    ],
)
def test_wrong_requests_are_answered_with_a_problem(api: Served, path: str, status: int, code: str) -> None:
    assert_problem(api.client.get(path), status, code)


def test_a_wrong_value_is_not_repeated(api: Served) -> None:
    response = api.client.get("/api/v1/studies/Doe^Jane")
    assert_problem(response, 422, "invalid-request")
    assert "Doe" not in response.text


def test_nothing_but_bad_files_is_a_problem_that_names_each(api: Served) -> None:
    response = api.post(b"text", b"\0" * 500)
    assert_problem(response, 422, "unparsable")
    assert [error["where"] for error in response.json()["errors"]] == ["part 0", "part 1"]


def test_an_empty_upload_is_a_problem(api: Served) -> None:
    empty = {"Content-Type": "multipart/form-data; boundary=b"}
    assert_problem(api.client.post("/api/v1/studies", content=b"--b--\r\n", headers=empty), 400, "no-files")


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"{}", 415, "unsupported-media-type"),
        ("multipart/form-data", b"x", 400, "no-boundary"),
        ("multipart/form-data; boundary=b", b"no boundary in here", 400, "broken-multipart"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\ncut of', 400, "broken-multipart"),
        ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"y" * 9000 + b"\r\n\r\n\r\n--b--\r\n", 400, "broken-multipart"),
    ],
)
def test_malformed_bodies_are_problems_and_leave_nothing_behind(
    api: Served, content_type: str, body: bytes, status: int, code: str
) -> None:
    assert_problem(api.client.post("/api/v1/studies", content=body, headers={"Content-Type": content_type}), status, code)
    assert list(api.store.spool_dir.iterdir()) == []


def test_a_file_beyond_the_limit_is_refused(api: Served) -> None:
    assert_problem(api.post(b"\0" * 300_000), 413, "instance-too-large")
    beside = api.post(full_field(), b"\0" * 300_000, full_field())
    assert (beside.status_code, len(beside.json()["received"])) == (202, 2)
    assert [(each["part"], each["code"]) for each in beside.json()["refused"]] == [(1, "instance-too-large")]
    assert list(api.store.spool_dir.iterdir()) == []


def test_a_full_disk_is_said_so(tmp_path: Path) -> None:
    with serve_api(tmp_path, disk_free_min_bytes=1 << 60) as served:
        assert_problem(served.post(full_field()), 507, "disk-full")


def test_a_broken_server_shows_no_inside(api: Served) -> None:
    api.ledger.close()
    with api.ledger.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE study_holds")
    response = api.client.get("/api/v1/studies")
    assert_problem(response, 500, "internal-error")
    assert "SELECT" not in response.text


def test_openapi_names_problems_and_gives_examples(api: Served) -> None:
    document = api.client.get("/openapi.json").json()
    listing = document["paths"]["/api/v1/studies"]["get"]["responses"]
    assert listing["422"] == {"$ref": "#/components/responses/422"}
    assert "application/problem+json" in document["components"]["responses"]["422"]["content"]
    for schema in ("StudyDetail", "HangingOut", "StudyPage", "UploadAnswer", "Problem", "Readiness"):
        assert document["components"]["schemas"][schema]["examples"], schema
    assert as_bytes(full_field())[128:132] == b"DICM"
