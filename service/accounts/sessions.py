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
    """A session ends this long after the sign-in, even if it is used."""
    return timedelta(hours=settings.session_hours)


@dataclass(frozen=True)
class OpenedSession:
    """The two tokens that the browser gets."""

    token: str
    """For the cookie; the ledger has its hash only."""
    csrf_token: str


def open_session(sessions: Sessions, settings: Settings, user_name: str) -> OpenedSession:
    """Begin a session of an authenticated user. The token is always new, so a planted one (session fixation) is worthless."""
    opened = OpenedSession(make_token(), make_token())
    sessions.open(digest(opened.token), user_name, opened.csrf_token, lifetime(settings), idle_time(settings))
    return opened
