"""People, keys and the audit trail over the API: who made them, what they are good for, what is written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from service.accounts import passwords
from service.domain.access import Role, Scope
from tests.support.api_server import Served, as_bytes, serve_api
from tests.support.sample_findings import full_field

PASSWORD = "radium and polonium"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("accounts")) as served, pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
        yield served


@pytest.fixture(scope="module")
def ada(api: Served) -> Iterator[httpx.Client]:
    with api.person(Role.ADMIN) as client:
        yield client


def written(api: Served, count: int = 1) -> list[tuple[str, str, str, str]]:
    """Newest first: who, action, subject, detail."""
    return [(row.actor, row.action, row.subject, row.detail) for row in api.ledger.audit_log.find(limit=count)]


def test_an_administrator_enters_changes_and_closes_accounts(api: Served, ada: httpx.Client) -> None:
    body = {"name": "Marie", "display_name": " Dr Marie ", "role": "viewer", "password": PASSWORD}
    made = ada.post("/api/v1/access/users", json=body)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("name", "display_name", "role", "signs_in", "disabled")} == {
        "name": "marie", "display_name": "Dr Marie", "role": "viewer", "signs_in": "password", "disabled": False,
    }  # fmt: skip
    assert written(api) == [("ada", "POST /access/users", "marie", "viewer")]
    assert ada.post("/api/v1/access/users", json=body).json()["code"] == "account-refused"
    assert ada.patch("/api/v1/access/users/marie", json={"role": "approver"}).json()["role"] == "approver"
    assert ada.put("/api/v1/access/users/marie/password", json={"password": "a longer radium"}).status_code == 204
    assert ada.patch("/api/v1/access/users/marie", json={"disabled": True}).json()["disabled"] is True
    assert written(api, 3) == [
        ("ada", "PATCH /access/users/*", "marie", '{"disabled":true}'),
        ("ada", "PUT /access/users/*/password", "marie", ""),
        ("ada", "PATCH /access/users/*", "marie", '{"role":"approver"}'),
    ]
    listed = {user["name"]: user for user in ada.get("/api/v1/access/users").json()["users"]}
    assert listed["marie"]["disabled"] and "password_hash" not in listed["marie"]
    assert ada.patch("/api/v1/access/users/nobody", json={"role": "admin"}).status_code == 404


def test_the_last_administrator_stays(api: Served, ada: httpx.Client) -> None:
    for change in ({"disabled": True}, {"role": "viewer"}):
        refused = ada.patch("/api/v1/access/users/ada", json=change)
        assert (refused.status_code, refused.json()["code"]) == (409, "account-refused")


@pytest.mark.parametrize("password", ["eleven char", "the name lise is in here", "LISE is in here too", "aaaaaaaaaaaaaaaa", "x" * 257])
def test_a_bad_password_is_refused(ada: httpx.Client, password: str) -> None:
    answer = ada.post("/api/v1/access/users", json={"name": "lise", "role": "viewer", "password": password})
    assert answer.status_code in (409, 422)
    assert password not in answer.text


@pytest.mark.parametrize("name", ["", "two words", "Doe^Jane", "../x", "a" * 65, ".hidden", "ünal"])
def test_a_name_that_would_read_badly_is_refused(ada: httpx.Client, name: str) -> None:
    assert ada.post("/api/v1/access/users", json={"name": name, "role": "viewer", "password": PASSWORD}).status_code == 422


def test_control_characters_are_refused_before_a_database_that_cannot_keep_them_is_asked(ada: httpx.Client) -> None:
    body = {"name": "lise", "role": "viewer", "password": PASSWORD, "display_name": "Li\0se"}
    assert ada.post("/api/v1/access/users", json=body).status_code == 422
    for name in ("by", "action"):
        assert ada.get("/api/v1/access/audit", params={name: "a\0b"}).status_code == 422


def test_a_key_is_shown_once_does_what_its_scopes_say_and_ends_when_it_is_revoked(api: Served, ada: httpx.Client) -> None:
    made = ada.post("/api/v1/access/keys", json={"name": "hanging", "scopes": ["read"], "expires_in_days": 30}).json()
    assert made["secret"].startswith("mt_") and made["created_by"] == "ada"
    assert written(api) == [("ada", "POST /access/keys", "hanging", "read")]
    with api.client_with() as software:
        software.headers["Authorization"] = f"bearer {made['secret']}"
        assert software.get("/api/v1/studies").status_code == 200
        assert software.get("/metrics").status_code == 403
        listed = {key["name"]: key for key in ada.get("/api/v1/access/keys").json()["keys"]}
        assert "secret" not in listed["hanging"] and listed["hanging"]["used_at"]
        assert ada.delete("/api/v1/access/keys/hanging").json()["revoked_at"]
        # At once, although the key was cached.
        assert software.get("/api/v1/studies").json()["code"] == "not-signed-in"
    assert ada.post("/api/v1/access/keys", json={"name": "hanging", "scopes": ["read"]}).status_code == 409
    assert ada.post("/api/v1/access/keys", json={"name": "nothing", "scopes": []}).status_code == 422


def test_secrets_stand_nowhere_in_the_ledger(api: Served, ada: httpx.Client) -> None:
    secret = ada.post("/api/v1/access/keys", json={"name": "secretive", "scopes": ["read"]}).json()["secret"]
    opened = api.sign_in("viewer")
    ada.post("/api/v1/access/users", json={"name": "emmy", "role": "viewer", "password": PASSWORD})
    everything = b"".join(path.read_bytes() for path in api.settings.data_dir.glob("ledger.sqlite*"))
    assert b"emmy" in everything
    assert [value for value in (secret, opened.token, PASSWORD) if value.encode() in everything] == []


def test_what_changes_something_is_written_down_with_who_and_to_what(api: Served) -> None:
    with api.person("approver") as anna:
        assert anna.post("/api/v1/studies", files={"files": as_bytes(full_field())}).status_code in (201, 202)
        assert written(api) == [("anna", "POST /studies", "", "")]
        before = written(api, 50)
        assert anna.get("/api/v1/studies").status_code == 200
        assert anna.post("/api/v1/studies/search", json={"text": "Doe"}).status_code == 200
        assert anna.post("/api/v1/corrections/999/approve", json={"reason": "because"}).status_code == 404
        assert written(api, 50) == before


def test_a_refusal_is_written_once_a_minute_and_never_with_what_was_typed(api: Served) -> None:
    with api.person("viewer") as vera:
        for _ in range(3):
            assert vera.post("/api/v1/corrections/7/approve", json={"reason": "because"}).status_code == 403
        assert vera.post("/api/v1/studies/Doe^Jane/release", json={"reason": "because"}).status_code == 403
    assert written(api, 2) == [
        ("vera", "denied", "", "POST /studies/*/release"),
        ("vera", "denied", "7", "POST /corrections/*/approve"),
    ]
    with api.client_with(Scope.READ) as software:
        assert software.get("/metrics").status_code == 403
    assert written(api)[0][1:] == ("denied", "", "GET /metrics")


def test_the_trail_is_paged_filtered_and_exported_for_a_spreadsheet(api: Served, ada: httpx.Client) -> None:
    api.ledger.audit_log.append("=1+1", "sign-in failed", "", "127.0.0.1")
    first = ada.get("/api/v1/access/audit", params={"limit": 2}).json()
    second = ada.get("/api/v1/access/audit", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    numbers = [entry["id"] for entry in first["entries"] + second["entries"]]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) == 4
    failed = ada.get("/api/v1/access/audit", params={"action": "sign-in failed"}).json()["entries"]
    assert {entry["action"] for entry in failed} == {"sign-in failed"}
    lines = ada.get("/api/v1/access/audit.csv").text.splitlines()
    assert lines[0] == "id,at,actor,action,subject,detail"
    assert ",'=1+1,sign-in failed," in lines[1]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(api: Served) -> None:
    with api.client_with() as nobody:
        answer = nobody.post("/api/v1/feedback", content=b'"' + 2_000_000 * b"x" + b'"', headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        pieces = (b"x" * 100_000 for _ in range(30))
        answer = nobody.post("/api/v1/feedback", content=pieces, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413


def test_a_broken_server_still_protects_its_answer(tmp_path: Path) -> None:
    with serve_api(tmp_path) as served:

        @served.site.get("/broken")
        def broken() -> None:
            raise RuntimeError("on purpose")

        answer = served.client.get("/broken")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
