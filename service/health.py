"""Health checks: each process is asked over its own protocol."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping

import httpx
import redis
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from service.errors import PartNotReady
from service.settings import Settings
from service.store.ledger import Ledger

TIMEOUT_S = 3.0
OUR_AE_TITLE = "READYZ"

Probe = Callable[[], Mapping[str, str | None]]
"""Asks every part; the answer is None where it works, else what is broken."""


def make_probe(settings: Settings, ledger: Ledger) -> Probe:
    """A probe of the ledger, the broker and the DICOM listener."""

    def probe() -> dict[str, str | None]:
        return {
            "ledger": _broken(ledger.ping),
            "broker": _broken(lambda: ping_broker(settings.redis_url)),
            "listener": _broken(lambda: echo_listener(settings)),
        }

    return probe


def _broken(check: Callable[[], object]) -> str | None:
    try:
        check()
    except Exception as error:  # any exception means that the part is broken; messages of foreign errors may hold passwords
        return str(error) if isinstance(error, PartNotReady) else type(error).__name__
    return None


def check_part(part: str, settings: Settings) -> None:
    """Ask one part, from the machine or container it runs on.

    Worker and sweeper have no port: they work as long as they reach the broker and the ledger (and end where they cannot start).

    Raises
    ------
    PartNotReady
        It does not work, or there is no such part.
    """
    checks: dict[str, tuple[Callable[[], object], ...]] = {
        "listener": (lambda: echo_listener(settings),),
        "api": (lambda: ask_api(settings),),
        "worker": (lambda: ping_broker(settings.redis_url), Ledger(settings.ledger_url).ping),
    }
    checks["sweeper"] = checks["worker"]
    if part not in checks:
        raise PartNotReady(f"no such part: {part}")
    for check in checks[part]:
        if broken := _broken(check):
            raise PartNotReady(broken)


def ask_api(settings: Settings) -> None:
    """GET our own ``/healthz``."""
    # Its certificate names the public host, not this machine: see `local_api_url`.
    httpx.get(f"{settings.local_api_url}/healthz", timeout=TIMEOUT_S, trust_env=False, verify=False).raise_for_status()


def reachable(host: str) -> str:
    """The address to call a part at that binds `host`: loopback where it binds every address."""
    return "127.0.0.1" if host in ("0.0.0.0", "") else host


def ping_broker(url: str) -> None:
    """PING Redis."""
    with redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S) as client:
        client.ping()


def echo_listener(settings: Settings) -> None:
    """C-ECHO our own listener (PS3.4 Annex A).

    Raises
    ------
    PartNotReady
        No association, or a status other than Success.
    """
    entity = AE(settings.calling_ae_titles[0] if settings.calling_ae_titles else OUR_AE_TITLE)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = TIMEOUT_S
    entity.add_requested_context(Verification)
    association = entity.associate(reachable(settings.dicom_host), settings.dicom_port, ae_title=settings.ae_title, tls_args=_tls(settings))
    if not association.is_established:
        raise PartNotReady("no association with the listener")
    try:
        status = association.send_c_echo()
    finally:
        association.release()
    if "Status" not in status or status.Status != 0:
        raise PartNotReady("the listener did not answer a C-ECHO with Success")


def _tls(settings: Settings) -> tuple[ssl.SSLContext, str] | None:
    """TLS to ourselves: our own certificate is shown, and the listener's is not checked (its name is not that of loopback)."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context, ""
