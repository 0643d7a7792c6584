"""Sessions of signed-in browsers: a random token in a cookie, its hash in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from service.accounts.tokens import digest, make_token
from service.settings import Settings
from service.store.accounts.sessions import Sessions


def idle_time(settings: Settings) -> timedelta:
    """A session ends when it was not used for this long."""
    return timedelta(minutes=settings.session_idle_minutes)


def lifetime(settings: Settings) -> timedelta:
    """A session ends this long after the sign-in, used or not."""
    return timedelta(hours=settings.session_hours)


@dataclass(frozen=True)
class OpenedSession:
    """What the browser gets."""

    token: str
    """For the cookie; the ledger has its hash only."""
    csrf_token: str


def open_session(sessions: Sessions, settings: Settings, user_name: str) -> OpenedSession:
    """Begin a session of somebody who has proved to be this user. Always a new token: one that was planted before is worth nothing."""
    opened = OpenedSession(make_token(), make_token())
    sessions.open(digest(opened.token), user_name, opened.csrf_token, lifetime(settings), idle_time(settings))
    return opened
