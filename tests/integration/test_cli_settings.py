"""The command line says in one line what the caller can mend."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run_cli(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAMMOTRIAGE_")} | variables
    return subprocess.run([sys.executable, "-m", "service.cli", *arguments], capture_output=True, text=True, check=False, env=environment)


def test_every_setting_is_shown_and_passwords_are_not() -> None:
    shown = run_cli(
        "settings", MAMMOTRIAGE_DATABASE_URL="postgresql+psycopg://me:geheim@db/ledger", MAMMOTRIAGE_REDIS_URL="redis://:secret@r:6379/1"
    )
    assert shown.returncode == 0
    assert "MAMMOTRIAGE_DICOM_PORT" in shown.stdout
    assert "geheim" not in shown.stdout
    assert "secret" not in shown.stdout


def test_a_wrong_setting_is_named_without_a_traceback() -> None:
    wrong = run_cli("settings", MAMMOTRIAGE_HTTP_PORT="eighty")
    assert wrong.returncode == 2
    assert "MAMMOTRIAGE_HTTP_PORT" in wrong.stderr
    assert "Traceback" not in wrong.stderr


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
