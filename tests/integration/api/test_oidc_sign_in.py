"""Signing in with OpenID Connect: against a provider of its own that runs beside the site, as a browser goes between both."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from service.accounts.oidc import find_claim
from service.accounts.oidc_sign_in import find_role
from service.domain.access import Role
from service.errors import OidcRefused
from tests.support.api_server import CLIENT_TIMEOUT_S, Served, serve_api
from tests.support.eventually import eventually
from tests.support.oidc_issuer import running_issuer
from tests.support.ports import free_port, is_listening

ROLES = {"radiologists": "approver", "pacs-team": "admin", "everybody": "viewer"}


PEOPLE = (
    {"sub": "1", "preferred_username": "Marie", "name": "Dr Marie Curie", "groups": ["everybody", "radiologists"]},
    {"sub": "2", "preferred_username": "ada", "name": "Another Person", "groups": ["everybody"]},
    {"sub": "3", "preferred_username": "guest", "groups": ["visitors"]},
)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A provider that knows these people, as a process of its own."""
    port, log = free_port(), tmp_path_factory.mktemp("provider") / "log"
    options = [each for person in PEOPLE for each in ("--user-claims", json.dumps(person))]
    command = [str(Path(sys.executable).with_name("oidc-provider-mock")), "--port", str(port), "--require-nonce", "true", *options]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: is_listening(port) or process.poll() is not None, what=log.read_text)
        # It calls itself as it was called.
        yield httpx.get(f"{url}/.well-known/openid-configuration", timeout=CLIENT_TIMEOUT_S, trust_env=False).json()["issuer"]
        process.terminate()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("oidc")
    (folder / "secret").write_text("of the client\n")
    given = {"oidc_issuer": issuer, "oidc_client_id": "mammotriage", "oidc_client_secret_file": folder / "secret", "oidc_roles": ROLES}
    with serve_api(folder, **given) as served:
        yield served


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=CLIENT_TIMEOUT_S, trust_env=False) as client:
        yield client


def go_to_provider(api: Served, browser: httpx.Client, next_path: str = "/quality") -> str:
    """Follow the link of the sign-in page; the address of the provider that it leads to."""
    page = browser.get(f"{api.settings.public_api_url}/sign-in", params={"next": next_path})
    link = re.search(r'href="(/sign-in/oidc[^"]*)"', page.text)
    assert link
    return browser.get(f"{api.settings.public_api_url}{link[1]}").headers["Location"]


def come_back(browser: httpx.Client, address: str, subject: str) -> str:
    """Sign in at the provider; the address of ours that it leads back to."""
    return browser.post(address, data={"sub": subject}).headers["Location"]


def sign_in(api: Served, browser: httpx.Client, subject: str) -> httpx.Response:
    return browser.get(come_back(browser, go_to_provider(api, browser), subject))


def me(api: Served, browser: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = browser.get(f"{api.settings.public_api_url}/api/v1/access/me").json()
    return answer


def test_somebody_of_the_directory_signs_in_with_the_role_of_their_group(api: Served, browser: httpx.Client) -> None:
    asked = parse_qs(urlsplit(go_to_provider(api, browser)).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["state"] and asked["nonce"] and asked["response_type"] == ["code"]
    answer = sign_in(api, browser, "1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/quality")
    actor = me(api, browser)
    assert (actor["name"], actor["display_name"], actor["role"]) == ("marie", "Dr Marie Curie", "approver")
    assert [(row.actor, row.action) for row in api.ledger.audit_log.find(limit=2)] == [("marie", "sign-in"), ("marie", "account made")]


def test_the_directory_never_takes_over_an_account_that_is_here(api: Served, browser: httpx.Client) -> None:
    api.sign_in("admin")  # ada
    sign_in(api, browser, "2")
    actor = me(api, browser)
    assert re.fullmatch(r"ada-[0-9a-f]{8}", actor["name"]) and actor["role"] == "viewer"
    with httpx.Client(trust_env=False) as again:
        sign_in(api, again, "2")
        assert me(api, again)["name"] == actor["name"]


def test_whoever_has_no_role_or_a_closed_account_stays_out(api: Served, browser: httpx.Client) -> None:
    answer = sign_in(api, browser, "3")
    assert answer.status_code == 403
    assert "You may not use this service" in answer.text
    assert api.ledger.users.get("guest") is None
    sign_in(api, browser, "1")
    api.ledger.users.set_disabled("marie", True)
    assert me(api, browser)["code"] == "not-signed-in"
    assert sign_in(api, browser, "1").status_code == 403
    api.ledger.users.set_disabled("marie", False)


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(api: Served, browser: httpx.Client) -> None:
    back = come_back(browser, go_to_provider(api, browser), "1")
    with httpx.Client(trust_env=False) as victim:
        assert victim.get(back).status_code == 403
        go_to_provider(api, victim)
        assert victim.get(back).status_code == 403
        assert "mammotriage" not in victim.cookies
    assert browser.get(back).status_code == 303
    browser.cookies.clear()
    assert browser.get(back).status_code == 403


def test_a_token_that_was_made_for_another_sign_in_is_refused(api: Served, browser: httpx.Client) -> None:
    address = go_to_provider(api, browser)
    nonce = parse_qs(urlsplit(address).query)["nonce"][0]
    answer = browser.get(come_back(browser, address.replace(nonce, "another"), "1"))
    assert answer.status_code == 403
    assert "token does not hold" in answer.text


def test_an_issuer_that_is_away_is_told_and_passwords_go_on(tmp_path: Path, browser: httpx.Client) -> None:
    nobody = f"http://localhost:{free_port()}"
    with serve_api(tmp_path, oidc_issuer=nobody, oidc_client_id="x", oidc_roles=ROLES) as api:
        answer = browser.get(f"{api.settings.public_api_url}/sign-in/oidc")
        assert answer.status_code == 403
        assert "ConnectError" in answer.text
        assert 'name="password"' in answer.text


def test_the_code_is_redeemed_with_the_verifier_of_the_challenge_and_the_clients_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    with running_issuer() as issuer:
        address, pending = (client := issuer.client(tmp_path / "secret")).begin("/")
        asked = parse_qs(urlsplit(address).query)
        assert client.finish(pending, issuer.answer(pending))["sub"] == "7"
        (form, authorization) = issuer.redeemed[0]
        verifier = form["code_verifier"]
        assert base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode() == asked["code_challenge"][0]
        assert form["redirect_uri"] == asked["redirect_uri"][0] == "http://127.0.0.1:8080/sign-in/oidc/callback"
        assert base64.b64decode(authorization.removeprefix("Basic ")) == b"mammotriage:s3cret"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example"}, {"aud": "another client"}, {"aud": ["mammotriage", "another client"]}, {"exp": 1},
        {"nonce": "another"}, {"sub": None}, {"exp": None}, {"nonce": None},
    ],
)  # fmt: skip
def test_a_token_that_says_the_wrong_thing_is_not_believed(wrong: dict[str, Any]) -> None:
    with running_issuer() as issuer:
        _, pending = (client := issuer.client()).begin("/")
        issuer.overrides = wrong
        with pytest.raises(OidcRefused, match="token"):
            client.finish(pending, issuer.answer(pending))


@pytest.mark.parametrize("how", ["none", "another key", "secret as key", "changed afterwards", "no token at all"])
def test_a_token_that_the_issuer_did_not_sign_is_not_believed(how: str) -> None:
    with running_issuer() as issuer:
        _, pending = (client := issuer.client()).begin("/")
        issuer.forge = how
        with pytest.raises(OidcRefused, match="token does not hold"):
            client.finish(pending, issuer.answer(pending))


def test_an_issuer_may_change_its_keys() -> None:
    with running_issuer() as issuer:
        client = issuer.client()
        for _ in range(2):
            _, pending = client.begin("/")
            assert client.finish(pending, issuer.answer(pending))["sub"] == "7"
            issuer.change_key()


def test_an_answer_of_another_issuer_or_an_error_is_not_followed_up() -> None:
    with running_issuer() as issuer:
        _, pending = (client := issuer.client()).begin("/")
        for changed in ({"iss": "https://other.example"}, {"error": "access_denied"}, {"state": "another"}, {"code": ""}):
            with pytest.raises(OidcRefused):
                client.finish(pending, issuer.answer(pending) | changed)
        assert issuer.redeemed == []


def test_a_role_is_found_in_objects_and_the_highest_counts() -> None:
    claims = {"realm_access": {"roles": ["everybody", "pacs-team"]}, "https://hospital.example/role": "everybody"}
    roles = {name: Role(role) for name, role in ROLES.items()}
    assert find_role(find_claim(claims, "realm_access.roles"), roles) is Role.ADMIN
    assert find_role(find_claim(claims, "https://hospital.example/role"), roles) is Role.VIEWER
    assert find_role(find_claim(claims, "realm_access.groups"), roles) is None
