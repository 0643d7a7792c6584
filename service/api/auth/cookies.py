"""Names of our cookies, and the client address that a request came from."""

from __future__ import annotations

from fastapi import Request

from service.settings import Settings

NAME = "mammotriage"


def is_https(settings: Settings) -> bool:
    """Whether people reach us encrypted, as the settings say."""
    return settings.public_api_url.startswith("https://")


def cookie_name(settings: Settings, suffix: str = "") -> str:
    """Name of a cookie of ours; over HTTPS with the prefix that no neighbouring host and no plain page can set (RFC 6265bis 4.1.3)."""
    return f"{'__Host-' if is_https(settings) else ''}{NAME}{suffix}"


def client_address(request: Request) -> str:
    """Where a request comes from: the peer, or what a trusted proxy says of it (`trusted_proxies`)."""
    return request.client.host if request.client else "unknown"
