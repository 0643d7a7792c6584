"""The command line says in one line what the caller can mend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_cli(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAMMOTRIAGE_")} | variables
    return subprocess.run([sys.executable, "-m", "service.cli", *arguments], capture_output=True, text=True, check=False, env=environment)


def test_every_setting_is_shown_and_passwords_are_not() -> None:
    shown = run_cli(
        "settings", MAMMOTRIAGE_DATABASE_URL="postgresql+psycopg://me:geheim@db/ledger", MAMMOTRIAGE_REDIS_URL="redis://:hushhush@r:6379/1"
    )
    assert shown.returncode == 0
    assert "MAMMOTRIAGE_DICOM_PORT" in shown.stdout
    assert "geheim" not in shown.stdout
    assert "hushhush" not in shown.stdout


def test_no_secret_of_a_destination_or_webhook_is_shown(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("geheim")
    file = tmp_path / "destinations.toml"
    file.write_text(
        '[[destination]]\nname = "web"\ndicomweb = {url = "https://x/dicom-web", token = "geheim-2", user = "u", password_file = "pw"}\n'
        '[[webhook]]\nname = "hook"\nurl = "https://y/geheim-3"\nsecret = "geheim-4"\n'
    )
    for variables in (
        {"MAMMOTRIAGE_DESTINATIONS_FILE": str(file)},
        {"MAMMOTRIAGE_WEBHOOKS": '[{"name": "hook", "url": "https://y/geheim-5", "secret": "geheim-6"}]'},
    ):
        shown = run_cli("settings", **variables)
        assert shown.returncode == 0, shown.stderr
        assert "hook" in shown.stdout
        assert "geheim" not in shown.stdout


def test_a_wrong_destinations_file_is_explained_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text('[[destination]]\nname = "pacs"\nae_title = "PACS"\nhost = "h"\nprot = 104\n')
    wrong = run_cli("settings", MAMMOTRIAGE_DESTINATIONS_FILE=str(file))
    assert wrong.returncode == 2
    assert f'{file}:5: destination "pacs", prot: unknown key (did you mean port?)' in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_wrong_setting_is_named_without_a_traceback() -> None:
    wrong = run_cli("settings", MAMMOTRIAGE_HTTP_PORT="eighty")
    assert wrong.returncode == 2
    assert "MAMMOTRIAGE_HTTP_PORT" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_variable_that_is_no_json_is_named_and_not_repeated() -> None:
    wrong = run_cli("settings", MAMMOTRIAGE_WEBHOOKS='[{"name": "hook", "secret": "geheim"')
    assert wrong.returncode == 2
    assert "webhooks" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert "geheim" not in wrong.stderr


def test_models_are_listed_with_their_licence() -> None:
    listed = run_cli("models")
    assert listed.returncode == 0, listed.stderr
    assert "mammotriage-labeler" in listed.stdout
    assert "mammotriage-cancer" in listed.stdout


@pytest.mark.parametrize("command", ["worker", "label"])
def test_a_provider_that_is_not_there_is_said_so(command: str, tmp_path: object) -> None:
    arguments = [command] if command == "worker" else [command, str(tmp_path)]
    refused = run_cli(*arguments, MAMMOTRIAGE_PROVIDER="tensorrt", MAMMOTRIAGE_DATA_DIR=str(tmp_path))
    assert refused.returncode == 2
    assert "provider-unavailable" in refused.stderr
    assert "Traceback" not in refused.stderr
