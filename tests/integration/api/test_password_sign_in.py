"""Signing in with a password, and what a session is worth: over real HTTP, as a browser does it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import httpx
import pytest
from argon2 import PasswordHasher

from service.accounts import passwords
from service.accounts.sessions import idle_time
from service.accounts.tokens import digest
from service.accounts.users import change_password, make_user
from service.api.auth.cookies import cookie_name
from service.domain.access import Role, Scope
from service.settings import Settings
from tests.support.api_server import Served, serve_api

PASSWORD = "radium and polonium"
QUICK, REAL = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1), passwords._HASHER


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("sign-in")) as served, pytest.MonkeyPatch.context() as patch:
        # The real hash with little work: one test looks at how much there really is.
        patch.setattr(passwords, "_HASHER", QUICK)
        for name in ("marie", "lise", "rosalind"):
            make_user(served.ledger.users, name, f"Dr {name.title()}", Role.APPROVER, PASSWORD)
        yield served


@pytest.fixture
def browser(api: Served) -> Iterator[httpx.Client]:
    with api.client_with() as client:
        yield client


def form_of(browser: httpx.Client, next_path: str = "/") -> dict[str, str]:
    page = browser.get("/sign-in", params={"next": next_path})
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


def sign_in(browser: httpx.Client, name: str, password: str = PASSWORD, next_path: str = "/", **changed: str) -> httpx.Response:
    fields = form_of(browser, next_path) | {"name": name, "password": password} | changed
    return browser.post("/sign-in", data=fields)


def csrf_of(browser: httpx.Client) -> str:
    found = re.search(r'<meta name="csrf-token" content="([^"]+)">', browser.get("/").text)
    assert found
    return found[1]


def test_whoever_knows_the_password_gets_a_session_and_goes_where_they_wanted(browser: httpx.Client) -> None:
    wanted = browser.get("/quality?by=station", headers={"Accept": "text/html"})
    assert (wanted.status_code, wanted.headers["Location"]) == (303, "/sign-in?next=%2Fquality%3Fby%3Dstation")
    answer = sign_in(browser, " Marie ", next_path="/quality?by=station")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/quality?by=station")
    cookie = next(each for each in answer.headers.get_list("Set-Cookie") if each.startswith("mammotriage="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
    assert browser.get("/api/v1/access/me").json()["display_name"] == "Dr Marie"
    assert browser.get("/sign-in").status_code == 303


def test_software_is_not_led_to_a_page(browser: httpx.Client) -> None:
    refused = browser.get("/api/v1/studies", headers={"Accept": "text/html"})
    assert (refused.status_code, refused.json()["code"]) == (401, "not-signed-in")


@pytest.mark.parametrize(
    ("name", "password"),
    [("marie", "not the password"), ("nobody", PASSWORD), ("vera", PASSWORD), ("", ""), ("marie\0", PASSWORD), ("x" * 500, "\0")],
)
def test_a_wrong_name_and_a_wrong_password_are_answered_alike(api: Served, browser: httpx.Client, name: str, password: str) -> None:
    api.sign_in("viewer")  # vera has no password
    answer = sign_in(browser, name, password)
    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert cookie_name(api.settings) not in browser.cookies


def test_an_unknown_name_costs_the_same_work_as_a_known_one(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            verified.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_HASHER", Noting())
    make_user(api.ledger.users, "emmy", "", Role.VIEWER, PASSWORD)
    assert not passwords.is_password(api.ledger.users, "nobody", PASSWORD)
    assert not passwords.is_password(api.ledger.users, "emmy", "not the password")
    assert [each.split("$")[1:4] for each in verified] == [["argon2id", "v=19", "m=65536,t=3,p=4"]] * 2


def test_a_hash_of_older_parameters_is_made_anew_at_the_next_sign_in(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    make_user(api.ledger.users, "maria", "", Role.VIEWER, PASSWORD)
    opened = api.sign_in_as("maria")
    monkeypatch.setattr(passwords, "_HASHER", REAL)
    assert "m=1024" in str(api.ledger.users.password_hash("maria"))
    assert passwords.is_password(api.ledger.users, "maria", PASSWORD)
    assert "m=65536" in str(api.ledger.users.password_hash("maria"))
    assert api.ledger.sessions.get(digest(opened.token), idle_time(api.settings)) is not None


def test_a_session_that_was_planted_before_the_sign_in_is_worth_nothing(api: Served, browser: httpx.Client) -> None:
    browser.cookies.set("mammotriage", "planted", domain="127.0.0.1")
    sign_in(browser, "marie")
    first = browser.cookies["mammotriage"]
    assert first != "planted"
    with api.client_with() as attacker:
        attacker.cookies.set("mammotriage", "planted")
        assert attacker.get("/api/v1/access/me").status_code == 401
        # Signing in again ends the session that the browser had.
        browser.get("/")
        fields = {"name": "marie", "password": PASSWORD, "form_token": browser.cookies["mammotriage-form"]}
        assert browser.post("/sign-in", data=fields).status_code == 303
        attacker.cookies.set("mammotriage", first)
        assert attacker.get("/api/v1/access/me").status_code == 401


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, None),
        ({"X-CSRF-Token": "wrong"}, None),
        ({"Origin": "https://evil.example"}, "right"),
        ({"Origin": "null"}, "right"),
        ({"Sec-Fetch-Site": "cross-site"}, "right"),
        ({"Sec-Fetch-Site": "same-site"}, "right"),
    ],
)
def test_somebody_elses_page_changes_nothing_with_our_cookie(
    api: Served, browser: httpx.Client, headers: dict[str, str], token: str | None
) -> None:
    sign_in(browser, "marie")
    if token:
        headers = headers | {"X-CSRF-Token": csrf_of(browser)}
    refused = browser.post("/api/v1/corrections/1/approve", json={"reason": "because"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "not-from-our-page")


def test_our_own_page_gets_through(api: Served, browser: httpx.Client) -> None:
    sign_in(browser, "marie")
    ours = {"X-CSRF-Token": csrf_of(browser), "Origin": api.settings.public_api_url, "Sec-Fetch-Site": "same-origin"}
    answer = browser.post("/api/v1/corrections/1/approve", json={"reason": "because"}, headers=ours)
    assert answer.json()["code"] == "unknown-correction"


def test_nobody_is_signed_in_by_somebody_elses_form(api: Served, browser: httpx.Client) -> None:
    fields = form_of(browser) | {"name": "marie", "password": PASSWORD}
    assert browser.post("/sign-in", data=fields | {"form_token": "guessed"}).status_code == 403
    assert browser.post("/sign-in", data=fields, headers={"Origin": "https://evil.example"}).status_code == 403
    browser.cookies.clear()
    assert browser.post("/sign-in", data=fields).status_code == 403
    assert "mammotriage" not in browser.cookies


def test_the_way_back_never_leads_elsewhere(browser: httpx.Client) -> None:
    fields = form_of(browser, "//evil.example/") | {"name": "marie", "password": PASSWORD}
    assert fields["next"] == "/"
    assert browser.post("/sign-in", data=fields | {"next": "https://evil.example/"}).headers["Location"] == "/"
    assert browser.get("/sign-in", params={"next": "//evil.example/"}).headers["Location"] == "/"


def test_signing_out_ends_the_session_in_the_ledger_too(api: Served, browser: httpx.Client) -> None:
    sign_in(browser, "marie")
    token = browser.cookies["mammotriage"]
    assert browser.post("/sign-out", data={"csrf_token": "wrong"}).status_code == 403
    assert browser.post("/sign-out", data={"csrf_token": csrf_of(browser)}).headers["Location"] == "/sign-in"
    assert "mammotriage" not in browser.cookies
    assert api.ledger.sessions.get(digest(token), idle_time(api.settings)) is None


def test_guessing_is_slowed_down_for_the_name_and_says_nothing_of_the_account(
    api: Served, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = api.ledger.database.clock()
    monkeypatch.setattr(api.ledger.database, "clock", lambda: start)
    for name in ("lise", "nobody-at-all"):
        answers = [sign_in(browser, name, f"guess {number}").status_code for number in range(6)]
        assert answers == [401] * 5 + [429]
        blocked = sign_in(browser, name)
        assert blocked.status_code == 429
        assert int(blocked.headers["Retry-After"]) >= 1
        assert "Too many tries" in blocked.text
    assert sign_in(browser, "marie").status_code == 303


def test_a_password_change_ends_every_session_of_that_person_and_of_nobody_else(api: Served, browser: httpx.Client) -> None:
    sign_in(browser, "rosalind")
    with api.client_with() as second, api.client_with() as other:
        sign_in(second, "rosalind")
        sign_in(other, "marie")
        ours = {"X-CSRF-Token": csrf_of(browser)}
        change = {"password": PASSWORD, "new_password": "photograph number 51"}
        wrong = browser.post("/api/v1/access/me/password", json=change | {"password": "no"}, headers=ours)
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong-password")
        assert browser.post("/api/v1/access/me/password", json=change, headers=ours).status_code == 204
        assert [each.get("/api/v1/access/me").status_code for each in (browser, second, other)] == [401, 401, 200]
        assert sign_in(second, "rosalind").status_code == 401
        assert sign_in(second, "rosalind", "photograph number 51").status_code == 303
    change_password(api.ledger.users, "rosalind", PASSWORD)


def test_sessions_end_by_themselves(tmp_path: Path) -> None:
    moment = [timedelta(0)]
    with serve_api(tmp_path, session_hours=8, session_idle_minutes=30) as api, api.person("viewer") as viewer:
        real = api.ledger.database.clock
        api.ledger.database.clock = lambda: real() + moment[0]

        def after(minutes: float) -> int:
            moment[0] = timedelta(minutes=minutes)
            return viewer.get("/api/v1/access/me").status_code

        assert [after(minutes) for minutes in range(0, 480, 25)] == [200] * 20
        assert after(481) == 401
        with api.person("viewer") as idle:
            moment[0] += timedelta(minutes=31)
            assert idle.get("/api/v1/access/me").status_code == 401


def test_a_page_that_only_lies_open_does_not_keep_its_session(tmp_path: Path) -> None:
    with serve_api(tmp_path, session_idle_minutes=30) as api, api.person("viewer") as page:
        real = api.ledger.database.clock
        api.ledger.database.clock = lambda: real() + timedelta(minutes=25)
        assert page.get("/api/v1/studies", headers={"X-Background": "1"}).status_code == 200
        with page.stream("GET", "/api/v1/events", headers={"Accept": "text/event-stream"}) as stream:
            assert stream.status_code == 200
        api.ledger.database.clock = lambda: real() + timedelta(minutes=31)
        assert page.get("/api/v1/studies").status_code == 401


def test_over_https_the_cookie_is_bound_to_the_host_and_never_sent_in_the_clear(tmp_path: Path) -> None:
    with serve_api(tmp_path, api_url="https://room.hospital.example") as api:
        make_user(api.ledger.users, "marie", "", Role.ADMIN, PASSWORD)
        with httpx.Client(base_url=f"http://127.0.0.1:{api.settings.http_port}", trust_env=False) as browser:
            page = browser.get("/sign-in")
            token = re.search(r'name="form_token" value="([^"]+)"', page.text)
            assert token
            form_cookie = {"Cookie": f"__Host-mammotriage-form={token[1]}"}
            fields = {"name": "marie", "password": PASSWORD, "form_token": token[1]}
            answer = browser.post("/sign-in", data=fields, headers=form_cookie | {"Origin": "https://room.hospital.example"})
        (cookie,) = (each for each in answer.headers.get_list("Set-Cookie") if each.startswith("__Host-mammotriage="))
        assert "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_where_signing_in_is_off_everybody_is_an_administrator_and_only_loopback_may_say_so(tmp_path: Path) -> None:
    with serve_api(tmp_path, sign_in="off") as api, api.client_with() as nobody:
        assert nobody.get("/api/v1/access/me").json()["name"] == "anonymous"
        assert nobody.get("/access").status_code == 200
        assert nobody.post("/api/v1/studies/search", json={}).status_code == 200
        # A page of another site must not act through this browser.
        for headers in (
            {"Origin": "https://evil.example"},
            {"Host": "evil.example"},
            {"Host": "evil.example", "Origin": "http://evil.example"},
        ):
            refused = nobody.post("/api/v1/studies/search", json={}, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "not-from-our-page")
    with pytest.raises(ValueError, match="allow_open_access_beyond_loopback"):
        Settings(sign_in="off", http_host="0.0.0.0")
    assert Settings(sign_in="off", http_host="0.0.0.0", allow_open_access_beyond_loopback=True).sign_in == "off"


def test_every_answer_protects_the_page(api: Served, browser: httpx.Client) -> None:
    sign_in(browser, "marie")
    answers = [browser.get(path) for path in ("/", "/sign-in", "/nowhere", "/api/v1/studies", "/static/js/api.js", "/api/v1/studies/x")]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 4 + ["no-cache", "no-store"]


def test_a_key_needs_no_token_of_a_page(api: Served) -> None:
    with api.client_with(Scope.DECIDE) as software:
        answer = software.post("/api/v1/corrections/1/reject", json={"actor": "Dr Who", "reason": "because"})
        assert answer.json()["code"] == "unknown-correction"
