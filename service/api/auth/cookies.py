"""Names of our cookies, and the client address that a request came from."""

from __future__ import annotations

from fastapi import Request

from service.settings import Settings

NAME = "mammotriage"


def is_https(settings: Settings) -> bool:
    """Tell whether the public address uses HTTPS."""
    return settings.public_api_url.startswith("https://")


def cookie_name(settings: Settings, suffix: str = "") -> str:
    """Name of one of our cookies; over HTTPS with the prefix ``__Host-``, which no other host can set (RFC 6265bis 4.1.3)."""
    return f"{'__Host-' if is_https(settings) else ''}{NAME}{suffix}"


def client_address(request: Request) -> str:
    """Address of the client: the TCP peer, or the one that a trusted proxy forwards (`trusted_proxies`)."""
    return request.client.host if request.client else "unknown"
