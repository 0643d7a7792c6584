"""The ledger's pages on people, sessions, keys and the audit trail, in databases of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.access import Role, Scope
from service.errors import AccountRefused
from service.store.ledger import Ledger

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
IDLE, LASTS = timedelta(minutes=30), timedelta(hours=8)


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database_url: str, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger(database_url, clock)
    yield opened
    opened.close()


def test_a_session_lasts_while_it_is_used_and_no_longer_than_it_may(ledger: Ledger, clock: Clock) -> None:
    ledger.users.add("marie", "Dr Marie", Role.APPROVER, "hash")
    ledger.sessions.open("a", "marie", "csrf", LASTS, IDLE)
    found = ledger.sessions.get("a", IDLE, timedelta(minutes=1))
    assert found is not None and (found.user.display_name, found.csrf_token, found.expires_at) == ("Dr Marie", "csrf", START + LASTS)
    for _ in range(19):
        clock.pass_(minutes=25)
        assert ledger.sessions.get("a", IDLE, timedelta(minutes=1)) is not None
    clock.pass_(minutes=5)
    assert ledger.sessions.get("a", IDLE) is None
    ledger.sessions.open("b", "marie", "csrf", LASTS, IDLE)
    clock.pass_(minutes=31)
    assert ledger.sessions.get("b", IDLE) is None
    user = ledger.users.get("marie")
    assert user is not None and user.signed_in_at == START + LASTS


def test_sessions_end_with_a_new_password_and_with_the_account_but_not_with_a_new_role(ledger: Ledger) -> None:
    for name in ("ada", "marie"):
        ledger.users.add(name, name, Role.ADMIN, "hash")
    ledger.sessions.open("a", "marie", "csrf", LASTS, IDLE)
    ledger.users.set_role("marie", Role.VIEWER)
    found = ledger.sessions.get("a", IDLE)
    assert found is not None and found.user.role is Role.VIEWER
    ledger.users.set_password("marie", "stronger hash", keep_sessions=True)
    assert ledger.sessions.get("a", IDLE) is not None
    ledger.users.set_password("marie", "another hash")
    assert ledger.sessions.get("a", IDLE) is None
    ledger.sessions.open("b", "marie", "csrf", LASTS, IDLE)
    ledger.users.set_disabled("marie", True)
    assert (ledger.sessions.get("b", IDLE), ledger.users.password_hash("marie")) == (None, None)
    ledger.users.set_disabled("marie", False)
    assert (ledger.sessions.get("b", IDLE), ledger.users.password_hash("marie")) == (None, "another hash")


def test_somebody_can_always_administer(ledger: Ledger) -> None:
    ledger.users.add("ada", "Ada", Role.ADMIN, "hash")
    with pytest.raises(AccountRefused, match="last administrator"):
        ledger.users.set_disabled("ada", True)
    with pytest.raises(AccountRefused, match="last administrator"):
        ledger.users.set_role("ada", Role.VIEWER)
    ledger.users.add("grace", "Grace", Role.ADMIN, "hash")

    def close(name: str) -> str:
        try:
            ledger.users.set_disabled(name, True)
        except AccountRefused:
            return "refused"
        return "closed"

    with ThreadPoolExecutor() as pool:
        # Each closes the other at the same moment.
        assert sorted(pool.map(close, ("ada", "grace"))) == ["closed", "refused"]


def test_a_name_and_a_subject_belong_to_one_account(ledger: Ledger) -> None:
    ledger.users.add("marie", "Marie", Role.VIEWER, subject="issuer 1")
    for name, subject in (("marie", None), ("other", "issuer 1")):
        with pytest.raises(AccountRefused):
            ledger.users.add(name, name, Role.ADMIN, subject=subject)
    found = ledger.users.get_by_subject("issuer 1")
    assert found is not None and found.name == "marie" and found.is_from_directory and not found.has_password
    with pytest.raises(LookupError):
        ledger.users.set_role("nobody", Role.ADMIN)


def test_tries_at_the_same_moment_all_count(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ledger.sessions.begin_sign_in({"user": 5, "address": 50}), range(20)))
    assert answers.count(None) == 5


def test_a_block_doubles_and_is_forgotten_after_a_success_or_a_while(ledger: Ledger, clock: Clock) -> None:
    def tries_until_blocked() -> int:
        return next(count for count in range(100) if ledger.sessions.begin_sign_in({"user": 5}) is not None)

    def blocked_for() -> float:
        until = ledger.sessions.begin_sign_in({"user": 5})
        assert until is not None
        return (until - clock.at).total_seconds()

    assert tries_until_blocked() == 5
    waits = []
    for _ in range(8):
        waits.append(blocked_for())
        clock.pass_(seconds=waits[-1])
        assert ledger.sessions.begin_sign_in({"user": 5}) is None
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    clock.pass_(hours=2)
    assert tries_until_blocked() == 5
    clock.pass_(seconds=5)
    assert ledger.sessions.begin_sign_in({"user": 5, "address": 50}) is None
    ledger.sessions.end_sign_in("user", ["address"])
    assert tries_until_blocked() == 5


def test_a_key_works_until_it_is_revoked_or_expires_and_its_name_is_never_given_again(ledger: Ledger, clock: Clock) -> None:
    made = ledger.api_keys.add("hanging", "sha", frozenset({Scope.READ}), "ada", START + timedelta(days=1))
    assert ledger.api_keys.get_by_secret("sha") == made and ledger.api_keys.get_by_secret("other") is None
    assert made.is_valid(START) and not made.is_valid(START + timedelta(days=1))
    ledger.api_keys.touch(made.id)
    revoked = ledger.api_keys.revoke("hanging")
    clock.pass_(hours=1)
    assert ledger.api_keys.revoke("hanging").revoked_at == revoked.revoked_at == START
    assert not revoked.is_valid(START) and revoked.used_at == START
    with pytest.raises(AccountRefused):
        ledger.api_keys.add("hanging", "new sha", frozenset({Scope.READ}), "ada", None)
    with pytest.raises(LookupError):
        ledger.api_keys.revoke("nothing")


def test_the_audit_trail_is_read_newest_first_page_by_page(ledger: Ledger) -> None:
    for number in range(5):
        ledger.audit_log.append("ada" if number % 2 else "marie", "sign-in", str(number))
    entries = ledger.audit_log.find(limit=2)
    assert [row.subject for row in entries] == ["4", "3"]
    assert [row.subject for row in ledger.audit_log.find(entries[-1].id)] == ["2", "1", "0"]
    assert [row.subject for row in ledger.audit_log.find(actor="ada")] == ["3", "1"]
    assert ledger.audit_log.find(action="sign-out") == []
    ledger.audit_log.append("w" * 70, "a" * 70, "s" * 200, "d" * 600)
    (row,) = ledger.audit_log.find(limit=1)
    assert [len(text) for text in (row.actor, row.action, row.subject, row.detail)] == [64, 64, 130, 500]
