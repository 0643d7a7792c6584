"""Sessions of signed-in browsers: a random token in a cookie, its hash in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request

from service.api.access.tokens import digest, make_token
from service.settings import Settings
from service.store.ledger import Ledger

NAME = "mammotriage"


def is_https(settings: Settings) -> bool:
    """Whether people reach us encrypted, as the settings say."""
    return settings.public_api_url.startswith("https://")


def cookie_name(settings: Settings, suffix: str = "") -> str:
    """Name of a cookie of ours; over HTTPS with the prefix that no neighbouring host and no plain page can set (RFC 6265bis 4.1.3)."""
    return f"{'__Host-' if is_https(settings) else ''}{NAME}{suffix}"


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


def open_session(ledger: Ledger, settings: Settings, user_name: str) -> OpenedSession:
    """Begin a session of somebody who has proved to be this user. Always a new token: one that was planted before is worth nothing."""
    opened = OpenedSession(make_token(), make_token())
    ledger.open_session(digest(opened.token), user_name, opened.csrf_token, lifetime(settings), idle_time(settings))
    return opened


def client_address(request: Request) -> str:
    """Where a request comes from: the peer, or what a trusted proxy says of it (`trusted_proxies`)."""
    return request.client.host if request.client else "unknown"
