"""HTTP towards a peer: a client with its credentials, and what its answers mean for a delivery."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from service.destinations import WebService
from service.errors import DestinationRefused, DestinationUnreachable

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""Statuses that another try may turn into a success (RFC 9110 15.5, 15.6; RFC 6585; RFC 4918 for 507)."""
UNAUTHORISED = (401, 403)


@contextmanager
def open_client(service: WebService, name: str) -> Iterator[httpx.Client]:
    """A client of a peer; what goes wrong in the block on the way there is `DestinationUnreachable`.

    Proxies of the environment are not used: results go where the settings say, by no other way.

    Raises
    ------
    DestinationRefused
        The file of authorities cannot be read.
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
            # The text of such an error may hold an address with UIDs in it.
            raise DestinationUnreachable(f"{name}: no answer over HTTP ({type(error).__name__})") from error


def base(service: WebService) -> str:
    """The address that paths are put behind."""
    return service.url.rstrip("/")


def check(response: httpx.Response, what: str, name: str) -> None:
    """Let 2xx pass.

    Raises
    ------
    DestinationRefused
        With the HTTP status; passing where another try may help.
    """
    if response.is_success:
        return
    advice = ": check user, password or token" if response.status_code in UNAUTHORISED else ""
    status = response.status_code
    raise DestinationRefused(f"{name}: {what} answered with HTTP {status}{advice}", status, permanent=status not in PASSING)
