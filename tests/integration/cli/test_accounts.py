"""`mammotriage users`, `keys` and `audit`: as an administrator of the machine runs them."""

from __future__ import annotations

import csv
import getpass
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from typer.testing import CliRunner, Result

from service.accounts import passwords
from service.accounts.tokens import digest
from service.cli import app
from service.errors import ServiceError
from service.settings import Settings
from service.store.ledger import Ledger
from tests.support.databases import prepare_ledger

PASSWORD = "radium and polonium"
ME = f"cli:{getpass.getuser()}"


@pytest.fixture
def ledger(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ledger]:
    clean_environment.setenv("MAMMOTRIAGE_DATA_DIR", str(tmp_path))
    clean_environment.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
    prepare_ledger(Settings().ledger_url)
    opened = Ledger(Settings().ledger_url)
    yield opened
    opened.close()


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=typed)


def rows(*arguments: str, typed: str = "") -> list[dict[str, object]]:
    result = run(*arguments, "--json", typed=typed)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]


def test_the_first_administrator_is_made_on_the_command_line(ledger: Ledger) -> None:
    said = run("users", "add", "Ada", "--role", "admin", "--display-name", "Dr Ada", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert said.exit_code == 0 and PASSWORD not in said.output
    assert passwords.is_password(ledger.users, "ada", PASSWORD)
    (user,) = rows("users", "list")
    assert (user["name"], user["display_name"], user["role"], user["signs_in"]) == ("ada", "Dr Ada", "admin", "password")
    assert [(row.actor, row.action, row.subject, row.detail) for row in ledger.audit_log.find()] == [(ME, "users add", "ada", "admin")]


def test_accounts_change_and_what_cannot_be_is_refused(ledger: Ledger) -> None:
    for name, role in (("ada", "admin"), ("vera", "viewer")):
        rows("users", "add", name, "--role", role, "--password-stdin", typed=f"{PASSWORD}\n")
    assert rows("users", "role", "vera", "approver")[0]["role"] == "approver"
    assert rows("users", "disable", "vera")[0]["disabled"] is True
    assert rows("users", "enable", "vera")[0]["disabled"] is False
    rows("users", "password", "vera", "--password-stdin", typed="another long one\n")
    assert passwords.is_password(ledger.users, "vera", "another long one")
    for refused, reason in (
        (run("users", "disable", "ada"), "last administrator"),
        (run("users", "role", "nobody", "admin"), "no user of this name"),
        (run("users", "password", "vera", "--password-stdin", typed="short\n"), "12 to 256 characters"),
        (run("users", "add", "vera", "--password-stdin", typed=f"{PASSWORD}\n"), "exists"),
    ):
        assert isinstance(refused.exception, ServiceError) and reason in str(refused.exception)


def test_a_password_is_never_an_argument(ledger: Ledger) -> None:
    assert run("users", "add", "ada", "--password", PASSWORD).exit_code == 2
    assert run("users", "add", "ada", PASSWORD).exit_code == 2


def test_a_key_is_made_listed_and_revoked(ledger: Ledger) -> None:
    (made,) = rows("keys", "make", "hanging", "--scope", "read", "--scope", "metrics", "--days", "7")
    secret = str(made["secret"])
    found = ledger.api_keys.get_by_secret(digest(secret))
    assert found is not None and sorted(found.scopes) == ["metrics", "read"] and found.expires_at and found.created_by == ME
    (listed,) = rows("keys", "list")
    assert listed["name"] == "hanging" and secret not in run("keys", "list").output
    assert rows("keys", "revoke", "hanging")[0]["revoked_at"]
    assert run("keys", "make", "nothing").exit_code == 2
    assert "mt_" in run("keys", "make", "shown-as-a-table", "--scope", "read").output


def test_the_audit_trail_is_listed_and_exported(ledger: Ledger, tmp_path: Path) -> None:
    for number in range(3):
        ledger.audit_log.append("ada", "sign-in", str(number))
    ledger.audit_log.append("vera", "denied", "7", "POST /corrections/*/approve")
    assert [row["subject"] for row in rows("audit", "list", "--by", "ada", "--limit", "2")] == ["2", "1"]
    run("audit", "export", "--output", str(tmp_path / "audit.csv"))
    with (tmp_path / "audit.csv").open(newline="") as file:
        exported = list(csv.DictReader(file))
    assert [row["actor"] for row in exported] == ["vera", "ada", "ada", "ada"]
    assert exported[0]["detail"] == "POST /corrections/*/approve"
    assert len(rows("audit", "export", "--action", "sign-in")) == 3
