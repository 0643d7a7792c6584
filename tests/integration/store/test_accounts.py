"""The ledger's pages on people, sessions, keys and the audit trail, in databases of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.access import Role, Scope
from service.store.accounts.users import AccountRefused
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
    ledger.add_user("marie", "Dr Marie", Role.APPROVER, "hash")
    ledger.open_session("a", "marie", "csrf", LASTS, IDLE)
    found = ledger.session("a", IDLE, timedelta(minutes=1))
    assert found is not None and (found.user.display_name, found.csrf_token, found.expires_at) == ("Dr Marie", "csrf", START + LASTS)
    for _ in range(19):
        clock.pass_(minutes=25)
        assert ledger.session("a", IDLE, timedelta(minutes=1)) is not None
    clock.pass_(minutes=5)
    assert ledger.session("a", IDLE) is None
    ledger.open_session("b", "marie", "csrf", LASTS, IDLE)
    clock.pass_(minutes=31)
    assert ledger.session("b", IDLE) is None
    user = ledger.user("marie")
    assert user is not None and user.signed_in_at == START + LASTS


def test_sessions_end_with_a_new_password_and_with_the_account_but_not_with_a_new_role(ledger: Ledger) -> None:
    for name in ("ada", "marie"):
        ledger.add_user(name, name, Role.ADMIN, "hash")
    ledger.open_session("a", "marie", "csrf", LASTS, IDLE)
    ledger.set_role("marie", Role.VIEWER)
    found = ledger.session("a", IDLE)
    assert found is not None and found.user.role is Role.VIEWER
    ledger.set_password("marie", "stronger hash", keep_sessions=True)
    assert ledger.session("a", IDLE) is not None
    ledger.set_password("marie", "another hash")
    assert ledger.session("a", IDLE) is None
    ledger.open_session("b", "marie", "csrf", LASTS, IDLE)
    ledger.set_disabled("marie", True)
    assert (ledger.session("b", IDLE), ledger.password_hash("marie")) == (None, None)
    ledger.set_disabled("marie", False)
    assert (ledger.session("b", IDLE), ledger.password_hash("marie")) == (None, "another hash")


def test_somebody_can_always_administer(ledger: Ledger) -> None:
    ledger.add_user("ada", "Ada", Role.ADMIN, "hash")
    with pytest.raises(AccountRefused, match="last administrator"):
        ledger.set_disabled("ada", True)
    with pytest.raises(AccountRefused, match="last administrator"):
        ledger.set_role("ada", Role.VIEWER)
    ledger.add_user("grace", "Grace", Role.ADMIN, "hash")

    def close(name: str) -> str:
        try:
            ledger.set_disabled(name, True)
        except AccountRefused:
            return "refused"
        return "closed"

    with ThreadPoolExecutor() as pool:
        # Each closes the other at the same moment.
        assert sorted(pool.map(close, ("ada", "grace"))) == ["closed", "refused"]


def test_a_name_and_a_subject_belong_to_one_account(ledger: Ledger) -> None:
    ledger.add_user("marie", "Marie", Role.VIEWER, subject="issuer 1")
    for name, subject in (("marie", None), ("other", "issuer 1")):
        with pytest.raises(AccountRefused):
            ledger.add_user(name, name, Role.ADMIN, subject=subject)
    found = ledger.user_of_subject("issuer 1")
    assert found is not None and found.name == "marie" and found.is_from_directory and not found.has_password
    with pytest.raises(LookupError):
        ledger.set_role("nobody", Role.ADMIN)


def test_tries_at_the_same_moment_all_count(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ledger.begin_sign_in({"user": 5, "address": 50}), range(20)))
    assert answers.count(None) == 5


def test_a_block_doubles_and_is_forgotten_after_a_success_or_a_while(ledger: Ledger, clock: Clock) -> None:
    def tries_until_blocked() -> int:
        return next(count for count in range(100) if ledger.begin_sign_in({"user": 5}) is not None)

    def blocked_for() -> float:
        until = ledger.begin_sign_in({"user": 5})
        assert until is not None
        return (until - clock.at).total_seconds()

    assert tries_until_blocked() == 5
    waits = []
    for _ in range(8):
        waits.append(blocked_for())
        clock.pass_(seconds=waits[-1])
        assert ledger.begin_sign_in({"user": 5}) is None
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    clock.pass_(hours=2)
    assert tries_until_blocked() == 5
    clock.pass_(seconds=5)
    assert ledger.begin_sign_in({"user": 5, "address": 50}) is None
    ledger.end_sign_in("user", ["address"])
    assert tries_until_blocked() == 5


def test_a_key_works_until_it_is_revoked_or_expires_and_its_name_is_never_given_again(ledger: Ledger, clock: Clock) -> None:
    made = ledger.add_key("hanging", "sha", frozenset({Scope.READ}), "ada", START + timedelta(days=1))
    assert ledger.key_of_secret("sha") == made and ledger.key_of_secret("other") is None
    assert made.is_valid(START) and not made.is_valid(START + timedelta(days=1))
    ledger.touch_key(made.id)
    revoked = ledger.revoke_key("hanging")
    clock.pass_(hours=1)
    assert ledger.revoke_key("hanging").revoked_at == revoked.revoked_at == START
    assert not revoked.is_valid(START) and revoked.used_at == START
    with pytest.raises(AccountRefused):
        ledger.add_key("hanging", "new sha", frozenset({Scope.READ}), "ada", None)
    with pytest.raises(LookupError):
        ledger.revoke_key("nothing")


def test_the_audit_trail_is_read_newest_first_page_by_page(ledger: Ledger) -> None:
    for number in range(5):
        ledger.write_audit("ada" if number % 2 else "marie", "sign-in", str(number))
    entries = ledger.audit(limit=2)
    assert [row.subject for row in entries] == ["4", "3"]
    assert [row.subject for row in ledger.audit(entries[-1].id)] == ["2", "1", "0"]
    assert [row.subject for row in ledger.audit(actor="ada")] == ["3", "1"]
    assert ledger.audit(action="sign-out") == []
    ledger.write_audit("w" * 70, "a" * 70, "s" * 200, "d" * 600)
    (row,) = ledger.audit(limit=1)
    assert [len(text) for text in (row.actor, row.action, row.subject, row.detail)] == [64, 64, 130, 500]
