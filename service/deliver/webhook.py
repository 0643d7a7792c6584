"""Webhooks: post the events of the ledger to receivers over HTTP, in order, signed, each until the receiver accepts it.

The form is that of the Standard Webhooks specification (version 1.0.0): headers ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature``, so that receivers can use existing libraries. If this process dies between a receiver's answer and the note of it
in the ledger, the receiver gets the event again with the same id: a receiver that keeps the ids handles every event exactly once.
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
"""One process posts the events of a webhook for this long; after that another one may take over from a process that died."""
ANSWER_TIMEOUT_S = 10.0
FIRST_PAUSE_S, MAX_PAUSE_S = 2.0, 900.0
EVENTS_PER_READ = 200
SECRET_PREFIX = "whsec_"


def deliver_events(webhook: Webhook, ledger: Ledger, client: httpx.Client | None = None, stop: threading.Event | None = None) -> int:
    """Post the events that a receiver has not accepted yet, oldest first, until none is left or the receiver rejects one.

    Parameters
    ----------
    client
        HTTP client to use; without one it is opened and closed here.
    stop
        Ends the call early, between two events.

    Returns
    -------
    Number of accepted events. After a failure the ledger holds the error and the time of the next attempt.
    """
    if client is None:
        with open_client() as opened:
            return deliver_events(webhook, ledger, opened, stop)
    accepted = 0
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
        accepted += 1
    return accepted


def post_event(webhook: Webhook, event: EventRow, client: httpx.Client) -> None:
    """Post one event; a status of 200 to 299 means that the receiver accepted it. Redirects are not followed.

    Raises
    ------
    WebhookRejected
        No answer, or another status. The message does not contain the address: an address may contain a key.
    """
    body = as_body(event)
    sent_at = int(datetime.now(UTC).timestamp())
    headers = {"content-type": "application/json", "webhook-id": str(event.id), "webhook-timestamp": str(sent_at)}
    if webhook.secret:
        headers["webhook-signature"] = sign(webhook.secret, event.id, sent_at, body)
    try:
        # The body of the answer is not read: a receiver that never ends it must not delay the next event.
        with client.stream("POST", webhook.url, content=body, headers=headers) as response:
            status = response.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise WebhookRejected(f"webhook {webhook.name}: no answer ({type(error).__name__})") from error
    if not 200 <= status < 300:
        raise WebhookRejected(f"webhook {webhook.name}: answered {status}")


def as_body(event: EventRow) -> bytes:
    """The JSON body of an event, with equal bytes each time."""
    data = {"study_instance_uid": event.study_instance_uid, **event.detail}
    body = {"id": event.id, "type": event.kind, "timestamp": event.at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def sign(secret: str, event_id: int, sent_at: int, body: bytes) -> str:
    """The signature of Standard Webhooks: ``v1,`` and HMAC-SHA256 over id, Unix time and body, joined by dots.

    Parameters
    ----------
    secret
        Base64 after ``whsec_``, as the specification writes keys; any other text is the key itself.
    """
    signed = b".".join((str(event_id).encode(), str(sent_at).encode(), body))
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def wants(webhook: Webhook, kind: str) -> bool:
    """Tell whether a receiver asked for events of this kind."""
    return any(fnmatchcase(kind, pattern) for pattern in webhook.events)


def pause(failures: int) -> timedelta:
    """Pause before the next attempt: doubles with each failure in a row up to a maximum, plus or minus a random quarter."""
    seconds = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))


def open_client() -> httpx.Client:
    """An HTTP client for `deliver_events` that keeps connections open. It uses no proxy of the environment."""
    return httpx.Client(timeout=ANSWER_TIMEOUT_S, follow_redirects=False, trust_env=False)


def _is_behind(webhook: Webhook, ledger: Ledger) -> bool:
    """Tell whether there are events that the receiver has not accepted. No lock is taken: most calls find none."""
    known = ledger.webhooks.all().get(webhook.name)
    return ledger.events.last_id() > (known[0] if known else 0)


def _next_event(webhook: Webhook, ledger: Ledger, known: int) -> EventRow | None:
    """The next event that the receiver asked for; None, and the read position moved on, if there is none among the next events."""
    ahead = ledger.events.find(after_id=known, limit=EVENTS_PER_READ)
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
