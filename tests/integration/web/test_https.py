"""The API and the pages over HTTPS, as a process of its own: passwords and names of patients go over no open wire."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.health import ask_api
from service.settings import Settings
from service.stack import as_environment
from tests.support.certificates import make_certificate
from tests.support.databases import prepare_ledger
from tests.support.eventually import eventually
from tests.support.ports import free_port


@pytest.fixture
def encrypted(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> Iterator[Settings]:
    certificate, key = make_certificate(tmp_path, "api")
    settings = Settings(data_dir=tmp_path / "data", http_port=free_port(), http_tls_cert=certificate, http_tls_key=key)
    settings.data_dir.mkdir()
    prepare_ledger(settings.ledger_url)
    process = subprocess.Popen([sys.executable, "-m", "service.cli", "api"], env=os.environ | as_environment(settings))
    try:
        yield settings
    finally:
        process.terminate()
        process.wait()


def test_pages_come_encrypted_and_their_cookies_never_go_elsewhere(encrypted: Settings) -> None:
    assert encrypted.public_api_url.startswith("https://")
    eventually(lambda: passes_health_check(encrypted))
    trusted = ssl.create_default_context(cafile=str(encrypted.http_tls_cert))
    answer = httpx.get(f"{encrypted.local_api_url}/sign-in", verify=trusted, trust_env=False)
    assert answer.status_code == httpx.codes.OK
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    for cookie in answer.headers.get_list("Set-Cookie"):
        assert cookie.startswith("__Host-") and "Secure" in cookie and "HttpOnly" in cookie
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{encrypted.http_port}/healthz", trust_env=False)


def test_a_certificate_without_its_key_is_refused_at_the_start(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="http_tls_cert and http_tls_key belong together"):
        Settings(http_tls_cert=tmp_path / "api.pem")


def passes_health_check(settings: Settings) -> bool:
    """Ask as the health check of containers does."""
    try:
        ask_api(settings)
    except httpx.HTTPError:
        return False
    return True
