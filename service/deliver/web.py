"""HTTP to a peer: a client with its credentials, and the errors that its answers mean."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from service.destinations import WebService
from service.errors import DestinationRefused, DestinationUnreachable

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""Statuses after which another attempt may succeed (RFC 9110 15.5, 15.6; RFC 6585; RFC 4918 for 507)."""
UNAUTHORISED = (401, 403)


@contextmanager
def open_client(service: WebService, name: str) -> Iterator[httpx.Client]:
    """An HTTP client for a peer; a failed request in the block raises `DestinationUnreachable`.

    Proxies of the environment are not used: results go only to the addresses in the settings.

    Raises
    ------
    DestinationRefused
        The file of certificate authorities cannot be read.
    """
    try:
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=service.ca) if service.ca else True
    except OSError as error:
        raise DestinationRefused(f"{name}: the file of its authorities (ca) cannot be used ({type(error).__name__})") from error
    headers = {"Authorization": f"Bearer {service.token}"} if service.token else {}
    login = (service.user, service.password) if service.user else None
    with httpx.Client(headers=headers, auth=login, verify=verify, timeout=service.timeout_seconds, trust_env=False) as client:
        try:
            yield client
        except httpx.HTTPError as error:
            # The text of the error may contain an address with UIDs.
            raise DestinationUnreachable(f"{name}: no answer over HTTP ({type(error).__name__})") from error


def base(service: WebService) -> str:
    """The address without a final slash, to which paths are appended."""
    return service.url.rstrip("/")


def check(response: httpx.Response, what: str, name: str) -> None:
    """Raise an error unless the status is 2xx.

    Raises
    ------
    DestinationRefused
        With the HTTP status; transient if another attempt may help.
    """
    if response.is_success:
        return
    advice = ": check user, password or token" if response.status_code in UNAUTHORISED else ""
    status = response.status_code
    raise DestinationRefused(f"{name}: {what} answered with HTTP {status}{advice}", status, permanent=status not in TRANSIENT_STATUSES)
