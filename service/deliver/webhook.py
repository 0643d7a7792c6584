"""Telling others over HTTP what happened: events in their order, each signed, each until it is taken.

The form is that of the Standard Webhooks specification (version 1.0.0): headers ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature``, so that receivers can check with a library they have. An event that a receiver took may come again where we
died before we could write that down: it then bears the same id, so whoever keeps the ids sees every event exactly once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import random
import threading
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import httpx

from service.destinations import Webhook
from service.errors import WebhookRejected
from service.store.events import EventRow
from service.store.ledger import Ledger

LEASE_S = 60.0
"""So long an event is one worker's; a worker that died holds the others up no longer."""
ANSWER_TIMEOUT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 900.0
READ_AT_ONCE = 200
SECRET_PREFIX = "whsec_"


def tell(webhook: Webhook, ledger: Ledger, client: httpx.Client | None = None, stop: threading.Event | None = None) -> int:
    """Tell a receiver what it does not know yet, oldest first, until it knows everything or does not take an event.

    Parameters
    ----------
    client
        Connections to use; without one they are opened and closed here.
    stop
        Ends it early, between two events.

    Returns
    -------
    How many events it took. After a failure the ledger holds the error and the time of the next try.
    """
    if client is None:
        with open_client() as opened:
            return tell(webhook, ledger, opened, stop)
    taken = 0
    while not (stop and stop.is_set()) and _is_behind(webhook, ledger):
        known = ledger.webhooks.claim(webhook.name, LEASE_S)
        if known is None:
            break
        event = _next_event(webhook, ledger, known)
        if event is None:
            continue
        try:
            post_event(webhook, event, client)
        except WebhookRejected as error:
            _, failures, _ = ledger.webhooks.all()[webhook.name]
            ledger.webhooks.record_failure(webhook.name, str(error), datetime.now(UTC) + pause(failures + 1))
            break
        ledger.webhooks.record_success(webhook.name, event.id)
        taken += 1
    return taken


def post_event(webhook: Webhook, event: EventRow, client: httpx.Client) -> None:
    """Send one event; any answer of 200 to 299 means that it was taken. Redirects are not followed.

    Raises
    ------
    WebhookRejected
        No answer, or another one. The message holds no address: an address may hold a key.
    """
    body = as_body(event)
    sent_at = int(datetime.now(UTC).timestamp())
    headers = {"content-type": "application/json", "webhook-id": str(event.id), "webhook-timestamp": str(sent_at)}
    if webhook.secret:
        headers["webhook-signature"] = sign(webhook.secret, event.id, sent_at, body)
    try:
        # The answer's body is not read: a receiver that never ends it must not hold the next event up.
        with client.stream("POST", webhook.url, content=body, headers=headers) as answer:
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise WebhookRejected(f"webhook {webhook.name}: no answer ({type(error).__name__})") from error
    if not 200 <= status < 300:
        raise WebhookRejected(f"webhook {webhook.name}: answered {status}")


def as_body(event: EventRow) -> bytes:
    """What is sent of an event: equal bytes each time, so that a receiver may compare what comes twice."""
    data = {"study_instance_uid": event.study_instance_uid, **event.detail}
    said = {"id": event.id, "type": event.kind, "timestamp": event.at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def sign(secret: str, event_id: int, sent_at: int, body: bytes) -> str:
    """The signature of Standard Webhooks: ``v1,`` and HMAC-SHA256 over id, Unix time and body, joined by dots.

    Parameters
    ----------
    secret
        Base64 behind ``whsec_``, as the specification writes keys; any other text is the key as it stands.
    """
    signed = b".".join((str(event_id).encode(), str(sent_at).encode(), body))
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def wants(webhook: Webhook, kind: str) -> bool:
    """Tell whether a receiver asked for events of this kind."""
    return any(fnmatchcase(kind, pattern) for pattern in webhook.events)


def pause(failures: int) -> timedelta:
    """Until the next try: doubles with each failure in a row, is capped, and spread so that receivers are not hit in step."""
    seconds = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))


def open_client() -> httpx.Client:
    """Connections for `tell`; kept open from event to event. No variable of the environment changes where they go."""
    return httpx.Client(timeout=ANSWER_TIMEOUT_S, follow_redirects=False, trust_env=False)


def _is_behind(webhook: Webhook, ledger: Ledger) -> bool:
    """A look without a lock: most looks find nothing new."""
    known = ledger.webhooks.all().get(webhook.name)
    return ledger.events.last_id() > (known[0] if known else 0)


def _next_event(webhook: Webhook, ledger: Ledger, known: int) -> EventRow | None:
    """The next event that the receiver wants; None, and the webhook given back, where none of the next ones is."""
    ahead = ledger.events.find(after_id=known, limit=READ_AT_ONCE)
    wanted = next((event for event in ahead if wants(webhook, event.kind)), None)
    if wanted is None:
        ledger.webhooks.record_success(webhook.name, ahead[-1].id if ahead else known)
    return wanted


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()
